#include "schedule/schedule.h"

#include <assert.h>

void
schedule_init(struct schedule *schedule)
{
    heap_init(&schedule->heap);
}

void
schedule_fini(struct schedule *schedule)
{
    heap_fini(&schedule->heap);
}

/* In the heap stands what can become due: neither paused nor empty. */
static void
settle(struct schedule *schedule, struct schedule_entry *entry)
{
    if (entry->paused || entry->from.due_ms == MSEC_NEVER)
        heap_remove(&schedule->heap, &entry->node);
    else if (entry->node.at == HEAP_NOWHERE || entry->node.key != entry->from.due_ms)
        heap_set(&schedule->heap, &entry->node, entry->from.due_ms);
}

void
schedule_add(struct schedule *schedule, struct schedule_entry *entry,
             struct schedule_place from)
{
    heap_node_init(&entry->node);
    entry->paused = false;
    entry->from = from;
    settle(schedule, entry);
}

void
schedule_remove(struct schedule *schedule, struct schedule_entry *entry)
{
    heap_remove(&schedule->heap, &entry->node);
}

void
schedule_pause(struct schedule *schedule, struct schedule_entry *entry, bool paused)
{
    entry->paused = paused;
    settle(schedule, entry);
}

void
schedule_note(struct schedule *schedule, struct schedule_entry *entry,
              struct schedule_place place)
{
    if (!schedule_place_before(place, entry->from))
        return;
    entry->from = place;
    settle(schedule, entry);
}

void
schedule_reach(struct schedule *schedule, struct schedule_entry *entry,
               struct schedule_place next)
{
    entry->from = next;
    settle(schedule, entry);
}

msec_t
schedule_due(const struct schedule *schedule)
{
    struct heap_node *top = heap_top(&schedule->heap);
    return top ? top->key : MSEC_NEVER;
}

struct schedule_entry *
schedule_first_due(struct schedule *schedule, msec_t now_ms)
{
    struct heap_node *top = heap_top(&schedule->heap);
    if (!top || top->key > now_ms)
        return NULL;
    return container_of(top, struct schedule_entry, node);
}
