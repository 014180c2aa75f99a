#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/json.h"
#include "base/log.h"

#define OUT_MAX 4000000
#define TIME    "2024-03-04T09:50:51.375Z"

static struct clock_manual manual;
static int fd = -1;
static char out[OUT_MAX];

static void
begin(enum log_level least, bool json)
{
    if (fd >= 0)
        close(fd);
    fd = memfd_create("log", 0);
    assert_true(fd >= 0);
    clock_manual_init(&manual, INT64_C(1709545851375));
    log_setup(&manual.clock, fd, least, json);
}

/* What has been written so far. */
static const char *
written(void)
{
    ssize_t n = pread(fd, out, sizeof(out) - 1, 0);

    assert_true(n >= 0);
    out[n] = '\0';
    return out;
}

static void
a_line_has_time_level_event_and_fields_in_order(void **state)
{
    (void)state;
    begin(LOG_INFO, false);
    log_line(LOG_INFO, "attempt", LOG_S("call", "call_1"), LOG_I("n", 2),
             LOG_I("min", INT64_MIN), LOG_SL("webhook", SLICE("wh_1")),
             LOG_US("took", 1234567), LOG_US("neg", -7), LOG_S("none", NULL));
    assert_string_equal(written(),
                        TIME " info attempt call=call_1 n=2 min=-9223372036854775808 "
                             "webhook=wh_1 took=1234.567 neg=-0.007\n");
}

static void
a_json_line_is_one_object(void **state)
{
    (void)state;
    begin(LOG_INFO, true);
    log_line(LOG_ERROR, "attempt", LOG_S("call", "call_1"), LOG_I("n", -2),
             LOG_S("text", "a \"b\"\\\n\x01"), LOG_US("took", 1500));
    assert_string_equal(
        written(),
        "{\"time\":\"" TIME "\",\"level\":\"error\",\"event\":\"attempt\","
        "\"call\":\"call_1\",\"n\":-2,\"text\":\"a \\\"b\\\"\\\\\\n\\u0001\","
        "\"took\":1.500}\n");
}

static void
the_time_follows_the_wall_clock(void **state)
{
    (void)state;
    begin(LOG_INFO, false);
    log_line(LOG_INFO, "a", LOG_I("n", 1));
    clock_manual_advance(&manual, 625 * 1000);
    log_line(LOG_INFO, "b", LOG_I("n", 2));
    assert_string_equal(written(), TIME " info a n=1\n"
                                        "2024-03-04T09:50:52.000Z info b n=2\n");
}

static void
a_value_is_quoted_only_where_it_must_be(void **state)
{
    static const struct {
        const char *in, *text;
    } rows[] = {
        {"plain", "plain"},
        {"a/b?c&d", "a/b?c&d"},
        {"back\\slash", "back\\slash"},
        {"", "\"\""},
        {"a b", "\"a b\""},
        {"a=b", "\"a=b\""},
        {"a\"b\\", "\"a\\\"b\\\\\""},
        {"a\nb\r\t\x7f", "\"a\\nb\\r\\t\\x7f\""},
        {"h\xc3\xa9", "h\xc3\xa9"},
        {"\xf0\x9f\x98\x80", "\xf0\x9f\x98\x80"},
        {"\xc3", "\"\\xc3\""},
        {"\xc0\xaf", "\"\\xc0\\xaf\""},
        {"\xed\xa0\x80", "\"\\xed\\xa0\\x80\""},
        {"\xf4\x90\x80\x80", "\"\\xf4\\x90\\x80\\x80\""},
        {"\xc2\x9b", "\"\\xc2\\x9b\""},
    };
    char expected[200];

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        begin(LOG_INFO, false);
        log_line(LOG_INFO, "e", LOG_S("v", rows[i].in));
        snprintf(expected, sizeof(expected), TIME " info e v=%s\n", rows[i].text);
        assert_string_equal(written(), expected);
    }
}

static void
any_bytes_make_one_valid_json_line(void **state)
{
    char bytes[256 * 2];

    (void)state;
    for (size_t i = 0; i < sizeof(bytes); i++)
        bytes[i] = (char)(i < 256 ? i : 511 - i);
    begin(LOG_INFO, true);
    log_line(LOG_INFO, "e", LOG_SL("v", ((struct slice){bytes, sizeof(bytes)})));

    struct json_doc doc;
    struct json_error error;
    size_t n = strlen(written());
    assert_ptr_equal(strchr(out, '\n'), out + n - 1);
    json_init(&doc);
    assert_int_equal(json_parse(&doc, out, n - 1, &error), 0);
    json_fini(&doc);
}

static void
a_long_value_is_cut_and_the_line_stays_whole(void **state)
{
    static char value[20000];

    (void)state;
    memset(value, 'v', sizeof(value) - 1);
    for (int json = 0; json < 2; json++) {
        begin(LOG_INFO, json);
        log_line(LOG_INFO, "e", LOG_S("first", "1"), LOG_S("long", value),
                 LOG_S("gone", "x"));
        log_line(LOG_INFO, "next", LOG_I("n", 1));
        size_t n = strcspn(written(), "\n");
        assert_true(n < 8192 && n > 8000);
        assert_null(strstr(out, "gone"));
        const char *end = json ? "v\xe2\x80\xa6\"}\n" : "v\xe2\x80\xa6\"\n";
        assert_memory_equal(out + n + 1 - strlen(end), end, strlen(end));
        assert_non_null(
            strstr(out + n, json ? "\"event\":\"next\"" : " info next n=1\n"));
    }
}

