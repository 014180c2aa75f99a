#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/httpd_parse.h"

#define BYTES(text)                                                                    \
    {                                                                                  \
        text, sizeof(text) - 1                                                         \
    }

struct outcome {
    enum http_read rc;
    struct http_bad bad;
    size_t used;
    struct http_head head;
};

static struct outcome
read_head(struct slice bytes, size_t piece)
{
    struct outcome o = {.rc = HTTP_MORE};

    for (size_t n = 0; o.rc == HTTP_MORE && n < bytes.n;) {
        n = bytes.n - n < piece ? bytes.n : n + piece;
        o.rc = http_head_read(&o.head, bytes.p, n);
    }
    o.bad = o.head.bad;
    o.used = o.rc == HTTP_WHOLE ? o.head.line : 0;
    return o;
}

/* Whatever the pieces, the outcome is this one. */
static struct outcome
head_of(struct slice bytes)
{
    struct outcome whole = read_head(bytes, SIZE_MAX);

    for (size_t piece = 1; piece <= 7; piece++) {
        struct outcome cut = read_head(bytes, piece);
        assert_int_equal(cut.rc, whole.rc);
        assert_int_equal(cut.used, whole.used);
        assert_int_equal(cut.bad.status, whole.bad.status);
        assert_ptr_equal(cut.bad.why, whole.bad.why);
        assert_int_equal(cut.head.n_fields, whole.head.n_fields);
        assert_memory_equal(cut.head.fields, whole.head.fields,
                            sizeof(whole.head.fields));
    }
    return whole;
}

static void
expect_status(struct slice bytes, unsigned status)
{
    struct outcome o = head_of(bytes);

    if (o.rc != HTTP_REFUSED || o.bad.status != status)
        fail_msg("not %u but %u (%d): %.*s", status, o.bad.status, o.rc, (int)bytes.n,
                 bytes.p);
    assert_non_null(o.bad.why);
}

#define GET_X "GET /x HTTP/1.1\r\nHost: x\r\n"

static void
a_head_is_taken_apart(void **state)
{
    static const char text[] =
        "POST /a%2Fb?q=1&r HTTP/1.1\r\nHost: x:1\r\nX-A: \t b c \t\r\nEmpty:\r\n"
        "Content-Length: 0012\r\nConnection: te, Close\r\nExpect: "
        "100-Continue\r\n\r\nbody";
    struct outcome o = head_of((struct slice)BYTES(text));
    const struct http_head *head = &o.head;
    char copy[sizeof(text)];

    (void)state;
    assert_int_equal(o.rc, HTTP_WHOLE);
    assert_int_equal(o.used, sizeof(text) - 1 - 4);
    memcpy(copy, text, sizeof(text));
    http_head_seal(head, copy);
    assert_string_equal(copy + head->method.at, "POST");
    assert_string_equal(copy + head->path.at, "/a%2Fb");
    assert_memory_equal(copy + head->query.at, "q=1&r", head->query.n);
    assert_int_equal(head->n_fields, 6);
    assert_string_equal(copy + head->fields[1].name.at, "X-A");
    assert_string_equal(copy + head->fields[1].value.at, "b c");
    assert_string_equal(copy + head->fields[2].value.at, "");
    assert_int_equal(head->length, 12);
    assert_true(head->expects_continue);
    assert_false(head->keep_alive || head->chunked || head->is_old);
}

static void
a_connection_is_kept_as_the_version_and_the_client_say(void **state)
{
    static const struct {
        struct slice bytes;
        bool keep;
    } rows[] = {
        {BYTES(GET_X "\r\n"), true},
        {BYTES(GET_X "Connection: close\r\n\r\n"), false},
        {BYTES(GET_X "Connection: keep-alive,close\r\n\r\n"), false},
        {BYTES(GET_X "Connection: x\r\nConnection: CLOSE\r\n\r\n"), false},
        {BYTES(GET_X "Connection: closed\r\n\r\n"), true},
        {BYTES("GET / HTTP/1.0\r\n\r\n"), false},
        {BYTES("GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n"), true},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct outcome o = head_of(rows[i].bytes);
        assert_int_equal(o.rc, HTTP_WHOLE);
        assert_int_equal(o.head.keep_alive, rows[i].keep);
    }
}

