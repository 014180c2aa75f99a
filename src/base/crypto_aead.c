#include "base/crypto_aead.h"

#include <assert.h>
#include <limits.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>

#include "base/crypto_private.h"

static EVP_CIPHER_CTX *
begin(const uint8_t *key, const uint8_t *nonce, struct slice about, bool encrypt)
{
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    int n = 0;

    assert(about.n <= INT_MAX);
    crypto_must(ctx, "EVP_CIPHER_CTX_new");
    crypto_must(EVP_CipherInit_ex2(ctx, EVP_aes_256_gcm(), key, nonce, encrypt, NULL) ==
                    1,
                "EVP_CipherInit");
    crypto_must(EVP_CipherUpdate(ctx, NULL, &n, (const unsigned char *)about.p,
                                 (int)about.n) == 1,
                "EVP_CipherUpdate");
    return ctx;
}

void
aead_seal(const uint8_t key[AEAD_KEY_BYTES], const uint8_t nonce[AEAD_NONCE_BYTES],
          struct slice about, struct slice text, uint8_t *out)
{
    EVP_CIPHER_CTX *ctx = begin(key, nonce, about, true);
    int n = 0, rest = 0;

    assert(text.n <= INT_MAX);
    crypto_must(EVP_CipherUpdate(ctx, out, &n, (const unsigned char *)text.p,
                                 (int)text.n) == 1 &&
                    EVP_CipherFinal_ex(ctx, out + n, &rest) == 1,
                "EVP_CipherUpdate");
    assert((size_t)n == text.n && rest == 0);
    crypto_must(EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, AEAD_TAG_BYTES,
                                    out + text.n) == 1,
                "EVP_CTRL_AEAD_GET_TAG");
    EVP_CIPHER_CTX_free(ctx); /* wipes its copy of the key */
}

bool
aead_open(const uint8_t key[AEAD_KEY_BYTES], const uint8_t nonce[AEAD_NONCE_BYTES],
          struct slice about, struct slice sealed, uint8_t *out)
{
    uint8_t tag[AEAD_TAG_BYTES];
    int n = 0, rest = 0;

    if (sealed.n < AEAD_TAG_BYTES || sealed.n > INT_MAX)
        return false;
    size_t text_n = sealed.n - AEAD_TAG_BYTES;
    memcpy(tag, sealed.p + text_n, sizeof(tag));
    EVP_CIPHER_CTX *ctx = begin(key, nonce, about, false);
    bool right =
        EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, sizeof(tag), tag) == 1 &&
        EVP_CipherUpdate(ctx, out, &n, (const unsigned char *)sealed.p, (int)text_n) ==
            1 &&
        EVP_CipherFinal_ex(ctx, out + n, &rest) == 1;
    EVP_CIPHER_CTX_free(ctx);
    if (!right)
        OPENSSL_cleanse(out, text_n);
    return right;
}
