/*
 * Where a request goes: names become addresses, addresses are judged, and libcurl is
 * told what is left of them. Every target has an alias of its own, so libcurl
 *
 *   never looks a name up;
 *   connects to nothing but what was judged for this attempt (and judges again when it
 *   opens a socket, for what is told here may be older than a wish to retry);
 *   uses a connection again only for the same target.
 *
 * What it was told of an alias stays in its memory until it is told otherwise: it is
 * told only when the addresses have changed.
 */
#include <arpa/inet.h>
#include <assert.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "send/curl_private.h"
#include "send/guard.h"
#include "send/url.h"

/* ---- places ---- */

void
place_init(struct curl_transport *ct, struct place *place)
{
    *place = (struct place){.port = 0};
    snprintf(place->alias, sizeof(place->alias), "t%llu.invalid",
             (unsigned long long)++ct->aliases);
    /* "For any host and any port: this host, the same port." */
    snprintf(place->connect_text, sizeof(place->connect_text), "::%s:", place->alias);
    place->connect_to.data = place->connect_text;
}

void
place_set(struct place *place, const struct url *url)
{
    const struct sockaddr_in *in = (const void *)&url->literal;
    const struct sockaddr_in6 *in6 = (const void *)&url->literal;

    place->port = url->port;
    place->literal.family = url->literal.ss_family;
    if (url->literal.ss_family == AF_INET)
        memcpy(place->literal.bytes, &in->sin_addr, sizeof(in->sin_addr));
    else if (url->literal.ss_family == AF_INET6)
        memcpy(place->literal.bytes, &in6->sin6_addr, sizeof(in6->sin6_addr));
    else
        place->host = xstrdup(url->host);
}

/* "-t17.invalid:443": what follows is told with the next request. */
void
place_fini(struct curl_transport *ct, struct place *place)
{
    char line[ALIAS_TEXT + 8];

    if (place->told) {
        snprintf(line, sizeof(line), "-%s:%u", place->alias, place->port);
        struct curl_slist *more = curl_slist_append(ct->forgotten, line);
        if (more)
            ct->forgotten = more;
    }
    free(place->told);
    free(place->host);
    place->told = NULL;
    place->host = NULL;
}

/* ---- what libcurl is told ---- */

/* Leaves out what may not be called. Returns how many are left. */
static size_t
judge(const struct curl_transport *ct, const struct place *place,
      struct address *addresses, size_t n)
{
    struct sockaddr_storage sa;
    size_t kept = 0;

    if (ct->proxy.used)
        return n;
    for (size_t i = 0; i < n; i++) {
        address_fill(&addresses[i], place->port, &sa);
        if (guard_judge(ct->options.guard, (const struct sockaddr *)&sa).allowed)
            addresses[kept++] = addresses[i];
    }
    return kept;
}

static void
write_line(const struct place *place, const struct address *addresses, size_t n,
           char line[PLACE_TEXT])
{
    int at = snprintf(line, PLACE_TEXT, "%s:%u:", place->alias, place->port);

    for (size_t i = 0; i < n; i++) {
        char text[INET6_ADDRSTRLEN];
        bool v6 = addresses[i].family == AF_INET6;
        inet_ntop(addresses[i].family, addresses[i].bytes, text, sizeof(text));
        at += snprintf(line + at, PLACE_TEXT - (size_t)at, "%s%s%s%s", i ? "," : "",
                       v6 ? "[" : "", text, v6 ? "]" : "");
    }
    assert((size_t)at < PLACE_TEXT);
}

static bool
is_told(const struct place *place, const struct address *addresses, size_t n)
{
    if (!place->told || place->n_told != n)
        return false;
    for (size_t i = 0; i < n; i++)
        if (!address_equal(&place->told[i], &addresses[i]))
            return false;
    return true;
}

/* What libcurl knows from now on, and what it may forget. Mostly that is nothing, and
 * nothing is written. */
