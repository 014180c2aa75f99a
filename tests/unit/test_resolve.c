/* Names: what is asked, remembered, bounded, and who waits for whom. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <poll.h>
#include <stdlib.h>

#include "name_server.h"
#include "send/resolve.h"

struct question {
    struct lookup lookup;
    bool done;
};

static void
on_done(struct lookup *lookup)
{
    struct question *question = container_of(lookup, struct question, lookup);
    assert_false(question->done);
    question->done = true;
}

static struct resolver *
open_resolver(struct clock *clock, const struct name_server *server)
{
    struct resolver *resolver;
    struct err err;
    assert_int_equal(resolver_open(&resolver, clock, server->text, &err), 0);
    return resolver;
}

/* Whether it was answered from memory. */
static bool
ask_until(struct resolver *resolver, struct clock *clock, struct question *question,
          const char *host, msec_t limit_ms)
{
    *question = (struct question){
        .lookup = {.host = host,
                   .give_up_us = clock_mono_us(clock) + limit_ms * 1000,
                   .done = on_done}};
    question->done = resolver_ask(resolver, &question->lookup);
    return question->done;
}

static bool
ask(struct resolver *resolver, struct question *question, const char *host)
{
    return ask_until(resolver, &clock_system, question, host, 60000);
}

static void
finish(struct resolver *resolver, struct question *question)
{
    while (!question->done) {
        struct pollfd poll_fd = {.fd = resolver_fd(resolver), .events = POLLIN};
        usec_t next_us = resolver_next_us(resolver);
        usec_t left_us = next_us > 0 ? next_us - clock_mono_us(&clock_system) : next_us;
        if (next_us > 0 && left_us < 0)
            left_us = 0;
        poll(&poll_fd, 1, left_us < 0 ? -1 : (int)((left_us + 999) / 1000));
        resolver_run(resolver);
    }
}

static void
assert_found(const struct question *question, size_t at, const char *expected)
{
    char text[INET6_ADDRSTRLEN];
    assert_true(at < question->lookup.n);
    const struct address *address = &question->lookup.addresses[at];
    assert_non_null(inet_ntop(address->family, address->bytes, text, sizeof(text)));
    assert_string_equal(text, expected);
}

static void
a_name_has_the_addresses_of_both_families(void **state)
{
    (void)state;
    struct name_server *server = name_server_new();
    struct resolver *resolver = open_resolver(&clock_system, server);
    struct question question;
    name_server_put(server, 0,
                    (struct zone_row){.name = "a.example",
                                      .addresses = "192.0.2.1 192.0.2.2",
                                      .ttl = 5});
    name_server_put(
        server, 1,
        (struct zone_row){.name = "b.example", .addresses = "2001:db8::1", .ttl = 5});
    name_server_put(server, 2,
                    (struct zone_row){.name = "c.example",
                                      .addresses = "192.0.2.3 2001:db8::3",
                                      .ttl = 5});

    ask(resolver, &question, "a.example");
    finish(resolver, &question);
    assert_int_equal(question.lookup.n, 2);
    assert_found(&question, 0, "192.0.2.1");
    assert_found(&question, 1, "192.0.2.2");
    ask(resolver, &question, "b.example");
    finish(resolver, &question);
    assert_int_equal(question.lookup.n, 1);
    assert_found(&question, 0, "2001:db8::1");
    ask(resolver, &question, "c.example");
    finish(resolver, &question);
    assert_int_equal(question.lookup.n, 2); /* which is first is the machine's */
    resolver_close(resolver);
    name_server_free(server);
}

