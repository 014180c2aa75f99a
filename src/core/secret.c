#include "core/secret.h"

#include <assert.h>

#include "base/crypto.h"

#define MADE_BYTES 32
#define PAIR_BYTES (ED25519_SEED_BYTES + ED25519_PUBLIC_BYTES)

_Static_assert(PAIR_BYTES <= SECRET_MAX_BYTES, "a key pair fits");
_Static_assert(sizeof(SECRET_PREFIX) + BASE64_LEN(SECRET_MAX_BYTES) <= SECRET_TEXT,
               "a secret's text fits");

static const char *const kind_names[SECRET_KINDS] = {
    [SECRET_HMAC] = "hmac",
    [SECRET_ED25519] = "ed25519",
};

const char *
secret_kind_name(enum secret_kind kind)
{
    assert((unsigned)kind < SECRET_KINDS);
    return kind_names[kind];
}

bool
secret_kind_parse(struct slice name, enum secret_kind *kind)
{
    for (int i = 0; i < SECRET_KINDS; i++) {
        if (slice_is(name, kind_names[i])) {
            *kind = (enum secret_kind)i;
            return true;
        }
    }
    return false;
}

/* Whether a text begins like this; moves it behind that then. */
static bool
skip_prefix(struct slice *text, struct slice prefix)
{
    if (text->n < prefix.n || memcmp(text->p, prefix.p, prefix.n) != 0)
        return false;
    text->p += prefix.n;
    text->n -= prefix.n;
    return true;
}

static void
format(char *out, const char *prefix, const void *bytes, size_t n)
{
    size_t at = strlen(prefix);

    memcpy(out, prefix, at);
    base64_format(out + at, bytes, n);
}

/* ---- ed25519 ---- */

static void
public_of(const uint8_t seed[ED25519_SEED_BYTES], uint8_t out[ED25519_PUBLIC_BYTES])
{
    struct ed25519 *key = ed25519_new(seed);
    ed25519_public(key, out);
    ed25519_free(key);
}

static void
format_pair(char out[SECRET_TEXT], const uint8_t seed[ED25519_SEED_BYTES])
{
    uint8_t pair[PAIR_BYTES];

    memcpy(pair, seed, ED25519_SEED_BYTES);
    public_of(seed, pair + ED25519_SEED_BYTES);
    format(out, PRIVATE_PREFIX, pair, sizeof(pair));
    crypto_wipe(pair, sizeof(pair));
}

/* A seed, or a seed with its public key: a public key of another seed would be told to
 * receivers who then refuse every call. */
static int
decode_private(struct slice text, struct secret_bytes *out, struct err *err)
{
    uint8_t public[ED25519_PUBLIC_BYTES];

    if (!base64_decode(text, out->bytes, sizeof(out->bytes), &out->n) ||
        (out->n != ED25519_SEED_BYTES && out->n != PAIR_BYTES))
        return err_set(err, E_INVALID,
                       "after " PRIVATE_PREFIX " a secret is base64 of %d bytes, the "
                       "seed, or of %d, the seed and its public key",
                       ED25519_SEED_BYTES, PAIR_BYTES);
    public_of(out->bytes, public);
    if (out->n == PAIR_BYTES &&
        memcmp(public, out->bytes + ED25519_SEED_BYTES, sizeof(public)) != 0)
        return err_set(err, E_INVALID,
                       "the last %d bytes of the secret are not the public key of the "
                       "first %d",
                       ED25519_PUBLIC_BYTES, ED25519_SEED_BYTES);
    out->n = ED25519_SEED_BYTES;
    return SECRET_ED25519;
}

int
public_key_decode(struct slice text, uint8_t out[ED25519_PUBLIC_BYTES], struct err *err)
{
    size_t n = 0;

    if (skip_prefix(&text, SLICE(PUBLIC_PREFIX)) &&
        base64_decode(text, out, ED25519_PUBLIC_BYTES, &n) && n == ED25519_PUBLIC_BYTES)
        return 0;
    return err_set(err, E_INVALID,
                   "a public key is " PUBLIC_PREFIX " and base64 of %d bytes",
                   ED25519_PUBLIC_BYTES);
}

/* ---- both ---- */

static int
decode_shared(struct slice text, struct secret_bytes *out, struct err *err)
{
    if (text.n > BASE64_LEN(SECRET_MAX_BYTES))
        return err_set(err, E_INVALID, "a secret has at most %d bytes",
                       SECRET_MAX_BYTES);
    if (!base64_decode(text, out->bytes, sizeof(out->bytes), &out->n))
        return err_set(err, E_INVALID,
                       "after " SECRET_PREFIX " a secret is base64 of %d to %d bytes",
                       SECRET_MIN_BYTES, SECRET_MAX_BYTES);
    if (out->n < SECRET_MIN_BYTES)
        return err_set(err, E_INVALID, "a secret has at least %d bytes",
                       SECRET_MIN_BYTES);
    return SECRET_HMAC;
}

int
secret_decode(struct slice secret, struct secret_bytes *out, struct err *err)
{
    out->n = 0;
    if (skip_prefix(&secret, SLICE(SECRET_PREFIX)))
        return decode_shared(secret, out, err);
    if (skip_prefix(&secret, SLICE(PRIVATE_PREFIX)))
        return decode_private(secret, out, err);
    return err_set(err, E_INVALID,
                   "a secret starts with " SECRET_PREFIX ", or with " PRIVATE_PREFIX
                   " if it is an ed25519 key");
}

void
secret_make(char out[SECRET_TEXT], enum secret_kind kind, struct rng *rng)
{
    uint8_t bytes[MADE_BYTES];

    _Static_assert(MADE_BYTES == ED25519_SEED_BYTES, "either kind is made of it");
    rng->fill(rng, bytes, sizeof(bytes));
    if (kind == SECRET_ED25519)
        format_pair(out, bytes);
    else
        format(out, SECRET_PREFIX, bytes, sizeof(bytes));
    crypto_wipe(bytes, sizeof(bytes));
}

int
secret_read(struct slice given, char out[SECRET_TEXT], struct err *err)
{
    struct secret_bytes bytes;

    int kind = secret_decode(given, &bytes, err);
    if (kind == SECRET_ED25519)
        format_pair(out, bytes.bytes);
    else if (kind == SECRET_HMAC)
        format(out, SECRET_PREFIX, bytes.bytes, bytes.n);
    crypto_wipe(&bytes, sizeof(bytes));
    return kind < 0 ? kind : 0;
}

int
secret_check(struct slice secret, struct err *err)
{
    struct secret_bytes bytes;

    int kind = secret_decode(secret, &bytes, err);
    crypto_wipe(&bytes, sizeof(bytes));
    return kind < 0 ? kind : 0;
}

enum secret_kind
secret_kind(struct slice secret)
{
    return skip_prefix(&secret, SLICE(PRIVATE_PREFIX)) ? SECRET_ED25519 : SECRET_HMAC;
}

bool
secret_public(struct slice secret, char out[PUBLIC_KEY_TEXT])
{
    struct secret_bytes bytes;
    uint8_t public[ED25519_PUBLIC_BYTES];

    bool has = secret_decode(secret, &bytes, NULL) == SECRET_ED25519;
    if (has) {
        public_of(bytes.bytes, public);
        format(out, PUBLIC_PREFIX, public, sizeof(public));
    }
    crypto_wipe(&bytes, sizeof(bytes));
    return has;
}
