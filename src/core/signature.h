/* Standard Webhooks signatures (specification 1.0.0): v1, HMAC-SHA256 over
 * id.timestamp.body. */
#pragma once

#include "base/err.h"
#include "base/rng.h"
#include "base/types.h"

#define SECRET_PREFIX    "whsec_"
#define SECRET_MIN_BYTES 24
#define SECRET_MAX_BYTES 64
#define SECRET_TEXT      112 /* room for whsec_ + base64 of 64 bytes and a NUL */
#define SIGNATURE_TEXT   48  /* room for "v1," + base64 of 32 bytes and a NUL */

void secret_make(char out[SECRET_TEXT], struct rng *rng); /* 32 random bytes */
int secret_check(struct slice secret, struct err *err) must_check;

/* One webhook's signer; belongs to one thread. NULL if the secret is not a valid one.
 */
struct signer;
struct signer *signer_new(struct slice secret);
void signer_free(struct signer *signer);
void signer_sign(struct signer *signer, struct slice id, int64_t timestamp_s,
                 struct slice body, char out[SIGNATURE_TEXT]);
/* Is one of the space-separated signatures in `header` right? Unknown versions are
 * skipped; constant time. */
bool signer_verify(struct signer *signer, struct slice id, struct slice timestamp,
                   struct slice body, struct slice header);
