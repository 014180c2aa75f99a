/* What others tell a dispatch: leases, webhooks, due calls, fresh calls. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "engine/lane.h"

/* ---- leases, webhooks, due calls ---- */

struct note {
    struct mail mail;
    uint64_t webhook_number;
    uint64_t lease;
    struct webhook *webhook;
    msec_t held_from_ms;
    struct due_at place;
};

static void
note_drop(struct mail *mail)
{
    struct note *note = container_of(mail, struct note, mail);
    webhook_unref(note->webhook);
    free(note);
}

static struct note *
note_new(uint64_t webhook_number,
         void (*handle)(struct dispatch *dispatch, struct mail *mail))
{
    struct note *note = xcalloc(1, sizeof(*note));
    note->mail.handle = handle;
    note->mail.drop = note_drop;
    note->webhook_number = webhook_number;
    return note;
}

static void
lease_arrived(struct dispatch *dispatch, struct mail *mail)
{
    struct note *note = container_of(mail, struct note, mail);
    struct lane *lane = note->lease > 0
                            ? lane_get_or_new(dispatch, note->webhook_number)
                            : lane_get(dispatch, note->webhook_number);
    if (lane) {
        lane->lease = note->lease;
        if (note->lease > 0) /* whatever waits on disk is ours to find */
            lane_note(dispatch, lane,
                      (struct schedule_place){DUE_AT_START.due_ms, DUE_AT_START.event});
        lane_update(dispatch, lane);
    }
    note_drop(mail);
}

void
dispatch_post_lease(struct dispatch *dispatch, uint64_t webhook, uint64_t lease)
{
    struct note *note = note_new(webhook, lease_arrived);
    note->lease = lease;
    dispatch_post(dispatch, &note->mail);
}

static void
webhook_arrived(struct dispatch *dispatch, struct mail *mail)
{
    struct note *note = container_of(mail, struct note, mail);
    struct lane *lane = lane_get(dispatch, note->webhook_number);
    if (lane) { /* else another node sends for it */
        struct webhook *old = lane->webhook;
        lane->webhook = note->webhook;
        note->webhook = old;
        if (!old)
            lane_join_channel(dispatch, lane);
        lane_new_webhook(dispatch, lane, old);
        lane_hold_from(dispatch, lane, note->held_from_ms);
        if (!old || strcmp(old->url, lane->webhook->url) != 0)
            lane_join_host(dispatch, lane);
        if (lane->target)
            dispatch->options.transport->target_close(dispatch->options.transport,
                                                      lane->target);
        lane->target = NULL;
        lane->shut = false;
        lane_update(dispatch, lane);
    }
    note_drop(mail);
}

void
dispatch_post_webhook(struct dispatch *dispatch, struct webhook *webhook,
                      msec_t held_from_ms)
{
    struct note *note = note_new(webhook->number, webhook_arrived);
    note->held_from_ms = held_from_ms;
    note->webhook = webhook_ref(webhook);
    dispatch_post(dispatch, &note->mail);
}

static void
due_arrived(struct dispatch *dispatch, struct mail *mail)
{
    struct note *note = container_of(mail, struct note, mail);
    struct lane *lane = lane_get(dispatch, note->webhook_number);
    if (lane) {
        struct live_call *call =
            map_get(&dispatch->calls, note->place.event, note->webhook_number);
        if (call && !call->sent) /* its turn is to come: that is the one asked for */
            call->due_ms = note->place.due_ms;
        lane_note(dispatch, lane,
                  (struct schedule_place){note->place.due_ms, note->place.event});
        lane_update(dispatch, lane);
    }
    note_drop(mail);
}

void
dispatch_post_due(struct dispatch *dispatch, uint64_t webhook, struct due_at place)
{
    struct note *note = note_new(webhook, due_arrived);
    note->place = place;
    dispatch_post(dispatch, &note->mail);
}

static void
taken_arrived(struct dispatch *dispatch, struct mail *mail)
{
    struct note *note = container_of(mail, struct note, mail);
    struct lane *lane = lane_get(dispatch, note->webhook_number);
    if (lane) {
        lane_drop_ready(dispatch, lane);
        lane_update(dispatch, lane);
    }
    note_drop(mail);
}

void
dispatch_post_taken(struct dispatch *dispatch, uint64_t webhook)
{
    dispatch_post(dispatch, &note_new(webhook, taken_arrived)->mail);
}

/* ---- fresh calls ---- */

struct handover *
handover_new(size_t n)
{
    struct handover *handover =
        xcalloc(1, sizeof(*handover) + n * sizeof(handover->calls[0]));
    return handover;
}

void
handover_free(struct handover *handover)
{
    if (!handover)
        return;
    for (size_t i = 0; i < handover->n; i++)
        live_event_unref(handover->calls[i].event);
    free(handover);
}

static void
handover_drop(struct mail *mail)
{
    handover_free(container_of(mail, struct handover, mail));
}

static void
take_fresh(struct dispatch *dispatch, uint64_t first_key, struct handover_call *fresh)
{
    struct lane *lane = lane_get(dispatch, fresh->webhook);
    if (!lane)
        return; /* deleted meanwhile, or another node's */
    uint64_t key = first_key + fresh->index;
    msec_t due_ms = event_key_ms(key);

    if (!fresh->event) {
        lane_note(dispatch, lane, (struct schedule_place){due_ms, key});
    } else {
        struct live_call *call = live_call_new(fresh->event);
        fresh->event = NULL;
        call->due_ms = due_ms;
        lane_accept(dispatch, lane, call, LANE_FRESH);
    }
    lane_update(dispatch, lane);
}

static void
handover_arrived(struct dispatch *dispatch, struct mail *mail)
{
    struct handover *handover = container_of(mail, struct handover, mail);
    dispatch_take_back(dispatch, handover->bytes);
    for (size_t i = 0; i < handover->n; i++)
        take_fresh(dispatch, handover->first_key, &handover->calls[i]);
    handover_free(handover);
}

void
dispatch_post_handover(struct dispatch *dispatch, struct handover *handover)
{
    handover->mail = (struct mail){.handle = handover_arrived, .drop = handover_drop};
    dispatch_post(dispatch, &handover->mail);
}
