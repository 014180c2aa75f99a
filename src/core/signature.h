/* Standard Webhooks signatures (specification 1.0.0) over id.timestamp.body: v1,
 * HMAC-SHA256, and v1a, ed25519. */
#pragma once

#include "base/err.h"
#include "base/types.h"
#include "core/secret.h"

#define SIGNATURE_TEXT 96 /* room for "v1a," + base64 of 64 bytes and a NUL */

/* What one secret signs; belongs to one thread. NULL if the secret is not a valid one.
 */
struct signer;
struct signer *signer_new(struct slice secret);
/* One that only verifies, from a public key. */
struct signer *signer_new_public(struct slice public_key);
void signer_free(struct signer *signer); /* wipes the key; NULL is fine */
void signer_sign(struct signer *signer, struct slice id, int64_t timestamp_s,
                 struct slice body, char out[SIGNATURE_TEXT]);
/* Is one of the space-separated signatures in `header` right? Other versions are
 * skipped; the comparison of a v1 takes constant time. */
bool signer_verify(struct signer *signer, struct slice id, struct slice timestamp,
                   struct slice body, struct slice header);
