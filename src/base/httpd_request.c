#include "base/httpd_request.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/err.h"
#include "base/httpd_parse.h"
#include "base/mem.h"
#include "base/timefmt.h"

/* ---- query ---- */

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
        } else if (c == '+') {
            c = ' ';
        }
        *out++ = c;
    }
    *out = '\0';
    return 0;
}

static int
add_param(struct http_query *query, struct slice name, struct slice value)
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

int
http_query_parse(struct http_query *query, struct slice text)
{
    while (text.n) {
        const char *end = memchr(text.p, '&', text.n);
        struct slice name = {text.p, end ? (size_t)(end - text.p) : text.n};
        struct slice value = {NULL, 0};
        text.p += name.n + (end != NULL);
        text.n -= name.n + (end != NULL);

        const char *equals = name.n ? memchr(name.p, '=', name.n) : NULL;
        if (equals) {
            size_t n = (size_t)(equals - name.p);
            value = (struct slice){equals + 1, name.n - n - 1};
            name.n = n;
        }
        if (add_param(query, name, value) != 0)
            return E_INVALID;
    }
    return 0;
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
http_answer_init(struct http_answer *answer)
{
    *answer = (struct http_answer){.fd = -1};
}

void
http_answer_fini(struct http_answer *answer)
{
    for (size_t i = 0; i < answer->n_fields; i++) {
        free(answer->fields[i].name);
        free(answer->fields[i].value);
    }
    free(answer->body);
    if (answer->fd >= 0)
        close(answer->fd);
    http_answer_init(answer);
}

void
http_answer_add(struct http_answer *answer, const char *name, const char *value)
{
    assert(!answer->set && answer->n_fields < HTTP_ANSWER_FIELDS_MAX);
    assert(http_name_ok(slice_of(name)) && http_value_ok(slice_of(value)));
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

static const char *
reason_of(unsigned status)
{
    static const struct {
        unsigned status;
        const char *reason;
    } reasons[] = {
        {200, "OK"},
        {201, "Created"},
        {202, "Accepted"},
        {204, "No Content"},
        {301, "Moved Permanently"},
        {302, "Found"},
        {303, "See Other"},
        {304, "Not Modified"},
        {307, "Temporary Redirect"},
        {308, "Permanent Redirect"},
        {400, "Bad Request"},
        {401, "Unauthorized"},
        {403, "Forbidden"},
        {404, "Not Found"},
        {405, "Method Not Allowed"},
        {409, "Conflict"},
        {410, "Gone"},
        {412, "Precondition Failed"},
        {413, "Content Too Large"},
        {414, "URI Too Long"},
        {415, "Unsupported Media Type"},
        {421, "Misdirected Request"},
        {422, "Unprocessable Content"},
        {429, "Too Many Requests"},
        {431, "Request Header Fields Too Large"},
        {500, "Internal Server Error"},
        {502, "Bad Gateway"},
        {503, "Service Unavailable"},
        {504, "Gateway Timeout"},
        {505, "HTTP Version Not Supported"},
        {507, "Insufficient Storage"},
    };

    for (size_t i = 0; i < ARRAY_LEN(reasons); i++)
        if (reasons[i].status == status)
            return reasons[i].reason;
    return "Other";
}

bool
http_status_has_body(unsigned status)
{
    return status >= 200 && status != 204 && status != 304;
}

static void
add_field(struct buf *out, const char *name, const char *value)
{
    buf_adds(out, name);
    buf_add(out, ": ", 2);
    buf_adds(out, value);
    buf_add(out, "\r\n", 2);
}

int
http_answer_head(struct buf *out, const struct http_answer *answer, const char *date,
                 enum http_after after)
{
    buf_addf(out, "HTTP/1.1 %u %s\r\n", answer->status, reason_of(answer->status));
    add_field(out, "Date", date);
    if (after != HTTP_KEEP)
        add_field(out, "Connection", after == HTTP_CLOSE ? "close" : "keep-alive");
    if (answer->type)
        add_field(out, "Content-Type", answer->type);
    for (size_t i = 0; i < answer->n_fields; i++)
        add_field(out, answer->fields[i].name, answer->fields[i].value);
    if (answer->form == HTTP_CHUNKED)
        add_field(out, "Transfer-Encoding", "chunked");
    else if (answer->form == HTTP_LENGTH && http_status_has_body(answer->status))
        buf_addf(out, "Content-Length: %zu\r\n", answer->n);
    buf_add(out, "\r\n", 2);
    return out->failed;
}
