/* Landlock: one folder may be changed, and some may be read. */
#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/sandbox.h"

/* What the kernel has learned since Debian 12's header was made, by version of its
 * interface. */
#define FS_TRUNCATE  (1ULL << 14) /* 3 */
#define FS_IOCTL_DEV (1ULL << 15) /* 5 */
#define SCOPES       3ULL         /* 6: abstract sockets and signals of others */

struct attributes {
    uint64_t fs;
    uint64_t net;
    uint64_t scoped;
};

#define READ_FILE LANDLOCK_ACCESS_FS_READ_FILE
#define READ      (READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR)
#define WRITE                                                                          \
    (READ | LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_REMOVE_FILE |           \
     LANDLOCK_ACCESS_FS_REMOVE_DIR | LANDLOCK_ACCESS_FS_MAKE_REG |                     \
     LANDLOCK_ACCESS_FS_MAKE_DIR | LANDLOCK_ACCESS_FS_REFER | FS_TRUNCATE)
/* Everything that there is, so that what no rule allows is refused. */
#define FS_SINCE_1 ((LANDLOCK_ACCESS_FS_MAKE_SYM << 1) - 1)

/* What any program may read: the loader's and the resolver's files, certificates, time
 * zones. */
static const char *const for_all[] = {
    "/etc/gai.conf", "/etc/host.conf", "/etc/hosts", "/etc/ld.so.cache",
    "/etc/localtime", "/etc/nsswitch.conf", "/etc/resolv.conf", "/etc/services",
    "/etc/protocols", "/etc/ssl/certs", "/etc/ssl/openssl.cnf",
    "/usr/share/ca-certificates", "/usr/local/share/ca-certificates",
    "/usr/share/zoneinfo", "/usr/lib", "/lib", "/lib64", "/dev/null", "/dev/urandom",
    "/sys/devices/system/cpu", "/proc/sys/vm/overcommit_memory",
    /* resolv.conf is a link to one of these folders where such a resolver runs */
    "/run/systemd/resolve", "/run/resolvconf", "/run/NetworkManager",
#ifdef PUSHWIRE_SANITIZED
    "/", /* a report names the places in the program's own file, and reads /proc */
#endif
};

static uint64_t
known_fs(int version)
{
    uint64_t fs = FS_SINCE_1;

    if (version >= 2)
        fs |= LANDLOCK_ACCESS_FS_REFER;
    if (version >= 3)
        fs |= FS_TRUNCATE;
    if (version >= 5)
        fs |= FS_IOCTL_DEV;
    return fs;
}

static int
make_rules(int version, struct err *err)
{
    struct attributes attributes = {
        .fs = known_fs(version),
        .net = 0,
        .scoped = version >= 6 ? SCOPES : 0,
    };
    size_t size = version >= 6   ? sizeof(attributes)
                  : version >= 4 ? offsetof(struct attributes, scoped)
                                 : offsetof(struct attributes, net);

    long fd = syscall(SYS_landlock_create_ruleset, &attributes, size, 0);
    if (fd < 0)
        return err_set(err, E_IO, "landlock: %s", strerror(errno));
    return (int)fd;
}

/* A path that is not there, or may not be looked at, needs no rule. */
static int
allow(int rules, const char *path, uint64_t access, struct err *err)
{
    struct stat st;
    int fd = open(path, O_PATH | O_CLOEXEC);

    if (fd < 0)
        return 0;
    if (fstat(fd, &st) == 0 && !S_ISDIR(st.st_mode))
        access &= READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE;
    struct landlock_path_beneath_attr rule = {.allowed_access = access,
                                              .parent_fd = fd};
    int rc = 0;
    if (syscall(SYS_landlock_add_rule, rules, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) !=
        0)
        rc = err_set(err, E_IO, "landlock: %s: %s", path, strerror(errno));
    close(fd);
    return rc;
}

static int
allow_all(int rules, const struct sandbox *sandbox, uint64_t known, struct err *err)
{
    int rc = allow(rules, sandbox->writable, WRITE & known, err);

    for (size_t i = 0; rc == 0 && i < ARRAY_LEN(for_all); i++)
        rc = allow(rules, for_all[i], READ, err);
    for (size_t i = 0; rc == 0 && i < sandbox->n_readable; i++)
        rc = allow(rules, sandbox->readable[i], READ, err);
    return rc;
}

int
sandbox_files(const struct sandbox *sandbox, char *how, size_t room, struct err *err)
{
    long version =
        syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
    if (version < 1)
        return err_set(err, E_NOT_FOUND, "this kernel has no Landlock");

    int rules = make_rules((int)version, err);
    if (rules < 0)
        return rules;
    int rc = allow_all(rules, sandbox, known_fs((int)version), err);
    if (rc == 0 && syscall(SYS_landlock_restrict_self, rules, 0) != 0)
        rc = err_set(err, E_IO, "landlock: %s", strerror(errno));
    close(rules);
    snprintf(how, room, "landlock %ld", version);
    return rc;
}
