#include "base/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/close_range.h>
#include <linux/securebits.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Of getpwnam_r: a line of /etc/passwd. */
#define USER_ROOM 4096

void
sandbox_clean(void)
{
    /* Else the database could be given the number that the log goes to. */
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
        if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", O_RDWR | O_NOCTTY) != fd)
            abort();
    close_range(STDERR_FILENO + 1, ~0U, 0);
    umask(077);
}

void
sandbox_close_on_exec(void)
{
    close_range(STDERR_FILENO + 1, ~0U, CLOSE_RANGE_CLOEXEC); /* Linux 5.11 */
}

/* None can be had again. Only root may do this; for others no_new_privs comes to the
 * same. */
static void
forget_capabilities(void)
{
    for (unsigned long cap = 0; prctl(PR_CAPBSET_READ, cap, 0, 0, 0) >= 0; cap++)
        (void)prctl(PR_CAPBSET_DROP, cap, 0, 0, 0);
}

/* ---- the user ---- */

static int
find_user(const char *name, struct passwd *user, char room[USER_ROOM], struct err *err)
{
    struct passwd *found;
    int rc = getpwnam_r(name, user, room, USER_ROOM, &found);

    if (rc != 0)
        return err_set(err, E_IO, "user %s: %s", name, strerror(rc));
    if (!found)
        return err_set(err, E_NOT_FOUND, "there is no user %s", name);
    if (user->pw_uid == 0)
        return err_set(err, E_INVALID,
                       "%s is root: name a user that owns nothing but the data", name);
    return 0;
}

/* The folder is looked at through its descriptor, so that what is judged is what is
 * given away. */
static int
own_folder(const char *dir, const struct passwd *user, struct err *err)
{
    struct stat st;
    bool made = mkdir(dir, 0700) == 0;

    if (!made && errno != EEXIST)
        return err_set(err, E_IO, "%s: %s", dir, strerror(errno));
    int fd = open(dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return err_set(err, E_IO, "%s: %s", dir, strerror(errno));
    int rc = 0;
    if (made && fchown(fd, user->pw_uid, user->pw_gid) != 0)
        rc = err_set(err, E_IO, "%s: give it to %s: %s", dir, user->pw_name,
                     strerror(errno));
    else if (fstat(fd, &st) != 0)
        rc = err_set(err, E_IO, "%s: %s", dir, strerror(errno));
    else if (st.st_uid != user->pw_uid)
        rc = err_set(err, E_INVALID,
                     "%s belongs to another user (uid %u): chown -R %s it first", dir,
                     st.st_uid, user->pw_name);
    close(fd);
    return rc;
}

static bool
is_user(const struct passwd *user)
{
    uid_t ruid, euid, suid;
    gid_t rgid, egid, sgid;

    return getresuid(&ruid, &euid, &suid) == 0 && getresgid(&rgid, &egid, &sgid) == 0 &&
           ruid == user->pw_uid && euid == user->pw_uid && suid == user->pw_uid &&
           rgid == user->pw_gid && egid == user->pw_gid && sgid == user->pw_gid;
}

int
sandbox_become(const char *name, const char *dir, struct err *err)
{
    char room[USER_ROOM];
    struct passwd user;

    int rc = find_user(name, &user, room, err);
    if (rc != 0)
        return rc;
    if (geteuid() != 0) {
        if (is_user(&user))
            return 0;
        return err_set(err, E_INVALID, "only root can become %s", name);
    }
    rc = own_folder(dir, &user, err);
    if (rc != 0)
        return rc;
    forget_capabilities();
    if (setgroups(1, &user.pw_gid) != 0 ||
        setresgid(user.pw_gid, user.pw_gid, user.pw_gid) != 0 ||
        setresuid(user.pw_uid, user.pw_uid, user.pw_uid) != 0)
        return err_set(err, E_IO, "become %s: %s", name, strerror(errno));
    if (!is_user(&user) || getgroups(0, NULL) != 1 || setresuid(0, 0, 0) == 0)
        return err_set(err, E_IO, "become %s: it did not hold", name);
    return 0;
}

/* ---- capabilities ---- */

/* A sanitizer looks at its own process from outside when it ends. */
static int
hide_memory(void)
{
#ifdef PUSHWIRE_SANITIZED
    return 0;
#else
    return prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
#endif
}

/* Being root stands for no capability, for good. */
static void
unmake_root(void)
{
    forget_capabilities();
    (void)prctl(PR_SET_SECUREBITS,
                SECBIT_NOROOT | SECBIT_NOROOT_LOCKED | SECBIT_NO_SETUID_FIXUP |
                    SECBIT_NO_SETUID_FIXUP_LOCKED | SECBIT_KEEP_CAPS_LOCKED |
                    SECBIT_NO_CAP_AMBIENT_RAISE | SECBIT_NO_CAP_AMBIENT_RAISE_LOCKED,
                0, 0, 0);
}

static int
drop_capabilities(struct err *err)
{
    const struct rlimit none = {0, 0};
    struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {{0}};

    unmake_root();
    (void)prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0); /* Linux 4.3 */
    /* It may be forbidden; what counts is that there is none. */
    (void)syscall(SYS_capset, &head, data);
    if (syscall(SYS_capget, &head, data) != 0 ||
        (data[0].effective | data[0].permitted | data[0].inheritable |
         data[1].effective | data[1].permitted | data[1].inheritable) != 0)
        return err_set(err, E_IO, "drop capabilities: they did not go");
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
        return err_set(err, E_IO, "no_new_privs: %s", strerror(errno));
    if (hide_memory() != 0 || setrlimit(RLIMIT_CORE, &none) != 0)
        return err_set(err, E_IO, "no core dumps: %s", strerror(errno));
    return 0;
}

/* ---- all of it ---- */

static int
enter_layer(struct sandbox *sandbox, enum sandbox_layer layer, struct err *err)
{
    char *how = sandbox->how[layer];

    switch (layer) {
    case SANDBOX_CAPABILITIES:
        snprintf(how, sizeof(sandbox->how[layer]), "none");
        return drop_capabilities(err);
    case SANDBOX_FILES:
        return sandbox_files(sandbox, how, sizeof(sandbox->how[layer]), err);
    case SANDBOX_CALLS:
        return sandbox_calls(how, sizeof(sandbox->how[layer]), err);
    case SANDBOX_LAYERS:
        break;
    }
    return 0;
}

int
sandbox_enter(struct sandbox *sandbox, struct err *err)
{
    for (unsigned i = 0; i < SANDBOX_LAYERS; i++) {
        int rc = enter_layer(sandbox, (enum sandbox_layer)i, err);
        sandbox->held[i] = rc == 0;
        if (rc == 0)
            continue;
        if (rc != E_NOT_FOUND || sandbox->all_layers)
            return err_wrap(err, "sandbox");
        snprintf(sandbox->how[i], sizeof(sandbox->how[i]), "off: %.50s", err->text);
    }
    return 0;
}
