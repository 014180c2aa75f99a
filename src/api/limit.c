/* How often somebody may ask: by address, channel and key. */
#include <stdio.h>

#include "api/request.h"
#include "base/iofd.h"
#include "base/limiter.h"
#include "base/map.h"

/* What stands last in a list was added by the proxy that speaks to us. */
static struct slice
last_of(const char *list)
{
    const char *comma = strrchr(list, ',');
    const char *begin = comma ? comma + 1 : list;

    while (*begin == ' ' || *begin == '\t')
        begin++;
    return slice_of(begin);
}

const struct sockaddr *
limit_client(const struct api_request *r, struct sockaddr_storage *room)
{
    const char *name = r->api->options.address_header;
    const char *text = name ? httpd_header(r->req, name) : NULL;

    if (text && addr_parse_ip(last_of(text), room))
        return (const struct sockaddr *)room;
    return httpd_peer(r->req);
}

static int
refuse_for(struct api_request *r, msec_t wait_ms, const char *what)
{
    char seconds[24];

    if (wait_ms == 0)
        return 0;
    snprintf(seconds, sizeof(seconds), "%lld", (long long)((wait_ms + 999) / 1000));
    httpd_answer_header(r->req, "Retry-After", seconds);
    api_problem(r, 429, "too many %s: try again in %s s", what, seconds);
    return E_INVALID;
}

static int
limit(struct api_request *r, struct limiter *limiter, uint64_t key, const char *what)
{
    return refuse_for(r, limiter_take(limiter, key, httpd_started_us(r->req)), what);
}

static uint64_t
client_key(const struct api_request *r)
{
    struct sockaddr_storage room;
    const struct sockaddr *from = limit_client(r, &room);

    return from ? addr_key(from) : 0;
}

int
limit_address(struct api_request *r)
{
    return limit(r, r->api->address_limit, client_key(r), "requests from this address");
}

int
limit_channel(struct api_request *r, const struct channel *channel)
{
    return limit(r, r->api->channel_limit, channel->number,
                 "requests for this channel");
}

int
limit_failure(struct api_request *r)
{
    return limit(r, r->api->failure_limit, client_key(r),
                 "requests without a right key from this address");
}

int
limit_key(struct api_request *r)
{
    return limit(r, r->api->key_limit, hash_bytes(r->key.id, strlen(r->key.id)),
                 "requests with this key");
}

int
limit_events(struct api_request *r, size_t n)
{
    msec_t wait_ms = limiter_take_many(r->api->event_limit, r->channel->number,
                                       (uint32_t)n, httpd_started_us(r->req));
    return refuse_for(r, wait_ms, "events for this channel");
}
