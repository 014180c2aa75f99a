#include "cli/transfer.h"

#include <poll.h>

#define WAIT_LEAST_MS 100  /* between two tries, whatever the server says */
#define WAIT_MS       1000 /* when it says nothing */

int
transfer_open(struct transfer *transfer, const struct command_line *line,
              struct err *err)
{
    *transfer = (struct transfer){0};
    progress_init(&transfer->progress, "subscriptions");
    transfer->progress.quiet = option_on(&line->options, OPTION_JSON);
    reply_init(&transfer->answer);
    return client_open(&transfer->client, line, err);
}

void
transfer_close(struct transfer *transfer)
{
    progress_end(&transfer->progress);
    reply_fini(&transfer->answer);
    client_close(transfer->client);
}

/* ---- requests ---- */

static bool
is_busy(const struct transfer *transfer)
{
    return transfer->answer.status == 429 || transfer->answer.status == 503;
}

/* Waits as long as the server asks for; false when that is too long. */
static bool
wait_for_server(struct transfer *transfer, msec_t *left_ms)
{
    msec_t wait_ms = client_retry_after(transfer->client);

    if (wait_ms < 0)
        wait_ms = WAIT_MS;
    if (wait_ms < WAIT_LEAST_MS)
        wait_ms = WAIT_LEAST_MS;
    if (wait_ms > *left_ms)
        return false;
    *left_ms -= wait_ms;
    progress_say(&transfer->progress, "the server is busy (%ld): waiting %lld s",
                 transfer->answer.status, (long long)(wait_ms + 999) / 1000);
    poll(NULL, 0, (int)wait_ms);
    return true;
}

int
transfer_call(struct transfer *transfer, const char *method, const char *path,
              const char *type, struct slice body, struct err *err)
{
    msec_t left_ms = TRANSFER_WAIT_MS;

    for (int tries = 1;; tries++) {
        transfer->answer.status = 0; /* when there is no answer at all */
        int rc = client_call(transfer->client, method, path, type, body,
                             &transfer->answer, err);
        if (rc == 0 || !is_busy(transfer) || tries == TRANSFER_TRIES ||
            !wait_for_server(transfer, &left_ms))
            return rc;
    }
}
