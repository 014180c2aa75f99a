/* Requests as bytes: a head, and a body in chunks behind it. The same bytes are the
 * same request however they are cut, and nothing is let through that another program
 * could read in another way. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/httpd_parse.h"
#include "base/httpd_request.h"
#include "fuzz.h"

#define CONTENT_MAX 65536

struct reading {
    enum http_read head_rc, body_rc;
    struct http_head head;
    struct http_bad body_bad;
    size_t size; /* of what was read */
    char content[CONTENT_MAX];
    size_t n;
};

static void
read_chunks(struct reading *r, struct slice bytes, size_t piece)
{
    struct http_chunks chunks = {0};
    size_t there = 0;

    r->body_rc = HTTP_MORE;
    for (size_t at = 0; r->body_rc == HTTP_MORE && at < bytes.n;) {
        size_t used;
        struct slice data;
        if (there <= at)
            there = bytes.n - at < piece ? bytes.n : at + piece;
        r->body_rc = http_chunks_read(&chunks, (struct slice){bytes.p + at, there - at},
                                      &used, &data);
        assert(used > 0 && used <= there - at && data.n <= used);
        assert(r->n + data.n <= CONTENT_MAX);
        memcpy(r->content + r->n, data.p, data.n);
        r->n += data.n;
        at += used;
        r->size += used;
    }
    r->body_bad = chunks.bad;
}

static void
read_all(struct reading *r, struct slice bytes, size_t piece)
{
    memset(r, 0, sizeof(*r));
    for (size_t there = 0; r->head_rc == HTTP_MORE && there < bytes.n;) {
        there = bytes.n - there < piece ? bytes.n : there + piece;
        r->head_rc = http_head_read(&r->head, bytes.p, there);
    }
    if (r->head_rc != HTTP_WHOLE)
        return;
    r->size = r->head.line;
    if (r->head.chunked)
        read_chunks(r, (struct slice){bytes.p + r->size, bytes.n - r->size}, piece);
}

static void
check_same(const struct reading *a, const struct reading *b)
{
    assert(a->head_rc == b->head_rc && a->body_rc == b->body_rc);
    assert(a->head.bad.status == b->head.bad.status);
    assert(a->body_bad.status == b->body_bad.status);
    assert(a->head.bad.why == b->head.bad.why && a->body_bad.why == b->body_bad.why);
    assert(a->size == b->size && a->n == b->n);
    assert(memcmp(a->content, b->content, a->n) == 0);
    if (a->head_rc == HTTP_WHOLE)
        assert(memcmp(a->head.fields, b->head.fields,
                      a->head.n_fields * sizeof(a->head.fields[0])) == 0);
}

static void
check_line_ends(struct slice head)
{
    assert(head.n >= 4 && head.n <= HTTP_HEAD_MAX);
    assert(memcmp(head.p + head.n - 4, "\r\n\r\n", 4) == 0);
    for (size_t i = 0; i < head.n; i++) {
        assert(head.p[i] != '\0');
        if (head.p[i] == '\n')
            assert(i > 0 && head.p[i - 1] == '\r');
        if (head.p[i] == '\r')
            assert(i + 1 < head.n && head.p[i + 1] == '\n');
    }
}

static void
check_head(const struct http_head *head, struct slice bytes)
{
    struct http_query query = {0};
    char *copy = malloc(bytes.n);

    check_line_ends(bytes);
    assert(head->lengths + head->encodings <= 1);
    assert(head->hosts == 1 || (head->is_old && head->hosts == 0));
    assert(!head->chunked || (head->length == 0 && !head->is_old));
    memcpy(copy, bytes.p, bytes.n);
    if (http_query_parse(&query,
                         (struct slice){copy + head->query.at, head->query.n}) == 0)
        assert(query.n <= HTTP_QUERY_MAX);
    http_query_fini(&query);
    http_head_seal(head, copy);
    assert(copy[head->path.at] == '/');
    assert(strlen(copy + head->path.at) == head->path.n);
    assert(strlen(copy + head->method.at) == head->method.n);
    for (unsigned i = 0; i < head->n_fields; i++) {
        assert(strlen(copy + head->fields[i].name.at) == head->fields[i].name.n);
        assert(strlen(copy + head->fields[i].value.at) == head->fields[i].value.n);
    }
    free(copy);
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    static struct reading whole, pieces;
    struct slice text = {n > 0 ? (const char *)bytes : "", n};

    if (n > CONTENT_MAX)
        return 0;
    read_all(&whole, text, SIZE_MAX);
    if (whole.head_rc == HTTP_WHOLE)
        check_head(&whole.head, (struct slice){text.p, whole.head.line});
    read_all(&pieces, text, 1);
    check_same(&whole, &pieces);
    read_all(&pieces, text, n ? 1 + bytes[n / 2] % 61 : 1);
    check_same(&whole, &pieces);
    return 0;
}
