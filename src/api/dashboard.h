/* Files in the binary: the dashboard's, which scripts/dashboard.py makes of dashboard/
 * (or dashboard_none.c in a build without), and the API's document and its reference,
 * which scripts/reference.py makes of openapi/. */
#pragma once

#include "base/types.h"

struct dashboard_file {
    const char *path;   /* "/", "/assets/…", "/docs…" */
    const char *type;   /* its Content-Type */
    const char *digest; /* of the bytes, for its ETag */
    bool hashed;        /* its name says what is in it: it never changes */
    const unsigned char *bytes;
    size_t n;
    const unsigned char *gzip; /* the same, compressed; NULL where that is longer */
    size_t gzip_n;
};

extern const struct dashboard_file dashboard_files[];
extern const size_t dashboard_n_files;
extern const struct dashboard_file reference_files[];
extern const size_t reference_n_files;
