#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/call.h"

/* The drawing of core/call.h, move by move. */
static const struct {
    enum call_state from, to;
} allowed[] = {
    {CALL_WAITING, CALL_IN_FLIGHT}, {CALL_WAITING, CALL_HELD},
    {CALL_WAITING, CALL_CANCELLED}, {CALL_IN_FLIGHT, CALL_SUCCEEDED},
    {CALL_IN_FLIGHT, CALL_WAITING}, {CALL_IN_FLIGHT, CALL_FAILED},
    {CALL_IN_FLIGHT, CALL_HELD},    {CALL_HELD, CALL_WAITING},
    {CALL_HELD, CALL_CANCELLED},    {CALL_SUCCEEDED, CALL_WAITING},
    {CALL_FAILED, CALL_WAITING},    {CALL_CANCELLED, CALL_WAITING},
};

static bool
is_allowed(unsigned from, unsigned to)
{
    for (size_t i = 0; i < ARRAY_LEN(allowed); i++) {
        if (allowed[i].from == from && allowed[i].to == to)
            return true;
    }
    return false;
}

static void
only_the_moves_of_the_drawing_are_allowed(void **state)
{
    (void)state;
    for (unsigned from = 0; from <= CALL_STATES; from++) {
        for (unsigned to = 0; to <= CALL_STATES; to++)
            assert_int_equal(call_may_move((enum call_state)from, (enum call_state)to),
                             is_allowed(from, to));
    }
}

static void
an_allowed_move_gives_the_new_state(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(allowed); i++)
        assert_int_equal(call_move(allowed[i].from, allowed[i].to), allowed[i].to);
}

static void
an_illegal_move_stops_the_program(void **state)
{
    (void)state;
    fflush(stdout); /* or the child's copy comes out twice */
    int pipe_fds[2];
    assert_int_equal(pipe(pipe_fds), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        signal(SIGABRT, SIG_DFL);
        dup2(pipe_fds[1], STDERR_FILENO);
        call_move(CALL_SUCCEEDED, CALL_FAILED);
        _exit(0);
    }
    close(pipe_fds[1]);
    char text[200] = {0};
    ssize_t n = read(pipe_fds[0], text, sizeof(text) - 1);
    close(pipe_fds[0]);
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGABRT);
    assert_true(n > 0);
    assert_non_null(strstr(text, "failed"));
    assert_non_null(strstr(text, "succeeded"));
}

static void
names_go_both_ways(void **state)
{
    (void)state;
    static const char *const names[] = {"waiting",   "succeeded", "failed",
                                        "cancelled", "inFlight",  "held"};
    assert_int_equal(ARRAY_LEN(names), CALL_STATES);
    for (unsigned i = 0; i < CALL_STATES; i++) {
        enum call_state parsed = CALL_STATES;
        assert_string_equal(call_state_name((enum call_state)i), names[i]);
        assert_true(call_state_parse(slice_of(names[i]), &parsed));
        assert_int_equal(parsed, i);
    }
    enum call_state untouched = CALL_HELD;
    assert_false(call_state_parse(SLICE("Waiting"), &untouched));
    assert_false(call_state_parse(SLICE("wait"), &untouched));
    assert_false(call_state_parse(SLICE(""), &untouched));
    assert_int_equal(untouched, CALL_HELD);
}

static void
verdicts_have_one_word(void **state)
{
    (void)state;
    assert_string_equal(verdict_name(VERDICT_OK), "ok");
    assert_string_equal(verdict_name(VERDICT_TEMPORARY), "temporary");
    assert_string_equal(verdict_name(VERDICT_GONE), "gone");
}

static void
a_waiting_call_of_a_disabled_webhook_is_held(void **state)
{
    (void)state;
    assert_int_equal(call_shown(CALL_WAITING, true, false), CALL_WAITING);
    assert_int_equal(call_shown(CALL_WAITING, false, false), CALL_HELD);
    assert_int_equal(call_shown(CALL_WAITING, false, true), CALL_CANCELLED);
    assert_int_equal(call_shown(CALL_WAITING, true, true), CALL_CANCELLED);
}

static void
a_final_state_is_shown_as_it_is(void **state)
{
    (void)state;
    static const enum call_state final[] = {CALL_SUCCEEDED, CALL_FAILED,
                                            CALL_CANCELLED};
    for (size_t i = 0; i < ARRAY_LEN(final); i++) {
        assert_int_equal(call_shown(final[i], true, false), final[i]);
        assert_int_equal(call_shown(final[i], false, false), final[i]);
        assert_int_equal(call_shown(final[i], false, true), final[i]);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_the_moves_of_the_drawing_are_allowed),
        cmocka_unit_test(an_allowed_move_gives_the_new_state),
        cmocka_unit_test(an_illegal_move_stops_the_program),
        cmocka_unit_test(names_go_both_ways),
        cmocka_unit_test(verdicts_have_one_word),
        cmocka_unit_test(a_waiting_call_of_a_disabled_webhook_is_held),
        cmocka_unit_test(a_final_state_is_shown_as_it_is),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
