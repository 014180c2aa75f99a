#include "base/crypto.h"

#include <assert.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/params.h>

#include "base/crypto_private.h"
#include "base/mem.h"

struct hmac {
    EVP_MAC_CTX *ctx;
};

/* Looking an algorithm up takes locks, so it is done once. */
static pthread_once_t fetched = PTHREAD_ONCE_INIT;
static EVP_MD *sha256_algorithm;
static EVP_MAC *hmac_algorithm;

void
crypto_must(bool ok, const char *what)
{
    if (!ok) {
        fprintf(stderr, "pushwire: libcrypto: %s failed\n", what);
        abort();
    }
}

static void
fetch(void)
{
    sha256_algorithm = EVP_MD_fetch(NULL, "SHA256", NULL);
    crypto_must(sha256_algorithm, "EVP_MD_fetch");
    hmac_algorithm = EVP_MAC_fetch(NULL, "HMAC", NULL);
    crypto_must(hmac_algorithm, "EVP_MAC_fetch");
}

static void
fetch_once(void)
{
    int rc = pthread_once(&fetched, fetch);
    assert(rc == 0);
}

void
sha256(uint8_t out[SHA256_BYTES], const void *bytes, size_t n)
{
    unsigned got = 0;

    fetch_once();
    crypto_must(EVP_Digest(bytes, n, out, &got, sha256_algorithm, NULL) == 1,
                "EVP_Digest");
    assert(got == SHA256_BYTES);
}

struct sha256_sum {
    EVP_MD_CTX *ctx;
};

struct sha256_sum *
sha256_begin(void)
{
    struct sha256_sum *sum = xmalloc(sizeof(*sum));

    fetch_once();
    sum->ctx = EVP_MD_CTX_new();
    crypto_must(sum->ctx, "EVP_MD_CTX_new");
    crypto_must(EVP_DigestInit_ex2(sum->ctx, sha256_algorithm, NULL) == 1,
                "EVP_DigestInit");
    return sum;
}

void
sha256_add(struct sha256_sum *sum, const void *bytes, size_t n)
{
    crypto_must(EVP_DigestUpdate(sum->ctx, bytes, n) == 1, "EVP_DigestUpdate");
}

void
sha256_end(struct sha256_sum *sum, uint8_t *out)
{
    if (out)
        crypto_must(EVP_DigestFinal_ex(sum->ctx, out, NULL) == 1, "EVP_DigestFinal");
    if (sum)
        EVP_MD_CTX_free(sum->ctx);
    free(sum);
}

struct hmac *
hmac_new(const void *key, size_t n)
{
    char digest[] = "SHA256";
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
        OSSL_PARAM_construct_end(),
    };

    fetch_once();
    struct hmac *hmac = xcalloc(1, sizeof(*hmac));
    hmac->ctx = EVP_MAC_CTX_new(hmac_algorithm);
    crypto_must(hmac->ctx, "EVP_MAC_CTX_new");
    crypto_must(EVP_MAC_init(hmac->ctx, key, n, params) == 1, "EVP_MAC_init");
    return hmac;
}

void
hmac_free(struct hmac *hmac)
{
    if (!hmac)
        return;
    EVP_MAC_CTX_free(hmac->ctx); /* wipes its copy of the key */
    free(hmac);
}

void
hmac_sign(struct hmac *hmac, const struct slice *parts, size_t n_parts,
          uint8_t out[SHA256_BYTES])
{
    size_t got = 0;

    crypto_must(EVP_MAC_init(hmac->ctx, NULL, 0, NULL) == 1, "EVP_MAC_init");
    for (size_t i = 0; i < n_parts; i++) {
        const unsigned char *p = (const unsigned char *)parts[i].p;
        crypto_must(EVP_MAC_update(hmac->ctx, p, parts[i].n) == 1, "EVP_MAC_update");
    }
    crypto_must(EVP_MAC_final(hmac->ctx, out, &got, SHA256_BYTES) == 1,
                "EVP_MAC_final");
    assert(got == SHA256_BYTES);
}

bool
crypto_equal(const void *a, const void *b, size_t n)
{
    return CRYPTO_memcmp(a, b, n) == 0;
}

void
crypto_wipe(void *bytes, size_t n)
{
    OPENSSL_cleanse(bytes, n);
}

/* ---- text forms ---- */

static const char base64_digits[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void
base64_format(char *out, const void *bytes, size_t n)
{
    const uint8_t *in = bytes;

    for (size_t i = 0; i < n; i += 3) {
        size_t left = n - i;
        uint32_t group = (uint32_t)in[i] << 16;
        group |= left > 1 ? (uint32_t)in[i + 1] << 8 : 0;
        group |= left > 2 ? in[i + 2] : 0;
        *out++ = base64_digits[group >> 18];
        *out++ = base64_digits[group >> 12 & 63];
        *out++ = left > 1 ? base64_digits[group >> 6 & 63] : '=';
        *out++ = left > 2 ? base64_digits[group & 63] : '=';
    }
    *out = '\0';
}

int
base64_add(struct buf *out, const void *bytes, size_t n)
{
    int rc = buf_reserve(out, BASE64_LEN(n));
    if (rc != 0)
        return rc;
    base64_format(out->p + out->n, bytes, n);
    out->n += BASE64_LEN(n);
    return 0;
}

static int
base64_value(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    if (c == '+')
        return 62;
    return c == '/' ? 63 : -1;
}

bool
base64_decode(struct slice text, uint8_t *out, size_t cap, size_t *n)
{
    if (text.n % 4 != 0)
        return false;

    size_t digits = text.n;
    while (digits > 0 && text.n - digits < 2 && text.p[digits - 1] == '=')
        digits--;
    size_t bytes = digits * 3 / 4; /* what is left over of the last group is cut */
    if (bytes > cap)
        return false;

    uint32_t group = 0;
    for (size_t i = 0, at = 0; i < digits; i++) {
        int value = base64_value(text.p[i]);
        if (value < 0)
            return false;
        group = group << 6 | (uint32_t)value;
        if (i % 4 == 0)
            continue;
        unsigned left_over = 6 - 2 * (i % 4); /* bits that wait for the next digit */
        out[at++] = (uint8_t)(group >> left_over);
        group &= (UINT32_C(1) << left_over) - 1;
    }
    if (group != 0) /* another text would mean the same bytes */
        return false;
    *n = bytes;
    return true;
}

void
hex_format(char *out, const void *bytes, size_t n)
{
    static const char digits[] = "0123456789abcdef";
    const uint8_t *in = bytes;

    for (size_t i = 0; i < n; i++) {
        *out++ = digits[in[i] >> 4];
        *out++ = digits[in[i] & 15];
    }
    *out = '\0';
}
