#include "httpd_world.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>

/* The request is refused as ambiguous, and nothing after it is read. */
static void
expect_bad(struct server *s, const char *request)
{
    int fd = dial(s);

    tell(fd, request);
    struct answer answer = hear(fd);
    assert_int_equal(answer.status, 400);
    assert_true(closes(&answer));
    assert_true(ended(fd));
    close(fd);
}

/* ---- plain requests ---- */

static void
a_post_is_answered_and_the_connection_stays(void **state)
{
    struct server *s = server_new(NULL);
    int fd = dial(s);

    (void)state;
    for (int i = 0; i < 3; i++) {
        tell(fd, POST("/x", "3") "abc");
        struct answer answer = hear(fd);
        assert_int_equal(answer.status, 200);
        assert_string_equal(answer.body, "3 bytes, sum 294");
        assert_false(closes(&answer));
    }
    close(fd);
    server_free(s);
}

static void
pipelined_requests_are_answered_in_order(void **state)
{
    struct server *s = server_new(NULL);
    int fd = dial(s);

    (void)state;
    tell(fd, POST("/x", "1") "a" GET("/look/2") POST("/hold-at-once", "2") "bb");
    assert_string_equal(hear(fd).body, "1 bytes, sum 97");
    assert_non_null(strstr(hear(fd).body, "/look/2"));
    assert_string_equal(hear(fd).body, "2 bytes, sum 196");
    close(fd);
    server_free(s);
}

static void
a_request_shows_its_raw_path_decoded_query_and_headers(void **state)
{
    struct server *s = server_new(NULL);
    int fd = dial(s);

    (void)state;
    tell(fd, "GET /look%2F+x?a+b=1%2B2%3d&c&d=&e=%41 HTTP/1.1\r\nHost: x\r\n"
             "X-Trace: one\r\nx-trace: two\r\n\r\n");
    assert_string_equal(hear(fd).body, "GET /look%2F+x a=1+2= trace=one/2 local=1 "
                                       "a b=1+2= c=(none) d= e=A");
    tell(fd, "GET /look?a+b=1&&c HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_string_equal(hear(fd).body,
                        "GET /look a=1 trace=(none)/0 local=1 a b=1 =(none) c=(none)");
    close(fd);
    server_free(s);
}

static void
what_ordinary_clients_send_is_taken(void **state)
{
    struct server *s = server_new(NULL);
    int fd = dial(s);
    const char *requests[] = {
        GET("/x?"),
        GET("/x?&"),
        GET("/x?a&"),
        GET("/x?a=&b=1&"),
        GET("/x?q=http://y/?z#"),
        GET("/x?q=caf\xc3\xa9"),
        "\r\n" GET("/x"),
        "GET /x HTTP/1.1\r\nhOST:x\r\nX:\r\nY: \r\nZ: \t a b \t\r\n\r\n",
        "GET /x HTTP/1.1\r\nHost: a-b.example:8420\r\n\r\n",
        "GET /x HTTP/1.1\r\nHost: [::1%25lo]:8420\r\n\r\n",
        "GET /x HTTP/1.1\r\nHost: my_host\r\nContent: a\r\nTransfer: b\r\n\r\n",
        "GET /x HTTP/1.1\r\nHost: x\r\nCookie: a=b; c=\"d e\"; f\r\nCookie: g\r\n\r\n",
        "GET /x HTTP/1.1\r\nHost: localhost\r\nConnection: keep-alive\r\n"
        "sec-ch-ua: \"Chromium\";v=\"124\", \"Not-A.Brand\";v=\"99\"\r\n"
        "User-Agent: Mozilla/5.0 (X11; Linux x86_64) Gecko/20100101\r\n"
        "Accept: text/html,application/xml;q=0.9,*/*;q=0.8\r\n"
        "X-Latin: caf\xe9\r\nAccept-Encoding: gzip, deflate, br, zstd\r\n\r\n",
        "GET /x HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n",
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(requests); i++)
        expect(fd, requests[i], 200);
    for (size_t i = 0; i < ARRAY_LEN(requests); i++)
        tell(fd, requests[i]); /* pipelined */
    for (size_t i = 0; i < ARRAY_LEN(requests); i++)
        assert_int_equal(hear(fd).status, 200);
    expect(fd, "GET /x HTTP/1.0\r\n\r\n", 200);
    assert_true(ended(fd));
    close(fd);
    server_free(s);
}

