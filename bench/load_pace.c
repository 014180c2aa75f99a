/* Open loop: one event a request at a fixed rate, whatever the answers do. Each event
 * is timed from its POST to its arrival at the receiver; one that had to wait for a
 * free connection is timed from the moment it was due, so that a stall of the server
 * counts for every event that it held up. */
#include "load.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct open_loop {
    uint64_t total;
    uint64_t due; /* events whose time has come */
    uint64_t answered;
    uint64_t late;       /* events that found no free connection */
    uint64_t *sent_ns;   /* by sequence number */
    uint64_t *answer_ns; /* by sequence number: POST to 202 */
    unsigned idle;       /* connections in the stack */
    struct client **stack;
};

static uint64_t
due_ns(const struct load *load, uint64_t seq)
{
    return load->first_ns + seq * UINT64_C(1000000000) / load->rate;
}

static void
send_one(struct load *load, struct open_loop *loop, bool late)
{
    struct client *c = loop->stack[--loop->idle];
    uint64_t seq = load->next_seq++;

    client_start(c, seq);
    loop->sent_ns[seq] = late ? due_ns(load, seq) : c->started_ns;
    loop->late += late;
}

static void
on_answer(struct load *load, struct client *c, void *ctx)
{
    struct open_loop *loop = ctx;

    loop->answer_ns[c->first_seq] = load->last_ns - loop->sent_ns[c->first_seq];
    loop->answered++;
    loop->stack[loop->idle++] = c;
    if (load->next_seq < loop->due)
        send_one(load, loop, true);
}

/* Sends what is due; returns how long until the next one is. */
static uint64_t
send_due(struct load *load, struct open_loop *loop)
{
    uint64_t now = board_now_ns();

    while (loop->due < loop->total && due_ns(load, loop->due) <= now) {
        loop->due++;
        if (loop->idle > 0 && load->next_seq + 1 == loop->due)
            send_one(load, loop, false);
    }
    if (loop->due >= loop->total)
        return 10000000;
    now = board_now_ns();
    return due_ns(load, loop->due) > now ? due_ns(load, loop->due) - now : 0;
}

static void
report(struct load *load, struct open_loop *loop, bool all)
{
    /* The first second opens connections and fills caches: it is left out. */
    uint64_t skip = loop->total > 2 * load->rate ? load->rate : 0;
    size_t n = (size_t)(loop->total - skip);
    uint64_t *arrive = calloc(n, sizeof(*arrive));
    uint64_t *answer = loop->answer_ns + skip;
    size_t have = 0;

    if (!arrive)
        load_die("%s", strerror(errno));
    for (uint64_t seq = skip; seq < loop->total; seq++) {
        uint64_t at = atomic_load(&load->board->arrived_ns[seq]);

        if (at >= loop->sent_ns[seq])
            arrive[have++] = at - loop->sent_ns[seq];
    }
    printf("{\"events\":%" PRIu64 ",\"arrived\":%zu,\"late\":%" PRIu64
           ",\"repeats\":%" PRIu64 ",\"refused\":%" PRIu64 ",\"all\":%s,",
           loop->total, have, loop->late, atomic_load(&load->board->repeats),
           load->refused, all ? "true" : "false");
    printf("\"p50Us\":%.1f,\"p90Us\":%.1f,\"p99Us\":%.1f,\"maxUs\":%.1f,",
           (double)load_quantile(arrive, have, 500) / 1e3,
           (double)load_quantile(arrive, have, 900) / 1e3,
           (double)load_quantile(arrive, have, 990) / 1e3,
           (double)load_quantile(arrive, have, 1000) / 1e3);
    printf("\"answerP50Us\":%.1f,\"answerP99Us\":%.1f}\n",
           (double)load_quantile(answer, n, 500) / 1e3,
           (double)load_quantile(answer, n, 990) / 1e3);
    free(arrive);
}

void
load_pace(struct load *load)
{
    struct open_loop loop = {.total = (uint64_t)load->rate * load->seconds};
    bool all;

    if (loop.total == 0 || loop.total > load->board->slots || load->target.batch != 1)
        load_die("pace: not with this rate, time, batch or board");
    loop.sent_ns = calloc(loop.total, sizeof(*loop.sent_ns));
    loop.answer_ns = calloc(loop.total, sizeof(*loop.answer_ns));
    loop.stack = calloc(load->connections, sizeof(*loop.stack));
    if (!loop.sent_ns || !loop.answer_ns || !loop.stack)
        load_die("%s", strerror(errno));
    load_open(load);
    for (unsigned i = 0; i < load->connections; i++)
        loop.stack[loop.idle++] = &load->clients[i];
    load->first_ns = board_now_ns();
    while (loop.answered < loop.total)
        load_turn(load, send_due(load, &loop), on_answer, &loop);
    all = load_await(load, loop.total);
    report(load, &loop, all);
    free(loop.sent_ns);
    free(loop.answer_ns);
    free(loop.stack);
}
