#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/json.h"

struct row {
    const char *text;
    size_t n;
};

#define T(text)                                                                        \
    {                                                                                  \
        text, sizeof(text) - 1                                                         \
    }

static const struct row good[] = {
    T("{}"),
    T("[]"),
    T("null"),
    T("true"),
    T("false"),
    T("0"),
    T("\"\""),
    T(" \t\r\n[ \t\r\n] \t\r\n"),
    T("{ }"),
    T("[null]"),
    T("[true,false,null]"),
    T("[[],[[]],{}]"),
    T("{\"a\":1}"),
    T("{\"a\" : 1 , \"b\" : 2}"),
    T("{\"\":0}"),
    T("{\"a\":{\"a\":{\"a\":[]}}}"),
    T("{\"a\":1,\"A\":2}"),
    T("{\"a\":[{\"a\":1},{\"a\":1}]}"),
    T("{\"__proto__\":1,\"constructor\":{}}"),
    T("1"),
    T("-1"),
    T("-0"),
    T("-0.0"),
    T("0.1"),
    T("0e0"),
    T("0E+2"),
    T("1E+2"),
    T("1e-2"),
    T("1e400"),
    T("-1e-400"),
    T("12345678901234567890"),
    T("0.00000000000000000000000000000000000000000000000000000000001"),
    T("123.456e+789"),
    T("[1 ]"),
    T("[1,2]"),
    T("\"a\""),
    T("\"abcdefgh\""),
    T("\"abcdefghijklmnopq\""),
    T("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\""),
    T("\"\\u0000\""),
    T("\"\\u001f\""),
    T("\"\\u00e9\\u00E9\""),
    T("\"\\ud834\\udd1e\""),
    T("\"\\uD834\\uDD1E\""),
    T("\"\\udbff\\udfff\""),
    T("\"\\ufdd0\\uffff\""),
    T("\"\\\\u0041\""),
    T("\"/\""),
    T("\"\x7f\""),
    T("\"\xc3\xa9\""),
    T("\"\xe2\x82\xac\""),
    T("\"\xed\x9f\xbf\xee\x80\x80\""),
    T("\"\xf0\x9d\x84\x9e\""),
    T("\"\xf4\x8f\xbf\xbf\""),
    T("\"\xe2\x80\xa8\xe2\x80\xa9\""),
    T("\"\xef\xbb\xbf\""),
    T("\"abcdefg\xc3\xa9\""),
    T("[\"//comment\"]"),
    T("{\"a\\u0000b\":1,\"a\":2}"),
    T("{\"\xc3\xa9\":1,\"e\":2}"),
    T("[1e5,\"x\",{\"y\":[0]}]"),
};