/* The server's buffer grows several times meanwhile. */
static void
a_long_header_block_may_come_in_any_pieces(void **state)
{
    struct server *s = server_new(NULL);
    int fd = dial(s);
    char text[16000];

    (void)state;
    int flag = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &flag, sizeof(flag));
    int n = snprintf(text, sizeof(text), "POST /x?a=1&b HTTP/1.1\r\nHost: x\r\n");
    for (int i = 0; i < 60; i++)
        n +=
            snprintf(text + n, sizeof(text) - (size_t)n, "X-%d: %0*d\r\n", i, 4 * i, i);
    n += snprintf(text + n, sizeof(text) - (size_t)n, "Content-Length: 3\r\n\r\nabc");
    for (size_t piece = 1; piece <= 4096; piece *= 4) {
        for (size_t at = 0; at < (size_t)n; at += piece)
            assert_true(
                give(fd, text + at, piece < (size_t)n - at ? piece : (size_t)n - at));
        assert_string_equal(hear(fd).body, "3 bytes, sum 294");
    }
    close(fd);
    server_free(s);
}

static void
a_head_request_gets_no_body(void **state)
{
    struct server *s = server_new(NULL);
    int fd = dial(s);

    (void)state;
    tell(fd, "HEAD /look HTTP/1.1\r\nHost: x\r\n\r\n");
    struct answer answer = hear_head_only(fd);
    assert_int_equal(answer.status, 200);
    assert_true(length_in(answer.head) > 0);
    expect(fd, GET("/look"), 200);
    close(fd);
    server_free(s);
}

static void
a_file_is_an_answer_of_any_size(void **state)
{
    struct server *s = server_new(NULL);
    int fd = dial(s);

    (void)state;
    tell(fd, GET("/file"));
    struct answer answer = hear_head_only(fd);
    assert_int_equal(answer.status, 200);
    assert_int_equal(length_in(answer.head), FILE_BYTES);
    assert_non_null(strcasestr(answer.head, "\r\nX-What: a file\r\n"));
    unsigned char *got = malloc(FILE_BYTES);
    assert_int_equal(recv(fd, got, FILE_BYTES, MSG_WAITALL), FILE_BYTES);
    for (size_t i = 0; i < FILE_BYTES; i++)
        if (got[i] != byte_of_file(i))
            fail_msg("byte %zu is %u", i, got[i]);
    free(got);
    expect(fd, GET("/look"), 200);
    close(fd);
    server_free(s);
}

static unsigned
open_files(void)
{
    unsigned n = 0;
    for (int fd = 0; fd < 1000; fd++)
        n += fcntl(fd, F_GETFD) >= 0;
    return n;
}

static void
a_client_that_leaves_a_file_in_the_middle_of_it_leaves_it_closed(void **state)
{
    unsigned before = open_files();
    struct server *s = server_new(NULL);

    (void)state;
    for (unsigned i = 0; i < 3; i++) {
        int fd = dial(s);
        tell(fd, GET("/file"));
        assert_int_equal(hear_head_only(fd).status, 200);
        close(fd);
        wait_overs(s, i + 1);
    }
    server_free(s);
    assert_int_equal(open_files(), before);
}

static void
a_chunked_body_arrives_whole(void **state)
{
    struct server *s = server_new(NULL);
    int fd = dial(s);

    (void)state;
    tell(fd, "POST /x HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
             "2\r\nab\r\n1;ext=1\r\nc\r\n0\r\nTrailer: t\r\n\r\n");
    assert_string_equal(hear(fd).body, "3 bytes, sum 294");
    expect(fd, GET("/look"), 200);
    close(fd);
    server_free(s);
}

/* Once for what makes its length worth believing, and once for all of it. */
static void
a_body_of_known_length_is_allocated_twice_at_most(void **state)
{
    struct server *s = server_new(NULL);
    int fd = dial(s);
    static char body[MAX_BODY];

    (void)state;
    memset(body, 'a', sizeof(body));
    tell(fd, POST("/x", "100000"));
    assert_true(give(fd, body, sizeof(body)));
    assert_string_equal(hear(fd).body, "100000 bytes, sum 9700000");
    assert_int_equal(atomic_load(&s->allocations), 2);
    expect(fd, POST("/x", "5") "abcde", 200);
    assert_int_equal(atomic_load(&s->allocations), 3);
    close(fd);
    server_free(s);
}

/* ---- held requests ---- */