static void
what_could_be_read_in_two_ways_is_refused(void **state)
{
    static const struct slice rows[] = {
        BYTES(GET_X "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n"),
        BYTES(GET_X "Content-Length: 5\r\nContent-Length: 5\r\n\r\n"),
        BYTES(GET_X "Content-Length: 5\r\nContent-Length: 6\r\n\r\n"),
        BYTES(GET_X "Content-Length: +5\r\n\r\n"),
        BYTES(GET_X "Content-Length: 0x5\r\n\r\n"),
        BYTES(GET_X "Content-Length: 5,5\r\n\r\n"),
        BYTES(GET_X "Content-Length:  5 x\r\n\r\n"),
        BYTES(GET_X "Content-Length: 99999999999999999999\r\n\r\n"),
        BYTES(GET_X "Transfer-Encoding: chunked, identity\r\n\r\n"),
        BYTES(GET_X "Transfer-Encoding: xchunked\r\n\r\n"),
        BYTES(GET_X "Transfer-Encoding: \x0b"
                    "chunked\r\n\r\n"),
        BYTES(GET_X "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n"),
        BYTES(GET_X "Transfer-Encoding : chunked\r\n\r\n"),
        BYTES("GET /x HTTP/1.1\nHost: x\n\n"),
        BYTES(GET_X "X: a\nY: b\r\n\r\n"),
        BYTES(GET_X "X: a\0\nY: b\r\n\r\n"), /* NUL LF is no line's end either */
        BYTES(GET_X "\n"),
        BYTES(GET_X "X: a\rb\r\n\r\n"),
        BYTES(GET_X "X: a\0b\r\n\r\n"),
        BYTES(GET_X "X\0: a\r\n\r\n"),
        BYTES(GET_X "X: a\r\n b\r\n\r\n"),
        BYTES(GET_X "X: a\r\n\tb\r\n\r\n"),
        BYTES(GET_X ": a\r\n\r\n"),
        BYTES(GET_X "no colon\r\n\r\n"),
        BYTES("GET http://evil/ HTTP/1.1\r\nHost: x\r\n\r\n"),
        BYTES("OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n"),
        BYTES("CONNECT evil:443 HTTP/1.1\r\nHost: x\r\n\r\n"),
        BYTES("GET /\r\n"),
        BYTES("GET / HTTP/1.10\r\nHost: x\r\n\r\n"),
        BYTES("GET / http/1.1\r\nHost: x\r\n\r\n"),
        BYTES("GET / HTTP/1.1\r\n\r\n"),
        BYTES(GET_X "Host: y\r\n\r\n"),
        BYTES("GET / HTTP/1.1\r\nHost: a b\r\n\r\n"),
        BYTES("\r\n\r\nGET / HTTP/1.1\r\nHost: x\r\n\r\n"),
        BYTES("\x16\x03\x01\x02"),
        BYTES("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n"),
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        expect_status(rows[i], 400);
    expect_status((struct slice)BYTES("GET / HTTP/3.0\r\n"), 505);
    expect_status((struct slice)BYTES("PRI * HTTP/2.0\r\n"), 505);
}

/* A request whose head has exactly so many bytes. */
static struct slice
head_of_size(char *text, size_t n, const char *start, const char *end)
{
    memset(text, 'a', n);
    memcpy(text, start, strlen(start));
    memcpy(text + n - strlen(end), end, strlen(end));
    return (struct slice){text, n};
}

static void
a_head_has_a_most_of_bytes_and_of_fields(void **state)
{
    char *text = malloc(HTTP_HEAD_MAX + 1);
    struct buf many;

    (void)state;
    assert_int_equal(
        head_of(head_of_size(text, HTTP_HEAD_MAX, GET_X "X: ", "\r\n\r\n")).rc,
        HTTP_WHOLE);
    expect_status(head_of_size(text, HTTP_HEAD_MAX + 1, GET_X "X: ", "\r\n\r\n"), 431);
    expect_status(head_of_size(text, HTTP_HEAD_MAX, GET_X "X: ", "a"), 431);
    expect_status(head_of_size(text, HTTP_HEAD_MAX, "GET /", "a"), 414);
    free(text);
    for (unsigned n = HTTP_FIELDS_MAX - 1; n <= HTTP_FIELDS_MAX; n++) {
        buf_init(&many, HTTP_HEAD_MAX);
        buf_adds(&many, GET_X);
        for (unsigned i = 0; i < n; i++)
            buf_adds(&many, "X: y\r\n");
        assert_int_equal(buf_adds(&many, "\r\n"), 0);
        assert_int_equal(head_of(buf_slice(&many)).rc,
                         n < HTTP_FIELDS_MAX ? HTTP_WHOLE : HTTP_REFUSED);
        buf_fini(&many);
    }
}

/* ---- chunks ---- */

struct content {
    enum http_read rc;
    struct http_bad bad;
    size_t used;
    struct buf data;
};

static struct content
read_chunks(struct slice bytes, size_t piece)
{
    struct content c = {.rc = HTTP_MORE};
    struct http_chunks chunks = {0};
    size_t there = 0;

    buf_init(&c.data, 1024);
    while (c.rc == HTTP_MORE && c.used < bytes.n) {
        struct slice data;
        size_t used;
        if (there <= c.used)
            there = bytes.n - c.used < piece ? bytes.n : c.used + piece;
        c.rc = http_chunks_read(
            &chunks, (struct slice){bytes.p + c.used, there - c.used}, &used, &data);
        assert_int_equal(buf_add(&c.data, data.p, data.n), 0);
        c.used += used;
    }
    c.bad = chunks.bad;
    return c;
}

static void
expect_chunks(struct slice bytes, enum http_read rc, unsigned status, const char *data)
{
    for (size_t piece = 1; piece <= 9; piece++) {
        struct content c = read_chunks(bytes, piece == 9 ? SIZE_MAX : piece);
        if (c.rc != rc || c.bad.status != status)
            fail_msg("%d %u: %.*s", c.rc, c.bad.status, (int)bytes.n, bytes.p);
        if (data)
            assert_true(slice_is(buf_slice(&c.data), data));
        buf_fini(&c.data);
    }
}

static void
chunks_are_read_to_their_end_and_no_further(void **state)
{
    static const struct slice bytes =
        BYTES("2\r\nab\r\n0001;a=b;c=\"d\"\r\nc\r\nA\r\n0123456789\r\n"
              "0;last\r\nTrailer: t\r\nAuthorization: x\r\n\r\nGET");

    (void)state;
    expect_chunks(bytes, HTTP_WHOLE, 0, "abc0123456789");
    struct content c = read_chunks(bytes, 5);
    assert_int_equal(c.used, bytes.n - 3);
    buf_fini(&c.data);
    expect_chunks((struct slice)BYTES("0\r\n\r\n"), HTTP_WHOLE, 0, "");
    expect_chunks((struct slice)BYTES("ffff\r\nab"), HTTP_MORE, 0, "ab");
}

static void
chunks_in_another_form_are_refused(void **state)
{
    static const struct slice rows[] = {
        BYTES("-1\r\n"),
        BYTES("+5\r\n"),
        BYTES("0x5\r\n"),
        BYTES(" 5\r\n"),
        BYTES("5 \r\n"),
        BYTES("\r\n"),
        BYTES("g\r\n"),
        BYTES(";a\r\n"),
        BYTES("10000000000000000\r\n"),
        BYTES("00000000000000001\r\n"),
        BYTES("ffffffffffffffff\r\n"),
        BYTES("2\nab\r\n"),
        BYTES("2\0\nab\r\n"),
        BYTES("2\r\r\nab"),
        BYTES("2;a\nab\r\n"),
        BYTES("2;a\0\r\nab"),
        BYTES("2\r\nabc\r\n"),
        BYTES("2\r\nab\n0\r\n\r\n"),
        BYTES("2\r\nab0\r\n\r\n"),
        BYTES("0\r\n\n"),
        BYTES("0\r\nA: b\n\r\n"),
        BYTES("0\r\nA: b\r\n c\r\n\r\n"),
        BYTES("0\r\nA : b\r\n\r\n"),
        BYTES("0\r\nno colon\r\n\r\n"),
        BYTES("0\r\n: b\r\n\r\n"),
        BYTES("0\r\nA: \0\r\n\r\n"),
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        expect_chunks(rows[i], HTTP_REFUSED, 400, NULL);
}

static void
extensions_and_trailers_have_a_most(void **state)
{
    static char text[HTTP_TRAILER_MAX + 100];

    (void)state;
    memset(text, 'a', sizeof(text));
    memcpy(text, "5;", 2);
    expect_chunks((struct slice){text, HTTP_EXTENSION_MAX + 2}, HTTP_MORE, 0, "");
    expect_chunks((struct slice){text, HTTP_EXTENSION_MAX + 3}, HTTP_REFUSED, 400, "");
    memcpy(text, "0\r\nA:", 5);
    expect_chunks((struct slice){text, HTTP_TRAILER_MAX + 3}, HTTP_MORE, 0, "");
    expect_chunks((struct slice){text, HTTP_TRAILER_MAX + 4}, HTTP_REFUSED, 431, "");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_head_is_taken_apart),
        cmocka_unit_test(a_connection_is_kept_as_the_version_and_the_client_say),
        cmocka_unit_test(what_could_be_read_in_two_ways_is_refused),
        cmocka_unit_test(a_head_has_a_most_of_bytes_and_of_fields),
        cmocka_unit_test(chunks_are_read_to_their_end_and_no_further),
        cmocka_unit_test(chunks_in_another_form_are_refused),
        cmocka_unit_test(extensions_and_trailers_have_a_most),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
