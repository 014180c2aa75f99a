/* Who asks: what a key may, for whoever holds it. */
#include "api/resources.h"

void
me_show(struct api_request *r)
{
    struct engine *engine = r->api->engine;
    char channel[ID_MAX + 1];

    bool scoped = r->key.channel && engine_channel_id(engine, r->key.channel, channel);
    api_json_begin(r);
    json_str(&r->json, "role", role_name(r->key.role));
    json_str(&r->json, "channel", scoped ? channel : NULL);
    json_str(&r->json, "key", r->key.id);
    if (r->key.expires_ms)
        json_time(&r->json, "expiresAt", r->key.expires_ms);
    else
        json_null(&r->json, "expiresAt");
    json_str(&r->json, "version", PUSHWIRE_VERSION);
    json_time(&r->json, "serverTime", clock_wall_us(engine_clock(engine)) / 1000);
    api_json_end(r, 200);
}