static void
a_held_request_is_answered_from_another_thread(void **state)
{
    for (unsigned threads = 1; threads <= 2; threads++) {
        struct httpd_options change = options_of(NULL);
        change.threads = threads;
        struct server *s = server_new(&change);
        int fd = dial(s);

        (void)state;
        for (int i = 0; i < 2; i++) {
            tell(fd, POST("/hold", "3") "abc");
            struct httpd_req *req = wait_held(s);
            assert_true(slice_is(httpd_body(req), "abc"));
            assert_true(httpd_started_us(req) > 0);
            say(req, 202, "later");
            struct answer answer = hear(fd);
            assert_int_equal(answer.status, 202);
            assert_string_equal(answer.body, "later");
        }
        close(fd);
        server_free(s);
    }
}

static void
a_held_request_may_be_answered_at_once(void **state)
{
    struct server *s = server_new(NULL);
    int fd = dial(s);

    (void)state;
    for (int i = 0; i < 100; i++)
        expect(fd, POST("/hold-at-once", "1") "a", 200);
    close(fd);
    server_free(s);
}

static void
a_held_request_whose_client_left_is_over_after_its_answer(void **state)
{
    struct server *s = server_new(NULL);
    int fd = dial(s);

    (void)state;
    tell(fd, POST("/hold", "1") "a");
    struct httpd_req *req = wait_held(s);
    struct linger reset = {1, 0};
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
    close(fd);

    /* Others go on meanwhile, and it is still there. */
    int other = dial(s);
    for (int i = 0; i < 20; i++)
        expect(other, GET("/look"), 200);
    wait_overs(s, 19);
    assert_true(slice_is(httpd_body(req), "a"));
    say(req, 202, "too late");
    wait_overs(s, 21);
    close(other);
    server_free(s);
}

/* ---- answers before the body ---- */

static void
an_answer_in_head_keeps_the_connection(void **state)
{
    struct server *s = server_new(NULL);
    int fd = dial(s);
    static char body[MAX_BODY];

    (void)state;
    tell(fd, GET("/secret"));
    struct answer answer = hear(fd);
    assert_int_equal(answer.status, 401);
    assert_non_null(strstr(answer.head, "WWW-Authenticate: Bearer\r\n"));

    tell(fd, POST("/secret", "100000"));
    assert_true(give(fd, body, sizeof(body)));
    assert_int_equal(hear(fd).status, 401);
    tell(fd, "POST /secret HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
             "2\r\nab\r\n0\r\n\r\n");
    assert_int_equal(hear(fd).status, 401);
    assert_int_equal(s->bodies, 0);
    expect(fd, GET("/look"), 200);
    close(fd);
    server_free(s);
}

static void
a_body_beyond_the_maximum_gets_413_and_the_connection_stays(void **state)
{
    struct server *s = server_new(NULL);
    int fd = dial(s);
    static char body[MAX_BODY + 1];

    (void)state;
    tell(fd, POST("/x", "100001"));
    assert_true(give(fd, body, sizeof(body)));
    struct answer answer = hear(fd);
    assert_int_equal(answer.status, 413);
    assert_string_equal(answer.body, "the body is too large");
    expect(fd, POST("/small", "11") "12345678901", 413);
    expect(fd, POST("/small", "10") "1234567890", 200);
    tell(fd, "POST /small HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
             "8\r\n12345678\r\n8\r\n12345678\r\n0\r\n\r\n");
    assert_int_equal(hear(fd).status, 413);
    expect(fd, GET("/look"), 200);
    close(fd);
    server_free(s);
}

/* Sends without listening until the body is through or the server has had enough. */
static void
send_without_listening(int fd, size_t total, bool chunked)
{
    static char block[65536];
    char size[16];

    for (size_t sent = 0; sent < total; sent += sizeof(block)) {
        snprintf(size, sizeof(size), "%zx\r\n", sizeof(block));
        if (chunked && !give(fd, size, strlen(size)))
            return;
        if (!give(fd, block, sizeof(block)) || (chunked && !give(fd, "\r\n", 2)))
            return;
    }
}

