/* One keep-alive connection that posts the same request again and again, with new
 * sequence numbers each time. Not blocking; the caller owns the epoll. */
#pragma once
#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MARKS_MAX 4

/* What all connections of a run post, and where. */
struct target {
    struct sockaddr_in addr;
    const char *path;
    const char *key; /* NULL: no Authorization */
    char *body;      /* one event, with marks of board.h where its number goes */
    size_t body_len;
    size_t marks[MARKS_MAX];
    unsigned n_marks;
    unsigned batch; /* events a request; beyond 1 they go as a JSON array */
    bool lines;     /* … or as NDJSON, whatever the batch */
    uint64_t among; /* 0: events have their sequence number; else all numbers below
                       this, each once and in no order, and then again */
};

/* Notes where the numbers stand in the body. 0 or -1: no mark, or too many. */
int target_find_marks(struct target *target);

enum client_state {
    CLIENT_IDLE,
    CLIENT_BUSY,
    CLIENT_ANSWERED, /* look at status, then start the next one */
    CLIENT_BROKEN    /* the connection went away without an answer */
};

struct client {
    const struct target *target;
    int fd;
    enum client_state state;
    char *out;
    size_t out_len;
    size_t out_done;
    size_t events_at; /* where the first event stands in out */
    uint64_t first_seq;
    uint64_t started_ns;
    uint64_t not_before_ns; /* the caller's: when a refused request may go again */
    char in[8192];
    size_t in_have;
    size_t body_left;
    bool in_body;
    unsigned status;
};

/* Connects (waiting for it) and builds the request. 0 or -1: errno says why. */
int client_open(struct client *client, const struct target *target);
void client_close(struct client *client);

/* A fresh connection in the place of a broken one; the caller watches the new fd. */
int client_reopen(struct client *client);

/* Posts events first_seq, first_seq + 1, … */
void client_start(struct client *client, uint64_t first_seq);

/* After the epoll (edge-triggered, both ways) reported the connection. */
enum client_state client_continue(struct client *client);
