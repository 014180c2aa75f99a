#include "core/canonical.h"

#include <assert.h>

/* Bytes of the value that p starts with; brackets in strings do not count. */
static size_t
value_length(struct slice text)
{
    bool quoted = false;
    size_t depth = 0;

    for (size_t i = 0; i < text.n; i++) {
        char c = text.p[i];
        if (quoted) {
            i += c == '\\';
            quoted = c != '"';
        } else if (c == '"') {
            quoted = true;
        } else if (c == '[') {
            depth++;
        } else if (c == ']' || c == '}' || c == ',') {
            if (depth == 0)
                return i;
            depth -= c == ']';
        }
    }
    return text.n;
}

static void
skip(struct slice *rest, size_t n)
{
    if (n > rest->n)
        n = rest->n;
    rest->p += n;
    rest->n -= n;
}

bool
canonical_element(struct slice *rest, struct slice *element)
{
    skip(rest, 1); /* the bracket, or the comma */
    if (rest->n == 0 || *rest->p == ']')
        return false;
    *element = (struct slice){rest->p, value_length(*rest)};
    skip(rest, element->n);
    return true;
}

bool
canonical_member(struct slice *rest, struct slice *name, struct slice *value)
{
    skip(rest, 1);
    if (rest->n < 2 || *rest->p != '"')
        return false;
    const char *end = memchr(rest->p + 1, '"', rest->n - 1);
    assert(end); /* names have no escapes */
    *name = (struct slice){rest->p + 1, (size_t)(end - rest->p - 1)};
    skip(rest, name->n + 3);
    *value = (struct slice){rest->p, value_length(*rest)};
    skip(rest, value->n);
    return true;
}

bool
list_has(struct slice list, struct slice element)
{
    struct slice one;

    while (canonical_element(&list, &one))
        if (slice_eq(one, element))
            return true;
    return false;
}

size_t
list_count(struct slice list)
{
    struct slice one;
    size_t n = 0;

    while (canonical_element(&list, &one))
        n++;
    return n;
}

bool
list_within(struct slice list, struct slice other)
{
    struct slice one;

    if (slice_eq(list, other))
        return true;
    while (canonical_element(&list, &one))
        if (!list_has(other, one))
            return false;
    return true;
}

static void
list_append(struct buf *out, struct slice element)
{
    if (out->n && out->p[out->n - 1] != '[')
        buf_addc(out, ',');
    buf_add(out, element.p, element.n);
}

void
list_with(struct buf *out, struct slice list, struct slice element)
{
    assert(list.n >= 2);
    buf_add(out, list.p, list.n - 1);
    list_append(out, element);
    buf_addc(out, ']');
}

void
list_without(struct buf *out, struct slice list, struct slice other)
{
    struct slice one;

    buf_addc(out, '[');
    while (canonical_element(&list, &one))
        if (!list_has(other, one))
            list_append(out, one);
    buf_addc(out, ']');
}

struct slice
attribute_of(struct slice attributes, struct slice name)
{
    struct slice one, value;

    while (canonical_member(&attributes, &one, &value))
        if (slice_eq(one, name))
            return value;
    return (struct slice){NULL, 0};
}

static void
attribute_append(struct buf *out, struct slice name, struct slice value)
{
    if (out->n && out->p[out->n - 1] != '{')
        buf_addc(out, ',');
    buf_addc(out, '"');
    buf_add(out, name.p, name.n);
    buf_add(out, "\":", 2);
    buf_add(out, value.p, value.n);
}

void
attributes_with(struct buf *out, struct slice attributes, struct slice name,
                struct slice value)
{
    struct slice one, old;
    bool placed = !value.p;

    buf_addc(out, '{');
    while (canonical_member(&attributes, &one, &old)) {
        if (!slice_eq(one, name)) {
            attribute_append(out, one, old);
        } else if (value.p) {
            attribute_append(out, one, value);
            placed = true;
        }
    }
    if (!placed)
        attribute_append(out, name, value);
    buf_addc(out, '}');
}

/* The next value of any attribute, of an array the next element. */
static bool
next_value(struct attribute_walk *walk, struct slice *value)
{
    if (walk->in_list && canonical_element(&walk->elements, value))
        return true;
    walk->in_list = false;
    while (canonical_member(&walk->attributes, &walk->name, value)) {
        if (value->n == 0 || value->p[0] != '[')
            return true;
        walk->in_list = true;
        walk->elements = *value;
        if (canonical_element(&walk->elements, value))
            return true;
        walk->in_list = false;
    }
    return false;
}

bool
attribute_next(struct attribute_walk *walk, struct slice attributes, struct slice other,
               struct slice *name, struct slice *value)
{
    if (!walk->begun) {
        walk->begun = true;
        walk->attributes = attributes;
    }
    while (next_value(walk, value)) {
        struct slice same = other.p ? attribute_of(other, walk->name) : other;
        bool has = same.p &&
                   (same.p[0] == '[' ? list_has(same, *value) : slice_eq(same, *value));
        if (!has && value->n <= ATTRIBUTE_FOUND_MAX) {
            *name = walk->name;
            return true;
        }
    }
    return false;
}
