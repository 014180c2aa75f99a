/* The disk fails or is full while subscriptions change: state, events, counts and what
 * was acknowledged agree afterwards. */
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "faulty_vfs.h"
#include "sqlite_world.h"
#include "world_registry.h"

#define PEOPLE 4
#define PAD    6000 /* bytes of what is known of one: more than a page */

/* Each change of a subscription counts one up in its row and tells of it in an event,
 * which also says who is active now: so every row and every event can be checked
 * against the other. Every fifth touch is a delivery of the one notification. */
struct people {
    uint64_t channel;
    uint64_t hook;
    unsigned asked[PEOPLE];        /* changes that were submitted */
    unsigned acknowledged[PEOPLE]; /* the last one that was */
    unsigned deliveries_asked, deliveries_acknowledged;
    size_t refused;
    int last_refusal;
};

struct person_touch {
    struct store_touch store;
    struct store_touch_item items[2];
    size_t who[2]; /* which of the people the items are */
    unsigned n[2]; /* what they have counted to */
    char members[PAD + 40];
    char bodies[2][80];
    struct subscription_row put;
    char values[2][16]; /* that it was found by, and is */
    struct store_attribute attributes[2];
    struct store_event event;
    struct store_new_call call;
    uint64_t hook;
};

static const char *const names[PEOPLE] = {"s0", "s1", "s2", "s3"};

static bool
is_inactive(unsigned n)
{
    return n % 3 == 0;
}

/* As count_up writes it. */
static unsigned
counted(const struct subscription_row *row)
{
    return (unsigned)strtoul(row->members.p + 5, NULL, 10);
}

static int
count_up(struct store_touch *store, size_t i, const struct store_found *found,
         struct store_decision *decision)
{
    struct person_touch *touch = container_of(store, struct person_touch, store);
    struct slice id = store->items[i].id;
    bool report = store->items[i].report.n > 0;
    unsigned n = (found->subscription ? counted(found->subscription) : 0) + !report;

    touch->n[i] = n;
    touch->call = (struct store_new_call){(uint32_t)i, touch->hook};
    snprintf(touch->bodies[i], sizeof(touch->bodies[i]), "{\"n\":%u}", n);
    touch->event = (struct store_event){report           ? EVENT_DELIVERY
                                        : is_inactive(n) ? EVENT_OPT_OUT
                                                         : EVENT_OPT_IN,
                                        id, slice_of(touch->bodies[i])};
    decision->events = &touch->event;
    decision->n_events = 1;
    decision->calls = &touch->call;
    decision->n_calls = 1;
    decision->report = report;
    if (report)
        return 0;
    int at =
        snprintf(touch->members, sizeof(touch->members), "{\"n\":%u,\"pad\":\"", n);
    memset(touch->members + at, 'x', PAD);
    memcpy(touch->members + at + PAD, "\"}", 2);
    touch->put = (struct subscription_row){
        .number = found->subscription ? found->subscription->number : 0,
        .channel = store->channel,
        .id = id,
        .inactive = is_inactive(n),
        .token = is_inactive(n) ? 0 : n,
        .members = {touch->members, (size_t)at + PAD + 2},
    };
    decision->put = &touch->put;
    for (unsigned now = 0; now < 2; now++) {
        snprintf(touch->values[now], sizeof(touch->values[now]), "%u", n - 1 + now);
        touch->attributes[now] =
            (struct store_attribute){id, slice_of(touch->values[now])};
    }
    decision->gone = &touch->attributes[0];
    decision->n_gone = found->subscription != NULL;
    decision->come = &touch->attributes[1];
    decision->n_come = 1;
    return 0;
}

static void
person_touch_init(struct person_touch *touch, struct world *world,
                  struct people *people, size_t round)
{
    bool report = round % 5 == 4;
    *touch = (struct person_touch){
        .store = {.op.kind = STORE_TOUCH,
                  .channel = people->channel,
                  .config = world->config,
                  .items = touch->items,
                  .n = report ? 1 : 1 + round % 2,
                  .decide = count_up},
        .hook = people->hook,
    };
    for (size_t i = 0; i < touch->store.n; i++) {
        size_t who = report ? 0 : (round + i) % PEOPLE;
        touch->who[i] = who;
        touch->items[i].id = slice_of(names[who]);
        people->asked[who] += !report;
    }
    if (report) {
        touch->items[0].notification = SLICE("push");
        touch->items[0].report = SLICE("delivery");
        people->deliveries_asked++;
    }
}

