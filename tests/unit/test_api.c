/* The frame: routes, keys, content types, limits, queries. */
#include "api_fixture.h"

#include <stdio.h>
#include <stdlib.h>

/* ---- routes ---- */

static void
an_unknown_path_is_not_found(void **state)
{
    struct fixture *f = *state;
    static const char *const paths[] = {
        "/v1",
        "/v1/",
        "/v1/channels/",
        "/v1/channels//events",
        "/v1/channels/one/events/",
        "/v1/channels/one/calls/x/y",
        "/v1/../v1/channels",
        "/v1/%63hannels",
        "/v1/channels/one/webhooks/w/rewind",
    };
    for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
        get(f, 404, paths[i], f->admin);
        is(f, "/status", "404");
        is(f, "/title", "\"Not Found\"");
        header_is(f, "Content-Type", "application/problem+json");
    }
}

static void
a_path_that_is_none_of_ours_is_answered_as_the_platform_does(void **state)
{
    struct fixture *f = *state;
    static const char *const paths[] = {"//v1/channels", "/V1/channels", "/nowhere",
                                        "/subscription/nowhere"};
    for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
        get(f, 404, paths[i], f->admin);
        assert_true(slice_is(f->body, "{\"error\":\"Not found\"}"));
        header_is(f, "Content-Type", "application/json");
    }
}

