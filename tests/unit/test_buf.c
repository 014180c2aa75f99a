#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>

#include "base/buf.h"
#include "base/err.h"

static void
a_buffer_grows_to_its_maximum_and_not_beyond(void **state)
{
    (void)state;
    struct buf buf;
    buf_init(&buf, 10);
    assert_int_equal(buf_adds(&buf, "12345"), 0);
    assert_int_equal(buf_adds(&buf, "67890"), 0);
    assert_int_equal(buf_addc(&buf, 'x'), E_TOO_LARGE);
    assert_string_equal(buf.p, "1234567890");
    assert_int_equal(buf.n, 10);
    buf_fini(&buf);
}

static void
a_failure_stays_until_reset(void **state)
{
    (void)state;
    struct buf buf;
    buf_init(&buf, 3);
    assert_int_equal(buf_adds(&buf, "1234"), E_TOO_LARGE);
    assert_int_equal(buf_addc(&buf, '1'), E_TOO_LARGE);
    assert_int_equal(buf.n, 0);
    assert_null(buf_take(&buf));
    buf_reset(&buf);
    assert_int_equal(buf_addf(&buf, "%d", 123), 0);
    assert_string_equal(buf.p, "123");
    buf_fini(&buf);
}

static void
a_taken_string_belongs_to_the_caller(void **state)
{
    (void)state;
    struct buf buf;
    buf_init(&buf, 100);
    buf_adds(&buf, "kept");
    char *text = buf_take(&buf);
    assert_string_equal(text, "kept");
    assert_int_equal(buf.n, 0);
    free(text);
    char *empty = buf_take(&buf);
    assert_string_equal(empty, "");
    free(empty);
    buf_fini(&buf);
}

static void
a_budget_refuses_what_is_over_it_and_takes_back_what_is_freed(void **state)
{
    (void)state;
    struct mem_budget budget;
    struct buf a, b;
    mem_budget_init(&budget, 4096);
    buf_init_mem(&a, 1 << 20, &budget.mem);
    buf_init_mem(&b, 1 << 20, &budget.mem);
    assert_int_equal(buf_reserve(&a, 3000), 0);
    assert_int_equal(buf_reserve(&b, 3000), E_NO_MEMORY);
    assert_int_equal(atomic_load(&budget.used_bytes), a.cap);
    buf_fini(&a);
    buf_reset(&b);
    assert_int_equal(buf_reserve(&b, 3000), 0);
    buf_fini(&b);
    assert_int_equal(atomic_load(&budget.used_bytes), 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_buffer_grows_to_its_maximum_and_not_beyond),
        cmocka_unit_test(a_failure_stays_until_reset),
        cmocka_unit_test(a_taken_string_belongs_to_the_caller),
        cmocka_unit_test(a_budget_refuses_what_is_over_it_and_takes_back_what_is_freed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
