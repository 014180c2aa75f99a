#include "engine/outgoing.h"

#include <stdlib.h>

#include "base/mem.h"
#include "engine/engine_private.h"

void
outgoing_init(struct outgoing *out, struct engine *engine)
{
    *out = (struct outgoing){
        .engine = engine,
        .handovers = xcalloc(engine->n_senders, sizeof(struct handover *)),
    };
}

static void
handovers_free(struct outgoing *out)
{
    for (size_t i = 0; i < out->engine->n_senders; i++) {
        handover_free(out->handovers[i]);
        out->handovers[i] = NULL;
    }
}

void
outgoing_fini(struct outgoing *out)
{
    handovers_free(out);
    for (size_t i = 0; i < out->n_events; i++)
        live_event_unref(out->live[i]);
    free(out->handovers);
    free(out->live);
    free(out->events);
    free(out->calls);
}

static void
grow_events(struct outgoing *out)
{
    out->cap_events = out->cap_events ? out->cap_events * 2 : 2;
    out->live = xrealloc(out->live, out->cap_events * sizeof(out->live[0]));
    out->events = xrealloc(out->events, out->cap_events * sizeof(out->events[0]));
}

void
outgoing_add(struct outgoing *out, const struct event_ref *ref)
{
    struct live_event *live = live_event_new(ref->type, ref->body);
    size_t offset = (size_t)(ref->subscription.p - ref->body.p);

    if (out->n_events == out->cap_events)
        grow_events(out);
    out->live[out->n_events] = live;
    out->events[out->n_events++] = (struct store_event){
        .type = ref->type,
        .subscription = {live->body + offset, ref->subscription.n},
        .body = {live->body, live->len},
    };
}

/* ---- who wants them ---- */

static void
add_call(struct outgoing *out, size_t event, uint64_t webhook)
{
    if (out->n_calls == out->cap_calls) {
        out->cap_calls = out->cap_calls ? out->cap_calls * 2 : out->n_events + 8;
        out->calls = xrealloc(out->calls, out->cap_calls * sizeof(out->calls[0]));
    }
    out->calls[out->n_calls++] =
        (struct store_new_call){.event = (uint32_t)event, .webhook = webhook};
}

int
outgoing_match(struct outgoing *out, const struct config_channel *entry, size_t first,
               const struct webhook *only)
{
    for (size_t e = first; e < out->n_events; e++) {
        for (size_t w = 0; w < entry->n; w++) {
            const struct webhook *webhook = entry->webhooks[w];
            if (only ? webhook->number == only->number
                     : webhook_wants(webhook, out->events[e].type))
                add_call(out, e, webhook->number);
        }
        if (out->n_calls > ENGINE_CALLS_MAX)
            return E_TOO_LARGE;
    }
    return 0;
}

void
outgoing_forget_calls(struct outgoing *out)
{
    out->n_calls = 0;
}

/* ---- to the senders ---- */

static void
count_per_sender(const struct outgoing *out, size_t *n, size_t *bytes)
{
    for (size_t i = 0; i < out->n_calls; i++) {
        size_t sender = out->calls[i].webhook % out->engine->n_senders;
        n[sender]++;
        bytes[sender] += sizeof(struct live_call) + out->live[out->calls[i].event]->len;
    }
}

static struct handover *
handover_for(struct outgoing *out, size_t sender, size_t n, size_t bytes)
{
    struct handover *handover = handover_new(n);
    bool admitted = dispatch_admit(out->engine->senders[sender].dispatch, bytes);

    handover->bytes = admitted ? bytes : 0;
    for (size_t i = 0; i < out->n_calls; i++) {
        const struct store_new_call *call = &out->calls[i];
        if (call->webhook % out->engine->n_senders != sender)
            continue;
        handover->calls[handover->n++] = (struct handover_call){
            .webhook = call->webhook,
            .index = call->event,
            .event = admitted ? live_event_ref(out->live[call->event]) : NULL,
        };
    }
    return handover;
}

void
outgoing_ready(struct outgoing *out)
{
    size_t n_senders = out->engine->n_senders;
    size_t *n = xcalloc(n_senders, sizeof(*n));
    size_t *bytes = xcalloc(n_senders, sizeof(*bytes));

    count_per_sender(out, n, bytes);
    for (size_t s = 0; s < n_senders; s++)
        if (n[s] > 0)
            out->handovers[s] = handover_for(out, s, n[s], bytes[s]);
    free(n);
    free(bytes);
}

void
outgoing_take_back(struct outgoing *out)
{
    for (size_t s = 0; s < out->engine->n_senders; s++)
        if (out->handovers[s])
            dispatch_take_back(out->engine->senders[s].dispatch,
                               out->handovers[s]->bytes);
    handovers_free(out);
}

void
outgoing_send(struct outgoing *out, uint64_t first_key)
{
    for (size_t i = 0; i < out->n_events; i++)
        live_event_set_key(out->live[i], first_key + i);
    for (size_t s = 0; s < out->engine->n_senders; s++) {
        if (!out->handovers[s])
            continue;
        out->handovers[s]->first_key = first_key;
        dispatch_post_handover(out->engine->senders[s].dispatch, out->handovers[s]);
        out->handovers[s] = NULL;
    }
}
