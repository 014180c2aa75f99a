#include "base/httpd_parse.h"

#include <assert.h>
#include <strings.h>

static bool
is_alnum(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool
is_name_char(char c)
{
    return is_alnum(c) || (c != '\0' && strchr("-_!#$%&'*+.^`|~", c));
}

static bool
is_value_char(char c)
{
    unsigned char u = (unsigned char)c;
    return (u >= 0x20 && u != 0x7f) || u == '\t';
}

bool
http_name_ok(struct slice name)
{
    for (size_t i = 0; i < name.n; i++)
        if (!is_name_char(name.p[i]))
            return false;
    return name.n > 0;
}

bool
http_value_ok(struct slice value)
{
    for (size_t i = 0; i < value.n; i++)
        if (!is_value_char(value.p[i]))
            return false;
    return true;
}

/* A host, also [an IPv6 one], and a port; not whether they make sense. */
static bool
host_ok(struct slice host)
{
    for (size_t i = 0; i < host.n; i++) {
        char c = host.p[i];
        if (!is_alnum(c) && (c == '\0' || !strchr("-._~%!$&'()*+,;=:[]", c)))
            return false;
    }
    return host.n > 0;
}

/* A path, and perhaps a query: no bytes that no URI has (but in a query other than
 * ASCII, which curl sends as it is typed). The absolute form names a host beside Host,
 * and is for proxies: it is none. */
static bool
target_ok(struct slice target)
{
    bool in_query = false;

    for (size_t i = 0; i < target.n; i++) {
        unsigned char c = (unsigned char)target.p[i];
        if (c <= 0x20 || c == 0x7f || (c > 0x7f && !in_query))
            return false;
        in_query = in_query || c == '?';
    }
    return target.n > 0 && target.p[0] == '/';
}

static bool
parse_length(struct slice text, uint64_t *out)
{
    uint64_t value = 0;

    for (size_t i = 0; i < text.n; i++) {
        if (text.p[i] < '0' || text.p[i] > '9' || value > (INT64_MAX - 9) / 10)
            return false;
        value = value * 10 + (unsigned)(text.p[i] - '0');
    }
    if (text.n == 0)
        return false;
    *out = value;
    return true;
}

static bool
named(struct slice name, const char *other)
{
    return name.n == strlen(other) && strncasecmp(name.p, other, name.n) == 0;
}

/* A name that only begins like the other: a sloppy program in front may take it for it.
 */
static bool
named_longer(struct slice name, const char *other)
{
    size_t n = strlen(other);

    return name.n > n && strncasecmp(name.p, other, n) == 0;
}

static struct http_span
span_of(const char *bytes, struct slice part)
{
    assert(part.p >= bytes && (size_t)(part.p - bytes) + part.n <= HTTP_HEAD_MAX);
    return (struct http_span){(uint16_t)(part.p - bytes), (uint16_t)part.n};
}

static enum http_read
bad(struct http_bad *out, unsigned status, const char *why)
{
    *out = (struct http_bad){status, why};
    return HTTP_REFUSED;
}

/* ---- the request line ---- */

static enum http_read
read_version(struct http_head *head, struct slice version)
{
    static const char form[] = "HTTP/1.1";

    head->is_old = slice_is(version, "HTTP/1.0");
    if (head->is_old || slice_is(version, form))
        return HTTP_MORE;
    if (version.n == sizeof(form) - 1 && memcmp(version.p, form, 5) == 0 &&
        version.p[5] >= '0' && version.p[5] <= '9' && version.p[6] == '.' &&
        version.p[7] >= '0' && version.p[7] <= '9')
        return bad(&head->bad, 505, "the versions understood are HTTP/1.1 and 1.0");
    return bad(&head->bad, 400, "the request line is malformed");
}

static enum http_read
read_request_line(struct http_head *head, const char *bytes, struct slice line)
{
    const char *first = line.n ? memchr(line.p, ' ', line.n) : NULL;
    const char *end = line.p + line.n;
    const char *second =
        first ? memchr(first + 1, ' ', (size_t)(end - first - 1)) : NULL;

    if (!second)
        return bad(&head->bad, 400, "the request line is malformed");
    struct slice method = {line.p, (size_t)(first - line.p)};
    struct slice target = {first + 1, (size_t)(second - first - 1)};
    if (!http_name_ok(method))
        return bad(&head->bad, 400, "the method is not one");
    if (read_version(head, (struct slice){second + 1, (size_t)(end - second - 1)}) !=
        HTTP_MORE)
        return HTTP_REFUSED;
    if (!target_ok(target))
        return bad(&head->bad, 400, "the request target is not a path");

    const char *mark = memchr(target.p, '?', target.n);
    struct slice path = {target.p, mark ? (size_t)(mark - target.p) : target.n};
    head->has_query = mark != NULL;
    head->method = span_of(bytes, method);
    head->path = span_of(bytes, path);
    if (mark)
        head->query = span_of(bytes, (struct slice){mark + 1, target.n - path.n - 1});
    head->has_request_line = true;
    return HTTP_MORE;
}

/* ---- fields ---- */

static void
read_connection(struct http_head *head, struct slice value)
{
    while (value.n) {
        const char *comma = memchr(value.p, ',', value.n);
        size_t n = comma ? (size_t)(comma - value.p) : value.n;
        struct slice option = slice_trim((struct slice){value.p, n});
        head->wants_close = head->wants_close || named(option, "close");
        head->wants_keep = head->wants_keep || named(option, "keep-alive");
        n += comma != NULL;
        value.p += n;
        value.n -= n;
    }
}

/* What the framing and the connection hang on. Returns NULL, or what is wrong. */
static const char *
take_field(struct http_head *head, struct slice name, struct slice value)
{
    if (named_longer(name, "Content-Length") || named_longer(name, "Transfer-Encoding"))
        return "a header field's name is not one";
    if (named(name, "Content-Length")) {
        head->lengths++;
        if (!parse_length(value, &head->length))
            return "Content-Length is not a number";
    } else if (named(name, "Transfer-Encoding")) {
        head->encodings++;
        head->chunked = named(value, "chunked");
        if (!head->chunked)
            return "the only Transfer-Encoding understood is chunked";
    } else if (named(name, "Host")) {
        head->hosts++;
        if (!host_ok(value))
            return "Host is not a host";
    } else if (named(name, "Expect")) {
        head->expects_continue = named(value, "100-continue");
    } else if (named(name, "Connection")) {
        read_connection(head, value);
    }
    return NULL;
}

static enum http_read
read_field(struct http_head *head, const char *bytes, struct slice line)
{
    const char *colon = memchr(line.p, ':', line.n);

    if (line.p[0] == ' ' || line.p[0] == '\t')
        return bad(&head->bad, 400, "a header field is folded over lines");
    if (!colon)
        return bad(&head->bad, 400, "a header field has no colon");
    struct slice name = {line.p, (size_t)(colon - line.p)};
    struct slice value = slice_trim((struct slice){colon + 1, line.n - name.n - 1});
    if (!http_name_ok(name) || !http_value_ok(value))
        return bad(&head->bad, 400, "a header field has bytes that are not allowed");
    if (head->n_fields == HTTP_FIELDS_MAX)
        return bad(&head->bad, 431, "there are too many header fields");
    head->fields[head->n_fields++] =
        (struct http_head_field){span_of(bytes, name), span_of(bytes, value)};
    const char *why = take_field(head, name, value);
    return why ? bad(&head->bad, 400, why) : HTTP_MORE;
}

static enum http_read
end_head(struct http_head *head)
{
    const char *why = NULL;

    if (head->lengths + head->encodings > 1)
        why = "more than one of Content-Length and Transfer-Encoding";
    else if (head->encodings && head->is_old)
        why = "HTTP/1.0 has no Transfer-Encoding";
    else if (head->hosts > 1)
        why = "more than one Host";
    else if (head->hosts == 0 && !head->is_old)
        why = "a Host is missing";
    if (why)
        return bad(&head->bad, 400, why);
    if (head->is_old)
        head->expects_continue = false;
    head->keep_alive = !head->wants_close && (!head->is_old || head->wants_keep);
    return HTTP_WHOLE;
}

/* ---- the head ---- */

static enum http_read
read_line(struct http_head *head, const char *bytes, struct slice line)
{
    if (head->has_request_line)
        return line.n ? read_field(head, bytes, line) : end_head(head);
    if (line.n == 0 && line.p == bytes) /* some send one behind a body */
        return HTTP_MORE;
    return read_request_line(head, bytes, line);
}

enum http_read
http_head_read(struct http_head *head, const char *bytes, size_t n)
{
    size_t most = n < HTTP_HEAD_MAX ? n : HTTP_HEAD_MAX;

    /* Such as a TLS hello, in which there may never be the end of a line. */
    if (n && !is_name_char(bytes[0]) && bytes[0] != '\r')
        return bad(&head->bad, 400, "this is not HTTP");
    for (;;) {
        size_t from = head->seen > head->line ? head->seen : head->line;
        const char *lf = from < most ? memchr(bytes + from, '\n', most - from) : NULL;
        if (!lf) {
            head->seen = (uint16_t)most;
            if (n < HTTP_HEAD_MAX)
                return HTTP_MORE;
            return head->has_request_line
                       ? bad(&head->bad, 431, "the header fields are too large")
                       : bad(&head->bad, 414, "the request target is too long");
        }
        const char *start = bytes + head->line;
        if (lf == start || lf[-1] != '\r')
            return bad(&head->bad, 400, "a line ends with LF alone");
        head->line = (uint16_t)(lf - bytes + 1);
        enum http_read rc =
            read_line(head, bytes, (struct slice){start, (size_t)(lf - 1 - start)});
        if (rc != HTTP_MORE)
            return rc;
    }
}

void
http_head_seal(const struct http_head *head, char *bytes)
{
    bytes[head->method.at + head->method.n] = '\0';
    bytes[head->path.at + head->path.n] = '\0';
    for (unsigned i = 0; i < head->n_fields; i++) {
        const struct http_head_field *field = &head->fields[i];
        bytes[field->name.at + field->name.n] = '\0';
        bytes[field->value.at + field->value.n] = '\0';
    }
}

/* ---- chunks ---- */

#define DIGITS_MAX 16

static enum http_read
read_size(struct http_chunks *chunks, char c)
{
    int digit = hex_value(c);

    if (digit >= 0) {
        if (chunks->digits == DIGITS_MAX || chunks->left > INT64_MAX >> 4)
            return bad(&chunks->bad, 400, "a chunk's size is too large");
        chunks->digits++;
        chunks->left = chunks->left << 4 | (unsigned)digit;
        return HTTP_MORE;
    }
    if (chunks->digits == 0 || (c != ';' && c != '\r'))
        return bad(&chunks->bad, 400, "a chunk's size is not a number");
    chunks->stage = c == ';' ? CHUNK_EXTENSION : CHUNK_SIZE_LF;
    return HTTP_MORE;
}

static enum http_read
read_extension(struct http_chunks *chunks, char c)
{
    if (c == '\r') {
        chunks->stage = CHUNK_SIZE_LF;
        return HTTP_MORE;
    }
    if (!is_value_char(c) || ++chunks->extension > HTTP_EXTENSION_MAX)
        return bad(&chunks->bad, 400, "a chunk's extension is malformed or too long");
    return HTTP_MORE;
}

static enum http_read
read_trailer(struct http_chunks *chunks, char c)
{
    if (++chunks->trailer > HTTP_TRAILER_MAX)
        return bad(&chunks->bad, 431, "the trailer fields are too large");
    if (chunks->stage == CHUNK_TRAILER && c == '\r')
        chunks->stage = CHUNK_LAST_LF;
    else if (chunks->stage == CHUNK_TRAILER_NAME && c == ':')
        chunks->stage = CHUNK_TRAILER_VALUE;
    else if (chunks->stage == CHUNK_TRAILER_VALUE && c == '\r')
        chunks->stage = CHUNK_TRAILER_LF;
    else if (chunks->stage == CHUNK_TRAILER_VALUE ? !is_value_char(c)
                                                  : !is_name_char(c))
        return bad(&chunks->bad, 400, "a trailer field is malformed");
    else if (chunks->stage == CHUNK_TRAILER)
        chunks->stage = CHUNK_TRAILER_NAME;
    return HTTP_MORE;
}

/* The one byte that must come, and where it leads. */
static enum http_read
read_fixed(struct http_chunks *chunks, char c)
{
    bool is_cr = chunks->stage == CHUNK_DATA_CR;

    if (c != (is_cr ? '\r' : '\n'))
        return bad(&chunks->bad, 400, "a chunk's line does not end with CR LF");
    if (is_cr) {
        chunks->stage = CHUNK_DATA_LF;
    } else if (chunks->stage == CHUNK_SIZE_LF) {
        chunks->digits = 0;
        chunks->stage = chunks->left ? CHUNK_DATA : CHUNK_TRAILER;
    } else if (chunks->stage == CHUNK_DATA_LF) {
        chunks->stage = CHUNK_SIZE;
    } else if (chunks->stage == CHUNK_TRAILER_LF) {
        chunks->stage = CHUNK_TRAILER;
    } else {
        chunks->stage = CHUNK_END;
        return HTTP_WHOLE;
    }
    return HTTP_MORE;
}

static enum http_read
read_byte(struct http_chunks *chunks, char c)
{
    switch (chunks->stage) {
    case CHUNK_SIZE:
        return read_size(chunks, c);
    case CHUNK_EXTENSION:
        return read_extension(chunks, c);
    case CHUNK_TRAILER:
    case CHUNK_TRAILER_NAME:
    case CHUNK_TRAILER_VALUE:
        return read_trailer(chunks, c);
    case CHUNK_SIZE_LF:
    case CHUNK_DATA_CR:
    case CHUNK_DATA_LF:
    case CHUNK_TRAILER_LF:
    case CHUNK_LAST_LF:
    case CHUNK_DATA:
    case CHUNK_END:
        break;
    }
    return read_fixed(chunks, c);
}

static void
take_data(struct http_chunks *chunks, struct slice bytes, size_t *used,
          struct slice *data)
{
    size_t n = bytes.n - *used;

    if (n > chunks->left)
        n = (size_t)chunks->left;
    *data = (struct slice){bytes.p + *used, n};
    *used += n;
    chunks->left -= n;
    if (chunks->left == 0)
        chunks->stage = CHUNK_DATA_CR;
}

enum http_read
http_chunks_read(struct http_chunks *chunks, struct slice bytes, size_t *used,
                 struct slice *data)
{
    *used = 0;
    *data = (struct slice){bytes.p, 0};
    assert(chunks->stage != CHUNK_END);
    while (*used < bytes.n) {
        if (chunks->stage == CHUNK_DATA) {
            take_data(chunks, bytes, used, data);
            return HTTP_MORE;
        }
        enum http_read rc = read_byte(chunks, bytes.p[(*used)++]);
        if (rc != HTTP_MORE)
            return rc;
    }
    return HTTP_MORE;
}
