/* Ed25519 signatures (RFC 8032). A key belongs to one thread. */
#pragma once

#include "base/types.h"

#define ED25519_SEED_BYTES      32
#define ED25519_PUBLIC_BYTES    32
#define ED25519_SIGNATURE_BYTES 64

struct ed25519;
struct ed25519 *ed25519_new(const uint8_t seed[ED25519_SEED_BYTES]);
/* One that only verifies. */
struct ed25519 *ed25519_new_public(const uint8_t bytes[ED25519_PUBLIC_BYTES]);
void ed25519_free(struct ed25519 *key); /* wipes it; NULL is fine */

void ed25519_public(const struct ed25519 *key, uint8_t out[ED25519_PUBLIC_BYTES]);
void ed25519_sign(const struct ed25519 *key, struct slice message,
                  uint8_t out[ED25519_SIGNATURE_BYTES]);
bool ed25519_verify(const struct ed25519 *key, struct slice message,
                    const uint8_t signature[ED25519_SIGNATURE_BYTES]);
