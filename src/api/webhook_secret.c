/* A webhook's secrets: shown, and replaced with an overlap. */
#include <stdlib.h>

#include "api/fields.h"
#include "api/resources.h"
#include "base/mem.h"

void
webhook_secret_write(struct json_out *json, const char *secret)
{
    char public[PUBLIC_KEY_TEXT];

    json_str(json, "keyType", secret_kind_name(secret_kind(slice_of(secret))));
    if (secret_public(slice_of(secret), public))
        json_str(json, "publicKey", public);
}

/* Those before the newest that still sign, by their end alone: whoever needs their text
 * has it. */
static void
write_old(struct json_out *json, const struct webhook *webhook, msec_t now_ms)
{
    bool any = false;

    for (size_t i = 1; i < webhook->n_secrets; i++) {
        const struct webhook_secret *old = &webhook->secrets[i];
        if (old->until_ms <= now_ms)
            continue;
        if (!any)
            json_array(json, "old");
        any = true;
        json_object(json, NULL);
        webhook_secret_write(json, old->text);
        json_time(json, "expiresAt", old->until_ms);
        json_object_end(json);
    }
    if (any)
        json_array_end(json);
}

/* What most webhooks have, one shared secret, is shown as that alone. */
static void
write_secrets(struct json_out *json, const struct webhook *webhook, msec_t now_ms)
{
    const char *newest = webhook_secret_text(webhook);

    json_str(json, "secret", newest);
    if (secret_kind(slice_of(newest)) != SECRET_HMAC)
        webhook_secret_write(json, newest);
    write_old(json, webhook, now_ms);
}

static void
answer_secrets(struct api_request *r, const struct webhook *webhook)
{
    api_json_begin(r);
    write_secrets(&r->json, webhook, api_now(r));
    api_json_end(r, 200);
}

void
webhooks_secret(struct api_request *r)
{
    r->webhook = engine_webhook(r->api->engine, r->channel->number, r->id);
    if (r->webhook)
        answer_secrets(r, r->webhook);
    else
        api_problem(r, 404, "no such webhook");
}

/* ---- rotate ---- */

struct rotation {
    char secret[SECRET_TEXT]; /* "" = one is to be made … */
    bool key_type_given;      /* … of this type; else of the one that it replaces */
    enum secret_kind key_type;
    msec_t overlap_ms;
};

static void
rotation_free(void *own)
{
    crypto_wipe(own, sizeof(struct rotation));
    free(own);
}

static int
read_secret(struct reader *rd, const struct json_token *value, void *out)
{
    struct rotation *rotation = out;
    return webhook_read_secret(rd, value, rotation->secret);
}

static int
read_key_type(struct reader *rd, const struct json_token *value, void *out)
{
    struct rotation *rotation = out;
    rotation->key_type_given = true;
    return webhook_read_key_type(rd, value, &rotation->key_type);
}

static int
read_overlap(struct reader *rd, const struct json_token *value, void *out)
{
    struct rotation *rotation = out;
    double seconds;
    int rc =
        reader_number(rd, value, 0, (double)WEBHOOK_OVERLAP_MAX_MS / 1000, &seconds);
    if (rc == 0)
        rotation->overlap_ms = (msec_t)(seconds * 1000 + 0.5);
    return rc;
}

static const struct field fields[] = {
    {"secret", read_secret},
    {"keyType", read_key_type},
    {"overlap", read_overlap},
};

static int
read_rotation(struct api_request *r)
{
    struct rotation *rotation = xcalloc(1, sizeof(*rotation));
    struct reader rd;

    rotation->overlap_ms = WEBHOOK_OVERLAP_MS;
    r->own = rotation;
    r->own_free = rotation_free;
    if (httpd_body(r->req).n == 0)
        return 0;
    int rc = reader_init(&rd, r);
    if (rc == 0)
        rc = reader_object(&rd, &rd.doc.tokens[0], fields, ARRAY_LEN(fields), rotation);
    if (rc == 0 && rotation->secret[0] && rotation->key_type_given)
        rc = webhook_check_key_type(&rd, rotation->secret, rotation->key_type);
    reader_fini(&rd);
    return rc;
}

static int
rotate_apply(struct engine *engine, struct engine_change *change)
{
    struct api_request *r = container_of(change, struct api_request, op.change);
    const struct rotation *rotation = r->own;
    char secret[SECRET_TEXT];

    struct webhook *webhook = webhook_copy_now(engine, r);
    if (!webhook)
        return E_NOT_FOUND;
    enum secret_kind kind = rotation->key_type_given
                                ? rotation->key_type
                                : secret_kind(slice_of(webhook_secret_text(webhook)));
    if (rotation->secret[0])
        memcpy(secret, rotation->secret, sizeof(secret));
    else
        secret_make(secret, kind, engine_rng(engine));
    int rc = webhook_rotate_secret(webhook, slice_of(secret),
                                   clock_steady_ms(engine_clock(engine)),
                                   rotation->overlap_ms, &change->err);
    crypto_wipe(secret, sizeof(secret));
    if (rc == 0)
        change->webhook = webhook;
    else
        webhook_unref(webhook);
    return rc;
}

static void
rotate_done(struct engine_change *change)
{
    struct api_request *r = container_of(change, struct api_request, op.change);
    if (change->result != 0)
        api_refuse(r, change->result, change->err.text);
    else
        answer_secrets(r, change->webhook);
}

void
webhooks_rotate(struct api_request *r)
{
    if (read_rotation(r) != 0)
        return;
    r->op.change = (struct engine_change){.apply = rotate_apply, .done = rotate_done};
    httpd_hold(r->req);
    engine_change(r->api->engine, &r->op.change);
}
