#include "base/httpd_request.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

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

const char *
http_path_of(const char *target)
{
    const char *path = target;

    if (*path != '/') {
        if (strncmp(path, "http://", 7) != 0 && strncmp(path, "https://", 8) != 0)
            return NULL;
        path = strchr(strstr(path, "://") + 3, '/');
        if (!path)
            return "/";
    }
    for (const char *p = path; *p; p++) {
        if ((unsigned char)*p <= 0x20 || (unsigned char)*p >= 0x7f)
            return NULL;
    }
    return path;
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

const char *
http_framing_add(struct http_framing *framing, struct slice name, struct slice value)
{
    if (!name_ok(name) || !value_ok(value))
        return "a header field has bytes that are not allowed";
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
    if (old)
        framing->expects_continue = false;
    return NULL;
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