static const struct row bad[] = {
    T(""),
    T(" "),
    T("\n\n"),
    T("\0"),
    T("\xef\xbb\xbf{}"),
    T("\xff\xfe{\0}\0"),
    T("{\0}\0"),
    T("\0{\0}"),
    T("{"),
    T("["),
    T("}"),
    T("]"),
    T("[}"),
    T("{]"),
    T("[]]"),
    T("{}}"),
    T("[1"),
    T("[1,"),
    T("[1,]"),
    T("[,1]"),
    T("[,]"),
    T("[1,,2]"),
    T("[1 2]"),
    T("[\"a\" \"b\"]"),
    T("[1:2]"),
    T("{\"a\"}"),
    T("{\"a\":}"),
    T("{\"a\":1,}"),
    T("{,\"a\":1}"),
    T("{\"a\" 1}"),
    T("{\"a\"::1}"),
    T("{\"a\":1 \"b\":2}"),
    T("{\"a\":1;\"b\":2}"),
    T("{\"a\",1}"),
    T("{a:1}"),
    T("{'a':1}"),
    T("{1:1}"),
    T("{null:1}"),
    T("{[]:1}"),
    T("{\"a\":1,\"a\":2}"),
    T("{\"a\":1,\"\\u0061\":2}"),
    T("{\"\\u0061\":1,\"a\":2}"),
    T("{\"\\u0061\":1,\"\\u0061\":2}"),
    T("{\"/\":1,\"\\/\":2}"),
    T("{\"\":1,\"\":2}"),
    T("{\"\xc3\xa9\":1,\"\\u00e9\":2}"),
    T("{\"\\ud834\\udd1e\":1,\"\xf0\x9d\x84\x9e\":2}"),
    T("{\"x\":{\"a\":1,\"b\":2,\"a\":3}}"),
    T("[{\"type\":1,\"t\\u0079pe\":2}]"),
    T("{\"a\":1}{\"b\":2}"),
    T("{\"a\":1} x"),
    T("{\"a\":1}#"),
    T("{\"a\":1}\0"),
    T("1 2"),
    T("nul"),
    T("nulll"),
    T("Null"),
    T("TRUE"),
    T("tru"),
    T("truth"),
    T("fals"),
    T("undefined"),
    T("NaN"),
    T("Infinity"),
    T("-Infinity"),
    T("nan"),
    T("-"),
    T("+1"),
    T("--1"),
    T("01"),
    T("-01"),
    T("00"),
    T(".5"),
    T("-.5"),
    T("1."),
    T("1.e1"),
    T("1.5."),
    T("1..5"),
    T("1e"),
    T("1e+"),
    T("1E-"),
    T("1e1.5"),
    T("1e1e1"),
    T("0x1"),
    T("1a"),
    T("1_000"),
    T("1,000"),
    T("1 000"),
    T("- 1"),
    T("[1+1]"),
    T("[-]"),
    T("\""),
    T("\"a"),
    T("\"abcdefghijklmnop"),
    T("'a'"),
    T("a"),
    T("\"a\nb\""),
    T("\"a\tb\""),
    T("\"a\0b\""),
    T("\"\x1f\""),
    T("\"abcdefg\x01hijklmn\""),
    T("\"\\\""),
    T("\"\\"),
    T("\"\\x41\""),
    T("\"\\a\""),
    T("\"\\'\""),
    T("\"\\0\""),
    T("\"\\\0\""),
    T("\"\\N\""),
    T("\"\\u\""),
    T("\"\\u1\""),
    T("\"\\u12\""),
    T("\"\\u123\""),
    T("\"\\u12g4\""),
    T("\"\\U0041\""),
    T("\"\\u{41}\""),
    T("\"\\u+041\""),
    T("\"\\ud834\""),
    T("\"\\ud834x\""),
    T("\"\\ud834\\n\""),
    T("\"\\ud834\\u0041\""),
    T("\"\\ud834\\ud834\""),
    T("\"\\udd1e\""),
    T("\"\\udd1e\\ud834\""),
    T("\"\\ud834\\udd1"),
    T("\"\\ud834\\u\""),
    T("\"\x80\""),
    T("\"\xbf\""),
    T("\"\xc3\""),
    T("\"\xc3(\""),
    T("\"\xc0\x80\""),
    T("\"\xc0\xaf\""),
    T("\"\xc1\xbf\""),
    T("\"\xe2\x82\""),
    T("\"\xe2\""),
    T("\"\xe2(\xa1\""),
    T("\"\xe0\x80\x80\""),
    T("\"\xe0\x9f\xbf\""),
    T("\"\xed\xa0\x80\""),
    T("\"\xed\xbf\xbf\""),
    T("\"\xf0\x80\x80\x80\""),
    T("\"\xf0\x8f\xbf\xbf\""),
    T("\"\xf0\x9d\x84\""),
    T("\"\xf0\x9d\""),
    T("\"\xf4\x90\x80\x80\""),
    T("\"\xf5\x80\x80\x80\""),
    T("\"\xf8\x88\x80\x80\x80\""),
    T("\"\xfe\""),
    T("\"\xff\""),
    T("\"caf\xe9\""),
    T("{\"\xe9\":1}"),
    T("[\xc3\xa9]"),
    T("//comment\n1"),
    T("/**/1"),
    T("1//"),
    T("[1/**/]"),
    T("\x0b[]"),
    T("[\x0c]"),
    T("[\xc2\xa0]"),
    T("[\xe2\x80\x8b]"),
    T("<null>"),
    T("[<null>]"),
    T("*"),
    T("\"a\",1"),
    T("\\u005b]"),
    T("{\"a\":\"b\":\"c\"}"),
    T("{\"a\":/*x*/1}"),
};

/* The text in a block of its own size, so that the address checker sees one byte too
 * far. */
static int
parse(struct json_doc *doc, const char *text, size_t n, struct json_error *error)
{
    static char *exact;
    free(exact);
    exact = NULL;
    if (n) {
        exact = malloc(n);
        assert_non_null(exact);
        memcpy(exact, text, n);
    }
    return json_parse(doc, exact, n, error);
}

