/* pushwire doctor: what it has found out, and what it says of each thing that it looks
 * at. */
#pragma once

#include "base/json.h"
#include "cli/client.h"

#define FINDINGS_MAX 64
#define FINDING_TEXT 400

enum finding_state {
    FINDING_OK,
    FINDING_UNKNOWN, /* it cannot be seen from here */
    FINDING_WARNING, /* it works, and will not for ever */
    FINDING_PROBLEM,
    FINDING_STATES
};

struct finding {
    const char *check;
    enum finding_state state;
    char text[FINDING_TEXT]; /* what is */
    char next[FINDING_TEXT]; /* what to do; "" = nothing */
};

struct doctor {
    const struct command_line *line;
    const char *url;
    const char *data;      /* the folder; NULL: none was named, and none is there */
    struct client *client; /* NULL: with these options there is none */
    bool has_key;
    struct err no_client;  /* why there is no client, or no key */
    struct err no_answer;  /* code 0: the server answered */
    struct reply me;       /* who we are; status 0 = nothing came */
    struct json_doc known; /* the same, when it is 200 */
    msec_t asked_ms;       /* wall, with the answer's */
    msec_t answered_ms;
    msec_t certificate_end_ms; /* of the server; 0 = not known */
    struct reply ready;
    struct reply metrics;
    struct finding findings[FINDINGS_MAX];
    size_t n;
};

/* Adds a finding; `next` may be NULL. */
void doctor_say(struct doctor *doctor, const char *check, enum finding_state state,
                const char *next, const char *fmt, ...) printf_like(5, 6);
/* Whether the server knows us; all that needs a key says nothing otherwise. */
bool doctor_is_known(const struct doctor *doctor);
/* A member of its answer to that, as text; "" if it is null. */
void doctor_member(const struct doctor *doctor, const char *name, char *out,
                   size_t cap);
/* A figure of /metrics by its name and labels, as it is written there. */
bool doctor_metric(const struct doctor *doctor, const char *name, double *out);

/* ---- doctor_server.c: what the server says ---- */

void doctor_ask(struct doctor *doctor);
void check_server(struct doctor *doctor);
void check_version(struct doctor *doctor);
void check_key(struct doctor *doctor);
void check_clock(struct doctor *doctor);
void check_certificate(struct doctor *doctor);
void check_ready(struct doctor *doctor);
void check_metrics(struct doctor *doctor);
void check_threads(struct doctor *doctor);
void check_disk(struct doctor *doctor);
void check_kept(struct doctor *doctor);
void check_files(struct doctor *doctor);
void check_backlog(struct doctor *doctor);

/* ---- doctor_webhooks.c ---- */

void check_webhooks(struct doctor *doctor);

/* ---- doctor_data.c: the folder, on the server's own machine ---- */

void check_folder(struct doctor *doctor);
void check_keys(struct doctor *doctor);
void check_store(struct doctor *doctor);
void check_room(struct doctor *doctor);
