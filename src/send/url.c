#include "send/url.h"

#include <arpa/inet.h>
#include <assert.h>
#include <curl/curl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include "send/guard.h"

#define LABEL_MAX 63

/* What stands where in a URL that is being read. */
struct reading {
    const struct guard *guard;
    struct err *err;
    struct url *url;
    bool has_port;
};

static bool
starts_with(const char *text, const char *lower)
{
    return strncasecmp(text, lower, strlen(lower)) == 0;
}

static bool
ends_with(const char *text, const char *lower)
{
    size_t n = strlen(text), m = strlen(lower);
    return n >= m && strcasecmp(text + n - m, lower) == 0;
}

static int
check_characters(const char *url, struct err *err)
{
    if (strnlen(url, WEBHOOK_URL_MAX + 1) > WEBHOOK_URL_MAX)
        return err_set(err, E_INVALID, "a URL has at most %d characters",
                       WEBHOOK_URL_MAX);
    for (const char *at = url; *at; at++) {
        if (*at <= ' ' || *at > '~')
            return err_set(err, E_INVALID,
                           "a URL is made of visible ASCII: write the rest"
                           " percent-encoded, and a host as xn--");
        if (strchr("\\\"<>^`{|}", *at))
            return err_set(err, E_INVALID, "a URL has no %c: write it as %%%02X", *at,
                           (unsigned)*at);
        if (*at == '#')
            return err_set(err, E_INVALID,
                           "a URL for calls has no fragment (#): it is never sent");
    }
    return 0;
}

/* ---- the scheme ---- */

/* Gives what follows it. */
static int
read_scheme(const struct reading *reading, const char **text)
{
    bool http = reading->guard->http || reading->guard->development;

    if (starts_with(*text, "https://")) {
        *text += strlen("https://");
        reading->url->https = true;
    } else if (http && starts_with(*text, "http://")) {
        *text += strlen("http://");
    } else {
        return err_set(reading->err, E_INVALID,
                       http ? "a URL begins with https:// or http://"
                            : "a URL begins with https://");
    }
    return 0;
}

/* ---- the port ---- */

static int
read_port(struct reading *reading, const char *text)
{
    unsigned port = 0;
    size_t n = 0;

    for (; text[n] >= '0' && text[n] <= '9' && n < 6; n++)
        port = port * 10 + (unsigned)(text[n] - '0');
    if (n == 0 || text[n] || port == 0 || port > 65535)
        return err_set(reading->err, E_INVALID, "a port is a number from 1 to 65535");
    reading->url->port = (uint16_t)port;
    reading->has_port = true;
    return 0;
}

static uint16_t
default_port(const struct url *url)
{
    return url->https ? 443 : 80;
}

static int
check_port(const struct reading *reading)
{
    const struct guard *guard = reading->guard;
    const struct url *url = reading->url;

    if (guard_port_known(guard, url->port))
        return 0;
    return err_set(reading->err, E_INVALID, "port %u is not one for calls%s", url->port,
                   guard->n_ports == 2 && guard_port_known(guard, 443) &&
                           guard_port_known(guard, 8443)
                       ? ": 443 or 8443"
                       : "");
}

/* ---- the host ---- */

static int
check_label(const char *label, size_t n, struct err *err)
{
    if (n == 0)
        return err_set(err, E_INVALID, "the host has an empty label");
    if (n > LABEL_MAX)
        return err_set(err, E_INVALID,
                       "a label of the host has more than %d characters", LABEL_MAX);
    for (size_t i = 0; i < n; i++) {
        char c = label[i];
        bool ok = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                  (c >= '0' && c <= '9') || c == '-' || c == '_';
        if (!ok)
            return err_set(err, E_INVALID, "a host has no %c", c);
    }
    if (label[0] == '-' || label[n - 1] == '-')
        return err_set(err, E_INVALID,
                       "a label of the host neither begins nor ends with -");
    return 0;
}

