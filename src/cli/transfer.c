#include "cli/transfer.h"

#include <poll.h>
#include <stdio.h>

#include "base/clock.h"
#include "cli/table.h"

#define WAIT_LEAST_MS 100  /* between two tries, whatever the server says */
#define WAIT_MS       1000 /* when it says nothing */

int
transfer_open(struct transfer *transfer, const struct command_line *line,
              struct err *err)
{
    *transfer = (struct transfer){
        .progress = is_terminal(stderr),
        .began_us = clock_mono_us(&clock_system),
    };
    reply_init(&transfer->answer);
    return client_open(&transfer->client, line, err);
}

void
transfer_close(struct transfer *transfer)
{
    transfer_hide(transfer);
    reply_fini(&transfer->answer);
    client_close(transfer->client);
}

/* ---- the line on the terminal ---- */

static void
put_line(struct transfer *transfer, const char *text)
{
    /* What stood there may have been longer. */
    fprintf(stderr, "\r%s\033[K", text);
    transfer->shown = true;
}

void
transfer_show(struct transfer *transfer, int64_t n, int64_t passed, int64_t size)
{
    usec_t took_us = clock_mono_us(&clock_system) - transfer->began_us;
    double rate = (double)n * 1e6 / (double)(took_us > 0 ? took_us : 1);
    char part[24] = "";
    char text[120];

    if (!transfer->progress)
        return;
    if (size > 0)
        snprintf(part, sizeof(part), ", %d %%",
                 (int)((double)passed * 100 / (double)size));
    snprintf(text, sizeof(text), "%lld subscriptions, %.0f a second%s", (long long)n,
             rate, part);
    put_line(transfer, text);
}

void
transfer_hide(struct transfer *transfer)
{
    if (transfer->shown)
        fputc('\n', stderr);
    transfer->shown = false;
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
    char text[80];

    if (wait_ms < 0)
        wait_ms = WAIT_MS;
    if (wait_ms < WAIT_LEAST_MS)
        wait_ms = WAIT_LEAST_MS;
    if (wait_ms > *left_ms)
        return false;
    *left_ms -= wait_ms;
    if (transfer->progress) {
        snprintf(text, sizeof(text), "the server is busy (%ld): waiting %lld s",
                 transfer->answer.status, (long long)(wait_ms + 999) / 1000);
        put_line(transfer, text);
    }
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
