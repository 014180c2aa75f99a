/*
 * What the tests of the API share: the real server on a free port before an engine of
 * arrays, a client that speaks over a socket, and looks into answers.
 */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "api/api.h"
#include "base/json.h"
#include "fake_engine.h"

#define FIXTURE_MAX_REQUEST (64 * 1024)
#define FIXTURE_MAX_EVENTS  20

#define CHANNEL  "/v1/channels/one"
#define EVENTS   CHANNEL "/events"
#define CALLS    CHANNEL "/calls"
#define WEBHOOKS CHANNEL "/webhooks"

#define PUSH(type, subscription)                                                       \
    "{\"type\":\"" type "\",\"date\":\"2024-03-04T10:10:40.136Z\",\"subscription\":"   \
    "{\"_id\":\"" subscription "\"},\"notification\":{\"_id\":\"N\"},"                 \
    "\"channel\":{\"_id\":\"one\"}}"
#define CLICK PUSH("click", "S")

#define OPT_OUT                                                                        \
    "{\"type\":\"optOut\",\"subscription\":{\"_id\":\"S\","                            \
    "\"createdAt\":\"2024-03-04T09:50:51.375Z\","                                      \
    "\"syncedAt\":\"2024-03-04T09:50:51.375Z\",\"browserType\":\"SDK\","               \
    "\"platformName\":\"iOS\",\"topics\":[]},\"channel\":{\"_id\":\"one\"}}"

struct fixture {
    struct engine *engine;
    struct api *api;
    char admin[KEY_TEXT]; /* for all channels */
    char reader[KEY_TEXT];
    /* for channel "one"; channel "two" exists, too */
    char manage[KEY_TEXT], ingest[KEY_TEXT], channel_reader[KEY_TEXT];

    /* the last answer */
    unsigned status;
    char *answer; /* all its bytes */
    size_t answer_n;
    struct slice head, body;
    struct json_doc doc; /* of a JSON body */
    bool parsed;
};

int fixture_setup(void **state);
int fixture_teardown(void **state);
/* With body buffers from `mem`. */
struct fixture *fixture_new(struct mem *mem);
void fixture_free(struct fixture *f);

/* ---- asking ---- */

struct ask {
    const char *method; /* NULL = GET, or POST when there is a body */
    const char *path;
    const char *key;  /* NULL = none */
    const char *type; /* of the body; NULL = application/json */
    const char *more; /* header lines, each with its CRLF; NULL = none */
    const char *body; /* NULL = none */
    size_t body_n;    /* 0 = up to its NUL */
};

/* Sends, waits for the whole answer, and fails the test when it has another status. */
void ask(struct fixture *f, unsigned status, struct ask ask);
void get(struct fixture *f, unsigned status, const char *path, const char *key);
void post(struct fixture *f, unsigned status, const char *path, const char *key,
          const char *body);
void patch(struct fixture *f, unsigned status, const char *path, const char *key,
           const char *body);
void del(struct fixture *f, unsigned status, const char *path, const char *key);

/* For tests that do something between sending and the answer. */
int ask_start(struct fixture *f, const char *bytes, size_t n);
/* The client's own address may be another than loopback. */
struct sockaddr_in;
int ask_start_from(struct fixture *f, const struct sockaddr_in *from, const char *bytes,
                   size_t n);
void ask_finish(struct fixture *f, int fd); /* reads to the end and closes */

/* ---- looking at the answer ---- */

/* A value's raw JSON by its pointer; p NULL if absent. */
struct slice at(struct fixture *f, const char *pointer);
void is(struct fixture *f, const char *pointer, const char *json);
void is_absent(struct fixture *f, const char *pointer);
void has(struct fixture *f, const char *pointer, const char *part);
/* A string's bytes (without escapes) into out, with a NUL. */
void text_at(struct fixture *f, const char *pointer, char *out, size_t room);
size_t length_of(struct fixture *f, const char *pointer);
/* A header's value, or p NULL. */
struct slice header(struct fixture *f, const char *name);
void header_is(struct fixture *f, const char *name, const char *value);

/* ---- what many tests do ---- */

/* With f->ingest and f->manage, in channel "one". */
void add_event(struct fixture *f, const char *body, char id[ID_TEXT]);
void add_webhook(struct fixture *f, const char *body, char id[ID_TEXT]);

/* How many rows a list has. */
void counts(struct fixture *f, const char *path, size_t n);

/* A body that must be refused: what is wrong, and where. */
struct refusal {
    const char *body, *path, *detail;
};

void refuse_all(struct fixture *f, const char *method, const char *url,
                const struct refusal *rows, size_t n);
