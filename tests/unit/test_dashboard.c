/* The dashboard's files: how they are served, whatever is in them. */
#include "api/dashboard.h"

#include "api_fixture.h"

#include <stdio.h>

static const unsigned char page[] = "<!doctype html>page";
static const unsigned char script[] = "run()";
static const unsigned char script_gzip[] = {0x1f, 0x8b, 0, 1, 2, 3, 4};

const struct dashboard_file dashboard_files[] = {
    {"/", "text/html; charset=utf-8", "aaaa", false, page, sizeof(page) - 1, NULL, 0},
    {"/assets/app-1.js", "text/javascript; charset=utf-8", "bbbb", true, script,
     sizeof(script) - 1, script_gzip, sizeof(script_gzip)},
};
const size_t dashboard_n_files = ARRAY_LEN(dashboard_files);

static void
get_with(struct fixture *f, unsigned status, const char *path, const char *more)
{
    ask(f, status, (struct ask){.path = path, .more = more});
}

static void
the_page_needs_no_key_and_is_asked_about_each_time(void **state)
{
    struct fixture *f = *state;
    get(f, 200, "/", NULL);
    assert_string_equal(f->body.p, (const char *)page);
    header_is(f, "Content-Type", "text/html; charset=utf-8");
    header_is(f, "Cache-Control", "no-cache");
    header_is(f, "ETag", "\"aaaa\"");
    get(f, 200, "/?from=somewhere", NULL);
}

static void
a_file_that_never_changes_may_be_kept_for_ever(void **state)
{
    struct fixture *f = *state;
    get(f, 200, "/assets/app-1.js", NULL);
    assert_string_equal(f->body.p, (const char *)script);
    header_is(f, "Cache-Control", "public, max-age=31536000, immutable");
    header_is(f, "ETag", "\"bbbb\"");
    assert_null(header(f, "Content-Encoding").p);
}

static void
nothing_from_elsewhere_runs_in_it_or_frames_it(void **state)
{
    struct fixture *f = *state;
    static const char *const paths[] = {"/", "/assets/app-1.js"};
    for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
        get(f, 200, paths[i], NULL);
        header_is(f, "Content-Security-Policy",
                  "default-src 'none'; script-src 'self'; style-src 'self'; "
                  "img-src 'self' data:; connect-src 'self'; form-action 'none'; "
                  "base-uri 'none'; frame-ancestors 'none'");
        header_is(f, "X-Content-Type-Options", "nosniff");
        header_is(f, "Referrer-Policy", "no-referrer");
        header_is(f, "Cross-Origin-Opener-Policy", "same-origin");
        header_is(f, "Cross-Origin-Resource-Policy", "same-origin");
        assert_non_null(header(f, "Permissions-Policy").p);
    }
}

static void
a_client_that_takes_gzip_gets_it(void **state)
{
    struct fixture *f = *state;
    static const struct {
        const char *more;
        bool packed;
    } rows[] = {
        {"Accept-Encoding: gzip\r\n", true},
        {"Accept-Encoding: br, GZIP;q=0.5 , deflate\r\n", true},
        {"Accept-Encoding: gzip;q=0\r\n", false},
        {"Accept-Encoding: gzip; q=0.000\r\n", false},
        {"Accept-Encoding: identity, xgzip, gzipx\r\n", false},
        {"Accept-Encoding: ,,\r\n", false},
        {NULL, false},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        get_with(f, 200, "/assets/app-1.js", rows[i].more);
        header_is(f, "Vary", "Accept-Encoding");
        header_is(f, "ETag", rows[i].packed ? "\"bbbb-gzip\"" : "\"bbbb\"");
        assert_int_equal(f->body.n,
                         rows[i].packed ? sizeof(script_gzip) : sizeof(script) - 1);
        assert_int_equal(header(f, "Content-Encoding").n, rows[i].packed ? 4 : 0);
    }
    /* where it would be longer there is none */
    get_with(f, 200, "/", "Accept-Encoding: gzip\r\n");
    assert_null(header(f, "Content-Encoding").p);
}

static void
what_the_client_has_is_not_sent_again(void **state)
{
    struct fixture *f = *state;
    static const struct {
        const char *more;
        unsigned status;
    } rows[] = {
        {"If-None-Match: \"bbbb\"\r\n", 304},
        {"If-None-Match: W/\"bbbb-gzip\"\r\n", 304},
        {"If-None-Match: \"x\" , \"bbbb\"\r\n", 304},
        {"If-None-Match: *\r\n", 304},
        {"If-None-Match: \"bbbbb\"\r\n", 200},
        {"If-None-Match: bbbb\r\n", 200},
        {"If-None-Match: \"bbb\"\r\n", 200},
        {"If-None-Match: \r\n", 200},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        get_with(f, rows[i].status, "/assets/app-1.js", rows[i].more);
        header_is(f, "ETag", "\"bbbb\"");
        assert_int_equal(f->body.n, rows[i].status == 304 ? 0 : sizeof(script) - 1);
    }
}

static void
head_says_the_same_without_a_body(void **state)
{
    struct fixture *f = *state;
    char length[24];
    ask(f, 200, (struct ask){.method = "HEAD", .path = "/"});
    assert_int_equal(f->body.n, 0);
    snprintf(length, sizeof(length), "%zu", sizeof(page) - 1);
    header_is(f, "Content-Length", length);
    ask(f, 405, (struct ask){.path = "/", .body = "{}"});
    header_is(f, "Allow", "GET, HEAD");
}

static void
an_unknown_file_is_a_problem(void **state)
{
    struct fixture *f = *state;
    get(f, 404, "/assets/app-2.js", NULL);
    has(f, "/detail", "no such file");
    get(f, 404, "/assets/", NULL);
    get(f, 404, "/assets/../app-1.js", NULL);
}

/* ---- who asks ---- */

static void
a_key_is_told_what_it_may(void **state)
{
    struct fixture *f = *state;
    const struct {
        const char *key, *role, *channel;
    } rows[] = {
        {f->admin, "\"admin\"", "null"},
        {f->reader, "\"read\"", "null"},
        {f->manage, "\"manage\"", "\"one\""},
        {f->ingest, "\"ingest\"", "\"one\""},
        {f->channel_reader, "\"read\"", "\"one\""},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        get(f, 200, "/v1/me", rows[i].key);
        is(f, "/role", rows[i].role);
        is(f, "/channel", rows[i].channel);
        is(f, "/version", "\"" PUSHWIRE_VERSION "\"");
        is(f, "/serverTime", "\"2024-03-04T09:50:51.375Z\"");
        has(f, "/key", "key_");
    }
    get(f, 401, "/v1/me", NULL);
    get(f, 401, "/v1/me", "pw_admin_nobody");
}

int
main(void)
{
#define WITH_SERVER(test)                                                              \
    cmocka_unit_test_setup_teardown(test, fixture_setup, fixture_teardown)
    static const struct CMUnitTest tests[] = {
        WITH_SERVER(the_page_needs_no_key_and_is_asked_about_each_time),
        WITH_SERVER(a_file_that_never_changes_may_be_kept_for_ever),
        WITH_SERVER(nothing_from_elsewhere_runs_in_it_or_frames_it),
        WITH_SERVER(a_client_that_takes_gzip_gets_it),
        WITH_SERVER(what_the_client_has_is_not_sent_again),
        WITH_SERVER(head_says_the_same_without_a_body),
        WITH_SERVER(an_unknown_file_is_a_problem),
        WITH_SERVER(a_key_is_told_what_it_may),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
