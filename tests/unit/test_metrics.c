#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/metrics.h"

/* The value of a series, found by its name with labels. */
static double
value_of(const char *series)
{
    struct buf out;
    char line[200];

    buf_init(&out, 1 << 20);
    metrics_write(&out);
    assert_int_equal(out.failed, 0);
    snprintf(line, sizeof(line), "\n%s ", series);
    const char *at = strstr(out.p, line);
    assert_non_null(at);
    double value = strtod(at + strlen(line), NULL);
    buf_fini(&out);
    return value;
}

#define assert_value(series, expected)                                                 \
    assert_float_equal(value_of(series), expected, 0.0000001)

static void
a_counter_grows_in_its_own_series(void **state)
{
    (void)state;
    double before = value_of("pushwire_events_total{type=\"click\"}");
    metric_add(METRIC_EVENTS, 3, 2);
    metric_add(METRIC_EVENTS, 3, 1);
    metric_add(METRIC_EVENTS, 6, 5);
    assert_value("pushwire_events_total{type=\"click\"}", before + 3);
    assert_value("pushwire_events_total{type=\"attributeUpdate\"}", 5);
    assert_value("pushwire_events_total{type=\"optIn\"}", 0);
}

static void
every_series_is_there_from_the_start(void **state)
{
    static const char *const series[] = {
        "pushwire_events_total{type=\"optIn\"}",
        "pushwire_events_total{type=\"optOut\"}",
        "pushwire_events_total{type=\"delivery\"}",
        "pushwire_events_total{type=\"click\"}",
        "pushwire_events_total{type=\"updateTopics\"}",
        "pushwire_events_total{type=\"topicAdded\"}",
        "pushwire_events_total{type=\"attributeUpdate\"}",
        "pushwire_attempts_total{verdict=\"ok\"}",
        "pushwire_attempts_total{verdict=\"temporary\"}",
        "pushwire_attempts_total{verdict=\"gone\"}",
        "pushwire_requests_total{code=\"2xx\"}",
        "pushwire_requests_total{code=\"4xx\"}",
        "pushwire_requests_total{code=\"5xx\"}",
        "pushwire_commits_total",
        "pushwire_ingest_seconds_count",
        "pushwire_commit_seconds_count",
        "pushwire_attempt_seconds_count",
        "pushwire_delivery_seconds_count",
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(series); i++)
        assert_true(value_of(series[i]) >= 0);
}

static void
a_time_is_counted_in_its_bucket_and_all_larger_ones(void **state)
{
    (void)state;
    metric_observe(METRIC_COMMIT_SECONDS, -5); /* a clock's mistake counts as 0 */
    metric_observe(METRIC_COMMIT_SECONDS, 100);
    metric_observe(METRIC_COMMIT_SECONDS, 101);
    metric_observe(METRIC_COMMIT_SECONDS, 60000000);
    metric_observe(METRIC_COMMIT_SECONDS, 60000001);
    assert_value("pushwire_commit_seconds_bucket{le=\"0.0001\"}", 2);
    assert_value("pushwire_commit_seconds_bucket{le=\"0.00025\"}", 3);
    assert_value("pushwire_commit_seconds_bucket{le=\"30\"}", 3);
    assert_value("pushwire_commit_seconds_bucket{le=\"60\"}", 4);
    assert_value("pushwire_commit_seconds_bucket{le=\"+Inf\"}", 5);
    assert_value("pushwire_commit_seconds_count", 5);
    assert_value("pushwire_commit_seconds_sum", 120.000202);
}

/* Every line is a comment or a sample, and every sample follows the HELP and TYPE of
 * its own family. */
static void
the_text_has_a_help_and_a_type_before_every_family(void **state)
{
    struct buf out;
    char help[100] = "";
    char type[100] = "";
    unsigned samples = 0;

    (void)state;
    buf_init(&out, 1 << 20);
    metrics_write(&out);
    metrics_gauge_head(&out, "pushwire_depth", "How deep.");
    buf_addf(&out, "pushwire_depth %d\n", 7);
    assert_int_equal(out.p[out.n - 1], '\n');
    for (char *line = out.p; *line; line = strchr(line, '\n') + 1) {
        if (strncmp(line, "# HELP ", 7) == 0) {
            assert_int_equal(sscanf(line + 7, "%99s", help), 1);
        } else if (strncmp(line, "# TYPE ", 7) == 0) {
            assert_int_equal(sscanf(line + 7, "%99s", type), 1);
            assert_string_equal(type, help);
        } else {
            assert_memory_equal(line, type, strlen(type));
            samples++;
        }
    }
    assert_int_equal(samples, 7 + 3 + 3 + 2 + 1 + 4 + 9 + 3 + 4 * (18 + 1 + 2) + 1);
    buf_fini(&out);
}

static void *
bump(void *arg)
{
    (void)arg;
    for (int i = 0; i < 10000; i++) {
        metric_add(METRIC_COMMITS, 0, 1);
        metric_observe(METRIC_INGEST_SECONDS, i);
    }
    return NULL;
}

static void
no_count_is_lost_between_threads(void **state)
{
    pthread_t threads[4];

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(threads); i++)
        pthread_create(&threads[i], NULL, bump, NULL);
    for (size_t i = 0; i < ARRAY_LEN(threads); i++)
        pthread_join(threads[i], NULL);
    assert_value("pushwire_commits_total", 40000);
    assert_value("pushwire_ingest_seconds_count", 40000);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_series_is_there_from_the_start),
        cmocka_unit_test(a_counter_grows_in_its_own_series),
        cmocka_unit_test(a_time_is_counted_in_its_bucket_and_all_larger_ones),
        cmocka_unit_test(the_text_has_a_help_and_a_type_before_every_family),
        cmocka_unit_test(no_count_is_lost_between_threads),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
