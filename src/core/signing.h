/* All that signs a webhook's calls at a time: its secret, and those before it until
 * their time is over. */
#pragma once

#include "core/signature.h"
#include "core/webhook.h"

#define SIGNATURES_TEXT (WEBHOOK_SECRETS_MAX * SIGNATURE_TEXT)

/* Belongs to one thread. NULL if the webhook has no secret, or one that is not valid.
 */
struct signing;
struct signing *signing_new(const struct webhook *webhook);
void signing_free(struct signing *signing); /* NULL is fine */
/* The value of webhook-signature: newest first, separated by spaces. */
void signing_sign(const struct signing *signing, struct slice id, int64_t timestamp_s,
                  struct slice body, msec_t now_ms, char out[SIGNATURES_TEXT]);
