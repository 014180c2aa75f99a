/* How long clients may take, how many there may be, and answers that are files. */
#include "httpd_world.h"

#include <sys/resource.h>

/* ---- time ---- */

static void
an_idle_connection_is_closed(void **state)
{
    struct httpd_options change = options_of(NULL);
    change.idle_timeout_s = 1;
    struct server *s = server_new(&change);
    int fd = dial(s);

    (void)state;
    expect(fd, GET("/look"), 200);
    assert_true(ended(fd));
    close(fd);
    server_free(s);
}

static void
a_head_has_a_deadline_from_its_first_byte(void **state)
{
    struct httpd_options change = options_of(NULL);
    change.head_timeout_s = 1;
    struct server *s = server_new(&change);
    int fd = dial(s);

    (void)state;
    expect(fd, GET("/look"), 200);
    /* Bytes that go on coming do not move it. */
    for (size_t i = 0; give(fd, "G", 1) && i < 200; i++) {
        struct pollfd end = {fd, POLLIN, 0};
        if (poll(&end, 1, 100) == 1)
            break;
    }
    assert_true(ended(fd));
    close(fd);
    server_free(s);
}

static void
a_body_must_come_at_some_rate(void **state)
{
    struct httpd_options change = options_of(NULL);
    change.flow_timeout_s = 1;
    struct server *s = server_new(&change);
    int fd = dial(s);

    (void)state;
    tell(fd, POST("/x", "5000") "ab");
    assert_true(ended(fd));
    close(fd);
    fd = dial(s);
    tell(fd, "POST /secret HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
             "2\r\nab\r\n");
    assert_true(ended(fd)); /* nor may what nobody wants */
    close(fd);
    assert_int_equal(s->bodies, 0);
    server_free(s);
}

static void
an_answer_that_nobody_takes_ends(void **state)
{
    struct httpd_options change = options_of(NULL);
    change.flow_timeout_s = 1;
    struct server *s = server_new(&change);
    int small = 4096;

    (void)state;
    s->sparse_says = SPARSE_BYTES;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
    struct sockaddr_storage to;
    socklen_t len;
    assert_int_equal(addr_parse(httpd_address(s->httpd), &to, &len, NULL), 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&to, len), 0);
    tell(fd, GET("/sparse"));
    wait_overs(s, 1);
    close(fd);
    server_free(s);
}

/* Ten may wait; the first of those are broken off for the next. Who reads has it all.
 */
static void
answers_that_nobody_takes_hold_only_so_much_memory(void **state)
{
    struct httpd_options change = options_of(NULL);
    change.threads = 1;
    change.flow_timeout_s = 3600; /* it is not time that ends them */
    struct server *s = server_new(&change);
    int fds[30];
    static char block[65536];

    (void)state;
    for (unsigned i = 0; i < ARRAY_LEN(fds); i++) {
        fds[i] = dial(s);
        tell(fds[i], GET("/large"));
    }
    wait_overs(s, ARRAY_LEN(fds) - 10);
    int fd = dial(s);
    size_t n = 0;
    tell(fd, GET("/large"));
    assert_int_equal(length_in(hear_head_only(fd).head), LARGE_BYTES);
    for (ssize_t got; n < LARGE_BYTES; n += (size_t)got) {
        got = recv(fd, block, sizeof(block), 0);
        assert_true(got > 0);
    }
    for (unsigned i = 0; i < ARRAY_LEN(fds); i++)
        close(fds[i]);
    close(fd);
    server_free(s);
}

static void
a_file_that_is_shorter_than_was_said_breaks_the_answer_off(void **state)
{
    struct server *s = server_new(NULL);
    int fd = dial(s);
    static char block[65536];
    int64_t n = 0;
    ssize_t got;

    (void)state;
    s->sparse_says = SPARSE_BYTES + 1;
    tell(fd, GET("/sparse"));
    assert_int_equal(hear_head_only(fd).status, 200);
    while ((got = recv(fd, block, sizeof(block), 0)) > 0)
        n += got;
    assert_int_equal(n, SPARSE_BYTES);
    close(fd);
    server_free(s);
}

/* ---- how many ---- */

static void
whoever_asks_nothing_makes_room_for_somebody_else(void **state)
{
    struct httpd_options change = options_of(NULL);
    change.max_connections = 20;
    change.spare_after_ms = 1;
    struct server *s = server_new(&change);
    int idle[60];
    int busy = dial(s);
    unsigned ends = 0;

    (void)state;
    tell(busy, POST("/hold", "1") "a");
    struct httpd_req *req = wait_held(s);
    for (size_t i = 0; i < ARRAY_LEN(idle); i++) {
        idle[i] = dial(s);
        if (i % 2)
            tell(idle[i], "GET /"); /* and goes no further */
    }
    int fd = dial(s);
    expect(fd, GET("/look"), 200);
    say(req, 202, "not the held one");
    assert_int_equal(hear(busy).status, 202);
    for (size_t i = 0; i < ARRAY_LEN(idle); i++) {
        struct pollfd end = {idle[i], POLLIN, 0};
        ends += poll(&end, 1, 0) == 1;
        close(idle[i]);
    }
    assert_true(ends >= ARRAY_LEN(idle) + 2 - change.max_connections);
    close(fd);
    close(busy);
    server_free(s);
}

static void
without_descriptors_clients_are_turned_away_until_there_are_some(void **state)
{
    struct server *s = server_new(NULL);
    struct rlimit old, few;
    int fd = dial(s);
    int fds[8];

    (void)state;
    expect(fd, GET("/look"), 200);
    for (size_t i = 0; i < ARRAY_LEN(fds); i++)
        fds[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_storage to;
    socklen_t len;
    assert_int_equal(addr_parse(httpd_address(s->httpd), &to, &len, NULL), 0);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
    few = old;
    few.rlim_cur = (rlim_t)fds[ARRAY_LEN(fds) - 1] + 1;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
    for (size_t i = 0; i < ARRAY_LEN(fds) - 1; i++) {
        assert_int_equal(connect(fds[i], (struct sockaddr *)&to, len), 0);
        assert_true(ended(fds[i]));
    }
    expect(fd, GET("/look"), 200); /* who is in goes on */
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
    assert_int_equal(connect(fds[7], (struct sockaddr *)&to, len), 0);
    expect(fds[7], GET("/look"), 200);
    for (size_t i = 0; i < ARRAY_LEN(fds); i++)
        close(fds[i]);
    close(fd);
    server_free(s);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_idle_connection_is_closed),
        cmocka_unit_test(a_head_has_a_deadline_from_its_first_byte),
        cmocka_unit_test(a_body_must_come_at_some_rate),
        cmocka_unit_test(an_answer_that_nobody_takes_ends),
        cmocka_unit_test(answers_that_nobody_takes_hold_only_so_much_memory),
        cmocka_unit_test(a_file_that_is_shorter_than_was_said_breaks_the_answer_off),
        cmocka_unit_test(whoever_asks_nothing_makes_room_for_somebody_else),
        cmocka_unit_test(
            without_descriptors_clients_are_turned_away_until_there_are_some),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
