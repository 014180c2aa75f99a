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

struct webhook_header {
    char *name;
    char *value;
};

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
    char *secret; /* whsec_… */
    bool enabled;
    char *disabled_reason; /* NULL when enabled: "by request", "410 Gone" */
    bool deleted;          /* its waiting calls are cancelled */
    bool own_retry;        /* the policy was given, not the default */
    struct retry_policy retry;
    msec_t created_ms; /* wall */
    msec_t updated_ms;
};

struct webhook *
webhook_new(void); /* one reference, defaults: enabled, all types, default retry */
struct webhook *webhook_copy(const struct webhook *webhook);
struct webhook *webhook_ref(struct webhook *webhook);
void webhook_unref(struct webhook *webhook); /* NULL is fine */
bool webhook_wants(const struct webhook *webhook,
                   enum event_type type); /* enabled or not: a disabled one holds */
void webhook_add_header(struct webhook *webhook, struct slice name, struct slice value);
void webhook_clear_headers(struct webhook *webhook);

/* 0, or E_INVALID with a sentence. Names: RFC 9110 tokens that are not reserved (Host,
 * Content-*, Transfer-Encoding, Connection, webhook-*, Proxy-*, Expect, TE, Trailer,
 * Upgrade, …). Values: visible ASCII, space, tab. */
int webhook_header_check(struct slice name, struct slice value,
                         struct err *err) must_check;