static void
release_text(void)
{
    struct json_doc doc;
    json_init(&doc);
    assert_int_equal(parse(&doc, "", 0, NULL), E_INVALID);
    json_fini(&doc);
}

static void
what_rfc_8259_allows_is_read(void **state)
{
    (void)state;
    struct json_doc doc;
    struct json_error error;
    json_init(&doc);
    for (size_t i = 0; i < ARRAY_LEN(good); i++) {
        if (parse(&doc, good[i].text, good[i].n, &error) != 0)
            fail_msg("row %zu, %s: %s", i, good[i].text, error.reason);
        assert_int_equal(doc.tokens[0].next, doc.n);
    }
    json_fini(&doc);
    release_text();
}

static void
what_rfc_8259_forbids_is_refused(void **state)
{
    (void)state;
    struct json_doc doc;
    struct json_error error;
    json_init(&doc);
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        if (parse(&doc, bad[i].text, bad[i].n, &error) != E_INVALID)
            fail_msg("row %zu was read: %s", i, bad[i].text);
        assert_true(error.offset <= bad[i].n);
        assert_true(strlen(error.reason) > 0);
    }
    json_fini(&doc);
    release_text();
}

/* What the RFC leaves open, as docs/clients.md tells it. */
static void
what_readers_disagree_on_is_settled(void **state)
{
    static const struct row taken[] = {
        T("[123.456e78]"),
        T("[0.4e00669999999999999999999999999999999999999999999999999999999999999]"),
        T("[-1e+9999]"),
        T("[1.5e+9999]"),
        T("[-123123e100000]"),
        T("[123123e100000]"),
        T("[123e-10000000]"),
        T("[-123123123123123123123123123123]"),
        T("[100000000000000000000]"),
        T("[-237462374673276894279832749832423479823246327846]"),
        T("[9007199254740993]"),
        T("[-0]"),
        T("[\"\\u0000\"]"),
        T("[\"\\uFFFE\"]"),
        T("[\"\xef\xbf\xbf\"]"),
        T("[\"\xf4\x8f\xbf\xbf\"]"),
        T("{\"a\":1,\"A\":2}"),
    };
    static const struct row refused[] = {
        T("{\"a\":1,\"a\":1}"),
        T("{\"a\":1,\"\\u0061\":1}"),
        T("[\"\\uDADA\"]"),
        T("[\"\\uD888\\u1234\"]"),
        T("[\"\\uD800\\n\"]"),
        T("[\"\\uD800\\uD800\\n\"]"),
        T("[\"\\uD800\"]"),
        T("[\"\\uDd1e\\uD834\"]"),
        T("[\"\\uDFAA\"]"),
        T("[\"\\ud800abc\"]"),
        T("[\"\xff\"]"),
        T("[\"\xe6\x97\xa5\xd1\x88\xfa\"]"),
        T("[\"\xed\xa0\x80\"]"),
        T("[\"\xf4\xbf\xbf\xbf\"]"),
        T("[\"\xc0\xaf\"]"),
        T("[\"\xfc\x83\xbf\xbf\xbf\xbf\"]"),
        T("[\"\xe0\xff\"]"),
        T("[\"\x81\"]"),
        T("[\"\xe9\"]"),
        T("\xef\xbb\xbf{}"),
        T("\xff\xfe[\0\"\0\xe9\0\"\0]\0"),
        T("\xfe\xff\0[\0\"\0\xe9\0\"\0]"),
        T("\0[\0\"\0\xe9\0\"\0]"),
    };
    struct json_doc doc;
    struct json_error error;

    (void)state;
    json_init(&doc);
    for (size_t i = 0; i < ARRAY_LEN(taken); i++)
        if (parse(&doc, taken[i].text, taken[i].n, &error) != 0)
            fail_msg("%s: %s", taken[i].text, error.reason);
    for (size_t i = 0; i < ARRAY_LEN(refused); i++)
        if (parse(&doc, refused[i].text, refused[i].n, &error) != E_INVALID)
            fail_msg("taken: %s", refused[i].text);
    json_fini(&doc);
    release_text();
}

