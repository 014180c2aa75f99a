/*
 * The master keys, and what is encrypted with them: the secrets that a store keeps.
 *
 * A sealed text is "sealed:1:ID:BASE64": the version, which master key, and base64 of
 * nonce, ciphertext and tag (base/crypto_aead.h). It can be opened only for what it was
 * sealed for, which whoever opens it has to say: a row's seal in another row is none.
 */
#pragma once

#include "base/buf.h"
#include "base/crypto_aead.h"
#include "base/err.h"
#include "base/rng.h"

#define VAULT_PREFIX   "sealed:1:"
#define VAULT_KEYS_MAX 8
#define VAULT_ID_TEXT  17 /* 16 hex digits and a NUL */

struct vault_key {
    char id[VAULT_ID_TEXT]; /* of a hash: tells nothing about the key */
    uint8_t bytes[AEAD_KEY_BYTES];
};

/* The first key seals; the others open what they have sealed. */
struct vault {
    struct vault_key keys[VAULT_KEYS_MAX];
    size_t n;
};

void vault_wipe(struct vault *vault);
/* A new key, as the first. E_CONFLICT when there are VAULT_KEYS_MAX. */
int vault_make_key(struct vault *vault, struct rng *rng, struct err *err) must_check;
bool vault_has(const struct vault *vault, struct slice id);

/* The text of a key file: base64 of 32 bytes a line. E_INVALID with a sentence that
 * does not repeat it. */
int vault_read(struct vault *vault, struct slice text, struct err *err) must_check;
int vault_write(const struct vault *vault, struct buf *out) must_check;

/* Appends the sealed text. `about` says what it is and of which row. */
int vault_seal(const struct vault *vault, struct slice about, struct slice text,
               struct rng *rng, struct buf *out) must_check;
/* Which key a text was sealed with, as far as it says. False: it is not sealed. */
bool vault_sealed_with(struct slice sealed, struct slice *id);
/* Appends what was sealed; `out` should be a buffer of mem_secret. E_NOT_FOUND: its key
 * is not here. E_INVALID: it was not sealed for this, or is not whole. */
int vault_open(const struct vault *vault, struct slice about, struct slice sealed,
               struct buf *out) must_check;
