#include "core/signature.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/crypto.h"
#include "base/mem.h"

#define V1  "v1,"
#define V1A "v1a,"

struct signer {
    struct hmac *hmac;   /* one of the two */
    struct ed25519 *key; /* … */
    bool is_public;
};

struct signer *
signer_new(struct slice secret)
{
    struct secret_bytes bytes;
    struct signer *signer = NULL;

    int kind = secret_decode(secret, &bytes, NULL);
    if (kind >= 0) {
        signer = xcalloc(1, sizeof(*signer));
        if (kind == SECRET_ED25519)
            signer->key = ed25519_new(bytes.bytes);
        else
            signer->hmac = hmac_new(bytes.bytes, bytes.n);
    }
    crypto_wipe(&bytes, sizeof(bytes));
    return signer;
}

struct signer *
signer_new_public(struct slice public_key)
{
    uint8_t bytes[ED25519_PUBLIC_BYTES];

    if (public_key_decode(public_key, bytes, NULL) != 0)
        return NULL;
    struct signer *signer = xcalloc(1, sizeof(*signer));
    signer->key = ed25519_new_public(bytes);
    signer->is_public = true;
    return signer;
}

void
signer_free(struct signer *signer)
{
    if (!signer)
        return;
    hmac_free(signer->hmac);
    ed25519_free(signer->key);
    free(signer);
}

#define PARTS 5

static void
sign_shared(struct hmac *hmac, const struct slice parts[PARTS], char *out)
{
    uint8_t mac[SHA256_BYTES];

    hmac_sign(hmac, parts, PARTS, mac);
    memcpy(out, V1, sizeof(V1) - 1);
    base64_format(out + sizeof(V1) - 1, mac, sizeof(mac));
}

/* Ed25519 goes over its message twice, so it wants it in one piece. free(). */
static char *
join(const struct slice parts[PARTS], size_t *n)
{
    size_t most = 0;
    for (size_t i = 0; i < PARTS; i++)
        most += parts[i].n;
    char *text = xmalloc(most);
    *n = 0;
    for (size_t i = 0; i < PARTS; i++) {
        if (parts[i].n)
            memcpy(text + *n, parts[i].p, parts[i].n);
        *n += parts[i].n;
    }
    return text;
}

static void
sign_private(const struct ed25519 *key, const struct slice parts[PARTS], char *out)
{
    uint8_t bytes[ED25519_SIGNATURE_BYTES];
    size_t n;
    char *message = join(parts, &n);

    ed25519_sign(key, (struct slice){message, n}, bytes);
    free(message);
    memcpy(out, V1A, sizeof(V1A) - 1);
    base64_format(out + sizeof(V1A) - 1, bytes, sizeof(bytes));
}

void
signer_sign(struct signer *signer, struct slice id, int64_t timestamp_s,
            struct slice body, char out[SIGNATURE_TEXT])
{
    char timestamp[24];

    assert(!signer->is_public);
    int n = snprintf(timestamp, sizeof(timestamp), "%lld", (long long)timestamp_s);
    assert(n > 0 && (size_t)n < sizeof(timestamp));
    const struct slice parts[PARTS] = {
        id, SLICE("."), {timestamp, (size_t)n}, SLICE("."), body};
    if (signer->key)
        sign_private(signer->key, parts, out);
    else
        sign_shared(signer->hmac, parts, out);
}

/* ---- verifying ---- */

/* The next of the signatures. */
static struct slice
take_token(struct slice *header)
{
    const char *space = memchr(header->p, ' ', header->n);
    size_t n = space ? (size_t)(space - header->p) : header->n;
    struct slice token = {header->p, n};
    size_t step = space ? n + 1 : n;

    header->p += step;
    header->n -= step;
    return token;
}

static bool
verify_shared(struct hmac *hmac, const struct slice parts[PARTS], struct slice header)
{
    char right[SIGNATURE_TEXT];
    bool found = false;

    sign_shared(hmac, parts, right);
    size_t n = strlen(right);
    while (header.n > 0) {
        struct slice token = take_token(&header);
        if (token.n == n && crypto_equal(token.p, right, n))
            found = true; /* no early end: time tells nothing */
    }
    return found;
}

static bool
verify_public(const struct ed25519 *key, const struct slice parts[PARTS],
              struct slice header)
{
    const size_t prefix = sizeof(V1A) - 1;
    bool found = false;
    size_t n;
    char *message = join(parts, &n);

    while (header.n > 0 && !found) {
        struct slice token = take_token(&header);
        uint8_t bytes[ED25519_SIGNATURE_BYTES];
        size_t got = 0;
        if (token.n < prefix || memcmp(token.p, V1A, prefix) != 0)
            continue;
        struct slice text = {token.p + prefix, token.n - prefix};
        found = base64_decode(text, bytes, sizeof(bytes), &got) &&
                got == sizeof(bytes) &&
                ed25519_verify(key, (struct slice){message, n}, bytes);
    }
    free(message);
    return found;
}

bool
signer_verify(struct signer *signer, struct slice id, struct slice timestamp,
              struct slice body, struct slice header)
{
    const struct slice parts[PARTS] = {id, SLICE("."), timestamp, SLICE("."), body};

    if (signer->key)
        return verify_public(signer->key, parts, header);
    return verify_shared(signer->hmac, parts, header);
}
