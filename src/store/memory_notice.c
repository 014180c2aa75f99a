#include <stdlib.h>

#include "base/mem.h"
#include "store/memory_private.h"
#include "store/store_notice.h"

static void
drop_first(struct memory_store *m)
{
    memory_disown(m->notices[0].channel_id);
    memory_disown(m->notices[0].text);
    memory_disown(m->notices[0].data);
    memmove(m->notices, m->notices + 1, (m->n_notices - 1) * sizeof(m->notices[0]));
    m->n_notices--;
}

void
memory_put_notice(struct memory_store *m, struct store_op *op)
{
    const struct notice_row *row = container_of(op, struct store_put_notice, op)->row;
    uint64_t oldest = event_key_at(clock_steady_ms(m->clock) - STORE_NOTICE_MS);

    m->notices = xrealloc(m->notices, (m->n_notices + 1) * sizeof(m->notices[0]));
    struct notice_row *own = &m->notices[m->n_notices++];
    *own = *row;
    own->channel_id = memory_own(row->channel_id);
    own->text = memory_own(row->text);
    own->data = memory_own(row->data);
    while (m->n_notices > STORE_NOTICES_MAX ||
           (m->n_notices > 1 && m->notices[0].number < oldest))
        drop_first(m);
}

/* The earliest that waits, from a place on. */
static const struct notice_row *
next_waiting(const struct memory_store *m, const struct notice_row *after)
{
    const struct notice_row *found = NULL;
    for (size_t i = 0; i < m->n_notices; i++) {
        const struct notice_row *row = &m->notices[i];
        if (!row->waits ||
            (after && (row->due_ms < after->due_ms ||
                       (row->due_ms == after->due_ms && row->number <= after->number))))
            continue;
        if (!found || row->due_ms < found->due_ms)
            found = row;
    }
    return found;
}

static void
waiting(struct memory_store *m, struct store_notices *list)
{
    const struct notice_row *row = NULL;
    for (size_t n = 0; n < list->limit && (row = next_waiting(m, row)) != NULL; n++)
        list->each(list, row);
}

void
memory_notices(struct memory_store *m, struct store_op *op)
{
    struct store_notices *list = container_of(op, struct store_notices, op);
    uint64_t last = 0;
    size_t n = 0;

    list->next = 0;
    if (list->channel && !memory_channel(m, list->channel)) {
        memory_refuse(op, E_NOT_FOUND, "no such channel");
        return;
    }
    if (list->waiting) {
        waiting(m, list);
        return;
    }
    for (size_t i = m->n_notices; i-- > 0;) {
        const struct notice_row *row = &m->notices[i];
        if (row->number >= list->before ||
            (list->channel && row->channel != list->channel))
            continue;
        if (n++ == list->limit) {
            list->next = last;
            return;
        }
        last = row->number;
        list->each(list, row);
    }
}

void
memory_settle_notice(struct memory_store *m, struct store_op *op)
{
    const struct store_settle_notice *settle =
        container_of(op, struct store_settle_notice, op);
    for (size_t i = 0; i < m->n_notices; i++) {
        struct notice_row *row = &m->notices[i];
        if (row->number != settle->number)
            continue;
        row->waits = settle->waits;
        row->tries = settle->tries;
        row->due_ms = settle->due_ms;
    }
}

void
memory_backlogs(struct memory_store *m, struct store_op *op)
{
    struct store_backlogs *list = container_of(op, struct store_backlogs, op);
    for (size_t w = 0; w < m->n_webhooks; w++) {
        uint64_t waiting = 0;
        for (size_t i = 0; i < m->n_events; i++) {
            const struct memory_call *call =
                memory_call(m->events[i], m->webhooks[w]->number);
            waiting += call && call->state == CALL_WAITING;
        }
        if (!m->webhooks[w]->deleted && waiting >= list->least)
            list->each(list, m->webhooks[w]->number, waiting);
    }
}

void
memory_notices_free(struct memory_store *m)
{
    while (m->n_notices > 0)
        drop_first(m);
    free(m->notices);
}
