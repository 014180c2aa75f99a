/* What a receiver answers, counted and judged line by line as it comes in. Knows no
 * network. */
#pragma once

#include "base/types.h"
#include "core/call.h"
#include "core/record.h"

#define ANSWER_HEADERS_MAX ((size_t)64 * 1024) /* with interim answers and trailers */
#define ANSWER_BODY_MAX    ((size_t)64 * 1024) /* read; then nobody listens any more */

struct answer {
    bool in_block; /* between a status line and the empty line */
    int block_status;
    int status;  /* of the final header block, once it is complete; 0 before */
    int interim; /* the last 1xx, 0 = none */
    size_t header_bytes;
    size_t body_bytes;
    msec_t retry_after_ms;
    size_t kept;
    char *keep; /* RESPONSE_KEPT_BYTES; NULL until there is a body */
};

void answer_fini(struct answer *answer);
void answer_reset(struct answer *answer); /* for the next one; keeps its memory */

/* A header line, a status line or a trailer line, with its line end. False: too much,
 * stop reading. */
bool answer_line(struct answer *answer, struct slice line, msec_t now_wall_ms);
/* Some of the body. False: enough, stop reading. */
bool answer_body(struct answer *answer, struct slice bytes);

static inline bool
answer_headers_too_long(const struct answer *answer)
{
    return answer->header_bytes > ANSWER_HEADERS_MAX;
}

/* The verdict of a complete header block: the rest of the answer does not matter. */
enum verdict answer_verdict(const struct answer *answer);