static void
a_far_too_large_body_is_answered_while_it_is_sent(void **state)
{
    struct server *s = server_new(NULL);

    (void)state;
    for (int chunked = 0; chunked < 2; chunked++) {
        int fd = dial(s);
        tell(fd, chunked ? "POST /x HTTP/1.1\r\nHost: x\r\n"
                           "Transfer-Encoding: chunked\r\n\r\n"
                         : POST("/x", "999999999"));
        send_without_listening(fd, 64 * 1024 * 1024, chunked);
        struct answer answer = hear(fd);
        assert_int_equal(answer.status, 413);
        assert_string_equal(answer.body, "the body is too large");
        assert_true(closes(&answer));
        assert_non_null(strstr(answer.head, " GMT\r\n"));
        assert_true(ended(fd));
        close(fd);
    }
    server_free(s);
}

static void
a_client_that_waits_for_100_is_told_before_it_sends(void **state)
{
    struct server *s = server_new(NULL);
    int fd = dial(s);

    (void)state;
    tell(fd, "POST /x HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\n"
             "Content-Length: 3\r\n\r\n");
    assert_int_equal(hear(fd).status, 100);
    tell(fd, "abc");
    assert_string_equal(hear(fd).body, "3 bytes, sum 294");

    tell(fd, "POST /x HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\n"
             "Content-Length: 100001\r\n\r\n");
    assert_int_equal(hear(fd).status, 413);
    assert_true(ended(fd));
    close(fd);
    server_free(s);
}

static void
a_body_that_the_budget_refuses_gets_503(void **state)
{
    struct server *s = server_new(NULL);
    int fd = dial(s);
    const char *requests[] = {
        POST("/x", "3") "abc",
        "POST /x HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
        "3\r\nabc\r\n0\r\n\r\n",
    };

    (void)state;
    s->budget.max_bytes = 2;
    for (size_t i = 0; i < ARRAY_LEN(requests); i++) {
        tell(fd, requests[i]);
        struct answer answer = hear(fd);
        assert_int_equal(answer.status, 503);
        assert_non_null(strstr(answer.head, "Retry-After: 1\r\n"));
    }
    expect(fd, GET("/look"), 200);
    close(fd);
    server_free(s);
}

/* ---- malformed requests ---- */

static void
a_request_that_can_be_read_in_two_ways_is_refused(void **state)
{
    struct server *s = server_new(NULL);
    const char *requests[] = {
        "POST /x HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n"
        "Transfer-Encoding: chunked\r\n\r\n",
        "POST /x HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\n",
        "POST /x HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n"
        "Transfer-Encoding: chunked\r\n\r\n",
        "POST /x HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
        "POST /x HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: xchunked\r\n\r\n",
        "POST /x HTTP/1.0\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n",
        "POST /x HTTP/1.1\r\nHost: x\r\nContent-Length : 3\r\n\r\n",
        "POST /x HTTP/1.1\r\nHost: x\r\nContent-Length: 3, 3\r\n\r\n",
        "POST /x HTTP/1.1\r\nHost: x\r\nContent-Length: +3\r\n\r\n",
        "POST /x HTTP/1.1\r\nHost: x\r\nContent-Length:\r\n\r\n",
        "GET /x HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n",
        "GET /x HTTP/1.1\r\nHost: x\r\nX: a\rb\r\n\r\n",
        "GET /x HTTP/1.1\r\n\r\n",
        "GET /x HTTP/1.1\r\nHost: x\r\nno colon\r\n\r\n",
        "GET /x HTTP/1.1\r\nHost: \r\n\r\n",
        "GET /x HTTP/1.1\r\nHost: a b\r\n\r\n",
        "GET /x HTTP/1.1\r\nHost: x/y\r\n\r\n",
        "GET /x HTTP/1.1\r\nHost: a@b\r\n\r\n",
        "GET /x HTTP/1.0\r\nHost: a\\b\r\n\r\n",
        "GET /x HTTP/1.1\r\nHost: x\r\ncontent-lengthy: 3\r\n\r\n",
        "GET /x HTTP/1.1\r\nHost: x\r\nTRANSFER-ENCODINGX: chunked\r\n\r\n",
        "GET x HTTP/1.1\r\nHost: x\r\n\r\n",
        "GET http://x/look HTTP/1.1\r\nHost: x\r\n\r\n",
        "GET http://x HTTP/1.1\r\nHost: x\r\n\r\n",
        "OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n",
        "GET /\x80 HTTP/1.1\r\nHost: x\r\n\r\n",
        "GET /x y HTTP/1.1\r\nHost: x\r\n\r\n",
        "GET /x?a=b\t HTTP/1.1\r\nHost: x\r\n\r\n",
        "GET /x?a=%zz HTTP/1.1\r\nHost: x\r\n\r\n",
        "GET /x?a=%4 HTTP/1.1\r\nHost: x\r\n\r\n",
        "GET /x?a=%00 HTTP/1.1\r\nHost: x\r\n\r\n",
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(requests); i++)
        expect_bad(s, requests[i]);
    assert_int_equal(s->heads, 0);
    server_free(s);
}

