/* What an export and an import share: requests that wait when the server is busy, and a
 * line on the terminal that tells how far they are. */
#pragma once

#include "cli/client.h"

/* A server that cannot now, and says when it can (429 and 503 with Retry-After), is
 * asked so often, and waited for so long, before that becomes the answer. */
#define TRANSFER_TRIES   30
#define TRANSFER_WAIT_MS ((msec_t)60 * 1000)

struct transfer {
    struct client *client;
    struct reply answer; /* the last one */
    bool progress;       /* stderr is a terminal */
    bool shown;          /* something stands in its line */
    usec_t began_us;     /* mono */
};

int transfer_open(struct transfer *transfer, const struct command_line *line,
                  struct err *err) must_check;
/* Ends the line on the terminal, too. Also of one that could not be opened. */
void transfer_close(struct transfer *transfer);

/* As client_call. */
int transfer_call(struct transfer *transfer, const char *method, const char *path,
                  const char *type, struct slice body, struct err *err) must_check;

/* Shows how many there are by now, and how many a second; `passed` of `size` bytes, a
 * size of 0 is not known. */
void transfer_show(struct transfer *transfer, int64_t n, int64_t passed, int64_t size);
/* Ends the line on the terminal: other things are said now. */
void transfer_hide(struct transfer *transfer);
