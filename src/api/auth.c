/* Keys: who asks, for which channel, and may they. */
#include <strings.h>

#include "api/request.h"
#include "api/router.h"

static struct slice
key_text(const char *header)
{
    static const char scheme[] = "Bearer ";

    if (strncasecmp(header, scheme, sizeof(scheme) - 1) == 0) {
        header += sizeof(scheme) - 1;
        while (*header == ' ')
            header++;
    }
    return slice_of(header);
}

static int
unauthorized(struct api_request *r, const char *detail)
{
    if (limit_failure(r) != 0)
        return E_INVALID;
    httpd_answer_header(r->req, "WWW-Authenticate", "Bearer");
    api_problem(r, 401, "%s", detail);
    return E_INVALID;
}

static int
find_key(struct api_request *r)
{
    const char *header = httpd_header(r->req, "Authorization");
    if (!header)
        return unauthorized(r, "no key: send Authorization: Bearer KEY");
    if (httpd_header_count(r->req, "Authorization") > 1)
        return unauthorized(r, "more than one Authorization header");

    struct slice text = key_text(header);
    char id[ID_TEXT];
    struct key key;
    if (!key_id_of(text, id) || !engine_key(r->api->engine, slice_of(id), &key) ||
        !key_matches(&key, text))
        return unauthorized(r, "unknown key");
    if (key_expired(&key, api_now(r)))
        return unauthorized(r, "the key has expired");
    r->key = key;
    return limit_key(r);
}

/* Another channel's is unknown: the two answers are the same bytes, whatever the role.
 */
static int
find_channel(struct api_request *r)
{
    struct channel *channel = engine_channel(r->api->engine, r->channel_id);
    if (!channel || (r->key.channel && r->key.channel != channel->number)) {
        if (channel)
            channel_unref(channel);
        api_problem(r, 404, r->platform ? "channel not found" : "no such channel");
        return E_NOT_FOUND;
    }
    r->channel = channel;
    return 0;
}

int
auth_check(struct api_request *r)
{
    int rc = find_key(r);
    if (rc == 0 && r->channel_id.p)
        rc = find_channel(r);
    if (rc != 0)
        return rc;

    uint64_t number = r->route->access == ROUTE_NARROW ? r->key.channel : 0;
    if (r->channel)
        number = r->channel->number;
    if (!key_may(&r->key, r->route->may, number)) {
        api_problem(r, 403, "a key with the role \"%s\"%s may not do this",
                    role_name(r->key.role), r->key.channel ? " for one channel" : "");
        return E_INVALID;
    }
    return 0;
}