static void
every_value_cut_short_is_refused(void **state)
{
    (void)state;
    struct json_doc doc;
    json_init(&doc);
    for (size_t i = 0; i < ARRAY_LEN(good); i++) {
        char last = good[i].text[good[i].n - 1];
        if (last != '}' && last != ']' && last != '"')
            continue;
        for (size_t n = 0; n < good[i].n; n++)
            assert_int_equal(parse(&doc, good[i].text, n, NULL), E_INVALID);
    }
    json_fini(&doc);
    release_text();
}

static void
check_depth_of(unsigned max_depth, char open, char close, size_t depth, int want)
{
    struct json_doc doc;
    struct json_error error;
    struct buf text;
    json_init(&doc);
    doc.max_depth = max_depth;
    buf_init(&text, 4 << 20);
    for (size_t i = 0; i < depth; i++)
        buf_adds(&text,
                 open == '[' || i + 1 == depth ? (open == '[' ? "[" : "{") : "{\"a\":");
    for (size_t i = 0; i < depth; i++)
        buf_addc(&text, close);
    assert_int_equal(json_parse(&doc, text.p, text.n, &error), want);
    if (want != 0)
        assert_string_equal(error.reason, max_depth == JSON_DEPTH_MAX
                                              ? "nesting beyond 64"
                                              : "nesting too deep");
    buf_fini(&text);
    json_fini(&doc);
}

static void
check_depth(char open, char close, size_t depth, int want)
{
    check_depth_of(JSON_DEPTH_MAX, open, close, depth, want);
}

static void
nesting_of_64_is_read_and_65_refused(void **state)
{
    (void)state;
    check_depth('[', ']', 64, 0);
    check_depth('[', ']', 65, E_INVALID);
    check_depth('[', ']', 100000, E_INVALID);
    check_depth('{', '}', 64, 0);
    check_depth('{', '}', 65, E_INVALID);
    check_depth('{', '}', 100000, E_INVALID);
}

static void
a_doc_may_be_told_another_depth(void **state)
{
    (void)state;
    static const char forms[] = "[]{}";
    for (const char *form = forms; *form; form += 2) {
        check_depth_of(JSON_DEPTH_WRAPPED, form[0], form[1], JSON_DEPTH_WRAPPED, 0);
        check_depth_of(JSON_DEPTH_WRAPPED, form[0], form[1], JSON_DEPTH_WRAPPED + 1,
                       E_INVALID);
        check_depth_of(2, form[0], form[1], 2, 0);
        check_depth_of(2, form[0], form[1], 3, E_INVALID);
    }
}

static void
check_error(const char *text, size_t offset, const char *pointer, const char *reason)
{
    struct json_doc doc;
    struct json_error error;
    json_init(&doc);
    assert_int_equal(json_parse(&doc, text, strlen(text), &error), E_INVALID);
    assert_string_equal(error.reason, reason);
    assert_string_equal(error.pointer, pointer);
    assert_int_equal(error.offset, offset);
    json_fini(&doc);
}

static void
an_error_says_where_and_why(void **state)
{
    (void)state;
    check_error("", 0, "", "unexpected end");
    check_error("{\"a\":[1,{\"b\":x}]}", 13, "/a/1/b", "expected a value");
    check_error("{\"a\":[1,2 3]}", 10, "/a", "expected ',' or ']'");
    check_error("{\"a\":{\"b\":1 2}}", 12, "/a", "expected ',' or '}'");
    check_error("{\"a\":{\"b\" 1}}", 10, "/a/b", "expected ':' after a key");
    check_error("{\"a\":{b:1}}", 6, "/a", "expected a key in quotes");
    check_error("[0,0,01]", 6, "/2", "invalid number");
    check_error("[\"a\",\"\\q\"]", 6, "/1", "invalid escape in a string");
    check_error("[\"\\ud800\"]", 2, "/0", "lone surrogate in an escape");
    check_error("[\"\x80\"]", 2, "/0", "invalid UTF-8");
    check_error("[\"\n\"]", 2, "/0", "control character in a string");
    check_error("{\"x\":{\"type\":1,\"t\\u0079pe\":2}}", 15, "/x/type",
                "duplicate key");
    check_error("{\"x\":{\"type\":1,\"type\":2}}", 15, "/x/type", "duplicate key");
    check_error("{} {}", 3, "", "something follows the value");
    check_error("\xef\xbb\xbf{}", 0, "", "byte order mark");
    check_error("{\"a/b\":{\"c~d\":[x]}}", 15, "/a~1b/c~0d/0", "expected a value");
    check_error("{\"\\u00e9\\/\":x}", 12, "/\xc3\xa9~1", "expected a value");
    check_error("{\"a\\u0000b\":x}", 12,
                "/a\xef\xbf\xbd"
                "b",
                "expected a value");
    check_error("[{\"a\":[[1]],\"b\":{}},x]", 20, "/1", "expected a value");
}