static void
person_touch_done(struct people *people, const struct person_touch *touch)
{
    int result = touch->store.op.result;
    assert_true(result == 0 || result == E_FULL || result == E_IO);
    if (result != 0) {
        people->refused++;
        people->last_refusal = result;
    } else if (touch->items[0].report.n) {
        people->deliveries_acknowledged++;
    } else {
        for (size_t i = 0; i < touch->store.n; i++)
            people->acknowledged[touch->who[i]] = touch->n[i];
    }
}

/* Two at a time, so that most groups hold more than one. */
static void
people_live(struct world *world, struct people *people)
{
    struct person_touch *touches = xcalloc(2, sizeof(*touches));
    for (size_t round = 0; round < 12; round += 2) {
        for (size_t i = 0; i < 2; i++) {
            person_touch_init(&touches[i], world, people, round + i);
            world_submit(world, &touches[i].store.op);
        }
        world_wait(world, 2);
        for (size_t i = 0; i < 2; i++)
            person_touch_done(people, &touches[i]);
        world_advance(world, 700);
    }
    free(touches);
}

/* The newest change first: n, n - 1, … 1. Returns how many deliveries there are. */
static unsigned
check_events(struct world *world, const struct people *people, size_t who, unsigned n)
{
    struct event_list *list = xcalloc(1, sizeof(*list));
    unsigned deliveries = 0;
    events_of(list, people->channel);
    list->list.subscription = slice_of(names[who]);
    assert_int_equal(list_events(world, list), 0);
    for (size_t i = 0; i < list->n; i++) {
        char body[32];
        snprintf(body, sizeof(body), "{\"n\":%u}", n);
        assert_string_equal(list->events[i].body, body);
        assert_int_equal(
            state_of(world, people->channel, list->events[i].key, people->hook),
            CALL_WAITING);
        if (list->events[i].type == EVENT_DELIVERY) {
            deliveries++;
            continue;
        }
        assert_int_equal(list->events[i].type,
                         is_inactive(n) ? EVENT_OPT_OUT : EVENT_OPT_IN);
        n--;
    }
    assert_int_equal(n, 0);
    free(list);
    return deliveries;
}

struct report_look {
    struct store_touch store;
    struct store_touch_item item;
    msec_t reported_ms;
};

static int
look_at_report(struct store_touch *store, size_t i, const struct store_found *found,
               struct store_decision *decision)
{
    (void)i;
    (void)decision;
    container_of(store, struct report_look, store)->reported_ms = found->reported_ms;
    return 0;
}

static void
check_deliveries(struct world *world, const struct people *people, unsigned events)
{
    struct seen_notification push;
    struct report_look look = {
        .item = {.id = SLICE("s0"),
                 .notification = SLICE("push"),
                 .report = SLICE("delivery")},
        .store = {.op.kind = STORE_TOUCH,
                  .channel = people->channel,
                  .config = world->config,
                  .items = &look.item,
                  .n = 1,
                  .decide = look_at_report},
    };
    assert_true(events >= people->deliveries_acknowledged);
    assert_true(events <= people->deliveries_asked);
    assert_true(look_at_notification(world, &push, people->channel, "push"));
    assert_int_equal(push.row.delivered, events);
    assert_int_equal(world_run(world, &look.store.op), 0);
    assert_int_equal(look.reported_ms != MSEC_NEVER, events > 0);
}

struct person_look {
    struct store_subscriptions list;
    unsigned n;
    bool inactive;
    uint64_t token;
};

static bool
look_person(struct store_subscriptions *list, const struct subscription_row *row)
{
    struct person_look *look = container_of(list, struct person_look, list);
    look->n = counted(row);
    look->inactive = row->inactive;
    look->token = row->token;
    return true;
}

