/* A webhook's secrets as text (Standard Webhooks 1.0.0): whsec_ for HMAC-SHA256, whsk_
 * for ed25519, whose public half is whpk_. */
#pragma once

#include "base/crypto_ed25519.h"
#include "base/err.h"
#include "base/rng.h"
#include "base/types.h"

#define SECRET_PREFIX    "whsec_"
#define PRIVATE_PREFIX   "whsk_"
#define PUBLIC_PREFIX    "whpk_"
#define SECRET_MIN_BYTES 24
#define SECRET_MAX_BYTES 64
#define SECRET_TEXT      112 /* room for any secret and a NUL */
#define PUBLIC_KEY_TEXT  56  /* room for whpk_ + base64 of 32 bytes and a NUL */

enum secret_kind { SECRET_HMAC, SECRET_ED25519, SECRET_KINDS };

const char *secret_kind_name(enum secret_kind kind); /* "hmac", "ed25519" */
bool secret_kind_parse(struct slice name, enum secret_kind *kind);

/* 32 random bytes, or a new key pair. */
void secret_make(char out[SECRET_TEXT], enum secret_kind kind, struct rng *rng);

/* Reads a secret that somebody gives, into the form in which it is kept and shown:
 * whsec_ as it was given; whsk_ as base64 of 64 bytes, seed and public key, also when
 * only the 32 bytes of the seed were given. 0, or E_INVALID with a sentence that does
 * not repeat it. */
int secret_read(struct slice given, char out[SECRET_TEXT], struct err *err) must_check;
/* Whether secret_read would take it. */
int secret_check(struct slice secret, struct err *err) must_check;

/* Of a secret that was read. */
enum secret_kind secret_kind(struct slice secret);
/* What the receiver of an ed25519 key's signatures gets. False: there is nothing public
 * about the secret. */
bool secret_public(struct slice secret, char out[PUBLIC_KEY_TEXT]);

/* The bytes that a secret stands for: an HMAC's key, or an ed25519 seed. The kind, or
 * E_INVALID with a sentence. */
struct secret_bytes {
    uint8_t bytes[SECRET_MAX_BYTES];
    size_t n;
};
int secret_decode(struct slice secret, struct secret_bytes *out,
                  struct err *err) must_check;
/* And of a public key's text. */
int public_key_decode(struct slice text, uint8_t out[ED25519_PUBLIC_BYTES],
                      struct err *err) must_check;
