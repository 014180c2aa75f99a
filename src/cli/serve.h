/*
 * What the files of `pushwire serve` share: serve.c (the command: up, signals, down),
 * serve_parts.c (from options to parts), serve_sandbox.c (what the process gives up),
 * serve_key.c (the admin key). They alone know what is behind the API.
 */
#pragma once

#include "api/api.h"
#include "base/geoip.h"
#include "base/mem.h"
#include "base/tls.h"
#include "cli/command.h"
#include "cli/serve_memory.h"
#include "cli/targets.h"
#include "engine/engine.h"
#include "send/transport.h"
#include "store/store.h"

#define PATH_MAX_BYTES 4096

struct server_watch {
    unsigned looks;    /* since the service manager heard of us */
    unsigned idle;     /* in a row that found work and nobody at it */
    uint64_t attempts; /* that had ended at the last look */
};

struct server {
    const struct options *options;
    struct store *store;
    struct engine *engine;
    struct api *api;
    struct geoip *geoip;
    struct tls *tls;           /* NULL: the API is plain HTTP */
    int listen_fd, metrics_fd; /* bound; -1 = none, or the API has it */
    struct mem_budget ingest;
    struct guard guard;
    struct engine_notify notify; /* the reference is the server's */
    char dns[TARGETS_DNS_MAX];
    struct transport_options transport;
    char key_path[PATH_MAX_BYTES];
    struct server_watch watch;
    struct memory_plan memory;
};

/* ---- serve_parts.c ---- */

/* Shares out the memory; before anything is opened. */
int server_plan_memory(struct server *server, struct err *err) must_check;
/* Where calls may go; likewise. E_INVALID: an option makes no sense. */
int server_read_targets(struct server *server, struct err *err) must_check;
/* Opens all parts in the order in which they need each other; what is open after a
 * failure is closed by server_close too. */
int server_open(struct server *server, struct err *err) must_check;
void server_close(struct server *server);
/* SIGHUP: reads again what may change while the server runs. On the main thread. */
void server_reload(struct server *server);
/* Sender threads: as told, or one per core. */
unsigned server_senders(const struct options *options);

/* ---- serve_sandbox.c ---- */

/* Becomes the user that is asked for. Before anything is opened that is not root's. */
int server_become_user(struct server *server, struct err *err) must_check;
/* Gives up what is not needed from here on. Before the first thread starts. */
int server_enter_sandbox(struct server *server, struct err *err) must_check;

/* ---- serve_watch.c ---- */

/* One look, a second after the last: says when something has stalled, and tells the
 * service manager that all is well for as long as it is. On the main thread. */
void server_watch(struct server *server);

/* ---- serve_escape.c ---- */

/* In a build with faults: does what an intruder would, as far as PUSHWIRE_FAULT says.
 * On any thread. */
void server_try_to_escape(void);

/* ---- serve_notify.c ---- */

/* What operators are told, and where; makes the secret's file if there is none. When
 * the data folder is there, and before the sandbox. E_INVALID: an option makes no
 * sense. */
int server_read_notify(struct server *server, struct err *err) must_check;

/* ---- serve_key.c ---- */

/* Makes the first admin key, or another one if asked for, and puts it into its file;
 * warns of a file that does not fit the store. */
int server_ensure_key(struct server *server, struct err *err) must_check;