/* By what it has counted to, and by nothing else. */
static void
check_found(struct world *world, const struct people *people, size_t who, unsigned n)
{
    struct subscription_list *list = xcalloc(1, sizeof(*list));
    char value[16];
    for (unsigned i = 0; i <= people->asked[who]; i++) {
        snprintf(value, sizeof(value), "%u", i);
        subscriptions_of(list, people->channel);
        list->list.name = slice_of(names[who]);
        list->list.values[0] = slice_of(value);
        assert_int_equal(list_subscriptions(world, list), 0);
        assert_int_equal(list->n, i == n && n > 0);
    }
    free(list);
}

static void
check_people(struct world *world, const struct people *people)
{
    uint64_t population[2] = {0, 0};
    unsigned deliveries = 0;
    for (size_t who = 0; who < PEOPLE; who++) {
        struct person_look look = {.list = {.op.kind = STORE_SUBSCRIPTIONS,
                                            .channel = people->channel,
                                            .id = slice_of(names[who]),
                                            .max_rows = 1,
                                            .each = look_person}};
        int rc = world_run(world, &look.list.op);
        assert_true(rc == (look.n ? 0 : E_NOT_FOUND));
        assert_true(look.n >= people->acknowledged[who]);
        assert_true(look.n <= people->asked[who]);
        deliveries += check_events(world, people, who, look.n);
        check_found(world, people, who, look.n);
        if (look.n == 0)
            continue;
        assert_int_equal(look.inactive, is_inactive(look.n));
        assert_int_equal(look.token, look.inactive ? 0 : look.n);
        population[look.inactive]++;
    }
    assert_population(world, people->channel, population[false], population[true]);
    check_deliveries(world, people, deliveries);
}

typedef void fault_arm(enum fault fault, enum fault_on on, unsigned n);

static bool
people_with_fault(fault_arm *arm, enum fault fault, enum fault_on on, unsigned n)
{
    struct world *world = world_new(&world_sqlite);
    struct people people = {0};
    struct notification_row push = {.id = SLICE("push")};
    world_open(world);
    push.channel = people.channel = put_channel(world, "shop");
    people.hook = put_webhook(world, people.channel);
    put_notification(world, &push);

    arm(fault, on, n);
    people_live(world, &people);
    bool hit = faulty_vfs_failures() > 0;
    if (hit)
        assert_true(people.refused > 0);
    if (people.refused)
        assert_int_equal(people.last_refusal, fault == FAULT_IO ? E_IO : E_FULL);
    world->backend->leave(world); /* with the fault still there */
    faulty_vfs_fail(FAULT_NONE, FAULT_ON_WRITE, 0);

    world_open(world);
    check_people(world, &people);
    people_live(world, &people); /* and life goes on */
    check_people(world, &people);
    check_rows(world);
    world_free(world);
    return hit;
}

static void
no_change_without_its_event_nor_an_event_without_its_change(void **state)
{
    (void)state;
    static const struct {
        fault_arm *arm;
        enum fault fault;
        enum fault_on on;
        unsigned least;
    } rows[] = {
        {faulty_vfs_fail, FAULT_IO, FAULT_ON_WRITE, 40},
        {faulty_vfs_die, FAULT_IO, FAULT_ON_ALL, 40},
        {faulty_vfs_fail, FAULT_IO, FAULT_ON_SYNC, 6},
        {faulty_vfs_die, FAULT_IO, FAULT_ON_SYNC, 6},
        {faulty_vfs_fail, FAULT_FULL, FAULT_ON_WRITE, 40},
        {faulty_vfs_die, FAULT_FULL, FAULT_ON_WRITE, 40},
        {faulty_vfs_fail, FAULT_FULL, FAULT_ON_SYNC, 6},
        {faulty_vfs_die, FAULT_FULL, FAULT_ON_SYNC, 6},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        unsigned n = 1;
        while (people_with_fault(rows[i].arm, rows[i].fault, rows[i].on, n))
            n++;
        assert_true(n >= rows[i].least); /* there was something to fail */
    }
}

int
main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_change_without_its_event_nor_an_event_without_its_change),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
