#include "base/json.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/json_text.h"
#include "base/map.h"

/* Objects up to this many keys are compared key by key as they come; longer ones, and
 * those with an escaped key, by a keyed hash when they close. */
#define KEYS_DIRECT  16
#define TOKENS_FIRST 64
#define SLOTS_FIRST  32

/* A container that is open. */
struct frame {
    uint64_t seen;  /* a bit per kind of key so far: a new bit is a new key */
    uint32_t token; /* the container */
    uint32_t key;   /* an object's current key */
    bool hashed;    /* keys are compared when it closes */
};

struct parser {
    struct json_doc *doc;
    const char *at;
    const char *end;
    unsigned depth;
    int code;
    /* of a failure */
    const char *fault;
    const char *reason;
    bool in_member; /* the fault is in the innermost container's current member */
    struct frame stack[JSON_DEPTH_WRAPPED];
};

/* What comes next in the text. */
enum step { STEP_VALUE, STEP_AFTER_VALUE, STEP_FAILED };

struct key_slot {
    uint64_t hash;
    uint32_t token; /* 0 = empty: token 0 is never a key */
};

/* ---- characters ---- */

/* The top bit of each byte that is a quote, a backslash, below 0x20 or above 0x7f. A
 * borrow may mark more bytes behind the first one, never before it. */
static uint64_t
special_bytes(uint64_t word)
{
    uint64_t quote = word ^ EACH('"');
    uint64_t backslash = word ^ EACH('\\');
    uint64_t hit = ((quote - EACH(1)) & ~quote) | ((backslash - EACH(1)) & ~backslash) |
                   ((word - EACH(0x20)) & ~word);
    return (hit | word) & EACH(0x80);
}

static bool
is_special(unsigned char c)
{
    return c == '"' || c == '\\' || c < 0x20 || c > 0x7f;
}

static const char *
plain_end(const char *at, const char *end)
{
    while (end - at >= 8) {
        uint64_t hit = special_bytes(load_8(at));
        if (hit)
            return at + (__builtin_ctzll(hit) >> 3);
        at += 8;
    }
    while (at < end && !is_special((unsigned char)*at))
        at++;
    return at;
}

static const char *
space_end(const char *at, const char *end)
{
    while (at < end && is_space(*at))
        at++;
    return at;
}

size_t
json_skip_space(const char *text, size_t len, size_t at)
{
    while (at < len && is_space(text[at]))
        at++;
    return at;
}

/* ---- failures ---- */

static void
error_fill(const struct parser *p, struct json_error *error)
{
    struct pointer pointer = {.out = error->pointer};
    const struct json_doc *doc = p->doc;

    error->offset = (size_t)(p->fault - doc->text);
    error->reason = p->reason;
    error->pointer[0] = '\0';

    unsigned steps = p->depth && !p->in_member ? p->depth - 1 : p->depth;
    for (unsigned i = 0; i < steps; i++) {
        const struct frame *frame = &p->stack[i];
        const struct json_token *container = &doc->tokens[frame->token];
        pointer_add(&pointer, "/", 1);
        if (container->type == JSON_OBJECT) {
            pointer_add_key(&pointer, doc, &doc->tokens[frame->key]);
        } else {
            char index[16];
            int n = snprintf(index, sizeof(index), "%u", container->count - 1);
            pointer_add(&pointer, index, (size_t)n);
        }
    }
}

static __attribute__((cold)) enum step
fail(struct parser *p, const char *fault, const char *reason, bool in_member)
{
    p->code = E_INVALID;
    p->fault = fault;
    p->reason = fault == p->end ? "unexpected end" : reason;
    p->in_member = in_member;
    return STEP_FAILED;
}

static enum step
fail_memory(struct parser *p)
{
    p->code = E_NO_MEMORY;
    p->fault = p->at;
    p->reason = "no memory";
    p->in_member = false;
    return STEP_FAILED;
}

/* ---- tokens ---- */

static __attribute__((noinline, cold)) bool
tokens_grow(struct json_doc *doc)
{
    size_t cap = doc->cap ? doc->cap * 2 : TOKENS_FIRST;
    struct json_token *tokens = realloc(doc->tokens, cap * sizeof(tokens[0]));
    if (!tokens)
        return false;
    doc->tokens = tokens;
    doc->cap = cap;
    return true;
}

