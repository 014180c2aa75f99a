/* Looking at a parsed document. */

#include <math.h>
#include <stdlib.h>

#include "base/json_text.h"

static size_t
index_of(const struct json_doc *doc, const struct json_token *token)
{
    return (size_t)(token - doc->tokens);
}

const struct json_token *
json_member(const struct json_doc *doc, const struct json_token *object,
            const char *name)
{
    if (!object || object->type != JSON_OBJECT)
        return NULL;

    const struct json_token *key = object + 1;
    for (uint32_t i = 0; i < object->count; i++) {
        if (json_string_is(doc, key, name))
            return key + 1;
        key = &doc->tokens[key[1].next];
    }
    return NULL;
}

const struct json_token *
json_first(const struct json_doc *doc, const struct json_token *container)
{
    (void)doc;
    return container->count ? container + 1 : NULL;
}

const struct json_token *
json_after(const struct json_doc *doc, const struct json_token *container,
           const struct json_token *token)
{
    return token->next < container->next && token->next > index_of(doc, container)
               ? &doc->tokens[token->next]
               : NULL;
}

struct slice
json_raw(const struct json_doc *doc, const struct json_token *token)
{
    return (struct slice){doc->text + token->start, token->end - token->start};
}

struct slice
json_string_raw(const struct json_doc *doc, const struct json_token *token)
{
    return (struct slice){doc->text + token->start + 1, token->end - token->start - 2};
}

int
json_string_add(const struct json_doc *doc, const struct json_token *token,
                struct buf *out)
{
    struct slice raw = json_string_raw(doc, token);
    if (!token->escaped)
        return buf_add(out, raw.p, raw.n);

    /* unescaped text is never longer; room for all of it first, so that a failed append
     * leaves nothing behind */
    if (buf_reserve(out, raw.n) != 0)
        return out->failed;
    struct chars chars = chars_of(doc, token);
    char c[4];
    for (size_t n; (n = chars_next(&chars, c)) > 0;)
        buf_add(out, c, n);
    return out->failed;
}

bool
json_string_is(const struct json_doc *doc, const struct json_token *token,
               const char *value)
{
    if (token->type != JSON_STRING)
        return false;
    struct slice want = slice_of(value);
    if (!token->escaped)
        return slice_eq(json_string_raw(doc, token), want);
    return chars_equal(chars_of(doc, token),
                       (struct chars){want.p, want.p + want.n, false});
}

bool
json_int(const struct json_doc *doc, const struct json_token *token, int64_t *value)
{
    struct slice raw = json_raw(doc, token);
    if (token->type != JSON_NUMBER)
        return false;

    bool negative = raw.p[0] == '-';
    int64_t sum = 0;
    for (size_t i = negative; i < raw.n; i++) {
        if (!is_digit(raw.p[i]))
            return false;
        int digit = raw.p[i] - '0';
        if (__builtin_mul_overflow(sum, 10, &sum) ||
            __builtin_add_overflow(sum, negative ? -digit : digit, &sum))
            return false;
    }
    *value = sum;
    return true;
}

bool
json_double(const struct json_doc *doc, const struct json_token *token, double *value)
{
    if (token->type != JSON_NUMBER)
        return false;

    /* strtod wants a NUL behind; the number's form is known to be one it reads whole */
    struct slice raw = json_raw(doc, token);
    char small[64];
    bool fits = raw.n < sizeof(small);
    if (fits) {
        memcpy(small, raw.p, raw.n);
        small[raw.n] = '\0';
    }
    char *text = fits ? small : xstrndup(raw.p, raw.n);
    double number = strtod(text, NULL);
    if (!fits)
        free(text);
    if (!isfinite(number))
        return false;
    *value = number;
    return true;
}

const char *
json_type_name(int type)
{
    static const char *const names[] = {
        [JSON_NULL] = "null",        [JSON_FALSE] = "false",
        [JSON_TRUE] = "true",        [JSON_NUMBER] = "a number",
        [JSON_STRING] = "a string",  [JSON_ARRAY] = "an array",
        [JSON_OBJECT] = "an object",
    };
    bool known = type >= 0 && (size_t)type < ARRAY_LEN(names);
    return known ? names[type] : "nothing";
}