static CURLcode
tell(struct request *request, struct place *place, size_t n)
{
    struct curl_transport *ct = request->transport;
    const struct address *addresses = request->lookup.addresses;
    bool told = is_told(place, addresses, n);

    if (told && !ct->forgotten && !request->tells)
        return CURLE_OK;
    curl_slist_free_all(request->forget);
    request->forget = ct->forgotten;
    ct->forgotten = NULL;
    struct curl_slist *list = request->forget;
    if (!told) {
        write_line(place, addresses, n, request->tell_text);
        request->tell = (struct curl_slist){.data = request->tell_text, .next = list};
        list = &request->tell;
        place->told = xrealloc(place->told, n * sizeof(*addresses));
        memcpy(place->told, addresses, n * sizeof(*addresses));
        place->n_told = n;
    }
    request->tells = list != NULL;
    return curl_easy_setopt(request->easy, CURLOPT_RESOLVE, list);
}

static struct place *
place_of(struct request *request)
{
    struct curl_transport *ct = request->transport;
    return ct->proxy.used ? &ct->proxy.place : &request->target->place;
}

/* libcurl did not know the alias after all, as when the request that was to tell it
 * never began: the next one tells it again. */
void
place_untold(struct request *request)
{
    struct place *place = place_of(request);

    free(place->told);
    place->told = NULL;
}

static enum located
refuse(struct request *request, const char *why)
{
    request->refusal = why;
    return LOCATED_NOT;
}

/* The addresses of the place are known: judged, told, and the rest of the deadline set.
 */
static enum located
arrive(struct request *request)
{
    struct curl_transport *ct = request->transport;
    struct place *place = place_of(request);
    struct lookup *lookup = &request->lookup;
    usec_t now_us = clock_mono_us(ct->options.clock);

    if (lookup->n == 0)
        return refuse(request, now_us >= request->deadline_us ? "timeout"
                               : ct->proxy.used               ? "egress proxy failed"
                                                              : "DNS failed");
    size_t n = judge(ct, place, lookup->addresses, lookup->n);
    if (n == 0) {
        request->not_allowed = true;
        return refuse(request, NOT_ALLOWED);
    }
    msec_t left_ms = (request->deadline_us - now_us + 999) / 1000;
    if (left_ms <= 0)
        return refuse(request, "timeout");
    request->located_us = now_us;
    if (tell(request, place, n) != CURLE_OK ||
        curl_easy_setopt(request->easy, CURLOPT_TIMEOUT_MS, (long)left_ms) != CURLE_OK)
        return refuse(request, "out of memory");
    return LOCATED;
}

static void
lookup_done(struct lookup *lookup)
{
    struct request *request = container_of(lookup, struct request, lookup);
    request_located(request, arrive(request));
}

enum located
request_locate(struct request *request)
{
    const struct place *place = place_of(request);
    struct lookup *lookup = &request->lookup;

    if (!place->host) {
        lookup->n = 1;
        lookup->addresses[0] = place->literal;
        return arrive(request);
    }
    request->looked_up = true;
    lookup->host = place->host;
    lookup->give_up_us = request->deadline_us;
    lookup->done = lookup_done;
    if (resolver_ask(request->transport->resolver, lookup))
        return arrive(request);
    return LOCATED_LATER;
}

/* ---- the egress proxy ---- */

int
proxy_open(struct curl_transport *ct, const char *text, struct err *err)
{
    struct proxy *proxy = &ct->proxy;
    struct url url;
    bool socks;

    place_init(ct, &proxy->place);
    if (!text)
        return 0;
    if (url_read_proxy(&url, text, &socks, err) != 0)
        return err_wrap(err, "--egress-proxy");
    place_set(&proxy->place, &url);
    /* The proxy finds out where a name is: it is the one that connects. */
    snprintf(proxy->url, sizeof(proxy->url), "%s://%s:%u", socks ? "socks5h" : "http",
             proxy->place.alias, url.port);
    proxy->used = true;
    return 0;
}
