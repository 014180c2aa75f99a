#include "store/memory_private.h"

#include <stdlib.h>

#include "base/mem.h"
#include "store/store_figures.h"

static void
note(struct memory_store *m, const struct memory_note *new)
{
    MEMORY_GROW(m->notes, m->n_notes);
    m->notes[m->n_notes] = *new;
    m->notes[m->n_notes++].at_ms = clock_steady_ms(m->clock);
}

void
memory_note_new(struct memory_store *m, uint64_t channel, uint64_t webhook, size_t n)
{
    note(m, &(struct memory_note){.channel = (uint32_t)channel,
                                  .webhook = (uint32_t)webhook,
                                  .n = (uint32_t)n,
                                  .waits = webhook ? 1 : 0});
}

void
memory_note_attempt(struct memory_store *m, uint64_t channel, uint64_t webhook,
                    const struct attempt_record *attempt, bool exhausted)
{
    note(m, &(struct memory_note){.channel = (uint32_t)channel,
                                  .webhook = (uint32_t)webhook,
                                  .attempt = true,
                                  .took_us = (uint32_t)attempt->duration_us,
                                  .ok = attempt->verdict == VERDICT_OK,
                                  .exhausted = exhausted});
}

void
memory_note_waiting(struct memory_store *m, uint64_t channel, uint64_t webhook, int by)
{
    note(m, &(struct memory_note){.channel = (uint32_t)channel,
                                  .webhook = (uint32_t)webhook,
                                  .waits = (int8_t)by});
}

/* Calls that were made count for their webhook alone, events for all but a webhook. */
static bool
counts_for(const struct memory_note *note, uint64_t channel, uint64_t webhook)
{
    if (webhook)
        return note->webhook == webhook;
    return (!note->n || !note->webhook) && (!channel || note->channel == channel);
}

static void
figures_of(const struct memory_store *m, uint64_t channel, uint64_t webhook,
           enum figures_step step, msec_t at_ms, struct figures *figures)
{
    msec_t now_ms = clock_steady_ms(m->clock);
    if (at_ms < figures_begin(step, now_ms) - figures_kept_ms(step))
        return;
    for (size_t i = 0; i < m->n_notes; i++) {
        const struct memory_note *note = &m->notes[i];
        if (figures_begin(step, note->at_ms) != at_ms ||
            !counts_for(note, channel, webhook))
            continue;
        figures->events += note->n;
        figures->exhausted += note->exhausted;
        if (note->attempt)
            figures_attempt(figures, note->ok, note->took_us);
    }
}

static void
tell_backlog(const struct memory_store *m, struct store_stats *stats)
{
    const struct store_steps *steps = &stats->steps;
    msec_t step_ms = figures_step_ms(steps->step), now_ms = clock_steady_ms(m->clock);
    msec_t kept_ms = figures_begin(steps->step, now_ms) - figures_kept_ms(steps->step);
    uint64_t waiting = 0;
    size_t at = 0;

    for (size_t i = 0; i < steps->n && stats->each_backlog; i++) {
        msec_t at_ms = steps->since_ms + (msec_t)i * step_ms;
        uint64_t highest = 0;
        for (; at < m->n_notes && m->notes[at].at_ms < at_ms + step_ms; at++) {
            const struct memory_note *note = &m->notes[at];
            if (note->at_ms >= at_ms && waiting > highest)
                highest = waiting;
            if ((!stats->channel || note->channel == stats->channel) &&
                (!stats->webhook || note->webhook == stats->webhook))
                waiting += (uint64_t)(int64_t)note->waits;
        }
        if (waiting > highest)
            highest = waiting;
        if (at_ms <= now_ms && at_ms >= kept_ms)
            stats->each_backlog(stats, at_ms, highest);
    }
}

static void
backlog_of(const struct memory_store *m, uint64_t channel, uint64_t webhook,
           struct store_backlog *backlog)
{
    *backlog = (struct store_backlog){.oldest_due_ms = MSEC_NEVER};
    for (size_t i = 0; i < m->n_events; i++)
        for (size_t c = 0; c < m->events[i]->n_calls; c++) {
            const struct memory_call *call = &m->events[i]->calls[c];
            const struct webhook *w = m->webhooks[call->webhook - 1];
            enum call_state shown = memory_shown(m, w, call->state);
            if ((webhook && call->webhook != webhook) ||
                (channel && w->channel != channel))
                continue;
            backlog->waiting += shown == CALL_WAITING;
            backlog->held += shown == CALL_HELD;
            if (channel && shown == CALL_WAITING &&
                call->due_ms <= clock_steady_ms(m->clock) &&
                call->due_ms < backlog->oldest_due_ms)
                backlog->oldest_due_ms = call->due_ms;
        }
}

void
memory_stats(struct memory_store *m, struct store_op *op)
{
    struct store_stats *stats = container_of(op, struct store_stats, op);
    const struct store_steps *steps = &stats->steps;
    const struct webhook *w = memory_webhook(m, stats->webhook);
    if (stats->channel && !memory_channel(m, stats->channel)) {
        memory_refuse(op, E_NOT_FOUND, "no such channel");
        return;
    }
    if (stats->webhook && (!w || w->channel != stats->channel)) {
        memory_refuse(op, E_NOT_FOUND, "no such webhook");
        return;
    }
    backlog_of(m, stats->channel, stats->webhook, &stats->backlog);
    for (size_t i = 0; i < steps->n; i++) {
        struct figures figures = {0};
        msec_t at_ms = steps->since_ms + (msec_t)i * figures_step_ms(steps->step);
        figures_of(m, stats->channel, stats->webhook, steps->step, at_ms, &figures);
        if (!figures_none(&figures))
            stats->each(stats, at_ms, &figures);
    }
    tell_backlog(m, stats);
}

void
memory_webhook_stats(struct memory_store *m, struct store_op *op)
{
    struct store_webhook_stats *stats =
        container_of(op, struct store_webhook_stats, op);
    const struct store_steps *steps = &stats->steps;
    stats->n_done = 0;
    if (!memory_channel(m, stats->channel)) {
        memory_refuse(op, E_NOT_FOUND, "no such channel");
        return;
    }
    for (size_t i = 0; i < stats->n; i++) {
        struct figures figures = {0};
        struct store_backlog backlog = {.oldest_due_ms = MSEC_NEVER};
        const struct webhook *w = memory_webhook(m, stats->webhooks[i]);
        if (i > 0 && (i + 1) * steps->n > STORE_STATS_MAX)
            break;
        for (size_t k = 0; w && w->channel == stats->channel && k < steps->n; k++)
            figures_of(m, stats->channel, w->number, steps->step,
                       steps->since_ms + (msec_t)k * figures_step_ms(steps->step),
                       &figures);
        if (w && w->channel == stats->channel)
            backlog_of(m, stats->channel, w->number, &backlog);
        stats->each(stats, i, &figures, &backlog);
        stats->n_done = i + 1;
    }
}
