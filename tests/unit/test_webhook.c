#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>

#include "base/mem.h"
#include "core/webhook.h"

static void
a_new_webhook_is_enabled_for_all_types(void **state)
{
    (void)state;
    struct webhook *webhook = webhook_new();

    assert_true(webhook->enabled);
    assert_null(webhook->disabled_reason);
    assert_false(webhook->own_retry);
    assert_int_equal(webhook->retry.max_retries, 8);
    for (unsigned type = 0; type < EVENT_TYPES; type++)
        assert_true(webhook_wants(webhook, (enum event_type)type));
    webhook_unref(webhook);
    webhook_unref(NULL);
}

static void
the_filter_is_one_bit_per_type(void **state)
{
    (void)state;
    struct webhook *webhook = webhook_new();

    webhook->types = 1u << EVENT_CLICK | 1u << EVENT_OPT_OUT;
    for (unsigned type = 0; type < EVENT_TYPES; type++)
        assert_int_equal(webhook_wants(webhook, (enum event_type)type),
                         type == EVENT_CLICK || type == EVENT_OPT_OUT);
    webhook->enabled = false; /* what it wants is held */
    assert_true(webhook_wants(webhook, EVENT_CLICK));
    webhook->deleted = true;
    assert_false(webhook_wants(webhook, EVENT_CLICK));
    webhook_unref(webhook);
}

static void
a_copy_owns_everything(void **state)
{
    (void)state;
    struct webhook *webhook = webhook_new();
    webhook->number = 7;
    webhook->channel = 8;
    memcpy(webhook->id, "wh_7", 5);
    webhook->url = xstrdup("https://example.com/");
    webhook->types = 5;
    webhook->description = xstrdup("words");
    webhook_set_secret(webhook, SLICE("whsec_x"));
    webhook->enabled = false;
    webhook->disabled_reason = xstrdup("by request");
    webhook->own_retry = true;
    webhook->retry.max_retries = 3;
    webhook->created_ms = 1;
    webhook->updated_ms = 2;
    webhook_add_header(webhook, SLICE("X-A"), SLICE("1"));
    webhook_add_header(webhook, SLICE("X-B"), SLICE(""));

    struct webhook *copy = webhook_copy(webhook);
    webhook_unref(webhook);
    assert_int_equal(copy->refs, 1);
    assert_int_equal(copy->number, 7);
    assert_int_equal(copy->channel, 8);
    assert_string_equal(copy->id, "wh_7");
    assert_string_equal(copy->url, "https://example.com/");
    assert_int_equal(copy->types, 5);
    assert_string_equal(copy->description, "words");
    assert_string_equal(webhook_secret_text(copy), "whsec_x");
    assert_false(copy->enabled);
    assert_string_equal(copy->disabled_reason, "by request");
    assert_true(copy->own_retry);
    assert_int_equal(copy->retry.max_retries, 3);
    assert_int_equal(copy->created_ms, 1);
    assert_int_equal(copy->updated_ms, 2);
    assert_int_equal(copy->n_headers, 2);
    assert_string_equal(copy->headers[0].name, "X-A");
    assert_string_equal(copy->headers[0].value, "1");
    assert_string_equal(copy->headers[1].name, "X-B");
    assert_string_equal(copy->headers[1].value, "");
    webhook_clear_headers(copy);
    assert_int_equal(copy->n_headers, 0);
    webhook_add_header(copy, SLICE("X-C"), SLICE("3"));
    assert_string_equal(copy->headers[0].name, "X-C");
    webhook_unref(copy);
}

static void
the_last_reference_frees(void **state)
{
    (void)state;
    struct webhook *webhook = webhook_new();
    assert_ptr_equal(webhook_ref(webhook), webhook);
    webhook_unref(webhook);
    assert_int_equal(webhook->refs, 1);
    webhook_unref(webhook);
}

static int
check(const char *name, const char *value)
{
    struct err err = {0, ""};
    int rc = webhook_header_check(slice_of(name), slice_of(value), &err);
    assert_int_equal(err.text[0] != '\0', rc != 0);
    return rc;
}

