#include "send/answer.h"

#include <assert.h>
#include <stdlib.h>
#include <strings.h>

#include "base/mem.h"
#include "core/retry.h"

void
answer_fini(struct answer *answer)
{
    free(answer->keep);
    answer->keep = NULL;
}

void
answer_reset(struct answer *answer)
{
    char *keep = answer->keep;
    *answer = (struct answer){.keep = keep};
}

/* "HTTP/1.1 200 OK": the number after the first space, at most four digits of it; 0 if
 * there is none. */
static int
parse_status(struct slice line)
{
    const char *space = memchr(line.p, ' ', line.n);
    int status = 0;

    if (!space)
        return 0;
    const char *end = line.p + line.n;
    for (const char *at = space + 1; at < end && *at >= '0' && *at <= '9'; at++) {
        status = status * 10 + (*at - '0');
        if (status > 999)
            break;
    }
    return status;
}

static bool
is_final(int status)
{
    return status < 100 || status > 199;
}

static void
end_block(struct answer *answer)
{
    answer->in_block = false;
    if (is_final(answer->block_status))
        answer->status = answer->block_status;
    else
        answer->interim = answer->block_status;
}

static void
read_field(struct answer *answer, struct slice line, msec_t now_wall_ms)
{
    static const char name[] = "retry-after:";
    const size_t n = sizeof(name) - 1;

    if (line.n < n || strncasecmp(line.p, name, n) != 0)
        return;
    struct slice value = {line.p + n, line.n - n};
    answer->retry_after_ms = retry_after_parse(value, now_wall_ms);
}

bool
answer_line(struct answer *answer, struct slice line, msec_t now_wall_ms)
{
    answer->header_bytes += line.n;
    if (answer_headers_too_long(answer))
        return false;
    if (answer->status) /* a trailer */
        return true;

    while (line.n > 0 && (line.p[line.n - 1] == '\n' || line.p[line.n - 1] == '\r'))
        line.n--;
    if (!answer->in_block) {
        answer->in_block = true;
        answer->block_status = parse_status(line);
        answer->retry_after_ms = 0;
    } else if (line.n == 0) {
        end_block(answer);
    } else {
        read_field(answer, line, now_wall_ms);
    }
    return true;
}

bool
answer_body(struct answer *answer, struct slice bytes)
{
    size_t room = RESPONSE_KEPT_BYTES - answer->kept;
    size_t take = bytes.n < room ? bytes.n : room;

    if (take > 0) {
        if (!answer->keep)
            answer->keep = xmalloc(RESPONSE_KEPT_BYTES);
        memcpy(answer->keep + answer->kept, bytes.p, take);
        answer->kept += take;
    }
    answer->body_bytes += bytes.n;
    return answer->body_bytes <= ANSWER_BODY_MAX;
}

enum verdict
answer_verdict(const struct answer *answer)
{
    assert(answer->status);
    if (answer->status >= 200 && answer->status <= 299)
        return VERDICT_OK;
    return answer->status == 410 ? VERDICT_GONE : VERDICT_TEMPORARY;
}