/* Sends the bytes and a request more; counts the answers until the server closes. */
static unsigned
answers_to(struct server *s, struct slice bytes)
{
    static const char next[] = GET("/look");
    int fd = dial(s);
    struct buf all;
    unsigned answers = 0;

    buf_init(&all, 65536);
    assert_true(give(fd, bytes.p, bytes.n));
    give(fd, next, sizeof(next) - 1);
    for (int c = take_byte(fd); c >= 0; c = take_byte(fd))
        assert_int_equal(buf_add(&all, (char[]){(char)c}, 1), 0);
    buf_add(&all, "", 1);
    assert_memory_equal(all.p, "HTTP/1.1 400 ", 13);
    for (const char *at = all.p; (at = strstr(at, "HTTP/1.1 ")); at++)
        answers++;
    buf_fini(&all);
    close(fd);
    return answers;
}

static void
a_header_block_with_bytes_that_a_parser_skips_is_refused(void **state)
{
    struct server *s = server_new(NULL);
#define BYTES(text)                                                                    \
    {                                                                                  \
        text, sizeof(text) - 1                                                         \
    }
#define POST_X "POST /x HTTP/1.1\r\nHost: x\r\n"
    static const struct slice requests[] = {
        /* folded lines */
        BYTES(POST_X "Content-Length:\r\n 37\r\n\r\n" GET("/look")),
        BYTES(POST_X "Content-Length: 3\r\n 7\r\n\r\n" GET("/look")),
        BYTES(POST_X "Content-Length: 3\r\n\t\r\n\r\nabc"),
        BYTES(POST_X "Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n"),
        BYTES(POST_X "X: a\r\n b\r\nContent-Length: 37\r\n\r\n" GET("/look")),
        BYTES(POST_X "X: a\r\n b\r\n c\r\n\r\n"),
        BYTES(POST_X "X:\r\n \r\n\r\n"),
        BYTES("GET /x HTTP/1.1\r\n Host: x\r\n\r\n"),
        /* an empty name */
        BYTES(POST_X ": x\r\n" GET("/look")),
        BYTES(POST_X ":\r\nContent-Length: 37\r\n\r\n" GET("/look")),
        BYTES("POST /x HTTP/1.0\r\n: x\r\nContent-Length: 3\r\n\r\nabc"),
        /* NUL */
        BYTES(POST_X "Content-Length: 5\0"
                     "154\r\n\r\n12345"),
        BYTES(POST_X "Transfer-Encoding: chunked\0, x\r\n\r\n0\r\n\r\n"),
        BYTES(POST_X "X: a\0\r\n\r\n"),
        BYTES(POST_X "X: \0\r\nY: b\r\n\r\n"),
        BYTES(POST_X "X\0: a\r\n\r\n"),
        BYTES(POST_X "\0X: a\r\n\r\n"),
        BYTES(POST_X "\0\r\nX: a\r\n\r\n"),
        BYTES("GET /x\0 HTTP/1.1\r\nHost: x\r\n\r\n"),
        BYTES("GET /x\0/../y HTTP/1.1\r\nHost: x\r\n\r\n"),
        BYTES("GET /x?a=b\0 HTTP/1.1\r\nHost: x\r\n\r\n"),
        BYTES("GET\0 /x HTTP/1.1\r\nHost: x\r\n\r\n"),
        /* lines that end with less, or more, than CR LF */
        BYTES("GET /x HTTP/1.1\nHost: x\n\n"),
        BYTES("GET /x HTTP/1.1\nHost: x\r\n\r\n"),
        BYTES("GET /x HTTP/1.1\r\nHost: x\n\r\n"),
        BYTES("GET /x HTTP/1.1\r\nHost: x\r\n\n"),
        BYTES(POST_X "X: a\nContent-Length: 37\r\n\r\n" GET("/look")),
        BYTES(POST_X "X: a\r\r\n\r\n"),
        BYTES(POST_X "X: a\rY: b\r\n\r\n"),
        BYTES(POST_X "X: a\0\nContent-Length: 37\r\n\r\n" GET("/look")),
        BYTES("GET /x HTTP/1.0\n\n"),
        BYTES("GE\tT /x HTTP/1.1\r\nHost: x\r\n\r\n"),
        /* more than one space in the request line */
        BYTES("GET  /x HTTP/1.1\r\nHost: x\r\n\r\n"),
        BYTES("GET /x  HTTP/1.1\r\nHost: x\r\n\r\n"),
        BYTES("GET /x HTTP/1.1 \r\nHost: x\r\n\r\n"),
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(requests); i++)
        if (answers_to(s, requests[i]) != 1)
            fail_msg("more than one answer to request %zu: %s", i, requests[i].p);
    assert_int_equal(s->heads, 0);
    server_free(s);
}

