/* Webhooks as the rest of the program sees them: immutable, counted references,
 * replaced whole. */
#pragma once

#include <stdatomic.h>

#include "base/err.h"
#include "base/ids.h"
#include "base/types.h"
#include "core/event.h"
#include "core/retry.h"

#define WEBHOOK_URL_MAX          2048
#define WEBHOOK_DESCRIPTION_MAX  1000
#define WEBHOOK_HEADERS_MAX      20
#define WEBHOOK_HEADER_VALUE_MAX 4096
#define WEBHOOK_SECRETS_MAX      10
#define WEBHOOK_OVERLAP_MS       ((msec_t)24 * 3600 * 1000)
#define WEBHOOK_OVERLAP_MAX_MS   (7 * WEBHOOK_OVERLAP_MS)

struct webhook_header {
    char *name;
    char *value;
};

/* What its calls are signed with. */
struct webhook_secret {
    char *text;      /* as secret_read gives it */
    msec_t until_ms; /* steady: it signs before that; of the newest MSEC_NEVER */
};

/* What happens to a webhook, the same for all its versions. */
struct webhook_health;

struct webhook {
    atomic_uint refs;
    uint64_t number;  /* its key in the store; grows, never used twice */
    uint64_t channel; /* the channel's number */
    char id[ID_TEXT];
    char *url;
    uint32_t types; /* bit per event_type */
    char *description;
    struct webhook_header *headers;
    size_t n_headers;
    struct webhook_secret *secrets; /* newest first */
    size_t n_secrets;               /* 0 = it has none yet */
    bool enabled;
    char *disabled_reason; /* NULL when enabled: "by request", "410 Gone" */
    struct webhook_health *health;
    bool deleted;   /* its waiting calls are cancelled */
    bool own_retry; /* the policy was given, not the default */
    struct retry_policy retry;
    msec_t created_ms; /* wall */
    msec_t updated_ms;
};

struct webhook *
webhook_new(void); /* one reference, defaults: enabled, all types, default retry */
struct webhook *webhook_copy(const struct webhook *webhook);
struct webhook *webhook_ref(struct webhook *webhook);
void webhook_unref(struct webhook *webhook); /* NULL is fine */

/* Since when nothing but failures came back from it (steady; any thread); MSEC_NEVER =
 * the last attempt that ended did not fail, or the failures are not half a minute old.
 */
msec_t webhook_failing_since(const struct webhook *webhook);
void webhook_set_failing_since(const struct webhook *webhook, msec_t since_ms);
/* From now on its health is its own. */
void webhook_part_health(struct webhook *webhook);

bool webhook_wants(const struct webhook *webhook,
                   enum event_type type); /* enabled or not: a disabled one holds */
void webhook_add_header(struct webhook *webhook, struct slice name, struct slice value);
void webhook_clear_headers(struct webhook *webhook);

/* The newest; NULL = it has none yet. */
const char *webhook_secret_text(const struct webhook *webhook);
/* It alone from now on. */
void webhook_set_secret(struct webhook *webhook, struct slice text);
/* One behind those that it has: for whoever reads a webhook back. */
void webhook_add_secret(struct webhook *webhook, struct slice text, msec_t until_ms);
/* A new one; those that there are sign for `overlap_ms` more, or as long as they would
 * have if that is shorter: with an overlap of 0 they are gone. E_CONFLICT with a
 * sentence when that would make more than WEBHOOK_SECRETS_MAX. */
int webhook_rotate_secret(struct webhook *webhook, struct slice text, msec_t now_ms,
                          msec_t overlap_ms, struct err *err) must_check;

/* 0, or E_INVALID with a sentence. Names: RFC 9110 tokens that are not reserved (Host,
 * Content-*, Transfer-Encoding, Connection, webhook-*, Proxy-*, Expect, TE, Trailer,
 * Upgrade, …). Values: visible ASCII, space, tab. */
int webhook_header_check(struct slice name, struct slice value,
                         struct err *err) must_check;