static void
a_wrong_method_is_told_the_right_ones(void **state)
{
    struct fixture *f = *state;
    static const struct {
        const char *method, *path, *allow;
    } rows[] = {
        {"PUT", "/v1/channels", "GET, HEAD, POST"},
        {"OPTIONS", "/v1/channels", "GET, HEAD, POST"},
        {"POST", "/v1/channels/one", "GET, HEAD, PATCH, DELETE"},
        {"TRACE", "/v1/channels/one/events", "POST, GET, HEAD"},
        {"DELETE", "/v1/channels/one/events/evt_x", "GET, HEAD"},
        {"GET", "/v1/channels/one/calls/c/retry", "POST"},
        {"GET", "/v1/channels/one/webhooks/w/test", "POST"},
        {"GET", "/v1/keys/k", "DELETE"},
        {"DELETE", "/healthz", "GET, HEAD"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        ask(f, 405,
            (struct ask){
                .method = rows[i].method, .path = rows[i].path, .key = f->admin});
        header_is(f, "Allow", rows[i].allow);
        is(f, "/status", "405");
    }
}

static void
head_is_get_without_the_body(void **state)
{
    struct fixture *f = *state;
    get(f, 200, "/v1/channels/one", f->admin);
    struct slice length = header(f, "Content-Length");
    char text[20];
    snprintf(text, sizeof(text), "%.*s", (int)length.n, length.p);
    ask(f, 200,
        (struct ask){.method = "HEAD", .path = "/v1/channels/one", .key = f->admin});
    assert_int_equal(f->body.n, 0);
    header_is(f, "Content-Length", text);
}

static void
answers_are_neither_kept_nor_guessed_about(void **state)
{
    struct fixture *f = *state;
    get(f, 200, "/v1/channels", f->admin);
    header_is(f, "Cache-Control", "no-store");
    header_is(f, "X-Content-Type-Options", "nosniff");
    header_is(f, "Content-Type", "application/json");
    assert_null(header(f, "Access-Control-Allow-Origin").p);
}

/* ---- keys ---- */

static void
a_request_without_a_known_key_is_unauthorized(void **state)
{
    struct fixture *f = *state;
    char wrong[KEY_TEXT];
    char line[256];
    memcpy(wrong, f->admin, sizeof(wrong));
    size_t last = strlen(wrong) - 1;
    wrong[last] = wrong[last] == 'A' ? 'B' : 'A';

    get(f, 401, "/v1/channels", NULL);
    header_is(f, "WWW-Authenticate", "Bearer");
    get(f, 401, "/v1/channels", wrong);
    header_is(f, "WWW-Authenticate", "Bearer");
    static const char *const keys[] = {"x", "", "pw_admin_", "pw__", "Bearer"};
    for (size_t i = 0; i < ARRAY_LEN(keys); i++)
        get(f, 401, "/v1/channels", keys[i]);
    snprintf(line, sizeof(line), "Authorization: %s\r\nAuthorization: %s\r\n", f->admin,
             f->admin);
    ask(f, 401, (struct ask){.path = "/v1/channels", .more = line});
    snprintf(line, sizeof(line), "Authorization: Basic %s\r\n", f->admin);
    ask(f, 401, (struct ask){.path = "/v1/channels", .more = line});
    snprintf(line, sizeof(line), "/v1/channels?key=%s", f->admin);
    get(f, 401, line, NULL);
}

static void
a_key_may_come_with_or_without_the_word_bearer(void **state)
{
    struct fixture *f = *state;
    static const char *const forms[] = {"%s", "Bearer %s", "bearer %s", "BEARER   %s"};
    for (size_t i = 0; i < ARRAY_LEN(forms); i++) {
        char key[KEY_TEXT + 20], line[KEY_TEXT + 60];
        size_t n = strcspn(forms[i], "%");
        snprintf(key, sizeof(key), "%.*s%s", (int)n, forms[i], f->admin);
        snprintf(line, sizeof(line), "Authorization: %s\r\n", key);
        ask(f, 200, (struct ask){.path = "/v1/channels", .more = line});
    }
}

enum may { YES, NO };

/* Who may do what: a row for each route. Allowed requests answer `status`. */
static const struct matrix_row {
    const char *method, *path; /* of a channel: behind /v1/channels/{c} */
    const char *body;
    bool global; /* above channels */
    unsigned status;
    enum may manage, ingest, read;
} matrix[] = {
    {"GET", "/v1/channels", NULL, true, 200, YES, NO, YES},
    {"POST", "/v1/channels", "{\"name\":\"n\"}", true, 201, NO, NO, NO},
    {"GET", "/v1/keys", NULL, true, 200, NO, NO, NO},
    {"POST", "/v1/keys", "{\"role\":\"read\"}", true, 201, NO, NO, NO},
    {"DELETE", "/v1/keys/key_nobody", NULL, true, 404, NO, NO, NO},
    {"GET", "", NULL, false, 200, YES, NO, YES},
    {"PATCH", "", "{}", false, 200, NO, NO, NO},
    {"GET", "/webhooks", NULL, false, 200, YES, NO, YES},
    {"POST", "/webhooks", "{\"url\":\"https://a/\"}", false, 201, YES, NO, NO},
    {"GET", "/webhooks/wh_x", NULL, false, 404, YES, NO, YES},
    {"PATCH", "/webhooks/wh_x", "{}", false, 404, YES, NO, NO},
    {"DELETE", "/webhooks/wh_x", NULL, false, 404, YES, NO, NO},
    {"GET", "/webhooks/wh_x/secret", NULL, false, 404, YES, NO, NO},
    {"POST", "/webhooks/wh_x/test", "{}", false, 404, YES, NO, NO},
    {"POST", "/events", "[]", false, 400, YES, YES, NO},
    {"GET", "/events", NULL, false, 200, YES, NO, YES},
    {"GET", "/events/evt_x", NULL, false, 404, YES, NO, YES},
    {"GET", "/calls", NULL, false, 200, YES, NO, YES},
    {"GET", "/calls/call_x", NULL, false, 404, YES, NO, YES},
    {"POST", "/calls/call_x/retry", "{}", false, 404, YES, NO, NO},
};

/* Answers: the row's status, 403, or the 404 of an unknown channel. */
static void
try_row(struct fixture *f, const struct matrix_row *row, const char *channel,
        const char *key, unsigned status, const char *detail)
{
    char path[200];
    snprintf(path, sizeof(path), "%s%s%s", row->global ? "" : "/v1/channels/",
             row->global ? "" : channel, row->path);
    ask(f, status,
        (struct ask){
            .method = row->method, .path = path, .key = key, .body = row->body});
    if (detail)
        has(f, "/detail", detail);
    else if (status == 404)
        assert_null(memmem(f->body.p, f->body.n, "no such channel", 15));
}

static void
try_role(struct fixture *f, const struct matrix_row *row, const char *key, bool scoped,
         enum may may)
{
    bool allowed = may == YES;
    try_row(f, row, "one", key, allowed ? row->status : 403, allowed ? NULL : "role");
    if (row->global)
        return;
    const char *none = "no such channel";
    try_row(f, row, "nowhere", key, 404, none);
    char *unknown = strdup(f->body.p);
    if (scoped) {
        /* another channel's is as good as none, byte for byte */
        try_row(f, row, "two", key, 404, none);
        assert_string_equal(f->body.p, unknown);
    } else {
        try_row(f, row, "two", key, allowed ? row->status : 403,
                allowed ? NULL : "role");
    }
    free(unknown);
}

static void
each_role_may_what_it_is_for_and_only_in_its_channel(void **state)
{
    struct fixture *f = *state;
    for (size_t i = 0; i < ARRAY_LEN(matrix); i++) {
        const struct matrix_row *row = &matrix[i];
        try_role(f, row, f->admin, false, YES);
        try_role(f, row, f->manage, true, row->manage);
        try_role(f, row, f->ingest, true, row->ingest);
        try_role(f, row, f->channel_reader, true, row->read);
        try_role(f, row, f->reader, false, row->read);
    }
}

static void
only_an_admin_may_delete_a_channel(void **state)
{
    struct fixture *f = *state;
    del(f, 403, "/v1/channels/one", f->manage);
    del(f, 403, "/v1/channels/one", f->ingest);
    del(f, 403, "/v1/channels/one", f->reader);
    del(f, 404, "/v1/channels/two", f->manage);
    del(f, 204, "/v1/channels/two", f->admin);
}

/* ---- bodies ---- */

static void
a_body_must_say_that_it_is_json(void **state)
{
    struct fixture *f = *state;
    static const struct {
        const char *type;
        bool good;
    } rows[] = {
        {"application/json", true},
        {"Application/JSON", true},
        {"application/json; charset=utf-8", true},
        {"application/json;charset=\"UTF-8\"", true},
        {"application/json ; charset=utf-8 ", true},
        {"", false},
        {"text/plain", false},
        {"application/jsonx", false},
        {"application/json; charset=utf-16", false},
        {"application/json; charset=utf-8; x=y", false},
        {"application/x-www-form-urlencoded", false},
        {"application/x-ndjson", false},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        ask(f, rows[i].good ? 201 : 415,
            (struct ask){.path = "/v1/channels",
                         .key = f->admin,
                         .type = rows[i].type,
                         .body = "{\"name\":\"n\"}"});
    ask(f, 415,
        (struct ask){.path = "/v1/channels",
                     .key = f->admin,
                     .type = "",
                     .more = "Content-Type: application/json\r\n"
                             "Content-Type: text/plain\r\n",
                     .body = "{\"name\":\"n\"}"});
    ask(f, 415,
        (struct ask){.path = "/v1/channels",
                     .key = f->admin,
                     .more = "Content-Encoding: gzip\r\n",
                     .body = "{\"name\":\"n\"}"});
}

static void
a_body_that_is_too_long_is_refused_before_it_is_read(void **state)
{
    struct fixture *f = *state;
    char bytes[600];
    /* the body never comes */
    int n =
        snprintf(bytes, sizeof(bytes),
                 "POST /v1/channels/one/events HTTP/1.1\r\nHost: h\r\n"
                 "Connection: close\r\nAuthorization: %s\r\nExpect: 100-continue\r\n"
                 "Content-Type: application/json\r\nContent-Length: %d\r\n\r\n",
                 f->ingest, FIXTURE_MAX_REQUEST + 1);
    ask_finish(f, ask_start(f, bytes, (size_t)n));
    assert_int_equal(f->status, 413);
    has(f, "/detail", "65536");

    char *big = malloc(300000);
    memset(big, ' ', 300000);
    ask(f, 413,
        (struct ask){.path = "/v1/channels",
                     .key = f->admin,
                     .body = big,
                     .body_n = 256 * 1024 + 1});
    ask(f, 400,
        (struct ask){.path = "/v1/channels",
                     .key = f->admin,
                     .body = big,
                     .body_n = 256 * 1024});
    free(big);
    ask(f, 413,
        (struct ask){
            .method = "GET", .path = "/v1/channels", .key = f->admin, .body = "{}"});
}

static void
a_chunked_body_that_is_too_long_is_refused(void **state)
{
    struct fixture *f = *state;
    struct buf out;
    buf_init(&out, 1 << 20);
    buf_addf(&out,
             "POST /v1/channels/one/events HTTP/1.1\r\nHost: h\r\nConnection: close\r\n"
             "Authorization: %s\r\nContent-Type: application/json\r\n"
             "Transfer-Encoding: chunked\r\n\r\n%x\r\n",
             f->ingest, FIXTURE_MAX_REQUEST + 1);
    for (size_t i = 0; i < FIXTURE_MAX_REQUEST + 1; i++)
        buf_addc(&out, ' ');
    buf_adds(&out, "\r\n0\r\n\r\n");
    ask_finish(f, ask_start(f, out.p, out.n));
    buf_fini(&out);
    assert_int_equal(f->status, 413);
    is(f, "/status", "413");
}

static void
what_the_http_server_refuses_is_a_problem_document_too(void **state)
{
    struct fixture *f = *state;
    static const char bytes[] =
        "POST /v1/channels HTTP/1.1\r\nHost: h\r\n"
        "Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n";
    ask_finish(f, ask_start(f, bytes, sizeof(bytes) - 1));
    assert_int_equal(f->status, 400);
    is(f, "/title", "\"Bad Request\"");
    header_is(f, "Content-Type", "application/problem+json");
}

/* Refuses the n-th request for memory. */
struct scarce {
    struct mem mem;
    atomic_uint left; /* 0 = never refuses */
};

static void *
scarce_resize(struct mem *mem, void *old, size_t old_size, size_t new_size)
{
    struct scarce *scarce = container_of(mem, struct scarce, mem);
    if (new_size > old_size && atomic_load(&scarce->left) > 0 &&
        atomic_fetch_sub(&scarce->left, 1) == 1)
        return NULL;
    return mem_heap.resize(&mem_heap, old, old_size, new_size);
}

/* With the n-th request for memory refused; true if that was one too many to be seen.
 */
static bool
passes_with_memory_refused(struct fixture *f, struct scarce *scarce, unsigned n,
                           bool chunked)
{
    char bytes[2000];
    static const char head[] =
        "POST /v1/channels/one/events HTTP/1.1\r\nHost: h\r\n"
        "Connection: close\r\nContent-Type: application/json\r\n";
    if (chunked) {
        size_t half = (sizeof(OPT_OUT) - 1) / 2;
        snprintf(bytes, sizeof(bytes),
                 "%sAuthorization: %s\r\nTransfer-Encoding: chunked\r\n\r\n"
                 "%zx\r\n%.*s\r\n%zx\r\n%s\r\n0\r\n\r\n",
                 head, f->ingest, half, (int)half, OPT_OUT, sizeof(OPT_OUT) - 1 - half,
                 &OPT_OUT[half]);
    } else {
        snprintf(bytes, sizeof(bytes),
                 "%sAuthorization: %s\r\nContent-Length: %zu\r\n\r\n%s", head,
                 f->ingest, sizeof(OPT_OUT) - 1, OPT_OUT);
    }
    atomic_store(&scarce->left, n);
    ask_finish(f, ask_start(f, bytes, strlen(bytes)));
    bool refused = atomic_load(&scarce->left) == 0;
    atomic_store(&scarce->left, 0);
    if (refused) {
        assert_int_equal(f->status, 503);
        header_is(f, "Retry-After", "1");
        is(f, "/status", "503");
    } else {
        assert_int_equal(f->status, 202);
    }
    return !refused;
}

static void
a_body_without_memory_is_asked_to_come_again(void **state)
{
    (void)state;
    struct scarce scarce = {.mem = {scarce_resize}};
    struct fixture *f = fixture_new(&scarce.mem);
    for (int chunked = 0; chunked < 2; chunked++) {
        unsigned n = 1;
        while (!passes_with_memory_refused(f, &scarce, n, chunked))
            n++;
        assert_true(n > 1); /* at least one was refused */
        assert_int_equal(fake_engine_events(f->engine), chunked + 1);
    }
    fixture_free(f);
}

/* ---- queries ---- */

static void
a_query_parameter_that_is_not_right_is_refused(void **state)
{
    struct fixture *f = *state;
    static const struct {
        const char *path, *detail;
    } rows[] = {
        {"/v1/channels?limit=0", "limit must be a number from 1 to 200"},
        {"/v1/channels?limit=201", "limit"},
        {"/v1/channels?limit=-1", "limit"},
        {"/v1/channels?limit=1e1", "limit"},
        {"/v1/channels?limit=99999999999999999999", "limit"},
        {"/v1/channels?limit=%2010", "limit"},
        {"/v1/channels?limit=", "limit"},
        {"/v1/channels?limit", "limit"},
        {"/v1/channels?limit=5&limit=6", "limit is given twice"},
        {"/v1/channels?Limit=5", "there are limit, cursor"},
        {"/v1/channels?type=optIn", "there are limit, cursor"},
        {"/v1/channels?cursor=", "cursor"},
        {"/v1/channels?cursor=1", "cursor"},
        {"/v1/channels?cursor=000000000000000G", "cursor"},
        {"/v1/keys?cursor=x", "cursor"},
        {"/v1/channels/one?limit=5", "takes no query parameters"},
        {"/v1/channels/one/webhooks?cursor=wh_", "cursor"},
        {"/v1/channels/one/events?cursor=evt_0", "cursor"},
        {"/v1/channels/one/events?type=", "optIn, optOut"},
        {"/v1/channels/one/events?type=optIn,", "optIn, optOut"},
        {"/v1/channels/one/events?type=optin", "is not one of"},
        {"/v1/channels/one/events?since=yesterday", "since must be a time"},
        {"/v1/channels/one/events?until=2024-02-30T00:00:00Z", "until must be a time"},
        {"/v1/channels/one/events?subscription=a%20b", "subscription must be an id"},
        {"/v1/channels/one/events?notification=", "notification must be an id"},
        {"/v1/channels/one/events?error=x", "unknown query parameter"},
        {"/v1/channels/one/calls?error=", "error must have 1 to 200 bytes"},
        {"/v1/channels/one/events?state=waiting", "there are limit, cursor, type"},
        {"/v1/channels/one/calls?state=inFlight", "waiting, succeeded"},
        {"/v1/channels/one/calls?state=waiting,sleeping", "sleeping"},
        {"/v1/channels/one/calls?webhook=wh_1", "webhook must be"},
        {"/v1/channels/one/calls?cursor=evt_0000000000000", "cursor"},
        {"/v1/channels/one/calls?limit=5%00", "query"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        get(f, 400, rows[i].path, f->admin);
        has(f, "/detail", rows[i].detail);
    }
}

int
main(void)
{
#define WITH_SERVER(test)                                                              \
    cmocka_unit_test_setup_teardown(test, fixture_setup, fixture_teardown)
    const struct CMUnitTest tests[] = {
        WITH_SERVER(an_unknown_path_is_not_found),
        WITH_SERVER(a_path_that_is_none_of_ours_is_answered_as_the_platform_does),
        WITH_SERVER(a_wrong_method_is_told_the_right_ones),
        WITH_SERVER(head_is_get_without_the_body),
        WITH_SERVER(answers_are_neither_kept_nor_guessed_about),
        WITH_SERVER(a_request_without_a_known_key_is_unauthorized),
        WITH_SERVER(a_key_may_come_with_or_without_the_word_bearer),
        WITH_SERVER(each_role_may_what_it_is_for_and_only_in_its_channel),
        WITH_SERVER(only_an_admin_may_delete_a_channel),
        WITH_SERVER(a_body_must_say_that_it_is_json),
        WITH_SERVER(a_body_that_is_too_long_is_refused_before_it_is_read),
        WITH_SERVER(a_chunked_body_that_is_too_long_is_refused),
        WITH_SERVER(what_the_http_server_refuses_is_a_problem_document_too),
        cmocka_unit_test(a_body_without_memory_is_asked_to_come_again),
        WITH_SERVER(a_query_parameter_that_is_not_right_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
