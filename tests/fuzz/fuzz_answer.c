/* What a receiver answers: lines up to the empty ones, then a body in pieces. Whatever
 * it is, no more is read or kept than was agreed on. */
#include <assert.h>
#include <string.h>

#include "core/retry.h"
#include "fuzz.h"
#include "send/answer.h"

#define NOW_MS INT64_C(1709546000000)

/* The lines of one header block, of interim ones, or of trailers. Returns what is left;
 * *more = whether more would be read. */
static struct slice
read_lines(struct answer *answer, struct slice text, bool *more)
{
    while (text.n > 0 && *more) {
        const char *end = memchr(text.p, '\n', text.n);
        size_t n = end ? (size_t)(end - text.p) + 1 : text.n;
        struct slice line = {text.p, n};
        size_t before = answer->header_bytes;
        *more = answer_line(answer, line, NOW_MS);
        assert(*more == !answer_headers_too_long(answer));
        assert(answer->header_bytes <= before + n);
        text = (struct slice){text.p + n, text.n - n};
        bool empty = n == 1 || (n == 2 && line.p[0] == '\r');
        if (empty && answer->status >= 200)
            break;
    }
    return text;
}

static void
check(const struct answer *answer)
{
    bool ok = answer->status >= 200 && answer->status < 300;

    assert(answer->status >= 0 && answer->status <= 9999); /* at most four digits */
    assert(answer->kept <= RESPONSE_KEPT_BYTES);
    assert(answer->retry_after_ms >= 0 && answer->retry_after_ms <= RETRY_AFTER_MAX_MS);
    if (!answer->status)
        return; /* no complete header block: there is no verdict */
    enum verdict verdict = answer_verdict(answer);
    assert((verdict == VERDICT_OK) == ok);
    assert((verdict == VERDICT_GONE) == (answer->status == 410));
}

static void
give(struct answer *answer, struct slice text)
{
    bool more = true;
    struct slice body = read_lines(answer, text, &more);

    check(answer);
    int status = answer->status;
    for (size_t piece = 1; more && body.n > 0; piece = piece * 3 + 1) {
        size_t n = piece < body.n ? piece : body.n;
        more = answer_body(answer, (struct slice){body.p, n});
        body = (struct slice){body.p + n, body.n - n};
    }
    check(answer);
    assert(answer->status == status); /* the rest does not matter */
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    struct slice text = {n > 0 ? (const char *)bytes : "", n};
    struct answer answer = {0};

    /* Twice: what one answer left behind is not the next one's. */
    for (int i = 0; i < 2; i++) {
        answer_reset(&answer);
        give(&answer, text);
    }
    answer_fini(&answer);
    return 0;
}
