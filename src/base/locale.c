#include "base/locale.h"

#define HEADER_MAX  1000 /* bytes; browsers send 20 to 100 */
#define SUBTAG_MAX  8
#define WEIGHT_FULL 1000

static bool
is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool
is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static char
to_lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

/* Cuts off what stands before the separator; false if there is no separator, and then
 * all of it. */
static bool
cut(struct slice *rest, char separator, struct slice *before)
{
    const char *at = rest->n ? memchr(rest->p, separator, rest->n) : NULL;

    *before = *rest;
    if (!at) {
        *rest = (struct slice){0};
        return false;
    }
    before->n = (size_t)(at - rest->p);
    rest->p = at + 1;
    rest->n -= before->n + 1;
    return true;
}

/* A basic language range (RFC 4647 2.1): letters, then letters or digits, joined by
 * "-"; *primary is the first subtag. */
static bool
parse_range(struct slice text, struct slice *primary)
{
    struct slice subtag;
    bool more = cut(&text, '-', &subtag);

    *primary = subtag;
    for (bool first = true;; first = false) {
        if (subtag.n == 0 || subtag.n > SUBTAG_MAX)
            return false;
        for (size_t i = 0; i < subtag.n; i++)
            if (!is_letter(subtag.p[i]) && (first || !is_digit(subtag.p[i])))
                return false;
        if (!more)
            return true;
        more = cut(&text, '-', &subtag);
    }
}

/* "q=0.8" in thousandths: 0 or 1 and up to three digits, 1 at most (RFC 9110 12.4.2).
 */
static bool
parse_weight(struct slice text, int *weight)
{
    if (text.n < 3 || text.n > 7 || to_lower(text.p[0]) != 'q' || text.p[1] != '=' ||
        !is_digit(text.p[2]) || (text.n > 3 && text.p[3] != '.'))
        return false;

    int sum = (text.p[2] - '0') * WEIGHT_FULL;
    int place = WEIGHT_FULL / 10;
    for (size_t i = 4; i < text.n; i++, place /= 10) {
        if (!is_digit(text.p[i]))
            return false;
        sum += (text.p[i] - '0') * place;
    }
    if (sum > WEIGHT_FULL)
        return false;
    *weight = sum;
    return true;
}

static bool
parse_entry(struct slice entry, struct slice *language, int *weight)
{
    struct slice range;

    *weight = WEIGHT_FULL;
    if (cut(&entry, ';', &range) && !parse_weight(slice_trim(entry), weight))
        return false;
    return parse_range(slice_trim(range), language) &&
           (language->n == 2 || language->n == LOCALE_LANGUAGE);
}

bool
locale_from_accept_language(struct slice header, char out[LOCALE_LANGUAGE + 1])
{
    struct slice best = {0}, entry;
    bool capped = header.n > HEADER_MAX;
    int best_weight = 0;

    if (capped)
        header.n = HEADER_MAX;
    for (bool more = true; more;) {
        struct slice language;
        int weight;

        more = cut(&header, ',', &entry);
        if (capped && !more)
            break; /* half an entry may read as another one */
        if (parse_entry(entry, &language, &weight) && weight > best_weight) {
            best = language;
            best_weight = weight;
        }
    }
    if (best.n == 0)
        return false;
    for (size_t i = 0; i < best.n; i++)
        out[i] = to_lower(best.p[i]);
    out[best.n] = '\0';
    return true;
}

bool
locale_country_ok(struct slice text)
{
    return text.n == 2 && is_letter(text.p[0]) && is_letter(text.p[1]) &&
           !(to_lower(text.p[0]) == 'x' && to_lower(text.p[1]) == 'x');
}
