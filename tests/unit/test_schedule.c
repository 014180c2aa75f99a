#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "schedule/schedule.h"

static struct schedule_place
place(msec_t due_ms, uint64_t event)
{
    return (struct schedule_place){due_ms, event};
}

static void
an_entry_is_due_at_its_time_and_not_before(void **state)
{
    (void)state;
    struct schedule schedule;
    struct schedule_entry entry;
    schedule_init(&schedule);
    schedule_add(&schedule, &entry, place(100, 1));
    assert_int_equal(schedule_due(&schedule), 100);
    assert_null(schedule_first_due(&schedule, 99));
    assert_ptr_equal(schedule_first_due(&schedule, 100), &entry);
    schedule_fini(&schedule);
}

static void
the_earlier_of_two_places_is_kept(void **state)
{
    (void)state;
    struct schedule schedule;
    struct schedule_entry entry;
    schedule_init(&schedule);
    schedule_add(&schedule, &entry, place(100, 5));
    schedule_note(&schedule, &entry, place(200, 1));
    assert_int_equal(entry.from.due_ms, 100);
    schedule_note(&schedule, &entry, place(100, 4));
    assert_int_equal(entry.from.event, 4);
    schedule_note(&schedule, &entry, place(50, 9));
    assert_int_equal(schedule_due(&schedule), 50);
    schedule_fini(&schedule);
}

static void
a_paused_entry_is_never_due_and_keeps_its_place(void **state)
{
    (void)state;
    struct schedule schedule;
    struct schedule_entry entry;
    schedule_init(&schedule);
    schedule_add(&schedule, &entry, place(100, 1));
    schedule_pause(&schedule, &entry, true);
    assert_int_equal(schedule_due(&schedule), MSEC_NEVER);
    schedule_note(&schedule, &entry, place(10, 1));
    assert_null(schedule_first_due(&schedule, 1000));
    schedule_pause(&schedule, &entry, false);
    assert_int_equal(schedule_due(&schedule), 10);
    schedule_fini(&schedule);
}

static void
an_entry_with_nothing_on_disk_is_not_due(void **state)
{
    (void)state;
    struct schedule schedule;
    struct schedule_entry entry;
    schedule_init(&schedule);
    schedule_add(&schedule, &entry, place(100, 1));
    schedule_reach(&schedule, &entry, place(MSEC_NEVER, UINT64_MAX));
    assert_int_equal(schedule_due(&schedule), MSEC_NEVER);
    schedule_note(&schedule, &entry, place(7, 3));
    assert_int_equal(schedule_due(&schedule), 7);
    schedule_fini(&schedule);
}

static void
a_removed_entry_leaves_the_others_in_order(void **state)
{
    (void)state;
    struct schedule schedule;
    struct schedule_entry entries[100];
    schedule_init(&schedule);
    for (size_t i = 0; i < 100; i++)
        schedule_add(&schedule, &entries[i], place((msec_t)((i * 37) % 100), i));
    for (size_t i = 0; i < 100; i += 2)
        schedule_remove(&schedule, &entries[i]);
    msec_t last = -1;
    for (size_t i = 0; i < 50; i++) {
        struct schedule_entry *entry = schedule_first_due(&schedule, 1000);
        assert_non_null(entry);
        assert_int_equal((entry - entries) % 2, 1);
        assert_true(entry->from.due_ms > last);
        last = entry->from.due_ms;
        schedule_remove(&schedule, entry);
    }
    assert_null(schedule_first_due(&schedule, 1000));
    schedule_fini(&schedule);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_entry_is_due_at_its_time_and_not_before),
        cmocka_unit_test(the_earlier_of_two_places_is_kept),
        cmocka_unit_test(a_paused_entry_is_never_due_and_keeps_its_place),
        cmocka_unit_test(an_entry_with_nothing_on_disk_is_not_due),
        cmocka_unit_test(a_removed_entry_leaves_the_others_in_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
