/* The dashboard and the API's reference: files out of the binary, for browsers and
 * nobody else's pages. */
#include "api/dashboard.h"

#include <stdio.h>
#include <strings.h>

#include "api/resources.h"
#include "base/mem.h"

/* Nothing from elsewhere, nothing inline, nothing in a frame, no form that a browser
 * sends by itself. Styles that scripts set on elements are none of style-src. */
static const char policy[] =
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; form-action 'none'; base-uri 'none'; frame-ancestors 'none'";

static const struct {
    const char *name, *value;
} headers[] = {
    {"Content-Security-Policy", policy},
    {"X-Content-Type-Options", "nosniff"},
    {"X-Frame-Options", "DENY"},
    {"Referrer-Policy", "no-referrer"},
    {"Permissions-Policy",
     "camera=(), geolocation=(), microphone=(), payment=(), usb=()"},
    {"Cross-Origin-Opener-Policy", "same-origin"},
    {"Cross-Origin-Resource-Policy", "same-origin"},
    {"Vary", "Accept-Encoding"},
};

/* ---- what the client has and takes ---- */

/* The next member of a list in a header, without the spaces around it; false at its
 * end. */
static bool
next_member(const char **at, struct slice *member)
{
    if (!**at)
        return false;
    size_t n = strcspn(*at, ",");
    *member = slice_trim((struct slice){*at, n});
    *at += n + ((*at)[n] == ',');
    return true;
}

/* Any form of a file will do: the bytes say the same. */
static bool
has_digest(struct slice tag, const char *digest)
{
    if (tag.n >= 2 && memcmp(tag.p, "W/", 2) == 0)
        tag = (struct slice){tag.p + 2, tag.n - 2};
    size_t n = strlen(digest);
    if (tag.n < n + 2 || tag.p[0] != '"' || memcmp(tag.p + 1, digest, n) != 0)
        return false;
    struct slice rest = {tag.p + 1 + n, tag.n - 1 - n};
    return slice_is(rest, "\"") || slice_is(rest, "-gzip\"");
}

static bool
is_known(const struct httpd_req *req, const struct dashboard_file *file)
{
    const char *at = httpd_header(req, "If-None-Match");
    struct slice tag;

    while (at && next_member(&at, &tag))
        if (slice_is(tag, "*") || has_digest(tag, file->digest))
            return true;
    return false;
}

/* Whether the weight behind a coding is one that says no: q=0, q=0.0 … */
static bool
is_refused(struct slice weight)
{
    if (weight.n < 3 || strncasecmp(weight.p, "q=0", 3) != 0)
        return false;
    for (size_t i = 3; i < weight.n; i++)
        if (weight.p[i] != '.' && weight.p[i] != '0')
            return false;
    return true;
}

static bool
takes_gzip(const struct httpd_req *req)
{
    const char *at = httpd_header(req, "Accept-Encoding");
    struct slice member;

    while (at && next_member(&at, &member)) {
        const char *mark = memchr(member.p, ';', member.n);
        size_t n = mark ? (size_t)(mark - member.p) : member.n;
        struct slice coding = slice_trim((struct slice){member.p, n});
        if (coding.n != 4 || strncasecmp(coding.p, "gzip", 4) != 0)
            continue;
        return !mark ||
               !is_refused(slice_trim((struct slice){mark + 1, member.n - n - 1}));
    }
    return false;
}

/* ---- the answer ---- */

static const struct dashboard_file *
find_in(const struct dashboard_file *files, size_t n, const char *path)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(files[i].path, path) == 0)
            return &files[i];
    return NULL;
}

static const struct dashboard_file *
find_file(const char *path)
{
    const struct dashboard_file *file =
        find_in(dashboard_files, dashboard_n_files, path);
    return file ? file : find_in(reference_files, reference_n_files, path);
}

static void
add_headers(struct httpd_req *req, const struct dashboard_file *file, bool packed)
{
    char tag[80];

    for (size_t i = 0; i < ARRAY_LEN(headers); i++)
        httpd_answer_header(req, headers[i].name, headers[i].value);
    snprintf(tag, sizeof(tag), "\"%s%s\"", file->digest, packed ? "-gzip" : "");
    httpd_answer_header(req, "ETag", tag);
    httpd_answer_header(req, "Cache-Control",
                        file->hashed ? "public, max-age=31536000, immutable"
                                     : "no-cache");
}

void
dashboard_file(struct api_request *r)
{
    const struct dashboard_file *file = find_file(httpd_path(r->req));

    if (!file) {
        api_problem(
            r, 404,
            "no such file: the dashboard is at /, the API's reference at /docs");
        return;
    }
    bool packed = file->gzip && takes_gzip(r->req);
    add_headers(r->req, file, packed);
    if (is_known(r->req, file)) {
        api_answer(r->req, 304, NULL, NULL, 0);
        return;
    }
    if (packed)
        httpd_answer_header(r->req, "Content-Encoding", "gzip");
    size_t n = packed ? file->gzip_n : file->n;
    char *copy = xmalloc(n);
    memcpy(copy, packed ? file->gzip : file->bytes, n);
    api_answer(r->req, 200, file->type, copy, n);
}
