/* Trials: what is taken, sent and held before their end, at it, and when it is moved.
 */
#include "fixture.h"

/* Calls that wait for their retries, and a trial that ends in the middle of them. */
static void
end_among_retries(void)
{
    sim.receiver = (struct sim_receiver){.ok_percent = 0};
    sim_trial(&sim, sim_now(&sim) + HOUR);
    assert_int_equal(sim_post(&sim, 20, NULL), 0);
    sim_run(&sim, HOUR);
}

static void
after_its_end_nothing_is_taken_or_sent_and_nothing_goes(void **state)
{
    (void)state;
    sim_webhook(&sim);
    end_among_retries();
    unsigned attempts = sim.attempts;
    assert_true(attempts >= 20);
    sim.receiver = (struct sim_receiver){.ok_percent = 100};
    for (int day = 0; day < 40; day++) {
        assert_int_equal(sim_post(&sim, 1, NULL), E_ENDED);
        sim_run(&sim, DAY);
    }
    assert_int_equal(sim.attempts, attempts);
    assert_int_equal(sim_count(&sim, CALL_HELD), 20);
}

static void
lifting_its_end_resumes_everything(void **state)
{
    (void)state;
    sim_webhook(&sim);
    end_among_retries();
    sim.receiver = (struct sim_receiver){.ok_percent = 100};
    sim_run(&sim, DAY);
    sim_trial(&sim, MSEC_NEVER);
    assert_int_equal(sim_post(&sim, 1, NULL), 0);
    sim_run(&sim, DAY);
    assert_int_equal(sim_count(&sim, CALL_SUCCEEDED), 21);
}

static void
a_later_end_resumes_until_then(void **state)
{
    (void)state;
    sim_webhook(&sim);
    end_among_retries();
    sim_trial(&sim, sim_now(&sim) + 2 * MINUTE);
    assert_int_equal(sim_post(&sim, 1, NULL), 0);
    sim_run(&sim, HOUR);
    assert_int_equal(sim_post(&sim, 1, NULL), E_ENDED);
    assert_int_equal(sim_count(&sim, CALL_HELD), 21);
}

static void
a_crash_changes_nothing_of_it(void **state)
{
    (void)state;
    sim_webhook(&sim);
    end_among_retries();
    sim_crash(&sim);
    unsigned attempts = sim.attempts;
    sim.receiver = (struct sim_receiver){.ok_percent = 100};
    sim_run(&sim, DAY);
    assert_int_equal(sim.attempts, attempts);
    assert_int_equal(sim_post(&sim, 1, NULL), E_ENDED);
    sim_trial(&sim, MSEC_NEVER);
    sim_run(&sim, DAY);
    assert_int_equal(sim_count(&sim, CALL_SUCCEEDED), 20);
}

static void
a_webhook_that_was_disabled_stays_so(void **state)
{
    (void)state;
    uint64_t webhook = sim_webhook(&sim);
    sim_enable(&sim, webhook, false);
    end_among_retries();
    sim.receiver = (struct sim_receiver){.ok_percent = 100};
    sim_trial(&sim, MSEC_NEVER);
    sim_run(&sim, DAY);
    assert_int_equal(sim_count(&sim, CALL_HELD), 20);
    sim_enable(&sim, webhook, true);
    sim_run(&sim, DAY);
    assert_int_equal(sim_count(&sim, CALL_SUCCEEDED), 20);
}

static void
a_webhook_that_is_made_or_enabled_after_its_end_sends_nothing(void **state)
{
    (void)state;
    uint64_t webhook = sim_webhook(&sim);
    end_among_retries();
    unsigned attempts = sim.attempts;
    sim_enable(&sim, webhook, false);
    sim_enable(&sim, webhook, true);
    sim_webhook(&sim);
    sim_run(&sim, DAY);
    assert_int_equal(sim.attempts, attempts);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        SIM_TEST(after_its_end_nothing_is_taken_or_sent_and_nothing_goes),
        SIM_TEST(lifting_its_end_resumes_everything),
        SIM_TEST(a_later_end_resumes_until_then),
        SIM_TEST(a_crash_changes_nothing_of_it),
        SIM_TEST(a_webhook_that_was_disabled_stays_so),
        SIM_TEST(a_webhook_that_is_made_or_enabled_after_its_end_sends_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