static void
many_fields_never_overrun_a_line(void **state)
{
    struct log_field fields[600];

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(fields); i++)
        fields[i] = i % 2 ? LOG_I("number", INT64_MIN) : LOG_S("text", "some words");
    begin(LOG_INFO, false);
    log_write(LOG_INFO, "e", fields, ARRAY_LEN(fields));
    assert_true(strlen(written()) <= 8192);
    assert_ptr_equal(strchr(out, '\n'), out + strlen(out) - 1);
}

static void
lines_below_the_level_are_left_out(void **state)
{
    (void)state;
    begin(LOG_WARN, false);
    assert_false(log_enabled(LOG_INFO));
    assert_true(log_enabled(LOG_WARN));
    log_msg(LOG_INFO, "quiet");
    log_line(LOG_DEBUG, "quiet", LOG_I("n", 1));
    log_msg(LOG_WARN, "disk is %d%% full", 91);
    assert_string_equal(written(), TIME " warn message msg=\"disk is 91% full\"\n");
}

static void *
buffering_thread(void *arg)
{
    (void)arg;
    log_buffer_thread();
    log_line(LOG_INFO, "a", LOG_I("n", 1));
    assert_string_equal(written(), "");
    log_flush();
    assert_string_equal(written(), TIME " info a n=1\n");

    begin(LOG_INFO, false);
    log_line(LOG_INFO, "b", LOG_I("n", 2));
    assert_string_equal(written(), "");
    log_line(LOG_WARN, "c", LOG_I("n", 3)); /* leaves at once, after what waited */
    assert_string_equal(written(), TIME " info b n=2\n" TIME " warn c n=3\n");

    begin(LOG_INFO, false);
    log_line(LOG_INFO, "last", LOG_I("n", 4));
    return NULL;
}

static void
a_thread_that_buffers_writes_when_told_or_when_it_matters(void **state)
{
    pthread_t thread;

    (void)state;
    begin(LOG_INFO, false);
    pthread_create(&thread, NULL, buffering_thread, NULL);
    pthread_join(thread, NULL);
    assert_string_equal(written(), TIME " info last n=4\n"); /* at the thread's end */
}

#define WRITERS 4
#define LINES   2000

static void *
writing_thread(void *arg)
{
    unsigned who = *(unsigned *)arg;

    if (who % 2)
        log_buffer_thread();
    for (int i = 0; i < LINES; i++)
        log_line(LOG_INFO, "e", LOG_I("who", who), LOG_I("i", i),
                 LOG_S("tail", "0123456789012345678901234567890123456789"));
    log_flush();
    return NULL;
}

static void *
draining_thread(void *arg)
{
    int from = *(int *)arg;
    size_t n = 0;
    ssize_t got;

    while ((got = read(from, out + n, sizeof(out) - 1 - n)) > 0)
        n += (size_t)got;
    out[n] = '\0';
    return NULL;
}

static void
lines_of_many_threads_never_mix_even_in_a_pipe(void **state)
{
    pthread_t threads[WRITERS], reader;
    unsigned names[WRITERS];
    int ends[2];
    long next[WRITERS] = {0};

    (void)state;
    assert_int_equal(pipe(ends), 0);
    log_setup(&manual.clock, ends[1], LOG_INFO, false);
    pthread_create(&reader, NULL, draining_thread, &ends[0]);
    for (unsigned i = 0; i < WRITERS; i++) {
        names[i] = i;
        pthread_create(&threads[i], NULL, writing_thread, &names[i]);
    }
    for (size_t i = 0; i < WRITERS; i++)
        pthread_join(threads[i], NULL);
    close(ends[1]);
    pthread_join(reader, NULL);
    close(ends[0]);

    for (char *line = out; *line; line = strchr(line, '\n') + 1) {
        unsigned who;
        long i;
        char tail[64];
        assert_int_equal(
            sscanf(line, "%*s info e who=%u i=%ld tail=%63s\n", &who, &i, tail), 3);
        assert_true(who < WRITERS);
        assert_int_equal(i, next[who]++);
        assert_int_equal(strlen(tail), 40);
    }
    for (size_t i = 0; i < WRITERS; i++)
        assert_int_equal(next[i], LINES);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_line_has_time_level_event_and_fields_in_order),
        cmocka_unit_test(a_json_line_is_one_object),
        cmocka_unit_test(the_time_follows_the_wall_clock),
        cmocka_unit_test(a_value_is_quoted_only_where_it_must_be),
        cmocka_unit_test(any_bytes_make_one_valid_json_line),
        cmocka_unit_test(a_long_value_is_cut_and_the_line_stays_whole),
        cmocka_unit_test(many_fields_never_overrun_a_line),
        cmocka_unit_test(lines_below_the_level_are_left_out),
        cmocka_unit_test(a_thread_that_buffers_writes_when_told_or_when_it_matters),
        cmocka_unit_test(lines_of_many_threads_never_mix_even_in_a_pipe),
    };
    int rc = cmocka_run_group_tests(tests, NULL, NULL);

    if (fd >= 0)
        close(fd);
    return rc;
}
