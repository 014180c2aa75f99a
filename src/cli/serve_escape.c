#include "base/fault.h"
#include "cli/serve.h"

#ifdef PUSHWIRE_FAULTS

#include <errno.h>
#include <fcntl.h>
#include <linux/if_ether.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"

/* Each returns something negative with errno, or what is not negative for success. */

static long
read_secret(void)
{
    return open("/etc/shadow", O_RDONLY | O_CLOEXEC);
}

static long
write_outside(void)
{
    return open("/tmp/pushwire-escaped", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
}

static long
run_shell(void)
{
    char *const argv[] = {"/bin/echo", "escape: exec: it worked", NULL};
    return execve(argv[0], argv, argv + 2);
}

static long
sniff(void)
{
    return socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, ETH_P_ALL);
}

static long
trace(void)
{
    return ptrace(PTRACE_TRACEME, 0, NULL, NULL);
}

static long
map_code(void)
{
    void *code = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC,
                      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return code == MAP_FAILED ? -1 : 0;
}

static long
start_process(void)
{
    pid_t child = fork();
    if (child == 0)
        _exit(0);
    return child;
}

static const struct {
    const char *fault;
    long (*attempt)(void);
} attempts[] = {
    {"escape-read", read_secret},   {"escape-write", write_outside},
    {"escape-exec", run_shell},     {"escape-sniff", sniff},
    {"escape-trace", trace},        {"escape-code", map_code},
    {"escape-fork", start_process},
};

void
server_try_to_escape(void)
{
    for (size_t i = 0; i < ARRAY_LEN(attempts); i++) {
        if (!fault_on(attempts[i].fault))
            continue;
        bool worked = attempts[i].attempt() >= 0;
        log_msg(LOG_WARN, "%s: %s", attempts[i].fault,
                worked ? "it worked" : strerror(errno));
    }
}

#else

void
server_try_to_escape(void)
{
}

#endif
