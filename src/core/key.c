#include "core/key.h"

#include <assert.h>

#define PREFIX       "pw_"
#define ID_PREFIX    "key_"
#define ID_DIGITS    13 /* of five bits */
#define SECRET_BYTES 32
#define SECRET_CHARS 43 /* of six bits: 256, and two bits that are zero */
#define CHECK_CHARS  6

static const char id_digits[] = "0123456789abcdefghjkmnpqrstvwxyz";
static const char secret_digits[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

static const char *const role_names[ROLES] = {
    [ROLE_ADMIN] = "admin",
    [ROLE_MANAGE] = "manage",
    [ROLE_INGEST] = "ingest",
    [ROLE_READ] = "read",
};

#define MAY(permission) (1u << (permission))

static const unsigned role_may[ROLES] = {
    [ROLE_ADMIN] = MAY(MAY_ADMIN) | MAY(MAY_MANAGE) | MAY(MAY_INGEST) | MAY(MAY_READ) |
                   MAY(MAY_ASK),
    [ROLE_MANAGE] = MAY(MAY_MANAGE) | MAY(MAY_INGEST) | MAY(MAY_READ) | MAY(MAY_ASK),
    [ROLE_INGEST] = MAY(MAY_INGEST) | MAY(MAY_ASK),
    [ROLE_READ] = MAY(MAY_READ) | MAY(MAY_ASK),
};

const char *
role_name(enum role role)
{
    assert((unsigned)role < ROLES);
    return role_names[role];
}

bool
role_parse(struct slice name, enum role *role)
{
    for (unsigned i = 0; i < ROLES; i++) {
        if (slice_is(name, role_names[i])) {
            *role = (enum role)i;
            return true;
        }
    }
    return false;
}

static char *
text_put(char *out, const char *text)
{
    size_t n = strlen(text);
    memcpy(out, text, n);
    return out + n;
}

/* Of the text before it. */
static void
check_put(char out[CHECK_CHARS], struct slice text)
{
    uint8_t hash[SHA256_BYTES];
    uint64_t bits = 0;

    sha256(hash, text.p, text.n);
    for (size_t i = 0; i < 5; i++)
        bits = bits << 8 | hash[i];
    bits >>= 40 - 6 * CHECK_CHARS;
    for (size_t i = CHECK_CHARS; i-- > 0; bits >>= 6)
        out[i] = secret_digits[bits & 63];
}

static char *
secret_put(char *out, const uint8_t secret[SECRET_BYTES])
{
    uint32_t bits = 0;
    unsigned n_bits = 0;

    for (size_t i = 0; i < SECRET_BYTES; i++) {
        bits = (bits << 8 | secret[i]) & 0xffff;
        for (n_bits += 8; n_bits >= 6; n_bits -= 6)
            *out++ = secret_digits[bits >> (n_bits - 6) & 63];
    }
    *out++ = secret_digits[bits << (6 - n_bits) & 63];
    return out;
}

void
key_make(struct key *key, char text[KEY_TEXT], struct rng *rng)
{
    uint8_t random[ID_DIGITS + SECRET_BYTES];
    char digits[ID_DIGITS + 1] = {0};

    rng->fill(rng, random, sizeof(random));
    for (size_t i = 0; i < ID_DIGITS; i++)
        digits[i] = id_digits[random[i] & 31];
    *text_put(text_put(key->id, ID_PREFIX), digits) = '\0';

    char *end = text_put(text, PREFIX);
    end = text_put(end, role_name(key->role));
    *end++ = '_';
    end = text_put(end, digits);
    end = secret_put(end, random + ID_DIGITS);
    check_put(end, (struct slice){text, (size_t)(end - text)});
    end += CHECK_CHARS;
    *end = '\0';
    sha256(key->hash, text, (size_t)(end - text));
    crypto_wipe(random, sizeof(random));
}

static bool
all_of(const char *p, size_t n, const char *digits)
{
    for (size_t i = 0; i < n; i++) {
        if (p[i] == '\0' || !strchr(digits, p[i]))
            return false;
    }
    return true;
}

/* Whether a text is a key but for what stands behind the secret. */
static bool
id_of(struct slice text, char id[ID_TEXT])
{
    const size_t prefix = sizeof(PREFIX) - 1;
    const size_t tail = 1 + ID_DIGITS + SECRET_CHARS; /* from the second '_' on */
    enum role role;

    if (text.n <= prefix + tail || memcmp(text.p, PREFIX, prefix) != 0)
        return false;
    struct slice name = {text.p + prefix, text.n - prefix - tail};
    const char *at = name.p + name.n;
    if (!role_parse(name, &role) || at[0] != '_' ||
        !all_of(at + 1, ID_DIGITS, id_digits) ||
        !all_of(at + 1 + ID_DIGITS, SECRET_CHARS, secret_digits))
        return false;

    char *end = text_put(id, ID_PREFIX);
    memcpy(end, at + 1, ID_DIGITS);
    end[ID_DIGITS] = '\0';
    return true;
}

bool
key_id_of(struct slice text, char id[ID_TEXT])
{
    char check[CHECK_CHARS];

    if (text.n >= KEY_TEXT || text.n < CHECK_CHARS)
        return false;
    if (id_of(text, id)) /* of before there was a check */
        return true;
    text.n -= CHECK_CHARS;
    check_put(check, text);
    return memcmp(check, text.p + text.n, CHECK_CHARS) == 0 && id_of(text, id);
}

bool
key_matches(const struct key *key, struct slice text)
{
    uint8_t hash[SHA256_BYTES];

    sha256(hash, text.p, text.n);
    return crypto_equal(hash, key->hash, sizeof(hash));
}

bool
key_expired(const struct key *key, msec_t now_ms)
{
    return key->expires_ms != 0 && now_ms >= key->expires_ms;
}

bool
key_may(const struct key *key, enum permission permission, uint64_t channel)
{
    assert((unsigned)key->role < ROLES);
    if ((role_may[key->role] & MAY(permission)) == 0)
        return false;
    if (key->channel != 0)
        return key->channel == channel;
    /* A key of one channel that has lost it may nothing, rather than everything. */
    return key->role == ROLE_ADMIN || key->role == ROLE_READ;
}
