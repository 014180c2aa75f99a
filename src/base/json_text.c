#include "base/json_text.h"

/* ---- UTF-8 ---- */

static bool
is_continuation(char c)
{
    return ((unsigned char)c & 0xc0) == 0x80;
}

/* What a first byte promises: the character's length and what the second byte may be.
 */
static size_t
utf8_promise(unsigned char first, unsigned char *low, unsigned char *high)
{
    *low = 0x80;
    *high = 0xbf;
    if (first >= 0xc2 && first <= 0xdf)
        return 2;
    if (first >= 0xe0 && first <= 0xef) {
        if (first == 0xe0)
            *low = 0xa0; /* below: could be shorter */
        if (first == 0xed)
            *high = 0x9f; /* above: surrogates */
        return 3;
    }
    if (first >= 0xf0 && first <= 0xf4) {
        if (first == 0xf0)
            *low = 0x90; /* below: could be shorter */
        if (first == 0xf4)
            *high = 0x8f; /* above: beyond U+10FFFF */
        return 4;
    }
    return 0;
}

size_t
utf8_length(const char *text, size_t n)
{
    if (n == 0)
        return 0;
    if ((unsigned char)text[0] < 0x80)
        return 1;

    unsigned char low, high;
    size_t length = utf8_promise((unsigned char)text[0], &low, &high);
    if (length == 0 || n < length)
        return 0;
    if ((unsigned char)text[1] < low || (unsigned char)text[1] > high)
        return 0;
    for (size_t i = 2; i < length; i++)
        if (!is_continuation(text[i]))
            return 0;
    return length;
}

bool
utf8_valid(const char *text, size_t n)
{
    for (size_t at = 0; at < n;) {
        if (n - at >= 8 && (load_8(text + at) & EACH(0x80)) == 0) {
            at += 8;
            continue;
        }
        size_t length = utf8_length(text + at, n - at);
        if (length == 0)
            return false;
        at += length;
    }
    return true;
}

/* ---- escapes ---- */

/* The number of \uXXXX, or -1. */
static int32_t
unicode_escape(const char *at, const char *end)
{
    if (end - at < 6 || at[0] != '\\' || at[1] != 'u')
        return -1;
    int32_t code = 0;
    for (int i = 2; i < 6; i++) {
        int digit = hex_value(at[i]);
        if (digit < 0)
            return -1;
        code = code * 16 + digit;
    }
    return code;
}

static bool
is_high(int32_t code)
{
    return code >= 0xd800 && code <= 0xdbff;
}

static bool
is_low(int32_t code)
{
    return code >= 0xdc00 && code <= 0xdfff;
}

size_t
escape_check(const char *at, const char *end, const char **reason)
{
    *reason = "invalid escape in a string";
    if (end - at < 2)
        return 0;
    if (at[1] != 'u')
        return at[1] != '\0' && strchr("\"\\/bfnrt", at[1]) ? 2 : 0;

    int32_t code = unicode_escape(at, end);
    if (code < 0)
        return 0;
    if (!is_high(code) && !is_low(code))
        return 6;
    *reason = "lone surrogate in an escape";
    return is_high(code) && is_low(unicode_escape(at + 6, end)) ? 12 : 0;
}

static size_t
utf8_put(char out[4], uint32_t code)
{
    if (code < 0x80) {
        out[0] = (char)code;
        return 1;
    }
    if (code < 0x800) {
        out[0] = (char)(0xc0 | code >> 6);
        out[1] = (char)(0x80 | (code & 0x3f));
        return 2;
    }
    if (code < 0x10000) {
        out[0] = (char)(0xe0 | code >> 12);
        out[1] = (char)(0x80 | (code >> 6 & 0x3f));
        out[2] = (char)(0x80 | (code & 0x3f));
        return 3;
    }
    out[0] = (char)(0xf0 | code >> 18);
    out[1] = (char)(0x80 | (code >> 12 & 0x3f));
    out[2] = (char)(0x80 | (code >> 6 & 0x3f));
    out[3] = (char)(0x80 | (code & 0x3f));
    return 4;
}

/* Unescapes the one character at *at, which has been checked, and moves past it. */
static size_t
escape_read(const char **at, const char *end, char out[4])
{
    static const char names[] = "bfnrt";
    static const char values[] = "\b\f\n\r\t";
    const char *from = *at;

    if (from[1] != 'u') {
        const char *name = strchr(names, from[1]);
        out[0] = name ? values[name - names] : from[1];
        *at += 2;
        return 1;
    }
    int32_t code = unicode_escape(from, end);
    *at += 6;
    if (is_high(code)) {
        code = 0x10000 + (code - 0xd800) * 0x400 + unicode_escape(*at, end) - 0xdc00;
        *at += 6;
    }
    return utf8_put(out, (uint32_t)code);
}

/* ---- characters of a string ---- */

size_t
chars_next(struct chars *chars, char out[4])
{
    if (chars->at == chars->end)
        return 0;
    if (chars->escaped && *chars->at == '\\')
        return escape_read(&chars->at, chars->end, out);
    size_t n = utf8_length(chars->at, (size_t)(chars->end - chars->at));
    n = n ? n : 1;
    memcpy(out, chars->at, n);
    chars->at += n;
    return n;
}

bool
chars_equal(struct chars a, struct chars b)
{
    char one[4], other[4];

    for (;;) {
        size_t n = chars_next(&a, one);
        if (n != chars_next(&b, other) || memcmp(one, other, n) != 0)
            return false;
        if (n == 0)
            return true;
    }
}

struct chars
chars_of(const struct json_doc *doc, const struct json_token *token)
{
    struct slice raw = json_string_raw(doc, token);
    return (struct chars){raw.p, raw.p + raw.n, token->escaped};
}

/* ---- pointers ---- */

void
pointer_add(struct pointer *pointer, const char *bytes, size_t n)
{
    static const char more[] = "…";

    if (pointer->full)
        return;
    if (pointer->n + n >= JSON_POINTER_MAX) {
        memcpy(pointer->out + pointer->cut, more, sizeof(more));
        pointer->full = true;
        return;
    }
    memcpy(pointer->out + pointer->n, bytes, n);
    pointer->n += n;
    pointer->out[pointer->n] = '\0';
    if (pointer->n + sizeof(more) <= JSON_POINTER_MAX)
        pointer->cut = pointer->n;
}

void
pointer_add_key(struct pointer *pointer, const struct json_doc *doc,
                const struct json_token *key)
{
    struct chars chars = chars_of(doc, key);
    char c[4];

    for (size_t n; !pointer->full && (n = chars_next(&chars, c)) > 0;) {
        if (c[0] == '~')
            pointer_add(pointer, "~0", 2);
        else if (c[0] == '/')
            pointer_add(pointer, "~1", 2);
        else if (c[0] == '\0') /* would end the text here */
            pointer_add(pointer, "\xef\xbf\xbd", 3);
        else
            pointer_add(pointer, c, n);
    }
}
