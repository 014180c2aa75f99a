/* Deliveries and clicks: events of their own, once each. */
#include "base/timefmt.h"
#include "core/change_private.h"
#include "core/payload.h"

static bool
is_repeated(const struct change_work *work)
{
    const struct change *change = work->change;
    msec_t before_ms = work->scene->reported_ms;

    if (before_ms == MSEC_NEVER)
        return false;
    if (change->kind == CHANGE_DELIVERED &&
        !slice_is(change->notification, NOTIFICATION_CHAT))
        return true;
    return work->scene->now_ms - before_ms < CLICK_REPEAT_MS;
}

static void
note_click(struct change_work *work)
{
    struct slice dates = work->after->member[MEMBER_CLICKED_DATES];
    struct buf *out = &work->out->dates;
    struct slice one, all = dates.p ? dates : SLICE("[]");
    char text[TIME_TEXT];

    time_format(text, work->scene->now_ms);
    size_t n = list_count(all);
    buf_addc(out, '[');
    for (size_t i = 0; canonical_element(&all, &one); i++)
        if (i + CLICKED_DATES_MAX > n) {
            buf_add(out, one.p, one.n);
            buf_addc(out, ',');
        }
    buf_addf(out, "\"%s\"]", text);
    work->after->member[MEMBER_CLICKED_DATES] = buf_slice(out);
}

int
change_push(struct change_work *work)
{
    struct outcome *out = work->out;
    bool click = work->change->kind == CHANGE_CLICKED;
    const struct push_payload push = {
        .type = click ? EVENT_CLICK : EVENT_DELIVERY,
        .date_ms = work->scene->now_ms,
        .subscription = work->scene->before->id,
        .notification = work->change->notification,
        .feed_guid = work->scene->feed_guid,
        .channel = work->scene->channel,
    };

    if (is_repeated(work))
        return 0;
    out->report = true;
    payload_write_push(&out->bodies, &push);
    out->events[0].type = push.type;
    out->events[0].at = 0;
    out->events[0].n = out->bodies.n;
    out->n_events = 1;
    if (click && !work->scene->before->inactive)
        note_click(work);
    return 0;
}
