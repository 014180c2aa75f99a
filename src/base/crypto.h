/* Hashes, MACs and comparison in constant time. Only the files base/crypto*.c know
 * OpenSSL's libcrypto. */
#pragma once

#include "base/buf.h"
#include "base/types.h"

#define SHA256_BYTES 32

void sha256(uint8_t out[SHA256_BYTES], const void *bytes, size_t n);

/* The same of bytes that come in pieces. */
struct sha256_sum;
struct sha256_sum *sha256_begin(void);
void sha256_add(struct sha256_sum *sum, const void *bytes, size_t n);
/* Frees it, too; `out` may be NULL, `sum` as well then. */
void sha256_end(struct sha256_sum *sum, uint8_t *out);

/* HMAC-SHA256 with a key that is set up once. Not for use by two threads at a time. */
struct hmac;
struct hmac *hmac_new(const void *key, size_t n);
void hmac_free(struct hmac *hmac); /* wipes the key */
void hmac_sign(struct hmac *hmac, const struct slice *parts, size_t n_parts,
               uint8_t out[SHA256_BYTES]);

bool crypto_equal(const void *a, const void *b, size_t n); /* time depends on n alone */
void crypto_wipe(void *bytes, size_t n);

/* Standard base64 with padding (RFC 4648 section 4). */
int base64_add(struct buf *out, const void *bytes, size_t n);
#define BASE64_LEN(n) (((n) + 2) / 3 * 4)
void base64_format(char *out, const void *bytes,
                   size_t n); /* BASE64_LEN(n) characters and a NUL */
/* Strict: no white space, canonical padding. False otherwise, or when more than `cap`
 * bytes come out. */
bool base64_decode(struct slice text, uint8_t *out, size_t cap, size_t *n);

void hex_format(char *out, const void *bytes, size_t n); /* 2n characters and a NUL */
