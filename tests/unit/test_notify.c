#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/notify.h"

/* A manager at an address that the system picks among the abstract ones; its name, with
 * an @, goes to `name`. */
static int
manager_open(char *name, size_t room)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    socklen_t len = sizeof(address);
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(sa_family_t)), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &len), 0);
    snprintf(name, room, "@%.*s", (int)(len - sizeof(sa_family_t) - 1),
             address.sun_path + 1);
    return fd;
}

static void
without_a_manager_nothing_happens(void **state)
{
    struct err err;

    (void)state;
    unsetenv("NOTIFY_SOCKET");
    assert_int_equal(notify_open(&err), 0);
    notify_send("READY=1");
    assert_int_equal(notify_watchdog_s(), 0);
}

static void
what_is_no_address_is_refused(void **state)
{
    static const char *const names[] = {"", "@", "relative", "vsock:2:1"};
    char path[200];
    struct err err;

    (void)state;
    memset(path, 'x', sizeof(path));
    path[0] = '/';
    path[sizeof(path) - 1] = '\0';
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        setenv("NOTIFY_SOCKET", names[i], 1);
        assert_int_equal(notify_open(&err), E_INVALID);
    }
    setenv("NOTIFY_SOCKET", path, 1);
    assert_int_equal(notify_open(&err), E_INVALID);
    setenv("NOTIFY_SOCKET", "/nobody/listens/here", 1);
    assert_int_equal(notify_open(&err), E_IO);
}

static void
a_manager_hears_every_line(void **state)
{
    char name[64];
    char got[64];
    struct err err;
    int fd = manager_open(name, sizeof(name));

    (void)state;
    setenv("NOTIFY_SOCKET", name, 1);
    setenv("WATCHDOG_USEC", "30000000", 1);
    unsetenv("WATCHDOG_PID");
    assert_int_equal(notify_open(&err), 0);
    assert_int_equal(notify_watchdog_s(), 30);
    notify_send("READY=1\nSTATUS=serving");
    ssize_t n = recv(fd, got, sizeof(got), 0);
    assert_int_equal(n, strlen("READY=1\nSTATUS=serving"));
    assert_memory_equal(got, "READY=1\nSTATUS=serving", (size_t)n);
    close(fd);
    notify_send("WATCHDOG=1"); /* nobody hears it */
}

static void
a_watchdog_of_another_process_is_not_ours(void **state)
{
    char name[64];
    char pid[32];
    struct err err;
    int fd = manager_open(name, sizeof(name));

    (void)state;
    setenv("NOTIFY_SOCKET", name, 1);
    setenv("WATCHDOG_USEC", "7000000", 1);
    setenv("WATCHDOG_PID", "1", 1);
    assert_int_equal(notify_open(&err), 0);
    assert_int_not_equal(notify_watchdog_s(), 7);
    snprintf(pid, sizeof(pid), "%d", (int)getpid());
    setenv("WATCHDOG_PID", pid, 1);
    assert_int_equal(notify_open(&err), 0);
    assert_int_equal(notify_watchdog_s(), 7);
    close(fd);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_a_manager_nothing_happens),
        cmocka_unit_test(what_is_no_address_is_refused),
        cmocka_unit_test(a_manager_hears_every_line),
        cmocka_unit_test(a_watchdog_of_another_process_is_not_ours),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
