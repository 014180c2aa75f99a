#include "base/httpd_request.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <unistd.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/timefmt.h"

static bool
is_alnum(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* A token (RFC 9110 5.6.2). */
static bool
name_ok(struct slice name)
{
    for (size_t i = 0; i < name.n; i++) {
        char c = name.p[i];
        if (!is_alnum(c) && (c == '\0' || !strchr("-_!#$%&'*+.^`|~", c)))
            return false;
    }
    return name.n > 0;
}

static bool
value_ok(struct slice value)
{
    for (size_t i = 0; i < value.n; i++) {
        unsigned char c = (unsigned char)value.p[i];
        if ((c < 0x20 && c != '\t') || c == 0x7f)
            return false;
    }
    return true;
}

/* A host, also [an IPv6 one], and a port; not whether they make sense. */
static bool
host_ok(struct slice host)
{
    for (size_t i = 0; i < host.n; i++) {
        char c = host.p[i];
        if (!is_alnum(c) && (c == '\0' || !strchr("-._~%!$&'()*+,;=:[]", c)))
            return false;
    }
    return host.n > 0;
}

bool
http_target_ok(struct slice target)
{
    bool in_query = false;

    for (size_t i = 0; i < target.n; i++) {
        unsigned char c = (unsigned char)target.p[i];
        if (c <= 0x20 || c == 0x7f || (c > 0x7f && !in_query))
            return false;
        in_query = in_query || c == '?';
    }
    return target.n > 0 && target.p[0] == '/';
}

static bool
parse_length(struct slice text, uint64_t *out)
{
    uint64_t value = 0;

    for (size_t i = 0; i < text.n; i++) {
        if (text.p[i] < '0' || text.p[i] > '9' || value > (INT64_MAX - 9) / 10)
            return false;
        value = value * 10 + (unsigned)(text.p[i] - '0');
    }
    if (text.n == 0)
        return false;
    *out = value;
    return true;
}

static bool
named(struct slice name, const char *other)
{
    return name.n == strlen(other) && strncasecmp(name.p, other, name.n) == 0;
}

/* A name that only begins like the other, as a folded line would make it. */
static bool
named_longer(struct slice name, const char *other)
{
    size_t n = strlen(other);

    return name.n > n && strncasecmp(name.p, other, n) == 0;
}

const char *
http_framing_add(struct http_framing *framing, struct slice name, struct slice value)
{
    if (!name_ok(name) || !value_ok(value))
        return "a header field has bytes that are not allowed";
    if (named_longer(name, "Content-Length") || named_longer(name, "Transfer-Encoding"))
        return "a header field's name is not one";
    if (named(name, "Content-Length")) {
        framing->lengths++;
        if (!parse_length(value, &framing->length))
            return "Content-Length is not a number";
    } else if (named(name, "Transfer-Encoding")) {
        framing->encodings++;
        framing->chunked = named(value, "chunked");
        if (!framing->chunked)
            return "the only Transfer-Encoding understood is chunked";
    } else if (named(name, "Host")) {
        framing->hosts++;
        if (!host_ok(value))
            return "Host is not a host";
    } else if (named(name, "Expect")) {
        framing->expects_continue = named(value, "100-continue");
    }
    return NULL;
}

const char *
http_framing_check(struct http_framing *framing, const char *version)
{
    bool old = strcmp(version, "HTTP/1.0") == 0;

    if (framing->lengths + framing->encodings > 1)
        return "more than one of Content-Length and Transfer-Encoding";
    if (framing->encodings && old)
        return "HTTP/1.0 has no Transfer-Encoding";
    if (framing->hosts > 1)
        return "more than one Host";
    if (framing->hosts == 0 && !old)
        return "a Host is missing";
    if (old)
        framing->expects_continue = false;
    return NULL;
}

/* ---- every byte of the header block ---- */

#define LINE_END 2 /* CR LF, which have become NULs */

static bool
ends_line(const char *p)
{
    return p[0] == '\0' && p[1] == '\0';
}

/* The pointers are compared as numbers: those of a folded line are elsewhere. */
static bool
is_at(const char *p, const char *where, size_t n)
{
    return (uintptr_t)p == (uintptr_t)where + n;
}

bool
http_block_start(struct http_block *block, const char *method, size_t n,
                 struct slice target, const char *version)
{
    size_t version_n = strlen(version);

    if (!name_ok(slice_of(method)) || !is_at(target.p, method, strlen(method) + 1) ||
        !is_at(version, target.p, target.n + 1))
        return false;
    size_t line = (size_t)(version - method) + version_n;
    if (n < line + LINE_END + LINE_END || !ends_line(method + line))
        return false;
    block->at = method + line + LINE_END;
    block->end = method + n;
    return true;
}

bool
http_block_field(struct http_block *block, struct slice name, struct slice value)
{
    if (!is_at(name.p, block->at, 0) || !value.p)
        return false;
    const char *p = name.p + name.n + 1; /* behind the colon */
    uintptr_t last = (uintptr_t)block->end - LINE_END - LINE_END;
    if ((uintptr_t)value.p < (uintptr_t)p || (uintptr_t)value.p > last ||
        value.n > last - (uintptr_t)value.p)
        return false;
    while (p < value.p && (*p == ' ' || *p == '\t'))
        p++;
    if (p != value.p || !ends_line(value.p + value.n))
        return false;
    block->at = value.p + value.n + LINE_END;
    return true;
}

bool
http_block_end(const struct http_block *block)
{
    return is_at(block->end, block->at, LINE_END) && ends_line(block->at);
}

/* ---- query ---- */

static int
hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

/* Writes at most text.n bytes and a NUL. */
static int
percent_decode(char *out, struct slice text)
{
    for (size_t i = 0; i < text.n; i++) {
        char c = text.p[i];
        if (c == '%') {
            int high = text.n - i > 2 ? hex_value(text.p[i + 1]) : -1;
            int low = text.n - i > 2 ? hex_value(text.p[i + 2]) : -1;
            if (high < 0 || low < 0 || high + low == 0)
                return E_INVALID;
            c = (char)(high * 16 + low);
            i += 2;
        }
        *out++ = c;
    }
    *out = '\0';
    return 0;
}

int
http_query_add(struct http_query *query, struct slice name, struct slice value)
{
    struct http_param param = {0};

    if (query->n == HTTP_QUERY_MAX)
        return E_INVALID;
    param.name = xmalloc(name.n + 1 + value.n + 1);
    if (percent_decode(param.name, name) != 0)
        goto invalid;
    if (value.p) {
        param.value = param.name + name.n + 1;
        if (percent_decode(param.value, value) != 0)
            goto invalid;
    }
    query->params = xrealloc(query->params, (query->n + 1) * sizeof(param));
    query->params[query->n++] = param;
    return 0;
invalid:
    free(param.name);
    return E_INVALID;
}

const char *
http_query_find(const struct http_query *query, const char *name)
{
    for (size_t i = 0; i < query->n; i++) {
        if (strcmp(query->params[i].name, name) == 0)
            return query->params[i].value ? query->params[i].value : "";
    }
    return NULL;
}

void
http_query_fini(struct http_query *query)
{
    for (size_t i = 0; i < query->n; i++)
        free(query->params[i].name);
    free(query->params);
    *query = (struct http_query){0};
}

/* ---- answers ---- */

void
http_answer_fini(struct http_answer *answer)
{
    for (size_t i = 0; i < answer->n_fields; i++) {
        free(answer->fields[i].name);
        free(answer->fields[i].value);
    }
    if (answer->is_file && answer->fd >= 0)
        close(answer->fd);
    free(answer->body);
    answer->body = NULL;
    answer->n_fields = 0;
}

void
http_answer_add(struct http_answer *answer, const char *name, const char *value)
{
    assert(!answer->set && answer->n_fields < HTTP_FIELDS_MAX);
    assert(name_ok(slice_of(name)) && value_ok(slice_of(value)));
    answer->fields[answer->n_fields++] =
        (struct http_field){xstrdup(name), xstrdup(value)};
}

void
http_date_format(char out[HTTP_DATE_TEXT], msec_t unix_ms)
{
    static const char days[] = "ThuFriSatSunMonTueWed"; /* 1970 began on a Thursday */
    static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    char iso[TIME_TEXT]; /* 2024-03-04T09:50:51.375Z */

    time_format(iso, unix_ms);
    size_t day = (size_t)(unix_ms / 86400000 % 7);
    size_t month = (size_t)((iso[5] - '0') * 10 + iso[6] - '1');
    snprintf(out, HTTP_DATE_TEXT, "%.3s, %.2s %.3s %.4s %.8s GMT", days + 3 * day,
             iso + 8, months + 3 * month, iso, iso + 11);
}

int
http_answer_format(struct buf *out, const struct http_answer *answer,
                   const char *reason, msec_t now_ms, bool with_body)
{
    char date[HTTP_DATE_TEXT];

    http_date_format(date, now_ms);
    buf_addf(out, "HTTP/1.1 %u %s\r\nDate: %s\r\nConnection: close\r\n", answer->status,
             reason, date);
    if (answer->type)
        buf_addf(out, "Content-Type: %s\r\n", answer->type);
    for (size_t i = 0; i < answer->n_fields; i++)
        buf_addf(out, "%s: %s\r\n", answer->fields[i].name, answer->fields[i].value);
    buf_addf(out, "Content-Length: %zu\r\n\r\n", answer->n);
    if (with_body)
        buf_add(out, answer->body, answer->n);
    return out->failed;
}

/* ---- what a request holds ---- */

const char *
httpd_method(const struct httpd_req *req)
{
    return req->method;
}

const char *
httpd_path(const struct httpd_req *req)
{
    return req->path;
}

const char *
httpd_query(const struct httpd_req *req, const char *name)
{
    return http_query_find(&req->query, name);
}

void
httpd_query_each(const struct httpd_req *req,
                 void (*each)(void *ctx, const char *name, const char *value),
                 void *ctx)
{
    for (size_t i = 0; i < req->query.n; i++)
        each(ctx, req->query.params[i].name, req->query.params[i].value);
}

void
httpd_body_max(struct httpd_req *req, size_t bytes)
{
    assert(req->stage == STAGE_READING && req->body.n == 0);
    req->max_body_bytes = bytes;
}

struct slice
httpd_body(const struct httpd_req *req)
{
    return buf_slice(&req->body);
}

usec_t
httpd_started_us(const struct httpd_req *req)
{
    return req->started_us;
}

void
httpd_set_user(struct httpd_req *req, void *user)
{
    req->user = user;
}

void *
httpd_user(const struct httpd_req *req)
{
    return req->user;
}