static void
an_answer_is_remembered_for_its_ttl_and_no_longer_than_a_minute(void **state)
{
    (void)state;
    struct clock_manual manual;
    struct name_server *server = name_server_new();
    struct question question;
    clock_manual_init(&manual, 0);
    struct resolver *resolver = open_resolver(&manual.clock, server);
    static const struct {
        const char *name;
        uint32_t ttl;
        usec_t kept_s;
    } rows[] = {
        {"none.example", 0, 0}, {"short.example", 7, 7}, {"long.example", 86400, 60}};

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        name_server_put(server, i,
                        (struct zone_row){.name = rows[i].name,
                                          .addresses = "192.0.2.1",
                                          .ttl = rows[i].ttl});
        assert_false(
            ask_until(resolver, &manual.clock, &question, rows[i].name, 60000));
        finish(resolver, &question);
        assert_int_equal(question.lookup.n, 1);
        if (rows[i].kept_s > 0) {
            clock_manual_advance(&manual, rows[i].kept_s * 1000000 - 1);
            assert_true(
                ask_until(resolver, &manual.clock, &question, rows[i].name, 60000));
            assert_int_equal(question.lookup.n, 1);
            clock_manual_advance(&manual, 1);
        }
        assert_false(
            ask_until(resolver, &manual.clock, &question, rows[i].name, 60000));
        finish(resolver, &question);
        assert_int_equal(name_server_asked(server, i), 2);
    }
    resolver_close(resolver);
    name_server_free(server);
}

static void
what_has_no_address_is_asked_again(void **state)
{
    (void)state;
    struct name_server *server = name_server_new();
    struct resolver *resolver = open_resolver(&clock_system, server);
    struct question question;
    name_server_put(
        server, 0,
        (struct zone_row){.name = "empty.example", .addresses = "", .ttl = 60});
    name_server_put(
        server, 1,
        (struct zone_row){.name = "nobody.example", .addresses = "", .rcode = 3});
    static const char *const names[] = {"empty.example", "nobody.example"};
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        for (int times = 0; times < 2; times++) {
            assert_false(ask(resolver, &question, names[i]));
            finish(resolver, &question);
            assert_int_equal(question.lookup.n, 0);
        }
        assert_true(name_server_asked(server, i) >= 2);
        name_server_put(server, i,
                        (struct zone_row){.name = names[i], .addresses = "192.0.2.9"});
        ask(resolver, &question, names[i]);
        finish(resolver, &question);
        assert_found(&question, 0, "192.0.2.9");
    }
    resolver_close(resolver);
    name_server_free(server);
}

static void
one_lookup_serves_all_that_ask(void **state)
{
    (void)state;
    struct name_server *server = name_server_new();
    struct resolver *resolver = open_resolver(&clock_system, server);
    struct question questions[100];
    name_server_put(server, 0,
                    (struct zone_row){.name = "a.example", .addresses = "192.0.2.1"});
    for (size_t i = 0; i < ARRAY_LEN(questions); i++)
        ask(resolver, &questions[i], "a.example");
    for (size_t i = 0; i < ARRAY_LEN(questions); i++) {
        finish(resolver, &questions[i]);
        assert_found(&questions[i], 0, "192.0.2.1");
    }
    assert_int_equal(name_server_asked(server, 0), 1);
    resolver_close(resolver);
    name_server_free(server);
}

static void
so_many_addresses_are_kept_and_no_more(void **state)
{
    (void)state;
    struct name_server *server = name_server_new();
    struct resolver *resolver = open_resolver(&clock_system, server);
    struct question question;
    name_server_put(
        server, 0,
        (struct zone_row){.name = "a.example", .addresses = "192.0.2.1", .copies = 28});
    ask(resolver, &question, "a.example");
    finish(resolver, &question);
    assert_int_equal(question.lookup.n, RESOLVE_ADDRESSES_MAX);
    assert_found(&question, RESOLVE_ADDRESSES_MAX - 1, "192.0.2.16");
    resolver_close(resolver);
    name_server_free(server);
}

