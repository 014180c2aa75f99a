/*
 * AES-256-GCM: encrypts, and notices every change of what was encrypted, of the nonce,
 * and of what it belongs to (`about`, which is not encrypted itself).
 *
 * Never twice the same nonce under one key. A random one of 96 bits is right as long as
 * one key seals fewer than 2^32 times (NIST SP 800-38D, 8.3): two are then alike with a
 * probability below 2^-32.
 */
#pragma once

#include "base/types.h"

#define AEAD_KEY_BYTES   32
#define AEAD_NONCE_BYTES 12
#define AEAD_TAG_BYTES   16

/* `out` takes text.n + AEAD_TAG_BYTES: the text, encrypted, then the tag. */
void aead_seal(const uint8_t key[AEAD_KEY_BYTES], const uint8_t nonce[AEAD_NONCE_BYTES],
               struct slice about, struct slice text, uint8_t *out);
/* `out` takes sealed.n - AEAD_TAG_BYTES. False, and `out` is wiped, when it is not what
 * was sealed with this key for this. */
bool aead_open(const uint8_t key[AEAD_KEY_BYTES], const uint8_t nonce[AEAD_NONCE_BYTES],
               struct slice about, struct slice sealed, uint8_t *out) must_check;