static void
a_long_pointer_is_cut_between_characters(void **state)
{
    (void)state;
    struct json_doc doc;
    json_init(&doc);
    for (size_t lead = 0; lead < 8; lead++) {
        struct json_error error;
        struct buf text;
        buf_init(&text, 4096);
        buf_adds(&text, "{\"");
        for (size_t i = 0; i < lead; i++)
            buf_addc(&text, 'a');
        for (size_t i = 0; i < 100; i++)
            buf_adds(&text, "~\xe2\x82\xac");
        buf_adds(&text, "\":x}");
        assert_int_equal(json_parse(&doc, text.p, text.n, &error), E_INVALID);
        size_t n = strlen(error.pointer);
        assert_in_range(n, JSON_POINTER_MAX - 8, JSON_POINTER_MAX - 1);
        assert_true(utf8_valid(error.pointer, n));
        assert_string_equal(error.pointer + n - 3, "…");
        assert_int_not_equal(error.pointer[n - 4], '~');
        buf_fini(&text);
    }
    json_fini(&doc);
}

static void
a_pointer_that_just_fits_is_whole(void **state)
{
    (void)state;
    char text[300];
    struct json_doc doc;
    struct json_error error;
    json_init(&doc);
    int n = snprintf(text, sizeof(text), "{\"%0*d\":x}", JSON_POINTER_MAX - 2, 0);
    assert_int_equal(json_parse(&doc, text, (size_t)n, &error), E_INVALID);
    assert_int_equal(strlen(error.pointer), JSON_POINTER_MAX - 1);
    assert_int_equal(error.pointer[JSON_POINTER_MAX - 2], '0');
    json_fini(&doc);
}

static void
repeat_key(struct buf *text, size_t keys, size_t at, const char *as)
{
    buf_reset(text);
    buf_addc(text, '{');
    for (size_t i = 0; i < keys; i++)
        buf_addf(text, "%s\"key%zu\":[%zu]", i ? "," : "", i, i);
    if (as)
        buf_addf(text, ",\"%s%zu\":0", as, at);
    buf_addc(text, '}');
}

static void
a_duplicate_is_found_among_any_number_of_keys(void **state)
{
    (void)state;
    static const size_t keys[] = {1, 2, 3, 15, 16, 17, 18, 40, 1000, 100000};
    struct json_doc doc;
    struct json_error error;
    struct buf text;
    json_init(&doc);
    buf_init(&text, 8 << 20);
    for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
        repeat_key(&text, keys[i], 0, NULL);
        assert_int_equal(json_parse(&doc, text.p, text.n, &error), 0);
        assert_int_equal(doc.tokens[0].count, keys[i]);
        repeat_key(&text, keys[i], keys[i] / 2, "key");
        assert_int_equal(json_parse(&doc, text.p, text.n, &error), E_INVALID);
        assert_string_equal(error.reason, "duplicate key");
        repeat_key(&text, keys[i], keys[i] - 1, "k\\u0065y");
        assert_int_equal(json_parse(&doc, text.p, text.n, &error), E_INVALID);
        assert_string_equal(error.reason, "duplicate key");
        repeat_key(&text, keys[i], keys[i] - 1, "k\\u0065Y");
        assert_int_equal(json_parse(&doc, text.p, text.n, &error), 0);
    }
    buf_fini(&text);
    json_fini(&doc);
}

static void
check_raw(const struct json_doc *doc, const struct json_token *token, const char *raw)
{
    assert_non_null(token);
    struct slice bytes = json_raw(doc, token);
    assert_int_equal(bytes.n, strlen(raw));
    assert_memory_equal(bytes.p, raw, bytes.n);
}

