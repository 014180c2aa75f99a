/* For the target api: a registry in which there is nothing and nothing is kept, and an
 * authorizer that always says yes. */
#include "engine/engine.h"

void
engine_touch(struct engine *engine, struct engine_touch *touch)
{
    (void)engine;
    touch->result = E_NOT_FOUND;
    touch->why = "no such subscription";
    touch->done(touch);
}

void
engine_subscriptions(struct engine *engine, struct engine_subscriptions *list)
{
    (void)engine;
    list->result = list->after_id.n ? E_NOT_FOUND : 0;
    list->next = 0;
    list->done(list);
}

void
engine_subscription_count(struct engine *engine,
                          struct engine_subscription_count *count)
{
    (void)engine;
    count->result = 0;
    count->active = count->inactive = 0;
    count->done(count);
}

void
engine_put_notification(struct engine *engine, struct engine_notification *put)
{
    (void)engine;
    put->result = E_FULL;
    put->done(put);
}

void
engine_notifications(struct engine *engine, struct engine_notifications *list)
{
    (void)engine;
    list->result = 0;
    list->next = 0;
    list->done(list);
}

void
engine_gate(struct engine *engine, struct engine_gate *gate)
{
    (void)engine;
    gate->result = 0;
    gate->done(gate);
}
