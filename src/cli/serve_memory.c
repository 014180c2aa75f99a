#include "cli/serve_memory.h"

#include "cli/value.h"

#define KIB(n) ((uint64_t)(n) << 10)
#define MIB(n) ((uint64_t)(n) << 20)

/* The program with nothing to do, and what a thread adds: its stack, its share of the
 * heap, its caches. */
#define PROGRAM_BYTES MIB(16)
#define THREAD_BYTES  MIB(1)
/* An attempt: libcurl's buffers and TLS. A client: the head of a request, and TLS. */
#define SLOT_BYTES       KIB(64)
#define CONNECTION_BYTES KIB(32)

#define INGEST_LEAST      MIB(1)
#define SENDER_LEAST      MIB(1)
#define CACHE_LEAST       MIB(1)
#define SLOTS_LEAST       8
#define SLOTS_MOST        2048
#define CONNECTIONS_LEAST 64
#define CONNECTIONS_MOST  4096

static uint64_t
between(uint64_t least, uint64_t n, uint64_t most)
{
    return n < least ? least : n < most ? n : most;
}

static void
fill(struct memory_plan *plan, const struct memory_plan *with)
{
    plan->ingest = plan->ingest ? plan->ingest : with->ingest;
    plan->sender = plan->sender ? plan->sender : with->sender;
    plan->cache = plan->cache ? plan->cache : with->cache;
    plan->slots = plan->slots ? plan->slots : with->slots;
    plan->connections = plan->connections ? plan->connections : with->connections;
}

static uint64_t
bytes_of(const struct memory_plan *plan, unsigned senders)
{
    /* Answers that clients do not take may have as much as requests. */
    return 2 * plan->ingest + plan->cache + plan->connections * CONNECTION_BYTES +
           senders * (plan->sender + plan->slots * SLOT_BYTES);
}

/* Tenths: requests, answers and events being sent have two each, the database, attempts
 * and connections one; one is left for what is between them. More slots and connections
 * than a server without a number has help nobody. */
static struct memory_plan
shares(uint64_t bytes, unsigned senders)
{
    uint64_t tenth = bytes / 10;

    return (struct memory_plan){
        .ingest = between(INGEST_LEAST, 2 * tenth, UINT64_MAX),
        .sender = between(SENDER_LEAST, 2 * tenth / senders, UINT64_MAX),
        .cache = between(CACHE_LEAST, tenth, UINT64_MAX),
        .slots = between(SLOTS_LEAST, tenth / SLOT_BYTES / senders, SLOTS_MOST),
        .connections =
            between(CONNECTIONS_LEAST, tenth / CONNECTION_BYTES, CONNECTIONS_MOST),
    };
}

int
memory_plan_make(struct memory_plan *plan, uint64_t max_bytes, unsigned threads,
                 unsigned senders, struct err *err)
{
    uint64_t program = PROGRAM_BYTES + (uint64_t)threads * THREAD_BYTES;
    uint64_t usable = max_bytes / 5 * 4;

    struct memory_plan share = shares(usable > program ? usable - program : 0, senders);
    fill(plan, &share);
    uint64_t needed = program + bytes_of(plan, senders);
    if (needed <= usable)
        return 0;
    char least[VALUE_TEXT];
    value_format_size(least, (int64_t)((needed / 4 * 5 + MIB(1)) >> 20 << 20));
    return err_set(err, E_INVALID,
                   "expected at least %s for %u threads and what else was said; or say "
                   "less, or fewer --senders and --api-threads",
                   least, threads);
}
