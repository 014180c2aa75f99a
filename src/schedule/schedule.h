/*
 * When which webhook has something due: ids and times only, never bytes. Each webhook
 * has one place, `from`: every waiting call of it that stands before that place in the
 * store is in memory already (ready, in flight or being recorded); what stands at or
 * behind it is on disk only. So ten million waiting calls cost one entry per webhook.
 */
#pragma once

#include "base/heap.h"
#include "base/types.h"

/* As in store.h: a place in a webhook's waiting calls. The schedule does not look at
 * the store; its user copies. */
struct schedule_place {
    msec_t due_ms; /* MSEC_NEVER = nothing on disk */
    uint64_t event;
};

static inline bool
schedule_place_before(struct schedule_place a, struct schedule_place b)
{
    return a.due_ms < b.due_ms || (a.due_ms == b.due_ms && a.event < b.event);
}

struct schedule_entry {
    struct heap_node node;
    struct schedule_place from;
    bool paused; /* disabled webhook, or a read is under way: never due */
};

struct schedule {
    struct heap heap;
};

void schedule_init(struct schedule *schedule);
void schedule_fini(struct schedule *schedule);

void schedule_add(struct schedule *schedule, struct schedule_entry *entry,
                  struct schedule_place from);
void schedule_remove(struct schedule *schedule, struct schedule_entry *entry);
void schedule_pause(struct schedule *schedule, struct schedule_entry *entry,
                    bool paused);

/* A call at this place is on disk only: `from` becomes the earlier of the two. */
void schedule_note(struct schedule *schedule, struct schedule_entry *entry,
                   struct schedule_place place);
/* A read took everything before `next`. What schedule_note said since the read began
 * still counts: pass it through schedule_note again after this. */
void schedule_reach(struct schedule *schedule, struct schedule_entry *entry,
                    struct schedule_place next);

/* When the earliest place is due; MSEC_NEVER when nothing is. */
msec_t schedule_due(const struct schedule *schedule);
/* An entry whose place is due at `now`, NULL if none. It stays until paused, noted or
 * reached. */
struct schedule_entry *schedule_first_due(struct schedule *schedule, msec_t now_ms);