static void
a_body_whose_chunks_make_no_sense_gets_one_refusal(void **state)
{
    struct server *s = server_new(NULL);
#define CHUNKED POST_X "Transfer-Encoding: chunked\r\n\r\n"
    static const struct slice requests[] = {
        BYTES(CHUNKED "-1\r\n\r\n"),
        BYTES(CHUNKED "2\nab\r\n0\r\n\r\n"),
        BYTES(CHUNKED "2\r\nab\n0\r\n\r\n"),
        BYTES(CHUNKED "2\r\nabc\r\n0\r\n\r\n"),
        BYTES(CHUNKED "0\r\nA: b\n\r\n"),
        BYTES(CHUNKED "2\r\nab\r\n0\r\n: b\r\n\r\n"),
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(requests); i++)
        if (answers_to(s, requests[i]) != 1)
            fail_msg("more than one answer to request %zu: %s", i, requests[i].p);
    assert_int_equal(s->bodies, 0);
    server_free(s);
}

/* Also where the server's buffer grows in the middle of it. */
static void
a_folded_line_is_refused_wherever_it_stands_in_the_buffer(void **state)
{
    struct server *s = server_new(NULL);
    char text[20000];

    (void)state;
    for (int pad = 16200; pad < 16400; pad++) {
        int n = snprintf(text, sizeof(text),
                         POST_X "P: %0*d\r\nX:\r\n \r\nContent-Length: 3\r\n\r\nabc",
                         pad, 0);
        assert_int_equal(answers_to(s, (struct slice){text, (size_t)n}), 1);
    }
    assert_int_equal(s->heads, 0);
    server_free(s);
}

static void
a_header_block_that_is_too_large_gets_431(void **state)
{
    struct server *s = server_new(NULL);
    int fd = dial(s);
    static char value[40000];

    (void)state;
    memset(value, 'a', sizeof(value));
    tell(fd, "GET /x HTTP/1.1\r\nHost: x\r\nX: ");
    give(fd, value, sizeof(value));
    assert_int_equal(hear(fd).status, 431);
    close(fd);
    server_free(s);
}

/* ---- connections ---- */

static void
connections_beyond_the_limit_wait_for_their_turn(void **state)
{
    struct httpd_options change = options_of(NULL);
    change.max_connections = 2;
    struct server *s = server_new(&change);
    int fds[12];

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(fds); i++)
        fds[i] = dial(s);
    for (size_t i = 0; i < ARRAY_LEN(fds); i++) {
        expect(fds[i], GET("/look"), 200);
        assert_true(httpd_connections(s->httpd) <= 2);
        close(fds[i]);
    }
    server_free(s);
}

static void
a_given_socket_is_served(void **state)
{
    struct httpd_options change = options_of(NULL);
    struct sockaddr_storage any;
    socklen_t len;

    (void)state;
    assert_int_equal(addr_parse("127.0.0.1:0", &any, &len, NULL), 0);
    change.listen_fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(change.listen_fd, (struct sockaddr *)&any, len), 0);
    assert_int_equal(listen(change.listen_fd, 8), 0);
    change.listen = NULL;
    struct server *s = server_new(&change);
    int fd = dial(s);
    expect(fd, GET("/look"), 200);
    close(fd);
    server_free(s);
}

static void
an_address_in_use_is_named(void **state)
{
    struct server *s = server_new(NULL);
    struct httpd_options options = options_of(s);
    struct httpd *second = NULL;
    struct err err;

    (void)state;
    options.listen = httpd_address(s->httpd);
    assert_int_equal(httpd_open(&second, &options, &err), E_BUSY);
    assert_non_null(strstr(err.text, httpd_address(s->httpd)));
    assert_null(second);
    options.listen = "nonsense";
    assert_int_equal(httpd_open(&second, &options, &err), E_INVALID);
    httpd_close(NULL);
    server_free(s);
}

