#include "base/crypto_ed25519.h"

#include <assert.h>
#include <stdlib.h>

#include <openssl/evp.h>

#include "base/crypto_private.h"
#include "base/mem.h"

struct ed25519 {
    EVP_PKEY *pkey;
};

static struct ed25519 *
key_of(EVP_PKEY *pkey)
{
    crypto_must(pkey, "EVP_PKEY_new_raw_key");
    struct ed25519 *key = xcalloc(1, sizeof(*key));
    key->pkey = pkey;
    return key;
}

struct ed25519 *
ed25519_new(const uint8_t seed[ED25519_SEED_BYTES])
{
    return key_of(EVP_PKEY_new_raw_private_key_ex(NULL, "ED25519", NULL, seed,
                                                  ED25519_SEED_BYTES));
}

struct ed25519 *
ed25519_new_public(const uint8_t bytes[ED25519_PUBLIC_BYTES])
{
    return key_of(EVP_PKEY_new_raw_public_key_ex(NULL, "ED25519", NULL, bytes,
                                                 ED25519_PUBLIC_BYTES));
}

void
ed25519_free(struct ed25519 *key)
{
    if (!key)
        return;
    EVP_PKEY_free(key->pkey); /* wipes the private part */
    free(key);
}

void
ed25519_public(const struct ed25519 *key, uint8_t out[ED25519_PUBLIC_BYTES])
{
    size_t n = ED25519_PUBLIC_BYTES;

    crypto_must(EVP_PKEY_get_raw_public_key(key->pkey, out, &n) == 1,
                "EVP_PKEY_get_raw_public_key");
    assert(n == ED25519_PUBLIC_BYTES);
}

static EVP_MD_CTX *
context_new(void)
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    crypto_must(ctx, "EVP_MD_CTX_new");
    return ctx;
}

void
ed25519_sign(const struct ed25519 *key, struct slice message,
             uint8_t out[ED25519_SIGNATURE_BYTES])
{
    EVP_MD_CTX *ctx = context_new();
    size_t n = ED25519_SIGNATURE_BYTES;

    crypto_must(EVP_DigestSignInit(ctx, NULL, NULL, NULL, key->pkey) == 1,
                "EVP_DigestSignInit");
    crypto_must(
        EVP_DigestSign(ctx, out, &n, (const unsigned char *)message.p, message.n) == 1,
        "EVP_DigestSign");
    assert(n == ED25519_SIGNATURE_BYTES);
    EVP_MD_CTX_free(ctx);
}

bool
ed25519_verify(const struct ed25519 *key, struct slice message,
               const uint8_t signature[ED25519_SIGNATURE_BYTES])
{
    EVP_MD_CTX *ctx = context_new();

    /* A public key that is no point of the curve verifies nothing. */
    bool right = EVP_DigestVerifyInit(ctx, NULL, NULL, NULL, key->pkey) == 1 &&
                 EVP_DigestVerify(ctx, signature, ED25519_SIGNATURE_BYTES,
                                  (const unsigned char *)message.p, message.n) == 1;
    EVP_MD_CTX_free(ctx);
    return right;
}
