/* What an export and an import share: requests that wait when the server is busy, and
 * what tells how far they are. */
#pragma once

#include "cli/client.h"
#include "cli/progress.h"

/* A server that cannot now, and says when it can (429 and 503 with Retry-After), is
 * asked so often, and waited for so long, before that becomes the answer. */
#define TRANSFER_TRIES   30
#define TRANSFER_WAIT_MS ((msec_t)60 * 1000)

struct transfer {
    struct client *client;
    struct reply answer; /* the last one */
    struct progress progress;
};

int transfer_open(struct transfer *transfer, const struct command_line *line,
                  struct err *err) must_check;
/* Ends the line on the terminal, too. Also of one that could not be opened. */
void transfer_close(struct transfer *transfer);

/* As client_call. */
int transfer_call(struct transfer *transfer, const char *method, const char *path,
                  const char *type, struct slice body, struct err *err) must_check;
