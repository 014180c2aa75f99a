/* Asking a channel's authorizer: one request, once, and whatever is not a 200 is a no.
 */
#include <assert.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/mem.h"
#include "engine/engine_private.h"
#include "engine/lane.h"

struct gate {
    struct mail mail;
    struct attempt attempt;
    struct engine_gate *request;
    struct dispatch *dispatch;
    struct webhook *asked; /* the authorizer's URL and header, as a target wants them */
    struct target *target;
    uint64_t channel;
    char *token;
    struct gate *next, *prev; /* of those under way */
};

static void
finish(struct gate *gate, int result)
{
    struct engine_gate *request = gate->request;

    explicit_bzero(gate->token, strlen(gate->token));
    free(gate->token);
    webhook_unref(gate->asked);
    free(gate);
    request->result = result;
    request->done(request);
}

static void
leave(struct gate *gate)
{
    struct dispatch *dispatch = gate->dispatch;

    if (gate->prev)
        gate->prev->next = gate->next;
    else
        dispatch->gates = gate->next;
    if (gate->next)
        gate->next->prev = gate->prev;
    dispatch->options.transport->target_close(dispatch->options.transport,
                                              gate->target);
}

/* Inside the transport's run, on the sender's thread. */
static void
attempt_done(struct attempt *attempt)
{
    struct gate *gate = container_of(attempt, struct gate, attempt);
    bool passes = attempt->status == 200;

    log_line(passes ? LOG_DEBUG : LOG_INFO, "authorizer",
             LOG_S("channel", gate->request->channel->id),
             LOG_S("verdict", passes ? "passes" : "refuses"),
             LOG_I("status", attempt->status),
             LOG_S("reason", attempt->reason[0] ? attempt->reason : NULL),
             LOG_US("ms", attempt->duration_us));
    leave(gate);
    finish(gate, passes ? 0 : E_INVALID);
}

static bool
is_room(const struct dispatch *dispatch, uint64_t channel)
{
    size_t n = 0, of_channel = 0;

    for (const struct gate *gate = dispatch->gates; gate; gate = gate->next) {
        n++;
        of_channel += gate->channel == channel;
    }
    return n < ENGINE_GATES_MAX && of_channel < ENGINE_GATES_A_CHANNEL;
}

static void
gate_arrived(struct dispatch *dispatch, struct mail *mail)
{
    struct gate *gate = container_of(mail, struct gate, mail);
    struct transport *transport = dispatch->options.transport;

    if (dispatch->stopping || !is_room(dispatch, gate->channel)) {
        finish(gate, dispatch->stopping ? E_CLOSED : E_NO_MEMORY);
        return;
    }
    gate->dispatch = dispatch;
    gate->target = transport->target_open(transport, gate->asked);
    assert(gate->target);
    gate->next = dispatch->gates;
    if (gate->next)
        gate->next->prev = gate;
    dispatch->gates = gate;
    gate->attempt = (struct attempt){
        .token = gate->token,
        .deadline_ms = ENGINE_GATE_MS,
        .body = gate->request->body,
        .done = attempt_done,
    };
    transport->start(transport, gate->target, &gate->attempt);
}

static void
gate_drop(struct mail *mail)
{
    finish(container_of(mail, struct gate, mail), E_CLOSED);
}

static struct gate *
gate_new(struct engine_gate *request)
{
    const struct authorizer *authorizer = request->channel->settings.authorizer;
    struct gate *gate = xcalloc(1, sizeof(*gate));

    gate->mail = (struct mail){.handle = gate_arrived, .drop = gate_drop};
    gate->request = request;
    gate->channel = request->channel->number;
    gate->token = xstrndup(request->token.p, request->token.n);
    gate->asked = webhook_new();
    free(gate->asked->url);
    gate->asked->url = xstrdup(authorizer->url);
    webhook_add_header(gate->asked, SLICE("authorization"),
                       slice_of(authorizer->authorization));
    return gate;
}

/* Under the lock: what is posted before it is closed is handled by the sender, or by
 * gates_close. */
void
engine_gate(struct engine *engine, struct engine_gate *request)
{
    struct gate *gate = gate_new(request);

    pthread_mutex_lock(&engine->gate_lock);
    bool closed = engine->gates_closed;
    if (!closed)
        dispatch_post(engine_dispatch_of(engine, gate->channel), &gate->mail);
    pthread_mutex_unlock(&engine->gate_lock);
    if (closed)
        finish(gate, E_CLOSED);
}

/* The senders' threads have ended: what they have not read is refused. */
void
gates_close(struct engine *engine)
{
    pthread_mutex_lock(&engine->gate_lock);
    engine->gates_closed = true;
    pthread_mutex_unlock(&engine->gate_lock);
    for (size_t i = 0; i < engine->n_senders; i++) {
        struct dispatch *dispatch = engine->senders[i].dispatch;
        if (!dispatch)
            continue;
        dispatch_stop(dispatch);
        dispatch_read_mail(dispatch);
    }
}
