/* One keep-alive connection that posts the same request again and again, with new
 * sequence numbers each time. Not blocking; the caller owns the epoll. */
#pragma once
#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What all connections of a run post, and where. */
struct target {
    struct sockaddr_in addr;
    const char *path;
    const char *key;  /* NULL: no Authorization */
    const char *body; /* one event, with the placeholder of board.h */
    size_t body_len;
    unsigned batch; /* events a request; beyond 1 they go as a JSON array */
};

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
    size_t digits_at; /* where the first sequence number stands in out */
    size_t stride;    /* from one event's number to the next one's */
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
