#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <math.h>

#include <cmocka.h>

#include "base/json.h"
#include "base/json_out.h"

static void
commas_and_names_stand_where_they_must(void **state)
{
    (void)state;
    struct json_out out;
    struct buf buf;
    buf_init(&buf, 1000);
    json_out_init(&out, &buf);
    json_object(&out, NULL);
    json_str(&out, "a", "x");
    json_object(&out, "b");
    json_object_end(&out);
    json_array(&out, "c");
    json_i64(&out, NULL, 1);
    json_array(&out, NULL);
    json_array_end(&out);
    json_object(&out, NULL);
    json_bool(&out, "d", true);
    json_bool(&out, "e", false);
    json_object_end(&out);
    json_null(&out, NULL);
    json_array_end(&out);
    json_raw_out(&out, "f", SLICE("{ \"g\": 1e400 }"));
    json_str(&out, "h", NULL);
    json_name_str(&out, SLICE("i\"\n"), SLICE("\\"));
    json_time(&out, "j", 1709545851375);
    json_time(&out, "k", MSEC_NEVER);
    json_object_end(&out);
    assert_int_equal(buf.failed, 0);
    assert_string_equal(
        buf.p, "{\"a\":\"x\",\"b\":{},\"c\":[1,[],{\"d\":true,\"e\":false},null],"
               "\"f\":{ \"g\": 1e400 },\"h\":null,\"i\\\"\\n\":\"\\\\\","
               "\"j\":\"2024-03-04T09:50:51.375Z\",\"k\":null}");
    buf_fini(&buf);
}

static void
values_at_the_top_need_no_container(void **state)
{
    (void)state;
    struct json_out out;
    struct buf buf;
    buf_init(&buf, 100);
    json_out_init(&out, &buf);
    json_str(&out, NULL, "x");
    assert_string_equal(buf.p, "\"x\"");
    buf_fini(&buf);
}

static void
check_escape(struct slice value, const char *want)
{
    struct buf buf;
    buf_init(&buf, 1000);
    json_escape(&buf, value);
    assert_int_equal(buf.failed, 0);
    assert_string_equal(buf.p ? buf.p : "", want);
    buf_fini(&buf);
}

static void
what_could_break_out_is_escaped(void **state)
{
    (void)state;
    check_escape(SLICE(""), "");
    check_escape(SLICE("plain text/"), "plain text/");
    check_escape(SLICE("\"\\"), "\\\"\\\\");
    check_escape(SLICE("\b\f\n\r\t"), "\\b\\f\\n\\r\\t");
    check_escape(SLICE("a\0b\x1f\x7f"), "a\\u0000b\\u001f\\u007f");
    check_escape(SLICE("\x1b[31m"), "\\u001b[31m");
    check_escape(SLICE("\xe2\x80\xa7\xe2\x80\xa8\xe2\x80\xa9\xe2\x80\xaa"),
                 "\xe2\x80\xa7\\u2028\\u2029\xe2\x80\xaa");
    check_escape(SLICE("\xc3\xa9\xf0\x9d\x84\x9e"), "\xc3\xa9\xf0\x9d\x84\x9e");
}

static void
bytes_that_are_not_utf8_are_replaced(void **state)
{
    (void)state;
    check_escape(SLICE("a\xff"
                       "b"),
                 "a\xef\xbf\xbd"
                 "b");
    check_escape(SLICE("\xc3"), "\xef\xbf\xbd");
    check_escape(SLICE("\xe2\x82"), "\xef\xbf\xbd\xef\xbf\xbd");
    check_escape(SLICE("\xed\xa0\x80"), "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd");
}

static void
any_bytes_come_back_as_valid_json(void **state)
{
    (void)state;
    struct json_doc doc;
    struct json_out out;
    struct buf buf;
    char bytes[2];
    json_init(&doc);
    buf_init(&buf, 1000);
    for (int i = 0; i < 65536; i++) {
        bytes[0] = (char)(i >> 8);
        bytes[1] = (char)(i & 255);
        buf_reset(&buf);
        json_out_init(&out, &buf);
        json_strn(&out, NULL, (struct slice){bytes, 2});
        assert_int_equal(json_parse(&doc, buf.p, buf.n, NULL), 0);
    }
    buf_fini(&buf);
    json_fini(&doc);
}

