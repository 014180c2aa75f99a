#include "store/look.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/file.h>
#include <unistd.h>

#include "store/sqlite_private.h"

/* The header of SQLite's file format: its magic, and two big-endian numbers. */
#define HEADER         100
#define AT_VERSION     60
#define AT_APPLICATION 68

static uint32_t
number_at(const uint8_t *header, size_t at)
{
    return (uint32_t)header[at] << 24 | (uint32_t)header[at + 1] << 16 |
           (uint32_t)header[at + 2] << 8 | header[at + 3];
}

/* Shared and for a moment, so that two who look do not see each other. */
static bool
is_in_use(const char *dir)
{
    char *path = sqlite_path_in(dir, "pushwire.lock");
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    bool in_use = fd >= 0 && flock(fd, LOCK_SH | LOCK_NB) < 0 && errno == EWOULDBLOCK;

    if (fd >= 0)
        close(fd);
    free(path);
    return in_use;
}

static int
read_header(const char *path, struct store_look *out, struct err *err)
{
    uint8_t header[HEADER];
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd < 0 && errno == ENOENT)
        return 0;
    out->exists = true;
    if (fd < 0)
        return err_set(err, E_IO, "%s: %s", path, strerror(errno));
    ssize_t n = pread(fd, header, sizeof(header), 0);
    close(fd);
    if (n == 0)
        return 0;
    if (n != HEADER || memcmp(header, "SQLite format 3", 16) != 0)
        return err_set(err, E_INVALID, "%s is no database", path);
    /* Of a new one whose server runs all is in its log still. */
    if (number_at(header, AT_APPLICATION) == 0 && number_at(header, AT_VERSION) == 0)
        return 0;
    if (number_at(header, AT_APPLICATION) != SQLITE_APPLICATION_ID)
        return err_set(err, E_INVALID, "%s is a database of another program", path);
    out->schema = (int)number_at(header, AT_VERSION);
    return 0;
}

int
store_look(const char *dir, struct store_look *out, struct err *err)
{
    char *damage = sqlite_path_in(dir, "pushwire.damaged");
    char *path = sqlite_path_in(dir, "pushwire.db");

    *out = (struct store_look){
        .in_use = is_in_use(dir),
        .newest = sqlite_schema_version,
        .damaged = access(damage, F_OK) == 0,
    };
    int rc = read_header(path, out, err);
    free(path);
    free(damage);
    return rc;
}
