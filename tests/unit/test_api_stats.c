/* Figures: of a webhook, a channel, all channels; and of each webhook. */
#include "api_fixture.h"

#include <stdio.h>

#define STATS CHANNEL "/stats"

static void
figures_are_a_series_and_their_totals(void **state)
{
    struct fixture *f = *state;
    get(f, 200, STATS "?range=hour", f->channel_reader);
    is(f, "/range", "\"hour\"");
    is(f, "/step", "60");
    is(f, "/since", "\"2024-03-04T08:51:00.000Z\"");
    is(f, "/until", "\"2024-03-04T09:50:51.375Z\"");
    is(f, "/webhook", "null");
    is(f, "/totals",
       "{\"events\":2,\"attempts\":1000,\"succeeded\":999,\"failed\":1,"
       "\"exhausted\":1,\"successRate\":0.999,"
       "\"latencyMs\":{\"p50\":10.849,\"p90\":10.849,\"p95\":10.849,\"p99\":10.849,"
       "\"max\":15000}}");
    is(f, "/backlog", "4");
    is(f, "/held", "2");
    is(f, "/oldestDue", "\"2024-03-04T09:50:50.000Z\"");
    is(f, "/series/0",
       "{\"at\":\"2024-03-04T08:51:00.000Z\",\"events\":1,\"attempts\":999,"
       "\"succeeded\":999,\"failed\":0,\"exhausted\":0,\"p50\":10,\"p95\":10,"
       "\"p99\":10,\"backlog\":7}");
    is(f, "/series/1",
       "{\"at\":\"2024-03-04T08:52:00.000Z\",\"events\":0,\"attempts\":0,"
       "\"succeeded\":0,\"failed\":0,\"exhausted\":0,\"p50\":null,\"p95\":null,"
       "\"p99\":null,\"backlog\":null}");
    is(f, "/series/59",
       "{\"at\":\"2024-03-04T09:50:00.000Z\",\"events\":1,\"attempts\":1,"
       "\"succeeded\":0,\"failed\":1,\"exhausted\":1,\"p50\":13943.063,"
       "\"p95\":13943.063,\"p99\":13943.063,\"backlog\":null}");
}

static void
a_range_has_all_its_steps(void **state)
{
    struct fixture *f = *state;
    static const struct {
        const char *range, *step, *since, *last;
    } ranges[] = {
        {"?range=day", "3600", "\"2024-03-03T10:00:00.000Z\"", "/series/23/at"},
        {"", "3600", "\"2024-03-03T10:00:00.000Z\"", "/series/23/at"},
        {"?range=week", "3600", "\"2024-02-26T10:00:00.000Z\"", "/series/167/at"},
    };
    for (size_t i = 0; i < ARRAY_LEN(ranges); i++) {
        char path[100];
        snprintf(path, sizeof(path), STATS "%s", ranges[i].range);
        get(f, 200, path, f->channel_reader);
        is(f, "/step", ranges[i].step);
        is(f, "/since", ranges[i].since);
        is(f, ranges[i].last, "\"2024-03-04T09:00:00.000Z\"");
    }
    get(f, 400, STATS "?range=month", f->channel_reader);
    has(f, "/detail", "hour, day or week");
}

static void
figures_are_of_whom_was_asked_for(void **state)
{
    struct fixture *f = *state;
    char webhook[ID_TEXT], path[200], quoted[ID_TEXT + 2];
    add_webhook(f, "{\"url\":\"https://a/\"}", webhook);
    snprintf(path, sizeof(path), STATS "?webhook=%s", webhook);
    snprintf(quoted, sizeof(quoted), "\"%s\"", webhook);
    get(f, 200, path, f->channel_reader);
    is(f, "/webhook", quoted);
    webhook_id_format(webhook, 77);
    snprintf(path, sizeof(path), STATS "?webhook=%s", webhook);
    get(f, 404, path, f->channel_reader);
    has(f, "/detail", "no such webhook");

    get(f, 200, "/v1/stats", f->reader);
    is(f, "/series/23/events", "0"); /* channel 0: all */
    get(f, 200, "/v1/stats", f->channel_reader);
    is(f, "/series/23/events", "1"); /* its own alone */
    get(f, 403, "/v1/stats", f->ingest);
    get(f, 400, "/v1/stats?webhook=x", f->reader);
}

static void
each_webhook_has_its_figures_page_by_page(void **state)
{
    struct fixture *f = *state;
    char ids[5][ID_TEXT], path[200], expected[400];
    for (size_t i = 0; i < 5; i++)
        add_webhook(f, "{\"url\":\"https://a/\"}", ids[i]);
    get(f, 200, WEBHOOKS "/stats?range=week", f->channel_reader);
    snprintf(expected, sizeof(expected),
             "{\"webhook\":\"%s\",\"url\":\"https://a/\",\"enabled\":true,\"events\":1,"
             "\"attempts\":1,\"successRate\":1,\"p95\":10,\"exhausted\":0,"
             "\"backlog\":0,\"held\":3,\"oldestDue\":null}",
             ids[0]);
    is(f, "/data/0", expected);
    snprintf(expected, sizeof(expected), "\"%s\"", ids[2]);
    is(f, "/data/2/webhook", expected);
    is(f, "/nextCursor", expected); /* the store had looked at enough */
    snprintf(path, sizeof(path), WEBHOOKS "/stats?cursor=%s&limit=1", ids[2]);
    get(f, 200, path, f->channel_reader);
    snprintf(expected, sizeof(expected), "\"%s\"", ids[3]);
    is(f, "/data/0/webhook", expected);
    is(f, "/nextCursor", expected);
    snprintf(path, sizeof(path), WEBHOOKS "/stats?cursor=%s", ids[3]);
    get(f, 200, path, f->channel_reader);
    is(f, "/nextCursor", "null");
    snprintf(path, sizeof(path), WEBHOOKS "/stats?cursor=%s", ids[4]);
    get(f, 200, path, f->channel_reader);
    is(f, "/data", "[]");
    get(f, 400, WEBHOOKS "/stats?cursor=nothing", f->channel_reader);
}

static void
figures_that_cannot_be_read_are_said_so(void **state)
{
    struct fixture *f = *state;
    static const char *const paths[] = {STATS, "/v1/stats", WEBHOOKS "/stats"};
    for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
        fake_engine_fail(f->engine, E_IO);
        get(f, 503, paths[i], f->manage);
        fake_engine_fail(f->engine, E_CLOSED);
        get(f, 503, paths[i], f->manage);
    }
}

int
main(void)
{
#define WITH_SERVER(test)                                                              \
    cmocka_unit_test_setup_teardown(test, fixture_setup, fixture_teardown)
    const struct CMUnitTest tests[] = {
        WITH_SERVER(figures_are_a_series_and_their_totals),
        WITH_SERVER(a_range_has_all_its_steps),
        WITH_SERVER(figures_are_of_whom_was_asked_for),
        WITH_SERVER(each_webhook_has_its_figures_page_by_page),
        WITH_SERVER(figures_that_cannot_be_read_are_said_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