static int
check_labels(const char *host, struct err *err)
{
    if (strlen(host) > URL_HOST_MAX)
        return err_set(err, E_INVALID, "a host has at most %d characters",
                       URL_HOST_MAX);
    for (const char *label = host;; label++) {
        size_t n = strcspn(label, ".");
        int rc = check_label(label, n, err);
        if (rc != 0)
            return rc;
        label += n;
        if (!*label)
            return 0;
    }
}

/* Would libc read it as an address: 127.1, 0x7f000001, 017700000001? */
static bool
looks_numeric(const char *host)
{
    struct in_addr unused;
    const char *last = strrchr(host, '.');

    last = last ? last + 1 : host;
    return last[strspn(last, "0123456789")] == '\0' || inet_aton(host, &unused) != 0;
}

/* Names that no public DNS answers for are a mistake, unless an operator has opened
 * something that they may lead to. */
static bool
is_local(const char *host)
{
    return !strchr(host, '.') || ends_with(host, ".localhost") ||
           ends_with(host, ".local");
}

static void
keep_host(struct url *url, const char *host)
{
    size_t i = 0;

    for (; i < URL_HOST_MAX && host[i]; i++)
        url->host[i] =
            (char)(host[i] >= 'A' && host[i] <= 'Z' ? host[i] + ('a' - 'A') : host[i]);
    url->host[i] = '\0';
}

static int
read_name(const struct reading *reading, const char *host)
{
    const struct guard *guard = reading->guard;
    struct url *url = reading->url;
    struct sockaddr_in *in = (void *)&url->literal;

    int rc = check_labels(host, reading->err);
    if (rc != 0)
        return rc;
    keep_host(url, host);
    if (looks_numeric(host)) {
        if (inet_pton(AF_INET, host, &in->sin_addr) != 1)
            return err_set(reading->err, E_INVALID,
                           "an IPv4 address is written as four decimal numbers");
        in->sin_family = AF_INET;
        return 0;
    }
    if (!guard->development && guard->allow.n == 0 && is_local(host))
        return err_set(reading->err, E_INVALID,
                       "calls go to public hosts: %.60s is a local name", host);
    return 0;
}

/* "[address]" or "[address]:port" */
static int
read_bracketed(struct reading *reading, char *authority)
{
    struct sockaddr_in6 *in6 = (void *)&reading->url->literal;
    char *end = strchr(authority, ']');

    if (!end)
        return err_set(reading->err, E_INVALID, "the host's bracket is not closed");
    *end = '\0';
    if (inet_pton(AF_INET6, authority + 1, &in6->sin6_addr) != 1)
        return err_set(reading->err, E_INVALID,
                       "in brackets stands an IPv6 address, without a zone");
    in6->sin6_family = AF_INET6;
    keep_host(reading->url, authority + 1);
    if (end[1] == '\0')
        return 0;
    if (end[1] != ':')
        return err_set(reading->err, E_INVALID,
                       "after the host comes : and a port, or /");
    return read_port(reading, end + 2);
}

static int
read_authority(struct reading *reading, char *authority)
{
    if (*authority == '\0')
        return err_set(reading->err, E_INVALID, "the URL has no host");
    if (strchr(authority, '@'))
        return err_set(reading->err, E_INVALID,
                       "a URL for calls has no user and no password");
    if (*authority == '[')
        return read_bracketed(reading, authority);

    char *colon = strchr(authority, ':');
    if (colon)
        *colon = '\0';
    int rc = read_name(reading, authority);
    return rc == 0 && colon ? read_port(reading, colon + 1) : rc;
}

static int
check_literal(const struct reading *reading)
{
    struct sockaddr *sa = (struct sockaddr *)&reading->url->literal;
    struct sockaddr_in *in = (void *)sa;
    struct sockaddr_in6 *in6 = (void *)sa;

    if (sa->sa_family == AF_INET)
        in->sin_port = htons(reading->url->port);
    else if (sa->sa_family == AF_INET6)
        in6->sin6_port = htons(reading->url->port);
    else
        return 0;
    if (guard_judge(reading->guard, sa).allowed)
        return 0;
    return err_set(reading->err, E_INVALID,
                   "target not allowed: calls may not go to this address");
}

