/* The text inside JSON strings: UTF-8, escapes, and walking a string's characters. */
#pragma once

#include "base/json.h"

/* Eight bytes, the first one lowest. */
static inline uint64_t
load_8(const char *at)
{
    uint64_t word;
    memcpy(&word, at, sizeof(word));
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    word = __builtin_bswap64(word);
#endif
    return word;
}

#define EACH(byte) (UINT64_C(0x0101010101010101) * (byte))

static inline bool
is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static inline bool
is_space(char c)
{
    return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

/* Length of the escape at `at`, a surrogate pair being one; 0 and the reason if it is
 * wrong. */
size_t escape_check(const char *at, const char *end, const char **reason);

/* A string's unescaped characters one by one; its form has been checked before. */
struct chars {
    const char *at;
    const char *end;
    bool escaped;
};

struct chars chars_of(const struct json_doc *doc, const struct json_token *token);
size_t chars_next(struct chars *chars, char out[4]); /* its bytes; 0 at the end */
bool chars_equal(struct chars a, struct chars b);

/* A JSON pointer that grows step by step in JSON_POINTER_MAX bytes. */
struct pointer {
    char *out;
    size_t n;
    size_t cut; /* where "…" still fits, between two characters */
    bool full;
};

void pointer_add(struct pointer *pointer, const char *bytes,
                 size_t n); /* as they are */
void pointer_add_key(struct pointer *pointer, const struct json_doc *doc,
                     const struct json_token *key);