/* A value of the text from p->at to `end`. */
static inline bool
token_add(struct parser *p, enum json_type type, bool escaped, const char *end)
{
    struct json_doc *doc = p->doc;

    if (doc->n == doc->cap && !tokens_grow(doc))
        return false;
    struct json_token *token = &doc->tokens[doc->n++];
    token->type = (uint8_t)type;
    token->escaped = escaped;
    token->start = (uint32_t)(p->at - doc->text);
    token->end = (uint32_t)(end - doc->text);
    token->next = (uint32_t)doc->n;
    token->count = 0;
    p->at = end;
    return true;
}

/* ---- keys ---- */

static bool
strings_equal(const struct json_doc *doc, const struct json_token *a,
              const struct json_token *b)
{
    if (a->escaped || b->escaped)
        return chars_equal(chars_of(doc, a), chars_of(doc, b));
    return slice_eq(json_string_raw(doc, a), json_string_raw(doc, b));
}

static bool
slots_reserve(struct json_doc *doc, size_t cap)
{
    if (cap <= doc->keys_cap)
        return true;
    struct key_slot *slots = realloc(doc->keys, cap * sizeof(*slots));
    if (!slots)
        return false;
    doc->keys = slots;
    doc->keys_cap = cap;
    return true;
}

static int
key_hash(struct json_doc *doc, const struct json_token *key, uint64_t *hash)
{
    struct slice text = json_string_raw(doc, key);
    if (key->escaped) {
        buf_reset(&doc->unescaped);
        int rc = json_string_add(doc, key, &doc->unescaped);
        if (rc != 0)
            return rc;
        text = buf_slice(&doc->unescaped);
    }
    *hash = hash_bytes(text.p, text.n);
    return 0;
}

/* All keys of the object that closes, by hash. */
static enum step
keys_check(struct parser *p, struct frame *frame)
{
    struct json_doc *doc = p->doc;
    uint32_t count = doc->tokens[frame->token].count;
    size_t cap = SLOTS_FIRST;

    while (cap < (size_t)count * 2)
        cap *= 2;
    if (!slots_reserve(doc, cap))
        return fail_memory(p);
    struct key_slot *slots = doc->keys;
    memset(slots, 0, cap * sizeof(slots[0]));

    uint32_t key = frame->token + 1;
    for (uint32_t i = 0; i < count; i++, key = doc->tokens[key + 1].next) {
        uint64_t hash;
        if (key_hash(doc, &doc->tokens[key], &hash) != 0)
            return fail_memory(p);
        size_t at = hash & (cap - 1);
        for (; slots[at].token; at = (at + 1) & (cap - 1)) {
            if (slots[at].hash == hash &&
                strings_equal(doc, &doc->tokens[slots[at].token], &doc->tokens[key])) {
                frame->key = key;
                return fail(p, doc->text + doc->tokens[key].start, "duplicate key",
                            true);
            }
        }
        slots[at] = (struct key_slot){hash, key};
    }
    return STEP_AFTER_VALUE;
}

static uint64_t
key_bit(struct slice key)
{
    uint32_t mix = (uint32_t)key.n;
    if (key.n)
        mix |= (uint32_t)(unsigned char)key.p[0] << 8 |
               (uint32_t)(unsigned char)key.p[key.n - 1] << 16;
    return UINT64_C(1) << (mix * UINT32_C(0x9e3779b1) >> 26);
}

/* Whether the object's newest key, frame->key, stands before already; only for plain
 * keys, and few. */
static bool
key_repeats(const struct json_doc *doc, struct frame *frame)
{
    struct slice key = json_string_raw(doc, &doc->tokens[frame->key]);
    uint64_t bit = key_bit(key);
    bool maybe = (frame->seen & bit) != 0;

    frame->seen |= bit;
    if (!maybe)
        return false;
    uint32_t other = frame->token + 1;
    while (other != frame->key) {
        if (slice_eq(key, json_string_raw(doc, &doc->tokens[other])))
            return true;
        other = doc->tokens[other + 1].next;
    }
    return false;
}

/* ---- values ---- */

/* Past the closing quote, or NULL after a failure. p->at is at the opening one. */
static inline const char *
string_end(struct parser *p, bool in_member, bool *escaped)
{
    const char *at = p->at + 1;

    *escaped = false;
    for (;;) {
        at = plain_end(at, p->end);
        if (at == p->end) {
            fail(p, at, "unexpected end", in_member);
            return NULL;
        }
        if (*at == '"')
            return at + 1;

        size_t n;
        const char *reason;
        if (*at == '\\') {
            *escaped = true;
            n = escape_check(at, p->end, &reason);
        } else {
            reason = "invalid UTF-8";
            n = utf8_length(at, (size_t)(p->end - at));
            if ((unsigned char)*at < 0x20) {
                reason = "control character in a string";
                n = 0;
            }
        }
        if (n == 0) {
            fail(p, at, reason, in_member);
            return NULL;
        }
        at += n;
    }
}

