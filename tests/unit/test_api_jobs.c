/* Jobs: asked for, looked at, steered. */
#include "api_fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define JOBS     CHANNEL "/jobs"
#define WHENEVER "\"since\":\"2024-01-02T00:00:00Z\""

/* The path of a new webhook's replays. */
static void
replay_path(struct fixture *f, char path[200])
{
    char webhook[ID_TEXT];
    add_webhook(f, "{\"url\":\"https://a/\",\"events\":[\"click\",\"optIn\"]}",
                webhook);
    snprintf(path, 200, WEBHOOKS "/%s/replay", webhook);
}

static void
a_job_is_shown_as_it_was_asked_for(void **state)
{
    struct fixture *f = *state;
    char path[200], id[ID_TEXT], target[200];
    replay_path(f, path);
    post(f, 202, path, f->manage,
         "{" WHENEVER ",\"until\":\"2024-02-01T00:00:00Z\",\"pace\":7}");
    is(f, "/kind", "\"replay\"");
    is(f, "/state", "\"running\"");
    is(f, "/dryRun", "false");
    is(f, "/since", "\"2024-01-02T00:00:00.000Z\"");
    is(f, "/until", "\"2024-02-01T00:00:00.000Z\"");
    is(f, "/states",
       "[\"waiting\",\"succeeded\",\"failed\",\"cancelled\",\"missing\"]");
    is(f, "/types", "[\"optIn\",\"click\"]");
    is(f, "/pace", "7");
    is(f, "/matched", "0");
    is(f, "/progress", "0");
    is(f, "/position", "null");
    is(f, "/reason", "null");
    is(f, "/finishedAt", "null");
    job_id_format(id, 1);
    snprintf(target, sizeof(target), JOBS "/%s", id);
    get(f, 200, target, f->channel_reader);
    is(f, "/kind", "\"replay\"");
    get(f, 200, JOBS, f->channel_reader);
    is(f, "/data/0/pace", "7");
    is(f, "/nextCursor", "null");
    get(f, 404, JOBS "/job_0000000000000", f->manage);
    get(f, 404, JOBS "/call_1", f->manage);
}

static void
a_filter_is_taken_member_by_member(void **state)
{
    struct fixture *f = *state;
    post(f, 202, CALLS "/retry", f->manage,
         "{" WHENEVER ",\"types\":[\"click\"],\"subscription\":\"s\","
         "\"notification\":\"n\",\"error\":\"503\",\"dryRun\":true}");
    is(f, "/kind", "\"retry\"");
    is(f, "/webhook", "null");
    is(f, "/dryRun", "true");
    is(f, "/states", "[\"failed\"]");
    is(f, "/types", "[\"click\"]");
    is(f, "/subscription", "\"s\"");
    is(f, "/notification", "\"n\"");
    is(f, "/error", "\"503\"");
    is(f, "/pace", "250");
    post(f, 202, CALLS "/cancel", f->manage, "{" WHENEVER ",\"states\":[\"held\"]}");
    is(f, "/kind", "\"cancel\"");
    is(f, "/states", "[\"held\"]");
    post(f, 202, CALLS "/retry", f->manage,
         "{\"ids\":[\"call_0000000000001_0000000000001\"]}");
    is(f, "/since", "null");
    is(f, "/until", "null");
    is(f, "/states", "[\"waiting\",\"succeeded\",\"failed\",\"cancelled\",\"held\"]");
}

static void
a_job_is_paused_resumed_and_cancelled(void **state)
{
    struct fixture *f = *state;
    char path[200], id[ID_TEXT], target[200];
    replay_path(f, path);
    post(f, 202, path, f->manage, "{" WHENEVER "}");
    job_id_format(id, 1);
    static const struct {
        const char *verb, *state;
    } moves[] = {{"pause", "\"paused\""},
                 {"resume", "\"running\""},
                 {"cancel", "\"cancelled\""}};
    for (size_t i = 0; i < ARRAY_LEN(moves); i++) {
        snprintf(target, sizeof(target), JOBS "/%s/%s", id, moves[i].verb);
        post(f, 403, target, f->channel_reader, NULL);
        post(f, 400, target, f->manage, "{\"now\":true}");
        post(f, 200, target, f->manage, NULL);
        is(f, "/state", moves[i].state);
    }
    post(f, 409, target, f->manage, NULL);
    has(f, "/detail", "has ended");
    fake_engine_fail(f->engine, E_FULL);
    post(f, 503, path, f->manage, "{" WHENEVER "}");
    fake_engine_fail(f->engine, E_CONFLICT);
    post(f, 409, path, f->manage, "{" WHENEVER "}");
    has(f, "/detail", "1000 jobs");
}

static void
only_so_many_jobs_run(void **state)
{
    struct fixture *f = *state;
    char path[200];
    replay_path(f, path);
    for (int i = 0; i < JOBS_RUNNING_MAX; i++)
        post(f, 202, path, f->manage, "{" WHENEVER "}");
    post(f, 429, path, f->manage, "{" WHENEVER "}");
    has(f, "/detail", "16 jobs");
    post(f, 403, path, f->channel_reader, "{" WHENEVER "}");
    get(f, 200, JOBS "?limit=9", f->manage);
    has(f, "/nextCursor", "job_");
    get(f, 400, JOBS "?cursor=job_x", f->manage);
}

static void
a_call_is_cancelled_once(void **state)
{
    struct fixture *f = *state;
    char webhook[ID_TEXT], event[ID_TEXT], call[ID_TEXT], path[200], expected[200];
    add_webhook(f, "{\"url\":\"https://a/\"}", webhook);
    add_event(f, CLICK, event);
    call_id_format(call, fake_engine_event_key(f->engine, 0),
                   fake_engine_newest_webhook(f->engine));
    snprintf(path, sizeof(path), CALLS "/%s/cancel", call);
    post(f, 403, path, f->channel_reader, NULL);
    post(f, 400, path, f->manage, "{\"now\":true}");
    post(f, 200, path, f->manage, "{}");
    snprintf(expected, sizeof(expected), "{\"_id\":\"%s\",\"state\":\"cancelled\"}",
             call);
    assert_string_equal(f->body.p, expected);
    post(f, 409, path, f->manage, NULL);
    post(f, 404, CALLS "/call_0000000000001_0000000000001/cancel", f->manage, NULL);
    post(f, 404, CALLS "/call_1/cancel", f->manage, NULL);
}

int
main(void)
{
#define WITH_SERVER(test)                                                              \
    cmocka_unit_test_setup_teardown(test, fixture_setup, fixture_teardown)
    const struct CMUnitTest tests[] = {
        WITH_SERVER(a_job_is_shown_as_it_was_asked_for),
        WITH_SERVER(a_filter_is_taken_member_by_member),
        WITH_SERVER(a_job_is_paused_resumed_and_cancelled),
        WITH_SERVER(only_so_many_jobs_run),
        WITH_SERVER(a_call_is_cancelled_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