static void
tokens_are_walked_in_order(void **state)
{
    (void)state;
    const char *text =
        " { \"a\" : [1, [2,3], {}] , \"b\" : {\"c\":\"d\"}, \"e\":null } ";
    struct json_doc doc;
    json_init(&doc);
    assert_int_equal(json_parse(&doc, text, strlen(text), NULL), 0);

    const struct json_token *root = &doc.tokens[0];
    assert_int_equal(root->count, 3);
    const struct json_token *key = json_first(&doc, root);
    check_raw(&doc, key, "\"a\"");
    const struct json_token *array = json_after(&doc, root, key);
    check_raw(&doc, array, "[1, [2,3], {}]");
    key = json_after(&doc, root, array);
    check_raw(&doc, key, "\"b\"");

    const struct json_token *element = json_first(&doc, array);
    check_raw(&doc, element, "1");
    element = json_after(&doc, array, element);
    check_raw(&doc, element, "[2,3]");
    element = json_after(&doc, array, element);
    check_raw(&doc, element, "{}");
    assert_null(json_first(&doc, element));
    assert_null(json_after(&doc, array, element));

    const struct json_token *b = json_member(&doc, root, "b");
    check_raw(&doc, json_member(&doc, b, "c"), "\"d\"");
    check_raw(&doc, json_member(&doc, root, "e"), "null");
    assert_null(json_after(&doc, root, json_member(&doc, root, "e")));
    assert_null(json_member(&doc, root, "c"));
    assert_null(json_member(&doc, array, "a"));
    assert_null(json_member(&doc, NULL, "a"));
    json_fini(&doc);
}

static void
a_strings_value_is_unescaped(void **state)
{
    (void)state;
    static const char text[] =
        "[\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u0041\\u00e9\\u20ac\\ud834\\udd1e\\u0000.\"]";
    static const char want[] =
        "\"\\/\b\f\n\r\tA\xc3\xa9\xe2\x82\xac\xf0\x9d\x84\x9e\0.";
    struct json_doc doc;
    struct buf out;
    json_init(&doc);
    buf_init(&out, 100);
    assert_int_equal(json_parse(&doc, text, sizeof(text) - 1, NULL), 0);
    assert_int_equal(doc.tokens[1].escaped, 1);
    assert_int_equal(json_string_add(&doc, &doc.tokens[1], &out), 0);
    assert_int_equal(out.n, sizeof(want) - 1);
    assert_memory_equal(out.p, want, out.n);
    buf_fini(&out);
    json_fini(&doc);
}

static void
a_member_is_found_by_its_unescaped_name(void **state)
{
    (void)state;
    const char *text = "{\"t\\u0079pe\":\"opt\\u0049n\",\"a\\u0000\":1}";
    struct json_doc doc;
    json_init(&doc);
    assert_int_equal(json_parse(&doc, text, strlen(text), NULL), 0);
    const struct json_token *type = json_member(&doc, doc.tokens, "type");
    assert_non_null(type);
    assert_true(json_string_is(&doc, type, "optIn"));
    assert_false(json_string_is(&doc, type, "optI"));
    assert_false(json_string_is(&doc, type, "optInn"));
    assert_null(json_member(&doc, doc.tokens, "a"));
    json_fini(&doc);
}

static bool
int_of(const char *text, int64_t *value)
{
    struct json_doc doc;
    json_init(&doc);
    assert_int_equal(json_parse(&doc, text, strlen(text), NULL), 0);
    bool ok = json_int(&doc, doc.tokens, value);
    json_fini(&doc);
    return ok;
}

static void
integers_are_read_within_64_bits(void **state)
{
    (void)state;
    int64_t value = 7;
    assert_true(int_of("0", &value) && value == 0);
    assert_true(int_of("-0", &value) && value == 0);
    assert_true(int_of("9223372036854775807", &value) && value == INT64_MAX);
    assert_true(int_of("-9223372036854775808", &value) && value == INT64_MIN);
    value = 7;
    assert_false(int_of("9223372036854775808", &value));
    assert_false(int_of("-9223372036854775809", &value));
    assert_false(int_of("1.0", &value));
    assert_false(int_of("1e2", &value));
    assert_false(int_of("\"1\"", &value));
    assert_false(int_of("null", &value));
    assert_int_equal(value, 7);
}

static bool
double_of(const char *text, double *value)
{
    struct json_doc doc;
    json_init(&doc);
    assert_int_equal(json_parse(&doc, text, strlen(text), NULL), 0);
    bool ok = json_double(&doc, doc.tokens, value);
    json_fini(&doc);
    return ok;
}