static void
a_quiesced_server_finishes_what_is_in_and_takes_no_more(void **state)
{
    struct server *s = server_new(NULL);
    int fd = dial(s);
    int idle = dial(s);
    struct sockaddr_storage to;
    socklen_t len;

    (void)state;
    expect(idle, GET("/look"), 200);
    tell(fd, POST("/hold", "1") "a");
    struct httpd_req *req = wait_held(s);
    httpd_quiesce(s->httpd);

    assert_int_equal(addr_parse(httpd_address(s->httpd), &to, &len, NULL), 0);
    int late = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(late, (struct sockaddr *)&to, len), -1);
    close(late);

    say(req, 202, "done");
    struct answer answer = hear(fd);
    assert_int_equal(answer.status, 202);
    assert_true(closes(&answer));
    assert_true(ended(fd));
    expect(idle, GET("/look"), 200);
    close(idle);
    close(fd);
    server_free(s);
}

static void
an_answer_given_before_the_close_reaches_its_client(void **state)
{
    (void)state;
    for (int i = 0; i < 50; i++) {
        struct server *s = server_new(NULL);
        int fd = dial(s);
        int half = dial(s);

        tell(half, POST("/x", "5") "ab"); /* never ends: must not keep the server */
        tell(fd, POST("/hold", "1") "a");
        say(wait_held(s), 202, "in time");
        server_free(s);
        assert_string_equal(hear(fd).body, "in time");
        close(fd);
        close(half);
    }
}

/* ---- many at once ---- */

static void *
answer_loop(void *arg)
{
    struct server *s = arg;

    for (;;) {
        pthread_mutex_lock(&s->lock);
        while (s->n_held == 0 && !s->stopping)
            pthread_cond_wait(&s->changed, &s->lock);
        struct httpd_req *req = s->n_held ? s->held[--s->n_held] : NULL;
        pthread_mutex_unlock(&s->lock);
        if (!req)
            return NULL;
        httpd_answer_header(req, "X-Late", "yes");
        say(req, 202, "later");
    }
}

#define CLIENTS        16
#define ROUNDS         60
#define REQUEST_SPLITS 12

/* Sends a request and leaves after a number of bytes, by close or by reset, with or
 * without waiting for the answer. */
static void *
break_off_loop(void *arg)
{
    struct server *s = arg;
    const char *requests[] = {
        POST("/hold", "300"), POST("/x", "300"), POST("/secret", "300"),
        POST("/x", "100300"),
        "POST /hold HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n12c\r\n"};
    char text[1024];

    for (unsigned i = 0; i < ROUNDS; i++) {
        int fd = dial(s);
        const char *request = requests[i % ARRAY_LEN(requests)];
        int n = snprintf(text, sizeof(text), "%s%0300d\r\n0\r\n\r\n", request, 0);
        unsigned part = (i * 7) % (REQUEST_SPLITS + 1);
        give(fd, text, (size_t)n * part / REQUEST_SPLITS);
        if (part == REQUEST_SPLITS && i % 3 == 0 && i % ARRAY_LEN(requests) < 3)
            assert_int_not_equal(hear(fd).status, 0);
        if (i % 2) {
            struct linger reset = {1, 0};
            setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
        }
        close(fd);
    }
    return NULL;
}

static void
clients_that_break_off_anywhere_leave_nothing_behind(void **state)
{
    struct server *s = server_new(NULL);
    pthread_t clients[CLIENTS], answerers[2];

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(answerers); i++)
        pthread_create(&answerers[i], NULL, answer_loop, s);
    for (size_t i = 0; i < CLIENTS; i++)
        pthread_create(&clients[i], NULL, break_off_loop, s);
    for (size_t i = 0; i < CLIENTS; i++)
        pthread_join(clients[i], NULL);

    int fd = dial(s);
    expect(fd, GET("/look"), 200);
    close(fd);
    httpd_quiesce(s->httpd);
    pthread_mutex_lock(&s->lock);
    while (s->overs < s->heads)
        pthread_cond_wait(&s->changed, &s->lock);
    pthread_mutex_unlock(&s->lock);
    /* A worker may still have to read what a client sent before it left, and hold it:
     * the answerers go on until there is none. */
    httpd_close(s->httpd);
    s->httpd = NULL; /* for server_free */
    pthread_mutex_lock(&s->lock);
    s->stopping = true;
    pthread_cond_broadcast(&s->changed);
    pthread_mutex_unlock(&s->lock);
    for (size_t i = 0; i < ARRAY_LEN(answerers); i++)
        pthread_join(answerers[i], NULL);
    server_free(s);
}

