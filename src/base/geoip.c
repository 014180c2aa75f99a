#include "base/geoip.h"

#include <errno.h>
#include <maxminddb.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/mem.h"

struct geoip {
    MMDB_s mmdb;
};

/* The library would wait for a pipe's writer, and has no words for the others. */
static int
check_file(const char *path, struct err *err)
{
    struct stat st;

    if (stat(path, &st) != 0)
        return err_set(err, E_INVALID, "GeoIP database %s: %s", path, strerror(errno));
    if (!S_ISREG(st.st_mode))
        return err_set(err, E_INVALID, "GeoIP database %s: not a file", path);
    if (st.st_size == 0)
        return err_set(err, E_INVALID, "GeoIP database %s: the file is empty", path);
    return 0;
}

static int
open_error(struct err *err, const char *path, int status)
{
    if (status == MMDB_FILE_OPEN_ERROR || status == MMDB_IO_ERROR)
        return err_set(err, E_INVALID, "GeoIP database %s: %s", path, strerror(errno));
    return err_set(err, E_INVALID,
                   "GeoIP database %s: not in the MaxMind DB format, or damaged (%s)",
                   path, MMDB_strerror(status));
}

int
geoip_open(struct geoip **out, const char *path, struct err *err)
{
    int rc = check_file(path, err);
    if (rc != 0)
        return rc;

    struct geoip *geoip = xcalloc(1, sizeof(*geoip));
    int status = MMDB_open(path, MMDB_MODE_MMAP, &geoip->mmdb);
    if (status != MMDB_SUCCESS) {
        rc = open_error(err, path, status);
        free(geoip);
        return rc;
    }
    *out = geoip;
    return 0;
}

void
geoip_close(struct geoip *geoip)
{
    if (!geoip)
        return;
    MMDB_close(&geoip->mmdb);
    free(geoip);
}

/* An IPv4 address in IPv6 clothes, as a listener on [::] sees them, is looked up as
 * what it is; false for a family that no database knows. */
static bool
find_entry(const MMDB_s *mmdb, const struct sockaddr *sa, MMDB_entry_s *entry)
{
    struct sockaddr_in v4 = {.sin_family = AF_INET};
    struct sockaddr_in6 v6;
    int status;

    if (sa->sa_family == AF_INET6) {
        memcpy(&v6, sa, sizeof(v6));
        if (IN6_IS_ADDR_V4MAPPED(&v6.sin6_addr)) {
            memcpy(&v4.sin_addr, &v6.sin6_addr.s6_addr[12], sizeof(v4.sin_addr));
            sa = (const struct sockaddr *)&v4;
        }
    } else if (sa->sa_family != AF_INET) {
        return false;
    }
    MMDB_lookup_result_s found = MMDB_lookup_sockaddr(mmdb, sa, &status);
    *entry = found.entry;
    return status == MMDB_SUCCESS && found.found_entry;
}

static bool
is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* The code under this name; false for whatever else a broken database holds there. */
static bool
read_code(MMDB_entry_s *entry, const char *name, char out[3])
{
    MMDB_entry_data_s data;

    if (MMDB_get_value(entry, &data, name, "iso_code", NULL) != MMDB_SUCCESS ||
        !data.has_data || data.type != MMDB_DATA_TYPE_UTF8_STRING ||
        data.data_size != 2 || !is_letter(data.utf8_string[0]) ||
        !is_letter(data.utf8_string[1]))
        return false;
    out[0] = (char)(data.utf8_string[0] & ~0x20);
    out[1] = (char)(data.utf8_string[1] & ~0x20);
    out[2] = '\0';
    return true;
}

bool
geoip_country(const struct geoip *geoip, const struct sockaddr *sa, char out[3])
{
    MMDB_entry_s entry;

    return find_entry(&geoip->mmdb, sa, &entry) &&
           (read_code(&entry, "country", out) ||
            read_code(&entry, "registered_country", out));
}
