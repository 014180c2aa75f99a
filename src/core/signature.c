#include "core/signature.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/crypto.h"
#include "base/mem.h"

#define SECRET_MADE_BYTES 32
#define VERSION_PREFIX    "v1,"

struct signer {
    struct hmac *hmac;
};

/* E_INVALID when it is not "whsec_" and strict base64 of 24-64 bytes. */
static int
decode_secret(struct slice secret, uint8_t key[SECRET_MAX_BYTES], size_t *n,
              struct err *err)
{
    const size_t prefix = sizeof(SECRET_PREFIX) - 1;

    if (secret.n < prefix || memcmp(secret.p, SECRET_PREFIX, prefix) != 0)
        return err_set(err, E_INVALID, "a secret starts with " SECRET_PREFIX);
    struct slice text = {secret.p + prefix, secret.n - prefix};
    size_t got = 0;
    if (text.n > (SECRET_MAX_BYTES + 2) / 3 * 4)
        return err_set(err, E_INVALID, "a secret has at most %d bytes",
                       SECRET_MAX_BYTES);
    if (!base64_decode(text, key, SECRET_MAX_BYTES, &got))
        return err_set(err, E_INVALID,
                       "after " SECRET_PREFIX " a secret is base64 of %d to %d bytes",
                       SECRET_MIN_BYTES, SECRET_MAX_BYTES);
    if (got < SECRET_MIN_BYTES)
        return err_set(err, E_INVALID, "a secret has at least %d bytes",
                       SECRET_MIN_BYTES);
    *n = got;
    return 0;
}

void
secret_make(char out[SECRET_TEXT], struct rng *rng)
{
    uint8_t key[SECRET_MADE_BYTES];
    const size_t prefix = sizeof(SECRET_PREFIX) - 1;

    rng->fill(rng, key, sizeof(key));
    memcpy(out, SECRET_PREFIX, prefix);
    base64_format(out + prefix, key, sizeof(key));
    crypto_wipe(key, sizeof(key));
}

int
secret_check(struct slice secret, struct err *err)
{
    uint8_t key[SECRET_MAX_BYTES];
    size_t n;

    int rc = decode_secret(secret, key, &n, err);
    crypto_wipe(key, sizeof(key));
    return rc;
}

struct signer *
signer_new(struct slice secret)
{
    uint8_t key[SECRET_MAX_BYTES];
    size_t n = 0;
    struct signer *signer = NULL;

    if (decode_secret(secret, key, &n, NULL) == 0) {
        signer = xcalloc(1, sizeof(*signer));
        signer->hmac = hmac_new(key, n);
    }
    crypto_wipe(key, sizeof(key));
    return signer;
}

void
signer_free(struct signer *signer)
{
    if (!signer)
        return;
    hmac_free(signer->hmac);
    free(signer);
}

static void
sign_text(struct signer *signer, struct slice id, struct slice timestamp,
          struct slice body, char out[SIGNATURE_TEXT])
{
    const struct slice parts[] = {id, SLICE("."), timestamp, SLICE("."), body};
    uint8_t mac[SHA256_BYTES];

    hmac_sign(signer->hmac, parts, ARRAY_LEN(parts), mac);
    memcpy(out, VERSION_PREFIX, sizeof(VERSION_PREFIX) - 1);
    base64_format(out + sizeof(VERSION_PREFIX) - 1, mac, sizeof(mac));
}

void
signer_sign(struct signer *signer, struct slice id, int64_t timestamp_s,
            struct slice body, char out[SIGNATURE_TEXT])
{
    char timestamp[24];

    int n = snprintf(timestamp, sizeof(timestamp), "%lld", (long long)timestamp_s);
    assert(n > 0 && (size_t)n < sizeof(timestamp));
    sign_text(signer, id, (struct slice){timestamp, (size_t)n}, body, out);
}

bool
signer_verify(struct signer *signer, struct slice id, struct slice timestamp,
              struct slice body, struct slice header)
{
    char right[SIGNATURE_TEXT];
    bool found = false;

    sign_text(signer, id, timestamp, body, right);
    size_t n = strlen(right);
    while (header.n > 0) {
        const char *space = memchr(header.p, ' ', header.n);
        size_t len = space ? (size_t)(space - header.p) : header.n;
        if (len == n && crypto_equal(header.p, right, n))
            found = true; /* no early end: time tells nothing */
        size_t step = space ? len + 1 : len;
        header.p += step;
        header.n -= step;
    }
    return found;
}