static void
check_f64(double value, const char *want)
{
    struct json_out out;
    struct buf buf;
    buf_init(&buf, 1000);
    json_out_init(&out, &buf);
    json_f64(&out, NULL, value);
    assert_string_equal(buf.p, want);
    buf_fini(&buf);
}

static void
fractions_have_three_digits_at_most(void **state)
{
    (void)state;
    check_f64(0, "0");
    check_f64(-0.0, "0");
    check_f64(-0.0001, "0");
    check_f64(10, "10");
    check_f64(100.5, "100.5");
    check_f64(-2.25, "-2.25");
    check_f64(0.0625, "0.062");
    check_f64(1.0 / 3, "0.333");
    check_f64((double)INFINITY, "null");
    check_f64((double)NAN, "null");
}

static void
the_largest_numbers_are_written_whole(void **state)
{
    (void)state;
    struct json_out out;
    struct json_doc doc;
    struct buf buf;
    json_init(&doc);
    buf_init(&buf, 1000);
    json_out_init(&out, &buf);
    json_array(&out, NULL);
    json_i64(&out, NULL, INT64_MIN);
    json_i64(&out, NULL, INT64_MAX);
    json_i64(&out, NULL, 0);
    json_array_end(&out);
    assert_string_equal(buf.p, "[-9223372036854775808,9223372036854775807,0]");
    buf_reset(&buf);
    json_out_init(&out, &buf);
    json_f64(&out, NULL, -1.7976931348623157e308);
    assert_int_equal(json_parse(&doc, buf.p, buf.n, NULL), 0);
    assert_int_equal(buf.n, 310);
    buf_fini(&buf);
    json_fini(&doc);
}

static void
a_full_buffer_is_noticed_at_the_end(void **state)
{
    (void)state;
    struct json_out out;
    struct buf buf;
    buf_init(&buf, 8);
    json_out_init(&out, &buf);
    json_str(&out, NULL, "123456789");
    assert_int_equal(buf.failed, E_TOO_LARGE);
    buf_fini(&buf);
}

static void
check_compact(struct slice json, const char *want)
{
    struct buf buf;
    buf_init(&buf, 1000);
    json_compact(&buf, json);
    assert_int_equal(buf.failed, 0);
    assert_string_equal(buf.p, want);
    buf_fini(&buf);
}

static void
white_space_goes_but_for_that_in_strings(void **state)
{
    (void)state;
    check_compact(SLICE(" [ ] "), "[]");
    check_compact(SLICE("{\r\n\t\"a b\" : [ 1 ,\ttrue, null ] }\n"),
                  "{\"a b\":[1,true,null]}");
    check_compact(SLICE("[\" \\\" , \", \"\\\\\" , \" \\\\\\\" \"]"),
                  "[\" \\\" , \",\"\\\\\",\" \\\\\\\" \"]");
    check_compact(SLICE("{\"a\":1}"), "{\"a\":1}");
    check_compact(SLICE("\" x \""), "\" x \"");
}

static void
compact_json_that_does_not_fit_is_noticed(void **state)
{
    (void)state;
    struct buf buf;
    buf_init(&buf, 5);
    json_compact(&buf, SLICE("[ 1, 2 ]"));
    assert_int_equal(buf.failed, 0);
    json_compact(&buf, SLICE(" 3"));
    assert_int_equal(buf.failed, E_TOO_LARGE);
    buf_fini(&buf);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(commas_and_names_stand_where_they_must),
        cmocka_unit_test(values_at_the_top_need_no_container),
        cmocka_unit_test(what_could_break_out_is_escaped),
        cmocka_unit_test(bytes_that_are_not_utf8_are_replaced),
        cmocka_unit_test(any_bytes_come_back_as_valid_json),
        cmocka_unit_test(fractions_have_three_digits_at_most),
        cmocka_unit_test(the_largest_numbers_are_written_whole),
        cmocka_unit_test(a_full_buffer_is_noticed_at_the_end),
        cmocka_unit_test(white_space_goes_but_for_that_in_strings),
        cmocka_unit_test(compact_json_that_does_not_fit_is_noticed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
