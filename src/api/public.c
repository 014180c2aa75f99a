/* What everybody may ask: from where, how often, and which web pages. */
#include <string.h>

#include "api/request.h"
#include "api/router.h"
#include "base/geoip.h"
#include "base/locale.h"

/* ---- from where ---- */

struct slice
public_country(const struct api_request *r, char room[3])
{
    const struct api_options *options = &r->api->options;
    const char *name = options->country_header;
    const char *text = name ? httpd_header(r->req, name) : NULL;
    struct sockaddr_storage address;

    if (text && locale_country_ok(slice_of(text))) {
        for (int i = 0; i < 2; i++) /* two ASCII letters */
            room[i] = (char)(text[i] & ~0x20);
        return (struct slice){room, 2};
    }
    const struct sockaddr *from = limit_client(r, &address);
    if (options->geoip && from && geoip_country(options->geoip, from, room))
        return (struct slice){room, 2};
    return (struct slice){NULL, 0};
}

_Static_assert(LOCALE_LANGUAGE + 1 == 4, "the room that request.h asks for");

struct slice
public_language(const struct api_request *r, char room[4])
{
    const char *text = httpd_header(r->req, "Accept-Language");

    if (text && locale_from_accept_language(slice_of(text), room))
        return slice_of(room);
    return (struct slice){NULL, 0};
}

/* ---- how often ---- */

int
public_check(struct api_request *r)
{
    return limit_address(r);
}

int
public_channel(struct api_request *r, const struct channel *channel)
{
    const char *origin = httpd_header(r->req, "Origin");

    r->cors = origin && settings_allow_origin(&channel->settings, slice_of(origin));
    return limit_channel(r, channel);
}

/* ---- web pages ---- */

void
public_cors_write(const struct api_request *r)
{
    httpd_answer_header(r->req, "Access-Control-Allow-Origin",
                        httpd_header(r->req, "Origin"));
    httpd_answer_header(r->req, "Vary", "Origin");
}

/* Which channel the request itself will be about stands in its body, which is not here
 * yet: unless the path names it, an origin that any channel allows may ask. */
static bool
may_ask(struct api_request *r, struct slice origin)
{
    struct channel *channel;

    if (!r->channel_id.p)
        return engine_origin_known(r->api->engine, origin);
    channel = engine_channel(r->api->engine, r->channel_id);
    bool may = channel && settings_allow_origin(&channel->settings, origin);
    channel_unref(channel);
    return may;
}

void
public_preflight(struct api_request *r)
{
    const char *origin = httpd_header(r->req, "Origin");
    const char *method = httpd_header(r->req, "Access-Control-Request-Method");
    char allow[ROUTER_ALLOW];
    unsigned status =
        router_find(r, method ? method : "OPTIONS", httpd_path(r->req), allow);

    if (status == 405) {
        httpd_answer_header(r->req, "Allow", allow);
        api_problem(r, 405, "this path takes %s", allow);
        return;
    }
    if (status != 0) {
        api_problem(r, 404, r->platform ? "Not found" : "no such path");
        return;
    }
    if (r->route->access == ROUTE_PUBLIC && public_check(r) != 0)
        return;
    if (origin && r->route->access == ROUTE_PUBLIC && may_ask(r, slice_of(origin))) {
        r->cors = true;
        httpd_answer_header(r->req, "Access-Control-Allow-Methods", method);
        httpd_answer_header(r->req, "Access-Control-Allow-Headers",
                            "Content-Type, Accept, Accept-Language");
        httpd_answer_header(r->req, "Access-Control-Max-Age", "7200");
    }
    api_answer(r->req, 204, NULL, NULL, 0);
}
