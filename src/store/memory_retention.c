/* What has ended goes when its time is over. */
#include "store/memory_private.h"

#include <stdlib.h>

#include "base/mem.h"

#define YOUNG_MS  2000 /* keys of this second may be given still */
#define ROW_BYTES 200  /* of an event, beside its body */

/* By age, or although its time is not over: what has succeeded, what has ended. */
enum rule { BY_AGE, SUCCEEDED, ENDED, RULES };

static bool
is_past(msec_t now_ms, msec_t then_ms, msec_t keep_ms)
{
    return keep_ms && now_ms - then_ms >= keep_ms;
}

static bool
goes(const struct memory_store *m, const struct memory_event *event, enum rule rule)
{
    const struct store_keep *keep = &m->keep;
    msec_t now_ms = clock_steady_ms(m->clock);

    if (event->record.created_ms > now_ms - YOUNG_MS)
        return false;
    for (size_t i = 0; i < event->n_calls; i++) {
        const struct memory_call *call = &event->calls[i];
        bool ok = call->state == CALL_SUCCEEDED;
        if (call->state == CALL_WAITING || (rule == SUCCEEDED && !ok) ||
            (rule == BY_AGE && !is_past(now_ms, call->ended_ms,
                                        ok ? keep->succeeded_ms : keep->failed_ms)))
            return false;
    }
    return event->n_calls > 0 || rule != BY_AGE ||
           is_past(now_ms, event->record.created_ms, keep->succeeded_ms);
}

static uint64_t
stored_bytes(const struct memory_store *m)
{
    uint64_t bytes = 0;
    for (size_t i = 0; i < m->n_events; i++)
        bytes += m->events[i]->record.body.n + ROW_BYTES;
    return bytes;
}

static void
drop_events(struct memory_store *m, enum rule rule)
{
    uint64_t bytes = rule == BY_AGE ? 0 : stored_bytes(m);
    size_t kept = 0;
    for (size_t i = 0; i < m->n_events; i++) {
        struct memory_event *event = m->events[i];
        bool wanted = rule == BY_AGE || (m->keep.bytes && bytes > m->keep.bytes);
        if (!wanted || !goes(m, event, rule)) {
            m->events[kept++] = event;
            continue;
        }
        bytes -= rule == BY_AGE ? 0 : event->record.body.n + ROW_BYTES;
        if (event->record.key > m->gone_key)
            m->gone_key = event->record.key;
        memory_event_free(event);
    }
    /* The array has room by its length, which is a power of two. */
    struct memory_event **all = m->events;
    m->n_events = 0;
    m->events = NULL;
    for (size_t i = 0; i < kept; i++) {
        MEMORY_GROW(m->events, m->n_events);
        m->events[m->n_events++] = all[i];
    }
    free(all);
}

static void
drop_reports(struct memory_store *m)
{
    msec_t now_ms = clock_steady_ms(m->clock);
    for (size_t i = 0; i < m->n_reports; i++) {
        struct memory_report *report = &m->reports[i];
        if (report->subscription && now_ms - report->at_ms >= STORE_REPORT_MS)
            report->subscription = 0; /* nobody's */
    }
}

void
memory_retain(struct memory_store *m)
{
    const struct store_keep *keep = &m->keep;
    if (!keep->succeeded_ms && !keep->failed_ms && !keep->bytes)
        return;
    for (enum rule rule = BY_AGE; rule < RULES; rule++)
        drop_events(m, rule);
    drop_reports(m);
}