static void
a_lookup_gives_up_when_its_asker_must(void **state)
{
    (void)state;
    struct name_server *server = name_server_new();
    struct resolver *resolver = open_resolver(&clock_system, server);
    struct question brief, patient;
    name_server_put(server, 0, (struct zone_row){.name = "a.example", .silent = true});
    ask(resolver, &patient, "a.example");
    ask_until(resolver, &clock_system, &brief, "a.example", 50);
    finish(resolver, &brief);
    assert_int_equal(brief.lookup.n, 0);
    assert_false(patient.done);
    /* It speaks at last: the next try of the same lookup is answered. */
    name_server_put(server, 0,
                    (struct zone_row){.name = "a.example", .addresses = "192.0.2.1"});
    finish(resolver, &patient);
    assert_found(&patient, 0, "192.0.2.1");
    resolver_close(resolver);
    name_server_free(server);
}

static void
names_that_nobody_answers_for_hold_up_none_that_works(void **state)
{
    (void)state;
    enum { STUCK = RESOLVE_UNDER_WAY_MAX + 500 };
    struct name_server *server = name_server_new();
    struct resolver *resolver = open_resolver(&clock_system, server);
    struct question *stuck = xcalloc(STUCK, sizeof(*stuck));
    char(*names)[32] = xcalloc(STUCK, sizeof(*names));
    struct question question;
    name_server_put(
        server, 0,
        (struct zone_row){.name = "works.example", .addresses = "192.0.2.1"});
    name_server_put(server, 1,
                    (struct zone_row){.name = "*.stuck.example", .silent = true});
    ask(resolver, &question, "works.example");
    finish(resolver, &question);
    for (size_t i = 0; i < STUCK; i++) {
        snprintf(names[i], sizeof(names[i]), "n%zu.stuck.example", i);
        ask(resolver, &stuck[i], names[i]);
    }
    for (int i = 0; i < 20; i++) {
        assert_false(ask(resolver, &question, "works.example"));
        finish(resolver, &question);
        assert_found(&question, 0, "192.0.2.1");
    }
    for (size_t i = 0; i < STUCK; i++) {
        assert_false(stuck[i].done);
        resolver_cancel(resolver, &stuck[i].lookup);
    }
    resolver_close(resolver);
    name_server_free(server);
    free(stuck);
    free(names);
}

static void
what_was_cancelled_is_never_answered(void **state)
{
    (void)state;
    struct name_server *server = name_server_new();
    struct resolver *resolver = open_resolver(&clock_system, server);
    struct question cancelled, other;
    name_server_put(server, 0,
                    (struct zone_row){.name = "a.example", .addresses = "192.0.2.1"});
    ask(resolver, &cancelled, "a.example");
    ask(resolver, &other, "a.example");
    resolver_cancel(resolver, &cancelled.lookup);
    finish(resolver, &other);
    assert_false(cancelled.done);
    resolver_close(resolver);
    name_server_free(server);
}

static void
what_is_no_server_is_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "dns.example",
        "127.0.0.1:x",
        "127.0.0.1,x",
    };
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct err err = {0};
        if (resolver_servers_check(bad[i], &err) != E_INVALID || !err.text[0])
            fail_msg("\"%s\" was taken", bad[i]);
    }
    static const char *const good[] = {"127.0.0.1", "127.0.0.1:5353,[::1]:53", "::1"};
    for (size_t i = 0; i < ARRAY_LEN(good); i++) {
        struct err err = {0};
        if (resolver_servers_check(good[i], &err) != 0)
            fail_msg("\"%s\": %s", good[i], err.text);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_name_has_the_addresses_of_both_families),
        cmocka_unit_test(
            an_answer_is_remembered_for_its_ttl_and_no_longer_than_a_minute),
        cmocka_unit_test(what_has_no_address_is_asked_again),
        cmocka_unit_test(one_lookup_serves_all_that_ask),
        cmocka_unit_test(so_many_addresses_are_kept_and_no_more),
        cmocka_unit_test(a_lookup_gives_up_when_its_asker_must),
        cmocka_unit_test(names_that_nobody_answers_for_hold_up_none_that_works),
        cmocka_unit_test(what_was_cancelled_is_never_answered),
        cmocka_unit_test(what_is_no_server_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
