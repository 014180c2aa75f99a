/*
 * The way to the server's HTTP API, for all commands but `serve`. One request at a
 * time.
 */
#pragma once

#include "base/buf.h"
#include "base/err.h"
#include "base/json.h"
#include "cli/command.h"

#define CLIENT_PATH_MAX 8192

struct client;

/* Takes the server's URL and the key from --url, --key, --data, or the variables. */
int client_open(struct client **out, const struct command_line *line,
                struct err *err) must_check;
/* For what needs no key: without one there is a client all the same, and `no_key` says
 * why there is none (its code is 0 if there is). */
int client_open_keyless(struct client **out, const struct command_line *line,
                        struct err *no_key, struct err *err) must_check;
void client_close(struct client *client); /* NULL is fine */

struct reply {
    long status;
    struct buf body;
};

void reply_init(struct reply *answer);
void reply_fini(struct reply *answer);

/* 0 for an answer of 2xx. Otherwise a sentence that a person can act upon: what the
 * server's problem document says, or why there was no answer. `type` may be NULL, then
 * there is no body. */
int client_call(struct client *client, const char *method, const char *path,
                const char *type, struct slice body, struct reply *answer,
                struct err *err) must_check;

/* Where the bytes of an answer go that is as long as it likes. `size` is what the
 * server says of all of it; 0 = nothing. */
struct client_sink {
    int (*take)(void *ctx, struct slice bytes, int64_t size, struct err *err);
    void *ctx;
};

/* As client_call, without a body; the answer's goes to the sink if it is one of 2xx,
 * and its first byte may be an hour away. */
int client_download(struct client *client, const char *method, const char *path,
                    const struct client_sink *sink, struct reply *answer,
                    struct err *err) must_check;

/* Likewise a stream (GET), until it ends or is silent: 0 = it had its proper end. */
int client_follow(struct client *client, const char *path,
                  const struct client_sink *sink, struct reply *answer,
                  struct err *err) must_check;

/* A header of the last answer, also of one that refused; NULL if it has none. Valid
 * until the next call. */
const char *client_header(struct client *client, const char *name);
/* When the certificate ends that came with the last answer; false if none came, as on a
 * connection that had been used before. */
bool client_certificate_end(struct client *client, msec_t *end_ms);
/* How long the last answer asks to wait before the next try; -1 when it does not say.
 */
msec_t client_retry_after(struct client *client);

/* Parses an answer, which must be an object. What was stored is as deep as it may be
 * and stands inside the answer's own values: `doc` is set to read that, too. */
int reply_parse(const struct reply *answer, struct json_doc *doc,
                struct err *err) must_check;

/* 0, or E_INVALID with a sentence: may this be --url? */
int client_url_check(const char *url, struct err *err) must_check;

/* Appends text to a path or query with everything escaped that is not plain. */
void path_add_escaped(struct buf *path, const char *text);
/* Appends ?name=value or &name=value; nothing when value is NULL. */
void path_add_query(struct buf *path, const char *name, const char *value);
