#include "base/json_out.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>

#include "base/json_text.h"
#include "base/timefmt.h"

void
json_out_init(struct json_out *out, struct buf *buf)
{
    *out = (struct json_out){.buf = buf};
}

/* The comma before, if any, and the name. */
static void
begin(struct json_out *out, const char *name)
{
    uint64_t bit = UINT64_C(1) << out->depth;

    if (out->more & bit)
        buf_addc(out->buf, ',');
    out->more |= bit;
    if (name) {
        buf_addc(out->buf, '"');
        buf_adds(out->buf, name);
        buf_add(out->buf, "\":", 2);
    }
}

static void
open_container(struct json_out *out, const char *name, char bracket)
{
    begin(out, name);
    buf_addc(out->buf, bracket);
    out->depth++;
    assert(out->depth < 64);
    out->more &= ~(UINT64_C(1) << out->depth);
}

static void
close_container(struct json_out *out, char bracket)
{
    assert(out->depth > 0);
    out->depth--;
    buf_addc(out->buf, bracket);
}

void
json_object(struct json_out *out, const char *name)
{
    open_container(out, name, '{');
}

void
json_object_end(struct json_out *out)
{
    close_container(out, '}');
}

void
json_array(struct json_out *out, const char *name)
{
    open_container(out, name, '[');
}

void
json_array_end(struct json_out *out)
{
    close_container(out, ']');
}

static void
quoted(struct buf *buf, struct slice value)
{
    buf_addc(buf, '"');
    json_escape(buf, value);
    buf_addc(buf, '"');
}

void
json_str(struct json_out *out, const char *name, const char *value)
{
    if (value)
        json_strn(out, name, slice_of(value));
    else
        json_null(out, name);
}

void
json_strn(struct json_out *out, const char *name, struct slice value)
{
    begin(out, name);
    quoted(out->buf, value);
}

void
json_name_str(struct json_out *out, struct slice name, struct slice value)
{
    begin(out, NULL);
    quoted(out->buf, name);
    buf_addc(out->buf, ':');
    quoted(out->buf, value);
}

void
json_i64(struct json_out *out, const char *name, int64_t value)
{
    char digits[24];
    size_t at = sizeof(digits);
    uint64_t left = value < 0 ? -(uint64_t)value : (uint64_t)value;

    do {
        digits[--at] = (char)('0' + left % 10);
        left /= 10;
    } while (left);
    if (value < 0)
        digits[--at] = '-';
    begin(out, name);
    buf_add(out->buf, digits + at, sizeof(digits) - at);
}

void
json_f64(struct json_out *out, const char *name, double value)
{
    if (!isfinite(value)) {
        json_null(out, name);
        return;
    }

    char text[352]; /* the largest double has 309 digits before the point */
    int n = snprintf(text, sizeof(text), "%.3f", value);
    assert(n > 4 && (size_t)n < sizeof(text));
    while (text[n - 1] == '0')
        n--;
    if (text[n - 1] == '.')
        n--;
    bool minus_zero = n == 2 && text[0] == '-' && text[1] == '0';
    begin(out, name);
    buf_add(out->buf, minus_zero ? "0" : text, minus_zero ? 1 : (size_t)n);
}

void
json_bool(struct json_out *out, const char *name, bool value)
{
    begin(out, name);
    buf_adds(out->buf, value ? "true" : "false");
}

void
json_null(struct json_out *out, const char *name)
{
    begin(out, name);
    buf_add(out->buf, "null", 4);
}

void
json_time(struct json_out *out, const char *name, msec_t unix_ms)
{
    if (unix_ms == MSEC_NEVER) {
        json_null(out, name);
        return;
    }
    char text[TIME_TEXT];
    time_format(text, unix_ms);
    json_str(out, name, text);
}

void
json_raw_out(struct json_out *out, const char *name, struct slice json)
{
    begin(out, name);
    buf_add(out->buf, json.p, json.n);
}

void
json_compact(struct buf *buf, struct slice json)
{
    bool in_string = false;
    size_t done = 0;

    for (size_t at = 0; at < json.n; at++) {
        char c = json.p[at];
        if (c == '"')
            in_string = !in_string;
        else if (in_string && c == '\\')
            at++; /* a quote behind it does not end the string */
        if (in_string || !is_space(c))
            continue;
        buf_add(buf, json.p + done, at - done);
        done = at + 1;
    }
    buf_add(buf, json.p + done, json.n - done);
}

/* ---- escaping ---- */

/* How an ASCII character must be written, into `room`; NULL: as it is. */
static const char *
ascii_escape_of(char c, char room[8])
{
    static const char plain[] = "\b\f\n\r\t\"\\";
    static const char names[] = "bfnrt\"\\";
    const char *named = c ? strchr(plain, c) : NULL;

    if (named)
        snprintf(room, 8, "\\%c", names[named - plain]);
    else if ((unsigned char)c < 0x20 || c == 0x7f)
        snprintf(room, 8, "\\u%04x", (unsigned)c);
    else
        return NULL;
    return room;
}

/* The same for a character of `n` bytes; 0 where there is none. */
static const char *
escape_of(const char *at, size_t n, char room[8])
{
    if (n == 0)
        return "\xef\xbf\xbd"; /* U+FFFD */
    if (n == 1)
        return ascii_escape_of(*at, room);
    if (n == 3 && memcmp(at, "\xe2\x80\xa8", 3) == 0)
        return "\\u2028";
    if (n == 3 && memcmp(at, "\xe2\x80\xa9", 3) == 0)
        return "\\u2029";
    return NULL;
}

void
json_escape(struct buf *buf, struct slice value)
{
    size_t done = 0;

    for (size_t at = 0; at < value.n;) {
        char room[8];
        size_t n = utf8_length(value.p + at, value.n - at);
        const char *escape = escape_of(value.p + at, n, room);
        if (escape) {
            buf_add(buf, value.p + done, at - done);
            buf_adds(buf, escape);
            done = at + (n ? n : 1);
        }
        at += n ? n : 1;
    }
    if (value.n > done)
        buf_add(buf, value.p + done, value.n - done);
}
