/*
 * seccomp: the system calls that the server makes. Any other is refused with EPERM, as
 * if the user were not allowed to; those that only an intruder makes end the process.
 */
#include <errno.h>
#include <linux/sched.h>
#include <seccomp.h>
#include <signal.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/sandbox.h"

#define CALL(name) SCMP_SYS(name)

/* With any arguments. */
static const int allowed[] = {
    /* memory; what maps code has a rule of its own */
    CALL(brk), CALL(munmap), CALL(mremap), CALL(madvise), CALL(mlock), CALL(munlock),
    CALL(membarrier),
    /* threads; clone has a rule of its own */
    CALL(set_robust_list), CALL(get_robust_list), CALL(rseq), CALL(futex), CALL(gettid),
    CALL(sched_yield), CALL(sched_getaffinity), CALL(sched_getscheduler),
    CALL(sched_getparam), CALL(exit), CALL(exit_group), CALL(set_tid_address),
    CALL(restart_syscall),
    /* signals to oneself */
    CALL(rt_sigaction), CALL(rt_sigprocmask), CALL(rt_sigreturn), CALL(rt_sigtimedwait),
    CALL(sigaltstack), CALL(alarm), CALL(setitimer),
    /* time */
    CALL(clock_gettime), CALL(clock_getres), CALL(clock_nanosleep), CALL(nanosleep),
    CALL(gettimeofday), CALL(time),
    /* files; which, says Landlock */
    CALL(open), CALL(openat), CALL(close), CALL(close_range), CALL(read), CALL(write),
    CALL(readv), CALL(writev), CALL(pread64), CALL(pwrite64), CALL(preadv),
    CALL(pwritev), CALL(lseek), CALL(stat), CALL(lstat), CALL(fstat), CALL(newfstatat),
    CALL(statx), CALL(access), CALL(faccessat), CALL(faccessat2), CALL(fcntl),
    CALL(flock), CALL(fsync), CALL(fdatasync), CALL(syncfs), CALL(sync_file_range),
    CALL(ftruncate), CALL(fallocate), CALL(fadvise64), CALL(unlink), CALL(unlinkat),
    CALL(rename), CALL(renameat), CALL(renameat2), CALL(mkdir), CALL(mkdirat),
    CALL(rmdir), CALL(fchmod), CALL(getdents64), CALL(getcwd), CALL(readlink),
    CALL(readlinkat), CALL(statfs), CALL(fstatfs), CALL(sendfile),
    CALL(copy_file_range), CALL(dup), CALL(dup2), CALL(dup3), CALL(pipe2),
    /* network; which families, says the rule of socket */
    CALL(connect), CALL(bind), CALL(listen), CALL(accept), CALL(accept4), CALL(sendto),
    CALL(sendmsg), CALL(sendmmsg), CALL(recvfrom), CALL(recvmsg), CALL(recvmmsg),
    CALL(getsockname), CALL(getpeername), CALL(getsockopt), CALL(setsockopt),
    CALL(shutdown),
    /* waiting */
    CALL(poll), CALL(ppoll), CALL(select), CALL(pselect6), CALL(epoll_create1),
    CALL(epoll_ctl), CALL(epoll_wait), CALL(epoll_pwait), CALL(epoll_pwait2),
    CALL(eventfd2),
    /* who and where one is */
    CALL(getrandom), CALL(uname), CALL(sysinfo), CALL(getrusage), CALL(getpid),
    CALL(getppid), CALL(getuid), CALL(geteuid), CALL(getgid), CALL(getegid),
    CALL(getrlimit)};

/* Nobody but an intruder, in a program that starts no other. */
static const int deadly[] = {
#ifndef PUSHWIRE_SANITIZED /* which looks at itself through a second process */
    CALL(execve),
    CALL(fork),
    CALL(vfork),
    CALL(ptrace),
    CALL(process_vm_readv),
#endif
    CALL(execveat),
    CALL(process_vm_writev),
    CALL(process_madvise),
    CALL(pidfd_getfd),
    CALL(kcmp),
    CALL(open_by_handle_at),
    CALL(name_to_handle_at),
    CALL(mknod),
    CALL(mknodat),
    CALL(mount),
    CALL(umount2),
    CALL(pivot_root),
    CALL(chroot),
    CALL(open_tree),
    CALL(move_mount),
    CALL(fsopen),
    CALL(fsconfig),
    CALL(fsmount),
    CALL(fspick),
    CALL(mount_setattr),
    CALL(setns),
    CALL(unshare),
    CALL(bpf),
    CALL(perf_event_open),
    CALL(userfaultfd),
    CALL(io_uring_setup),
    CALL(add_key),
    CALL(request_key),
    CALL(keyctl),
    CALL(init_module),
    CALL(finit_module),
    CALL(delete_module),
    CALL(kexec_load),
    CALL(kexec_file_load),
    CALL(iopl),
    CALL(ioperm),
    CALL(modify_ldt),
    CALL(swapon),
    CALL(swapoff),
    CALL(reboot),
    CALL(acct),
    CALL(quotactl),
    CALL(syslog),
    CALL(setuid),
    CALL(setgid),
    CALL(setreuid),
    CALL(setregid),
    CALL(setresuid),
    CALL(setresgid),
    CALL(setgroups),
    CALL(setfsuid),
    CALL(setfsgid),
    CALL(capset),
    CALL(settimeofday),
    CALL(clock_settime),
    CALL(clock_adjtime),
    CALL(adjtimex),
    CALL(sethostname),
    CALL(setdomainname)};

