/* Notices go to the operator's URL one after the other, those that are due first, on
 * the schedule of any call. What fails there is logged and makes no notice. */
#include <assert.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/metrics.h"
#include "core/retry.h"
#include "engine/engine_private.h"
#include "engine/lane.h"
#include "engine/notices.h"

#define BODY_MAX 4096

static void list_arrived(struct dispatch *dispatch, struct mail *mail);
static void settle_arrived(struct dispatch *dispatch, struct mail *mail);

static void
nothing(struct mail *mail)
{
    (void)mail; /* it is part of the outbox */
}

void
outbox_init(struct outbox *outbox)
{
    buf_init(&outbox->body, BODY_MAX);
    outbox->listed = (struct mail){.handle = list_arrived, .drop = nothing};
    outbox->settled = (struct mail){.handle = settle_arrived, .drop = nothing};
    atomic_init(&outbox->look, true); /* what waited before this start */
    outbox->due_ms = MSEC_NEVER;
}

static struct dispatch *
sender_of(struct notices *notices)
{
    return notices->engine->senders[0].dispatch;
}

static struct notices *
notices_of(struct outbox *outbox)
{
    return container_of(outbox, struct notices, outbox);
}

void
outbox_fini(struct outbox *outbox)
{
    if (outbox->target) {
        struct transport *transport = dispatch_transport(sender_of(notices_of(outbox)));
        transport->target_close(transport, outbox->target);
    }
    buf_fini(&outbox->body);
    webhook_unref(outbox->to);
}

void
outbox_wake(struct notices *notices)
{
    struct transport *transport = dispatch_transport(sender_of(notices));
    atomic_store(&notices->outbox.look, true);
    transport->wake(transport);
}

/* ---- what came of it ---- */

static void
settle_arrived(struct dispatch *dispatch, struct mail *mail)
{
    struct outbox *outbox = container_of(mail, struct outbox, settled);
    (void)dispatch;
    outbox->busy = false;
    /* No room to say that it was sent: it will be sent again. */
    if (outbox->settle.op.result == E_FULL)
        outbox->due_ms = outbox->settle.due_ms;
    else
        atomic_store(&outbox->look, true);
}

/* On the store's thread. */
static void
settle_done(struct store_op *op)
{
    struct outbox *outbox = container_of(op, struct outbox, settle.op);
    dispatch_post(sender_of(notices_of(outbox)), &outbox->settled);
}

/* Inside the transport's run. */
static void
attempt_done(struct attempt *attempt)
{
    struct outbox *outbox = container_of(attempt, struct outbox, attempt);
    struct engine *engine = notices_of(outbox)->engine;
    struct dispatch *dispatch = sender_of(notices_of(outbox));
    bool ok = attempt->verdict == VERDICT_OK;
    uint32_t tries = outbox->row.tries + 1;

    dispatch->others--;
    if (dispatch->aborting && attempt->status == 0)
        return; /* it waits, as if not tried */
    msec_t next_ms =
        ok ? MSEC_NEVER
           : retry_next(&retry_default, tries, clock_steady_ms(engine->clock),
                        attempt->retry_after_ms, engine->options.rng);
    metric_add(METRIC_NOTICE_ATTEMPTS, attempt->verdict, 1);
    log_line(ok ? LOG_DEBUG : LOG_WARN, "notice.attempt", LOG_S("notice", outbox->id),
             LOG_I("n", tries), LOG_S("verdict", verdict_name(attempt->verdict)),
             LOG_S("reason", attempt->reason[0] ? attempt->reason : NULL),
             LOG_S("so", ok                      ? NULL
                         : next_ms == MSEC_NEVER ? "it is not tried again"
                                                 : "it is tried again"));
    outbox->settle = (struct store_settle_notice){
        .op = {.kind = STORE_SETTLE_NOTICE, .done = settle_done},
        .number = outbox->row.number,
        .waits = next_ms != MSEC_NEVER,
        .tries = tries,
        .due_ms = next_ms,
    };
    store_submit(engine->store, &outbox->settle.op);
}

/* ---- the next one ---- */

/* On the store's thread: the row's text is gone after this, so what is sent is made
 * here. */
static void
list_each(struct store_notices *list, const struct notice_row *row)
{
    struct outbox *outbox = container_of(list, struct outbox, list);
    outbox->found = true;
    outbox->row = *row;
    notice_id_format(outbox->id, row->number);
    buf_reset(&outbox->body);
    notice_write_body(&outbox->body, row);
}

static void
list_done(struct store_op *op)
{
    struct outbox *outbox = container_of(op, struct outbox, list.op);
    dispatch_post(sender_of(notices_of(outbox)), &outbox->listed);
}

static void
list_arrived(struct dispatch *dispatch, struct mail *mail)
{
    struct outbox *outbox = container_of(mail, struct outbox, listed);
    struct transport *transport = dispatch->options.transport;

    outbox->due_ms = outbox->found ? outbox->row.due_ms : MSEC_NEVER;
    if (!outbox->found || dispatch->stopping ||
        outbox->row.due_ms > clock_steady_ms(dispatch->clock)) {
        outbox->busy = false;
        return;
    }
    if (!outbox->target)
        outbox->target = transport->target_open(transport, outbox->to);
    assert(outbox->target);
    outbox->attempt = (struct attempt){
        .event_id = outbox->id,
        .body = buf_slice(&outbox->body),
        .done = attempt_done,
    };
    dispatch->others++;
    transport->start(transport, outbox->target, &outbox->attempt);
}

msec_t
outbox_turn(struct notices *notices, msec_t now_ms)
{
    struct outbox *outbox = &notices->outbox;
    if (!outbox->to || outbox->busy)
        return MSEC_NEVER; /* mail comes when it is not */
    if (!atomic_exchange(&outbox->look, false) && now_ms < outbox->due_ms)
        return outbox->due_ms;
    outbox->busy = true;
    outbox->found = false;
    outbox->list = (struct store_notices){
        .op = {.kind = STORE_NOTICES, .done = list_done},
        .waiting = true,
        .limit = 1,
        .each = list_each,
    };
    store_submit(notices->engine->store, &outbox->list.op);
    return MSEC_NEVER;
}