/* ---- the whole ---- */

static void
write_text(struct url *url, const char *rest)
{
    bool v6 = url->literal.ss_family == AF_INET6;
    char port[8] = "";

    if (url->port != default_port(url))
        snprintf(port, sizeof(port), ":%u", url->port);
    int n = snprintf(url->text, sizeof(url->text), "%s://%s%s%s%s%s",
                     url->https ? "https" : "http", v6 ? "[" : "", url->host,
                     v6 ? "]" : "", port, rest);
    assert(n > 0 &&
           (size_t)n < sizeof(url->text)); /* never longer than what was read */
    (void)n;
}

/* libcurl's own reader must see the same host and port in it. */
static bool
agrees_with_libcurl(const struct url *url)
{
    const unsigned flags = CURLU_DISALLOW_USER | CURLU_PATH_AS_IS;
    char *host = NULL, *port = NULL;
    char own_port[8];
    bool same = false;

    CURLU *theirs = curl_url();
    if (theirs && curl_url_set(theirs, CURLUPART_URL, url->text, flags) == CURLUE_OK &&
        curl_url_get(theirs, CURLUPART_HOST, &host, 0) == CURLUE_OK &&
        curl_url_get(theirs, CURLUPART_PORT, &port, CURLU_DEFAULT_PORT) == CURLUE_OK) {
        snprintf(own_port, sizeof(own_port), "%u", url->port);
        same = strcmp(port, own_port) == 0;
        if (url->literal.ss_family == AF_INET6)
            same = same && *host == '['; /* it writes the address its own way */
        else
            same = same && strcasecmp(host, url->host) == 0;
    }
    curl_free(host);
    curl_free(port);
    curl_url_cleanup(theirs);
    return same;
}

int
url_read(struct url *out, const char *text, const struct guard *guard, struct err *err)
{
    struct url url = {0};
    struct reading reading = {.guard = guard, .err = err, .url = &url};
    char authority[WEBHOOK_URL_MAX + 1];

    int rc = check_characters(text, err);
    if (rc == 0)
        rc = read_scheme(&reading, &text);
    if (rc != 0)
        return rc;
    size_t n = strcspn(text, "/?");
    memcpy(authority, text, n);
    authority[n] = '\0';
    rc = read_authority(&reading, authority);
    if (rc != 0)
        return rc;
    if (!reading.has_port)
        url.port = default_port(&url);
    rc = check_port(&reading);
    if (rc == 0)
        rc = check_literal(&reading);
    if (rc != 0)
        return rc;
    write_text(&url, text + n);
    if (!agrees_with_libcurl(&url))
        return err_set(err, E_INVALID, "the URL can be read in more than one way");
    *out = url;
    return 0;
}

int
url_read_proxy(struct url *out, const char *text, bool *socks, struct err *err)
{
    static const struct guard anywhere = {.development = true};
    static const char socks_scheme[] = "socks5://";
    char as_http[WEBHOOK_URL_MAX + 1];

    *socks = starts_with(text, socks_scheme);
    if (!*socks && !starts_with(text, "http://"))
        return err_set(err, E_INVALID,
                       "a proxy is http://HOST:PORT or"
                       " socks5://HOST:PORT");
    text = strchr(text, '/') + 2;
    if (!strrchr(text, ':') || text[strcspn(text, "/?")])
        return err_set(err, E_INVALID, "a proxy ends with its port, without a path");
    if (snprintf(as_http, sizeof(as_http), "http://%s", text) >= (int)sizeof(as_http))
        return err_set(err, E_INVALID, "the proxy's URL is too long");
    return url_read(out, as_http, &anywhere, err);
}