/* Asks on one connection until the server ends it. */
static void *
ask_until_closed(void *arg)
{
    int fd = *(int *)arg;
    struct answer answer;

    do {
        if (!give(fd, POST("/hold", "1") "a", strlen(POST("/hold", "1") "a")))
            break;
        answer = hear(fd);
        assert_true(answer.status == 202 || answer.status == 503 || answer.status == 0);
    } while (answer.status != 0);
    close(fd);
    return NULL;
}

static void
a_server_may_be_closed_while_requests_come_in(void **state)
{
    (void)state;
    for (int round = 0; round < 20; round++) {
        struct server *s = server_new(NULL);
        pthread_t clients[4], answerer;
        int fds[ARRAY_LEN(clients)];

        pthread_create(&answerer, NULL, answer_loop, s);
        for (size_t i = 0; i < ARRAY_LEN(clients); i++) {
            fds[i] = dial(s);
            pthread_create(&clients[i], NULL, ask_until_closed, &fds[i]);
        }
        wait_overs(s, 20);
        httpd_close(s->httpd);
        s->httpd = NULL; /* for server_free */
        for (size_t i = 0; i < ARRAY_LEN(clients); i++)
            pthread_join(clients[i], NULL);
        pthread_mutex_lock(&s->lock);
        s->stopping = true;
        pthread_cond_broadcast(&s->changed);
        pthread_mutex_unlock(&s->lock);
        pthread_join(answerer, NULL);
        server_free(s);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_post_is_answered_and_the_connection_stays),
        cmocka_unit_test(pipelined_requests_are_answered_in_order),
        cmocka_unit_test(a_request_shows_its_raw_path_decoded_query_and_headers),
        cmocka_unit_test(what_ordinary_clients_send_is_taken),
        cmocka_unit_test(a_long_header_block_may_come_in_any_pieces),
        cmocka_unit_test(a_head_request_gets_no_body),
        cmocka_unit_test(a_file_is_an_answer_of_any_size),
        cmocka_unit_test(
            a_client_that_leaves_a_file_in_the_middle_of_it_leaves_it_closed),
        cmocka_unit_test(a_chunked_body_arrives_whole),
        cmocka_unit_test(a_body_of_known_length_is_allocated_twice_at_most),
        cmocka_unit_test(a_held_request_is_answered_from_another_thread),
        cmocka_unit_test(a_held_request_may_be_answered_at_once),
        cmocka_unit_test(a_held_request_whose_client_left_is_over_after_its_answer),
        cmocka_unit_test(an_answer_in_head_keeps_the_connection),
        cmocka_unit_test(a_body_beyond_the_maximum_gets_413_and_the_connection_stays),
        cmocka_unit_test(a_far_too_large_body_is_answered_while_it_is_sent),
        cmocka_unit_test(a_client_that_waits_for_100_is_told_before_it_sends),
        cmocka_unit_test(a_body_that_the_budget_refuses_gets_503),
        cmocka_unit_test(a_request_that_can_be_read_in_two_ways_is_refused),
        cmocka_unit_test(a_header_block_with_bytes_that_a_parser_skips_is_refused),
        cmocka_unit_test(a_body_whose_chunks_make_no_sense_gets_one_refusal),
        cmocka_unit_test(a_folded_line_is_refused_wherever_it_stands_in_the_buffer),
        cmocka_unit_test(a_header_block_that_is_too_large_gets_431),
        cmocka_unit_test(connections_beyond_the_limit_wait_for_their_turn),
        cmocka_unit_test(a_given_socket_is_served),
        cmocka_unit_test(an_address_in_use_is_named),
        cmocka_unit_test(a_quiesced_server_finishes_what_is_in_and_takes_no_more),
        cmocka_unit_test(an_answer_given_before_the_close_reaches_its_client),
        cmocka_unit_test(clients_that_break_off_anywhere_leave_nothing_behind),
        cmocka_unit_test(a_server_may_be_closed_while_requests_come_in),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