static enum step
string(struct parser *p)
{
    bool escaped;
    const char *end = string_end(p, true, &escaped);
    if (!end)
        return STEP_FAILED;
    return token_add(p, JSON_STRING, escaped, end) ? STEP_AFTER_VALUE : fail_memory(p);
}

/* p->at stands where a key must: it is read with its colon. */
static enum step
key(struct parser *p)
{
    struct json_doc *doc = p->doc;
    struct frame *frame = &p->stack[p->depth - 1];

    if (p->at == p->end || *p->at != '"')
        return fail(p, p->at, "expected a key in quotes", false);
    bool escaped;
    const char *end = string_end(p, false, &escaped);
    if (!end)
        return STEP_FAILED;
    frame->key = (uint32_t)doc->n;
    if (!token_add(p, JSON_STRING, escaped, end))
        return fail_memory(p);

    if (++doc->tokens[frame->token].count > KEYS_DIRECT || escaped)
        frame->hashed = true;
    if (!frame->hashed && key_repeats(doc, frame))
        return fail(p, doc->text + doc->tokens[frame->key].start, "duplicate key",
                    true);

    p->at = space_end(p->at, p->end);
    if (p->at == p->end || *p->at != ':')
        return fail(p, p->at, "expected ':' after a key", true);
    p->at++;
    return STEP_VALUE;
}

static enum step
container(struct parser *p, enum json_type type)
{
    if (p->depth >= p->doc->max_depth)
        return fail(p, p->at,
                    p->doc->max_depth == JSON_DEPTH_MAX ? "nesting beyond 64"
                                                        : "nesting too deep",
                    true);

    uint32_t token = (uint32_t)p->doc->n;
    if (!token_add(p, type, false, p->at + 1))
        return fail_memory(p);
    p->at = space_end(p->at, p->end);
    if (p->at < p->end && *p->at == (type == JSON_OBJECT ? '}' : ']')) {
        p->at++;
        p->doc->tokens[token].end = (uint32_t)(p->at - p->doc->text);
        return STEP_AFTER_VALUE;
    }

    struct frame *frame = &p->stack[p->depth++];
    *frame = (struct frame){.token = token};
    if (type == JSON_OBJECT)
        return key(p);
    p->doc->tokens[token].count = 1;
    return STEP_VALUE;
}

static const char *
digits_end(const char *at, const char *end)
{
    while (at < end && is_digit(*at))
        at++;
    return at;
}

/* Past the digits that must stand at `at`; `end` or a byte that is wrong sets *ok
 * false. */
static const char *
digits(const char *at, const char *end, bool *ok)
{
    const char *past = digits_end(at, end);
    *ok = *ok && past > at;
    return past;
}

/* A letter, digit or sign right behind a number: "01", "1.2.3", "1x" are better called
 * bad numbers than missing commas. */
static bool
spoils_number(const char *at, const char *end)
{
    return at < end && (is_digit(*at) || *at == 'x' || (*at && strchr("+-.", *at)) ||
                        hex_value(*at) >= 0);
}

static const char *
exponent(const char *at, const char *end, bool *ok)
{
    if (!*ok || at == end || (*at != 'e' && *at != 'E'))
        return at;
    at++;
    if (at < end && (*at == '+' || *at == '-'))
        at++;
    return digits(at, end, ok);
}

static enum step
number(struct parser *p)
{
    const char *at = p->at;
    const char *end = p->end;
    bool ok = true;

    if (*at == '-')
        at++;
    if (at < end && *at == '0')
        at++;
    else
        at = digits(at, end, &ok);
    if (ok && at < end && *at == '.')
        at = digits(at + 1, end, &ok);
    at = exponent(at, end, &ok);
    if (!ok || spoils_number(at, end))
        return fail(p, at, "invalid number", true);
    return token_add(p, JSON_NUMBER, false, at) ? STEP_AFTER_VALUE : fail_memory(p);
}

static enum step
word(struct parser *p, enum json_type type, const char *text, size_t n)
{
    if ((size_t)(p->end - p->at) < n || memcmp(p->at, text, n) != 0)
        return fail(p, p->at, "expected a value", true);
    return token_add(p, type, false, p->at + n) ? STEP_AFTER_VALUE : fail_memory(p);
}

