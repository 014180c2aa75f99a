#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/err.h"

static void
a_sentence_is_wrapped_on_the_way_up(void **state)
{
    (void)state;
    struct err err;
    assert_int_equal(err_set(&err, E_FULL, "disk full"), E_FULL);
    assert_int_equal(err_wrap(&err, "migrate to %d", 3), E_FULL);
    assert_int_equal(err_wrap(&err, "open store"), E_FULL);
    assert_string_equal(err.text, "open store: migrate to 3: disk full");
}

static void
a_sentence_that_is_too_long_is_cut(void **state)
{
    (void)state;
    struct err err;
    char long_text[1000];
    memset(long_text, 'x', sizeof(long_text) - 1);
    long_text[sizeof(long_text) - 1] = '\0';
    err_set(&err, E_INVALID, "%s", long_text);
    assert_int_equal(strlen(err.text), sizeof(err.text) - 1);
    assert_int_equal(err_wrap(&err, "outer"), E_INVALID);
    assert_int_equal(strlen(err.text), sizeof(err.text) - 1);
    assert_memory_equal(err.text, "outer: xxx", 10);
    assert_int_equal(err_wrap(&err, "%s", long_text), E_INVALID);
    assert_int_equal(strlen(err.text), sizeof(err.text) - 1);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_sentence_is_wrapped_on_the_way_up),
        cmocka_unit_test(a_sentence_that_is_too_long_is_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