static void
numbers_are_read_when_finite(void **state)
{
    (void)state;
    char digits[400];
    double value = 7;
    assert_true(double_of("0.5", &value) && value >= 0.5 && value <= 0.5);
    assert_true(double_of("-1E+2", &value) && value >= -100 && value <= -100);
    snprintf(digits, sizeof(digits), "0.%0300d5", 0);
    assert_true(double_of(digits, &value) && value > 0 && value < 1e-300);
    assert_false(double_of("1e400", &value));
    assert_false(double_of("\"1\"", &value));
}

static void
values_are_read_one_after_the_other(void **state)
{
    (void)state;
    const char *text = "[ {\"a\":1} ,2]x";
    size_t len = strlen(text), at = 1;
    struct json_doc doc;
    struct json_error error;
    json_init(&doc);
    assert_int_equal(json_parse_value(&doc, text, len, &at, &error), 0);
    check_raw(&doc, doc.tokens, "{\"a\":1}");
    assert_int_equal(at, 9);
    at = json_skip_space(text, len, at);
    assert_int_equal(at, 10);
    at++;
    assert_int_equal(json_parse_value(&doc, text, len, &at, &error), 0);
    check_raw(&doc, doc.tokens, "2");
    assert_int_equal(at, 12);
    assert_int_equal(json_parse_value(&doc, text, len, &at, &error), E_INVALID);
    assert_int_equal(error.offset, 12);
    assert_int_equal(at, 12);
    json_fini(&doc);
}

static void
types_have_names_for_messages(void **state)
{
    (void)state;
    assert_string_equal(json_type_name(JSON_NULL), "null");
    assert_string_equal(json_type_name(JSON_ARRAY), "an array");
    assert_string_equal(json_type_name(JSON_OBJECT), "an object");
    assert_string_equal(json_type_name(-1), "nothing");
}

static void
utf8_is_checked_to_the_letter(void **state)
{
    (void)state;
    for (uint32_t code = 0; code < 0x110000; code++) {
        char c[4];
        size_t n;
        if (code < 0x80) {
            c[0] = (char)code;
            n = 1;
        } else if (code < 0x800) {
            c[0] = (char)(0xc0 + code / 64);
            n = 2;
        } else if (code < 0x10000) {
            c[0] = (char)(0xe0 + code / 4096);
            c[1] = (char)(0x80 + code / 64 % 64);
            n = 3;
        } else {
            c[0] = (char)(0xf0 + code / 262144);
            c[1] = (char)(0x80 + code / 4096 % 64);
            c[2] = (char)(0x80 + code / 64 % 64);
            n = 4;
        }
        if (n > 1)
            c[n - 1] = (char)(0x80 + code % 64);
        bool surrogate = code >= 0xd800 && code <= 0xdfff;
        if (utf8_valid(c, n) == surrogate || utf8_length(c, n) != (surrogate ? 0 : n))
            fail_msg("U+%04X", code);
        if (n > 1 && utf8_valid(c, n - 1))
            fail_msg("U+%04X cut short", code);
    }
    assert_true(utf8_valid("abcdefgh\xc3\xa9"
                           "abcdefgh",
                           18));
    assert_false(utf8_valid("abcdefgh\xc3"
                            "abcdefgh",
                            17));
    assert_true(utf8_valid("", 0));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_rfc_8259_allows_is_read),
        cmocka_unit_test(what_rfc_8259_forbids_is_refused),
        cmocka_unit_test(what_readers_disagree_on_is_settled),
        cmocka_unit_test(every_value_cut_short_is_refused),
        cmocka_unit_test(nesting_of_64_is_read_and_65_refused),
        cmocka_unit_test(a_doc_may_be_told_another_depth),
        cmocka_unit_test(an_error_says_where_and_why),
        cmocka_unit_test(a_long_pointer_is_cut_between_characters),
        cmocka_unit_test(a_pointer_that_just_fits_is_whole),
        cmocka_unit_test(a_duplicate_is_found_among_any_number_of_keys),
        cmocka_unit_test(tokens_are_walked_in_order),
        cmocka_unit_test(a_strings_value_is_unescaped),
        cmocka_unit_test(a_member_is_found_by_its_unescaped_name),
        cmocka_unit_test(integers_are_read_within_64_bits),
        cmocka_unit_test(numbers_are_read_when_finite),
        cmocka_unit_test(values_are_read_one_after_the_other),
        cmocka_unit_test(types_have_names_for_messages),
        cmocka_unit_test(utf8_is_checked_to_the_letter),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