static __attribute__((cold)) enum step
not_a_value(struct parser *p)
{
    bool first = p->doc->n == 0;
    if (first && p->end - p->at >= 3 && memcmp(p->at, "\xef\xbb\xbf", 3) == 0)
        return fail(p, p->at, "byte order mark", true);
    return fail(p, p->at, "expected a value", true);
}

static inline enum step
value(struct parser *p)
{
    p->at = space_end(p->at, p->end);
    if (p->at == p->end)
        return not_a_value(p);
    switch (*p->at) {
    case '"':
        return string(p);
    case '{':
        return container(p, JSON_OBJECT);
    case '[':
        return container(p, JSON_ARRAY);
    case 't':
        return word(p, JSON_TRUE, "true", 4);
    case 'f':
        return word(p, JSON_FALSE, "false", 5);
    case 'n':
        return word(p, JSON_NULL, "null", 4);
    default:
        return *p->at == '-' || is_digit(*p->at) ? number(p) : not_a_value(p);
    }
}

/* A value inside a container has ended: what follows it. */
static inline enum step
after_value(struct parser *p)
{
    struct json_doc *doc = p->doc;
    struct frame *frame = &p->stack[p->depth - 1];
    bool object = doc->tokens[frame->token].type == JSON_OBJECT;

    p->at = space_end(p->at, p->end);
    char c = p->at < p->end ? *p->at : '\0';
    if (c == ',') {
        p->at++;
        if (object) {
            p->at = space_end(p->at, p->end);
            return key(p);
        }
        doc->tokens[frame->token].count++;
        return STEP_VALUE;
    }
    if (c != (object ? '}' : ']'))
        return fail(p, p->at, object ? "expected ',' or '}'" : "expected ',' or ']'",
                    false);
    if (frame->hashed && keys_check(p, frame) == STEP_FAILED)
        return STEP_FAILED;
    p->at++;
    doc->tokens[frame->token].end = (uint32_t)(p->at - doc->text);
    doc->tokens[frame->token].next = (uint32_t)doc->n;
    p->depth--;
    return STEP_AFTER_VALUE;
}

static int
parse(struct parser *p)
{
    enum step step = value(p);

    while (step == STEP_VALUE || (step == STEP_AFTER_VALUE && p->depth > 0))
        step = step == STEP_VALUE ? value(p) : after_value(p);
    return step == STEP_FAILED ? p->code : 0;
}

static int
parse_failed(struct parser *p, struct json_error *error)
{
    if (error)
        error_fill(p, error);
    p->doc->n = 0;
    return p->code;
}

/* Parses one value at text[*at]; with `whole`, white space is all that may follow. */
static int
parse_at(struct json_doc *doc, struct slice text, size_t *at, bool whole,
         struct json_error *error)
{
    struct parser p;

    assert(doc->max_depth <= JSON_DEPTH_WRAPPED);
    p.doc = doc;
    p.at = text.p + *at;
    p.end = text.p + text.n;
    p.depth = 0;
    doc->text = text.p;
    doc->text_len = text.n;
    doc->n = 0;

    if (text.n > UINT32_MAX) {
        fail(&p, p.at, "longer than 4 GiB", false);
        return parse_failed(&p, error);
    }
    if (parse(&p) != 0)
        return parse_failed(&p, error);
    if (whole) {
        p.at = space_end(p.at, p.end);
        if (p.at != p.end) {
            fail(&p, p.at, "something follows the value", false);
            return parse_failed(&p, error);
        }
    }
    *at = (size_t)(p.at - text.p);
    return 0;
}

int
json_parse(struct json_doc *doc, const char *text, size_t len, struct json_error *error)
{
    size_t at = 0;
    return parse_at(doc, (struct slice){text ? text : "", len}, &at, true, error);
}

int
json_parse_value(struct json_doc *doc, const char *text, size_t len, size_t *at,
                 struct json_error *error)
{
    assert(*at <= len);
    return parse_at(doc, (struct slice){text ? text : "", len}, at, false, error);
}

void
json_init(struct json_doc *doc)
{
    *doc = (struct json_doc){.max_depth = JSON_DEPTH_MAX};
    buf_init(&doc->unescaped, UINT32_MAX);
}

void
json_fini(struct json_doc *doc)
{
    free(doc->tokens);
    free(doc->keys);
    buf_fini(&doc->unescaped);
    json_init(doc);
}
