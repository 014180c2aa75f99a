#include "base/ids.h"

#include "base/rng.h"

#define DIGITS     13 /* of five bits: 64 bits and one to spare */
#define MS_BITS    (64 - EVENT_KEY_COUNT_BITS)
#define MS_MAX     ((INT64_C(1) << MS_BITS) - 1)
#define SCRAMBLE_A UINT64_C(0x9c4d6b1f3a87e2d5) /* any odd numbers do */
#define SCRAMBLE_B UINT64_C(0xb7358ef1c60d924b)

static const char alphabet[] = "0123456789abcdefghjkmnpqrstvwxyz";

bool
id_valid(struct slice id)
{
    if (id.n == 0 || id.n > ID_MAX)
        return false;
    for (size_t i = 0; i < id.n; i++) {
        char c = id.p[i];
        bool ok = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                  (c >= '0' && c <= '9') || c == '_' || c == '.' || c == '-';
        if (!ok)
            return false;
    }
    return true;
}

/* ---- base32 ---- */

static char *
digits_put(char *out, uint64_t value)
{
    for (int i = DIGITS - 1; i >= 0; i--) {
        out[i] = alphabet[value & 31];
        value >>= 5;
    }
    return out + DIGITS;
}

static bool
digits_take(struct slice *text, uint64_t *value)
{
    uint64_t sum = 0;

    if (text->n < DIGITS)
        return false;
    for (size_t i = 0; i < DIGITS; i++) {
        const char *digit = text->p[i] ? strchr(alphabet, text->p[i]) : NULL;
        if (!digit || sum >> 59)
            return false;
        sum = sum << 5 | (uint64_t)(digit - alphabet);
    }
    text->p += DIGITS;
    text->n -= DIGITS;
    *value = sum;
    return true;
}

static char *
text_put(char *out, const char *text)
{
    while (*text)
        *out++ = *text++;
    return out;
}

static bool
text_take(struct slice *text, const char *prefix)
{
    size_t n = strlen(prefix);
    if (text->n < n || memcmp(text->p, prefix, n) != 0)
        return false;
    text->p += n;
    text->n -= n;
    return true;
}

/* ---- event keys ---- */

uint64_t
event_key_at(msec_t steady_ms)
{
    if (steady_ms < EVENT_KEY_EPOCH_MS)
        return 0;
    msec_t ms = steady_ms - EVENT_KEY_EPOCH_MS;
    return (uint64_t)(ms < MS_MAX ? ms : MS_MAX) << EVENT_KEY_COUNT_BITS;
}

msec_t
event_key_ms(uint64_t key)
{
    return EVENT_KEY_EPOCH_MS + (msec_t)(key >> EVENT_KEY_COUNT_BITS);
}

/* ---- scrambled webhook numbers ---- */

/* One-to-one: each step can be undone. */
static uint64_t
scramble(uint64_t x)
{
    x = (x + SCRAMBLE_B) * SCRAMBLE_A;
    x ^= x >> 32;
    x *= SCRAMBLE_B;
    return x ^ x >> 29;
}

/* The number that undoes a multiplication by an odd one: each turn doubles the bits
 * that are right, from three. */
static uint64_t
odd_inverse(uint64_t odd)
{
    uint64_t inverse = odd;
    for (int i = 0; i < 5; i++)
        inverse *= 2 - odd * inverse;
    return inverse;
}

static uint64_t
unscramble(uint64_t x)
{
    x = x ^ x >> 29 ^ x >> 58;
    x *= odd_inverse(SCRAMBLE_B);
    x ^= x >> 32;
    return x * odd_inverse(SCRAMBLE_A) - SCRAMBLE_B;
}

/* ---- public ids ---- */

void
event_id_format(char out[ID_TEXT], uint64_t key)
{
    *digits_put(text_put(out, "evt_"), key) = '\0';
}

/* A prefix, digits, and nothing more. */
static bool
plain_parse(struct slice id, const char *prefix, uint64_t *out)
{
    uint64_t value;
    if (!text_take(&id, prefix) || !digits_take(&id, &value) || id.n != 0)
        return false;
    *out = value;
    return true;
}

bool
event_id_parse(struct slice id, uint64_t *key)
{
    return plain_parse(id, "evt_", key);
}

void
notice_id_format(char out[ID_TEXT], uint64_t number)
{
    *digits_put(text_put(out, "ntc_"), number) = '\0';
}

bool
notice_id_parse(struct slice id, uint64_t *number)
{
    return plain_parse(id, "ntc_", number);
}

void
call_id_format(char out[ID_TEXT], uint64_t event_key, uint64_t webhook)
{
    char *at = digits_put(text_put(out, "call_"), event_key);
    *digits_put(text_put(at, "_"), scramble(webhook)) = '\0';
}

bool
call_id_parse(struct slice id, uint64_t *event_key, uint64_t *webhook)
{
    uint64_t key, scrambled;
    if (!text_take(&id, "call_") || !digits_take(&id, &key) || !text_take(&id, "_") ||
        !digits_take(&id, &scrambled) || id.n != 0)
        return false;
    *event_key = key;
    *webhook = unscramble(scrambled);
    return true;
}

void
webhook_id_format(char out[ID_TEXT], uint64_t webhook)
{
    *digits_put(text_put(out, "wh_"), scramble(webhook)) = '\0';
}

bool
webhook_id_parse(struct slice id, uint64_t *webhook)
{
    uint64_t scrambled;
    if (!plain_parse(id, "wh_", &scrambled))
        return false;
    *webhook = unscramble(scrambled);
    return true;
}

/* The way of webhooks' numbers, gone from the middle. */
#define JOB_SHIFT UINT64_C(0x6a6f6273)

void
job_id_format(char out[ID_TEXT], uint64_t job)
{
    *digits_put(text_put(out, "job_"), scramble(job ^ JOB_SHIFT << 16)) = '\0';
}

bool
job_id_parse(struct slice id, uint64_t *job)
{
    uint64_t scrambled;
    if (!plain_parse(id, "job_", &scrambled))
        return false;
    *job = unscramble(scrambled) ^ JOB_SHIFT << 16;
    return true;
}

/* ---- ids of others' making ---- */

void
id_make(char out[ID_MADE + 1], struct rng *rng)
{
    static const char digits[] =
        "23456789ABCDEFGHJKLMNPQRSTWXYZabcdefghijkmnopqrstuvwxyz";

    for (size_t i = 0; i < ID_MADE; i++)
        out[i] = digits[rng_below(rng, sizeof(digits) - 1)];
    out[ID_MADE] = '\0';
}