static void
ordinary_headers_are_accepted(void **state)
{
    (void)state;
    static const char *const names[] = {
        "X-Tenant", "Authorization", "Accept",         "Cookie",
        "x",        "X_Y.Z~1",       "Hostess",        "Contents",
        "TEA",      "Connections",   "Web-hook",       "Webhook",
        "Proxy",    "X-Webhook-Id",  "Metadata-X",     "Upgrades",
        "Trailers", "Expected",      "!#$%&'*+-.^_`|~"};
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        assert_int_equal(check(names[i], "value"), 0);
    assert_int_equal(check("X-A", ""), 0);
    assert_int_equal(check("X-A", "a b\tc \"!~{}"), 0);
}

static void
reserved_names_are_refused_in_any_case(void **state)
{
    (void)state;
    static const char *const names[] = {"Host",
                                        "hOsT",
                                        "Content-Length",
                                        "content-type",
                                        "CONTENT-X",
                                        "Content-",
                                        "Transfer-Encoding",
                                        "transfer-encoding",
                                        "Connection",
                                        "Keep-Alive",
                                        "webhook-id",
                                        "Webhook-Signature",
                                        "WEBHOOK-x",
                                        "Proxy-Connection",
                                        "proxy-authorization",
                                        "Expect",
                                        "TE",
                                        "te",
                                        "Trailer",
                                        "Upgrade",
                                        "User-Agent",
                                        "Metadata",
                                        "metadata-flavor",
                                        "X-aws-ec2-metadata-token",
                                        "X-AWS-EC2-Metadata-Token-TTL-Seconds"};
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        assert_int_equal(check(names[i], "value"), E_INVALID);
}

static void
names_that_are_no_tokens_are_refused(void **state)
{
    (void)state;
    static const char *const names[] = {"",         "X A",  "X:",  "X\r\nY", "X\n",
                                        "X\tA",     "X(A)", "X\"", "X\x0bY", "X\x7f",
                                        "\xc3\xa9", " X",   "X ",  "X@",     "X/Y"};
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        assert_int_equal(check(names[i], "value"), E_INVALID);
    assert_int_equal(webhook_header_check((struct slice){"X\0Y", 3}, SLICE("v"), NULL),
                     E_INVALID);
    char name[200];
    memset(name, 'x', sizeof(name));
    assert_int_equal(webhook_header_check((struct slice){name, 100}, SLICE("v"), NULL),
                     0);
    assert_int_equal(webhook_header_check((struct slice){name, 101}, SLICE("v"), NULL),
                     E_INVALID);
}

static void
values_that_could_break_the_request_are_refused(void **state)
{
    (void)state;
    static const char *const values[] = {"a\r\nY: b", "a\n",  "\r",       "a\vb",
                                         " a",        "a ",   "\ta",      "a\t",
                                         "\x7f",      "\x01", "\xc3\xa9", " "};
    for (size_t i = 0; i < ARRAY_LEN(values); i++)
        assert_int_equal(check("X-A", values[i]), E_INVALID);
    assert_int_equal(webhook_header_check(SLICE("X"), (struct slice){"a\0b", 3}, NULL),
                     E_INVALID);

    char *value = malloc(WEBHOOK_HEADER_VALUE_MAX + 1);
    assert_non_null(value);
    memset(value, 'v', WEBHOOK_HEADER_VALUE_MAX + 1);
    struct slice most = {value, WEBHOOK_HEADER_VALUE_MAX};
    struct slice more = {value, WEBHOOK_HEADER_VALUE_MAX + 1};
    assert_int_equal(webhook_header_check(SLICE("X"), most, NULL), 0);
    assert_int_equal(webhook_header_check(SLICE("X"), more, NULL), E_INVALID);
    free(value);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_new_webhook_is_enabled_for_all_types),
        cmocka_unit_test(the_filter_is_one_bit_per_type),
        cmocka_unit_test(a_copy_owns_everything),
        cmocka_unit_test(the_last_reference_frees),
        cmocka_unit_test(ordinary_headers_are_accepted),
        cmocka_unit_test(reserved_names_are_refused_in_any_case),
        cmocka_unit_test(names_that_are_no_tokens_are_refused),
        cmocka_unit_test(values_that_could_break_the_request_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
