#include "core/vault.h"

#include <assert.h>

#include "base/crypto.h"
#include "base/mem.h"

#define ID_DIGITS ((size_t)VAULT_ID_TEXT - 1)
#define ABOUT_MAX 200

_Static_assert(VAULT_ID_TEXT - 1 <= 2 * SHA256_BYTES, "an id is a piece of a hash");

/* ---- keys ---- */

static void
name_key(struct vault_key *key)
{
    static const char what[] = "pushwire master key";
    uint8_t text[sizeof(what) + AEAD_KEY_BYTES];
    uint8_t hash[SHA256_BYTES];

    memcpy(text, what, sizeof(what));
    memcpy(text + sizeof(what), key->bytes, sizeof(key->bytes));
    sha256(hash, text, sizeof(text));
    hex_format(key->id, hash, ID_DIGITS / 2);
    crypto_wipe(text, sizeof(text));
}

void
vault_wipe(struct vault *vault)
{
    crypto_wipe(vault, sizeof(*vault));
}

int
vault_make_key(struct vault *vault, struct rng *rng, struct err *err)
{
    if (vault->n == VAULT_KEYS_MAX)
        return err_set(err, E_CONFLICT, "there are %d master keys already",
                       VAULT_KEYS_MAX);
    memmove(vault->keys + 1, vault->keys, vault->n * sizeof(vault->keys[0]));
    vault->n++;
    rng->fill(rng, vault->keys[0].bytes, AEAD_KEY_BYTES);
    name_key(&vault->keys[0]);
    return 0;
}

static const struct vault_key *
find_key(const struct vault *vault, struct slice id)
{
    for (size_t i = 0; i < vault->n; i++)
        if (slice_is(id, vault->keys[i].id))
            return &vault->keys[i];
    return NULL;
}

bool
vault_has(const struct vault *vault, struct slice id)
{
    return find_key(vault, id) != NULL;
}

static int
read_line(struct vault *vault, struct slice line, int number, struct err *err)
{
    struct vault_key *key = &vault->keys[vault->n];
    size_t n = 0;

    if (vault->n == VAULT_KEYS_MAX)
        return err_set(err, E_INVALID, "line %d: there may be %d master keys", number,
                       VAULT_KEYS_MAX);
    if (!base64_decode(line, key->bytes, sizeof(key->bytes), &n) ||
        n != sizeof(key->bytes))
        return err_set(err, E_INVALID,
                       "line %d: a master key is base64 of %d bytes, alone on its line",
                       number, AEAD_KEY_BYTES);
    name_key(key);
    if (!vault_has(vault, slice_of(key->id)))
        vault->n++;
    return 0;
}

int
vault_read(struct vault *vault, struct slice text, struct err *err)
{
    int rc = 0;

    vault_wipe(vault);
    for (int number = 1; text.n && rc == 0; number++) {
        const char *end = memchr(text.p, '\n', text.n);
        size_t n = end ? (size_t)(end - text.p) : text.n;
        struct slice line = {text.p, n};
        if (line.n && line.p[line.n - 1] == '\r')
            line.n--;
        if (line.n)
            rc = read_line(vault, line, number, err);
        n += end ? 1 : 0;
        text.p += n;
        text.n -= n;
    }
    if (rc == 0 && vault->n == 0)
        rc = err_set(err, E_INVALID, "there is no key in it");
    if (rc != 0)
        vault_wipe(vault);
    return rc;
}

int
vault_write(const struct vault *vault, struct buf *out)
{
    for (size_t i = 0; i < vault->n; i++) {
        base64_add(out, vault->keys[i].bytes, AEAD_KEY_BYTES);
        buf_addc(out, '\n');
    }
    return out->failed;
}

/* ---- sealing ---- */

/* What is sealed with a key is bound to all that stands before it, too. */
static struct slice
bind(char room[ABOUT_MAX], struct slice id, struct slice about)
{
    struct slice parts[] = {SLICE(VAULT_PREFIX), id, SLICE(":"), about};
    size_t n = 0;

    for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
        assert(n + parts[i].n <= ABOUT_MAX);
        memcpy(room + n, parts[i].p, parts[i].n);
        n += parts[i].n;
    }
    return (struct slice){room, n};
}

int
vault_seal(const struct vault *vault, struct slice about, struct slice text,
           struct rng *rng, struct buf *out)
{
    const struct vault_key *key = &vault->keys[0];
    char room[ABOUT_MAX];
    struct buf bytes;

    assert(vault->n > 0);
    buf_init(&bytes, AEAD_NONCE_BYTES + text.n + AEAD_TAG_BYTES);
    int rc = buf_reserve(&bytes, bytes.max_bytes);
    if (rc == 0) {
        uint8_t *p = (uint8_t *)bytes.p;
        rng->fill(rng, p, AEAD_NONCE_BYTES);
        aead_seal(key->bytes, p, bind(room, slice_of(key->id), about), text,
                  p + AEAD_NONCE_BYTES);
        buf_addf(out, VAULT_PREFIX "%s:", key->id);
        rc = base64_add(out, p, bytes.max_bytes);
    }
    buf_fini(&bytes);
    return out->failed ? out->failed : rc;
}

bool
vault_sealed_with(struct slice sealed, struct slice *id)
{
    const size_t prefix = sizeof(VAULT_PREFIX) - 1;

    if (sealed.n < prefix + ID_DIGITS + 1 ||
        memcmp(sealed.p, VAULT_PREFIX, prefix) != 0 ||
        sealed.p[prefix + ID_DIGITS] != ':')
        return false;
    *id = (struct slice){sealed.p + prefix, ID_DIGITS};
    return true;
}

/* `bytes` has room for all of the text's. */
static int
open_bytes(const struct vault_key *key, struct slice about, struct slice text,
           struct buf *bytes, struct buf *out)
{
    const size_t extra = AEAD_NONCE_BYTES + AEAD_TAG_BYTES;
    uint8_t *p = (uint8_t *)bytes->p;
    char room[ABOUT_MAX];
    size_t n = 0;

    if (!base64_decode(text, p, bytes->max_bytes, &n) || n < extra)
        return E_INVALID;
    int rc = buf_reserve(out, n - extra + 1);
    if (rc != 0)
        return rc;
    struct slice sealed = {bytes->p + AEAD_NONCE_BYTES, n - AEAD_NONCE_BYTES};
    if (!aead_open(key->bytes, p, bind(room, slice_of(key->id), about), sealed,
                   (uint8_t *)out->p + out->n))
        return E_INVALID;
    out->n += n - extra;
    out->p[out->n] = '\0';
    return 0;
}

int
vault_open(const struct vault *vault, struct slice about, struct slice sealed,
           struct buf *out)
{
    struct slice id;
    struct buf bytes;

    if (!vault_sealed_with(sealed, &id))
        return E_INVALID;
    const struct vault_key *key = find_key(vault, id);
    if (!key)
        return E_NOT_FOUND;
    struct slice text = {id.p + id.n + 1,
                         sealed.n - (size_t)(id.p + id.n + 1 - sealed.p)};
    buf_init(&bytes, text.n + 1);
    int rc = buf_reserve(&bytes, bytes.max_bytes);
    if (rc == 0)
        rc = open_bytes(key, about, text, &bytes, out);
    buf_fini(&bytes);
    return rc;
}
