/* A build without the dashboard. */
#include "api_fixture.h"

static void
a_build_without_the_dashboard_says_so(void **state)
{
    struct fixture *f = *state;
    get(f, 200, "/", NULL);
    header_is(f, "Content-Type", "text/plain; charset=utf-8");
    assert_non_null(strstr(f->body.p, "built without its dashboard"));
    assert_non_null(strstr(f->body.p, "/v1/"));
    ask(f, 304, (struct ask){.path = "/", .more = "If-None-Match: \"none\"\r\n"});
    get(f, 404, "/assets/app.js", NULL);
}

int
main(void)
{
#define WITH_SERVER(test)                                                              \
    cmocka_unit_test_setup_teardown(test, fixture_setup, fixture_teardown)
    static const struct CMUnitTest tests[] = {
        WITH_SERVER(a_build_without_the_dashboard_says_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
