/* Closed loop: every connection posts its next request as soon as it has its answer. */
#include "load.h"

#include <inttypes.h>
#include <stdio.h>

struct closed_loop {
    uint64_t end_ns;    /* 0: until `limit` */
    uint64_t limit;     /* the first number that is not posted any more */
    unsigned under_way; /* connections with a request */
};

static bool
is_over(const struct load *load, const struct closed_loop *loop)
{
    return loop->end_ns != 0 ? board_now_ns() >= loop->end_ns
                             : load->next_seq >= loop->limit;
}

static void
post_next(struct load *load, struct client *c, void *ctx)
{
    struct closed_loop *loop = ctx;

    if (is_over(load, loop)) {
        loop->under_way--;
        return;
    }
    client_start(c, load->next_seq);
    load->next_seq += load->target.batch;
}

static double
seconds(uint64_t from_ns, uint64_t to_ns)
{
    return to_ns > from_ns ? (double)(to_ns - from_ns) / 1e9 : 0;
}

void
load_post(struct load *load)
{
    struct closed_loop loop = {.limit = load->next_seq + load->events,
                               .under_way = load->connections};
    uint64_t delivered = 0;
    bool all = true;

    load_open(load);
    load->first_ns = board_now_ns();
    if (load->events == 0)
        loop.end_ns = load->first_ns + load->seconds * UINT64_C(1000000000);
    for (unsigned i = 0; i < load->connections; i++)
        post_next(load, &load->clients[i], &loop);
    while (loop.under_way > 0)
        load_turn(load, 5000000, post_next, &loop);
    if (load->board)
        delivered = atomic_load(&load->board->distinct);
    if (load->await)
        all = load_await(load, load->accepted);
    printf("{\"accepted\":%" PRIu64 ",\"acceptSeconds\":%.6f,\"refused\":%" PRIu64
           ",\"broken\":%" PRIu64 ",\"deliveredMeanwhile\":%" PRIu64,
           load->accepted, seconds(load->first_ns, load->last_ns), load->refused,
           load->broken, delivered);
    if (load->await)
        printf(",\"delivered\":%" PRIu64 ",\"repeats\":%" PRIu64
               ",\"deliverSeconds\":%.6f,\"all\":%s",
               atomic_load(&load->board->distinct), atomic_load(&load->board->repeats),
               seconds(load->first_ns, atomic_load(&load->board->last_ns)),
               all ? "true" : "false");
    printf("}\n");
}
