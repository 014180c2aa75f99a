/* What a request says about its body, checked before the body is read. */
#include <errno.h>
#include <stdlib.h>
#include <strings.h>

#include "api/request.h"
#include "api/router.h"

static const char *
skip_blank(const char *s)
{
    while (*s == ' ' || *s == '\t')
        s++;
    return s;
}

/* Nothing but an optional charset=utf-8 after the type. */
static bool
parameters_ok(const char *s)
{
    static const char *const forms[] = {"charset=utf-8", "charset=\"utf-8\""};

    s = skip_blank(s);
    if (*s == '\0')
        return true;
    if (*s != ';')
        return false;
    s = skip_blank(s + 1);
    for (size_t i = 0; i < ARRAY_LEN(forms); i++) {
        size_t n = strlen(forms[i]);
        if (strncasecmp(s, forms[i], n) == 0)
            return *skip_blank(s + n) == '\0';
    }
    return false;
}

static bool
type_is(const char *header, const char *type)
{
    size_t n = strlen(type);
    return strncasecmp(header, type, n) == 0 && parameters_ok(header + n);
}

static int
type_check(struct api_request *r)
{
    const char *type = httpd_header(r->req, "Content-Type");
    bool once = httpd_header_count(r->req, "Content-Type") == 1;
    bool events = r->route->body == ROUTE_EVENTS || r->route->body == ROUTE_NDJSON;

    if (type && once && r->route->body != ROUTE_NDJSON &&
        type_is(type, "application/json")) {
        r->format = EVENT_FORMAT_JSON;
        return 0;
    }
    if (events && type && once && type_is(type, "application/x-ndjson")) {
        r->format = EVENT_FORMAT_NDJSON;
        return 0;
    }
    static const char *const types[] = {
        [ROUTE_NO_BODY] = "",
        [ROUTE_JSON] = "application/json",
        [ROUTE_JSON_OR_EMPTY] = "application/json",
        [ROUTE_EVENTS] = "application/json or application/x-ndjson",
        [ROUTE_NDJSON] = "application/x-ndjson",
        [ROUTE_SDK] = "",
    };
    api_problem(r, 415, "Content-Type must be %s, in UTF-8", types[r->route->body]);
    return E_INVALID;
}

static size_t
body_max(const struct api_request *r)
{
    switch (r->route->body) {
    case ROUTE_NO_BODY:
        return 0;
    case ROUTE_EVENTS:
    case ROUTE_NDJSON:
        return r->api->options.max_request_bytes;
    case ROUTE_SDK:
        return API_SDK_BODY_MAX;
    case ROUTE_JSON:
    case ROUTE_JSON_OR_EMPTY:
        break;
    }
    return API_CONFIG_BODY_MAX;
}

static int
too_large(struct api_request *r, size_t max)
{
    if (max == 0)
        api_problem(r, 413, "this request takes no body");
    else
        api_problem(r, 413, "the body may have at most %zu bytes", max);
    return E_TOO_LARGE;
}

static int
length_check(struct api_request *r, bool *empty)
{
    const char *text = httpd_header(r->req, "Content-Length");
    size_t max = body_max(r);

    httpd_body_max(r->req, max);
    *empty = !text && !httpd_header(r->req, "Transfer-Encoding");
    if (!text)
        return 0;

    char *end;
    errno = 0;
    unsigned long long length = strtoull(text, &end, 10);
    if (*text < '0' || *text > '9' || *end != '\0') {
        api_problem(r, 400, "Content-Length is not a number");
        return E_INVALID;
    }
    *empty = length == 0;
    return errno == ERANGE || length > max ? too_large(r, max) : 0;
}

int
content_check(struct api_request *r)
{
    bool empty;
    int rc = length_check(r, &empty);
    if (rc != 0 || r->route->body == ROUTE_NO_BODY)
        return rc;
    if (r->route->body == ROUTE_JSON_OR_EMPTY && empty)
        return 0;
    if (httpd_header(r->req, "Content-Encoding")) {
        api_problem(r, 415, "bodies with a Content-Encoding are not taken");
        return E_INVALID;
    }
    return r->route->body == ROUTE_SDK ? 0 : type_check(r);
}