/* What the server waits with is not what a sanitizer needs besides. */
#ifdef PUSHWIRE_SANITIZED
#define OTHERS SCMP_ACT_ALLOW
#else
#define OTHERS SCMP_ACT_ERRNO(EPERM)
#endif

static int
add_lists(scmp_filter_ctx filter)
{
    int rc = 0;

    for (size_t i = 0; rc == 0 && OTHERS != SCMP_ACT_ALLOW && i < ARRAY_LEN(allowed);
         i++)
        rc = seccomp_rule_add(filter, SCMP_ACT_ALLOW, allowed[i], 0);
    for (size_t i = 0; rc == 0 && i < ARRAY_LEN(deadly); i++)
        rc = seccomp_rule_add(filter, SCMP_ACT_KILL_PROCESS, deadly[i], 0);
    return rc;
}

/* The library's macros for these leave out what they do not need, which clang warns of.
 */
static struct scmp_arg_cmp
equals(unsigned arg, uint64_t value)
{
    return (struct scmp_arg_cmp){
        .arg = arg, .op = SCMP_CMP_EQ, .datum_a = value, .datum_b = 0};
}

static struct scmp_arg_cmp
has_bits(unsigned arg, uint64_t mask, uint64_t bits)
{
    return (struct scmp_arg_cmp){
        .arg = arg, .op = SCMP_CMP_MASKED_EQ, .datum_a = mask, .datum_b = bits};
}

static int
allow_if(scmp_filter_ctx filter, int call, struct scmp_arg_cmp condition)
{
    return seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, call, 1, &condition);
}

/* No code but the program's: what is mapped later can be data alone. */
static int
add_memory(scmp_filter_ctx filter)
{
    int rc = allow_if(filter, CALL(mmap), has_bits(2, PROT_EXEC, 0));

    if (rc == 0)
        rc = allow_if(filter, CALL(mprotect), has_bits(2, PROT_EXEC, 0));
    return rc;
}

/* Threads, no processes. The C library falls back to clone, whose flags can be seen,
 * when there is no clone3. A signal goes to oneself. */
static int
add_threads(scmp_filter_ctx filter)
{
    uint64_t self = (uint64_t)getpid();
    int rc = allow_if(filter, CALL(clone), has_bits(0, CLONE_THREAD, CLONE_THREAD));

    if (rc == 0)
        rc = seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), CALL(clone3), 0);
    if (rc == 0)
        rc = allow_if(filter, CALL(tgkill), equals(0, self));
    if (rc == 0)
        rc = allow_if(filter, CALL(prctl), equals(0, PR_SET_NAME));
    /* only to ask */
    if (rc == 0)
        rc = allow_if(filter, CALL(prlimit64), equals(2, 0));
    return rc;
}

static int
add_sockets(scmp_filter_ctx filter)
{
    static const int families[] = {AF_INET, AF_INET6, AF_UNIX};
    int rc = 0;

    for (size_t i = 0; rc == 0 && i < ARRAY_LEN(families); i++)
        rc = allow_if(filter, CALL(socket), equals(0, (uint64_t)families[i]));
    if (rc == 0)
        rc = allow_if(filter, CALL(socketpair), equals(0, AF_UNIX));
    if (rc == 0)
        rc = seccomp_rule_add(filter, SCMP_ACT_KILL_PROCESS, CALL(socket), 1,
                              equals(0, AF_PACKET));
    return rc;
}

static int
add_ioctls(scmp_filter_ctx filter)
{
    static const unsigned long requests[] = {FIONREAD, FIONBIO, TCGETS};
    int rc = 0;

    for (size_t i = 0; rc == 0 && i < ARRAY_LEN(requests); i++)
        rc = allow_if(filter, CALL(ioctl), equals(1, requests[i]));
    return rc;
}

static int
fill(scmp_filter_ctx filter)
{
    int rc = seccomp_attr_set(filter, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);

    /* a tree, not a list of a hundred comparisons */
    if (rc == 0)
        rc = seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, 2);
    if (rc == 0)
        rc = add_lists(filter);
    if (OTHERS == SCMP_ACT_ALLOW)
        return rc;
    if (rc == 0)
        rc = add_memory(filter);
    if (rc == 0)
        rc = add_threads(filter);
    if (rc == 0)
        rc = add_sockets(filter);
    if (rc == 0)
        rc = add_ioctls(filter);
    return rc;
}

int
sandbox_calls(char *how, size_t room, struct err *err)
{
    scmp_filter_ctx filter = seccomp_init(OTHERS);
    int rc = filter ? fill(filter) : -ENOMEM;

    if (rc == 0)
        rc = seccomp_load(filter);
    seccomp_release(filter);
    if (rc == -EINVAL || rc == -ENOSYS)
        return err_set(err, E_NOT_FOUND, "this kernel has no seccomp");
    if (rc != 0)
        return err_set(err, E_IO, "seccomp: %s", strerror(-rc));
    snprintf(how, room, "seccomp");
    return 0;
}
