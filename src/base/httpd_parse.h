/*
 * What a client may send as a request's head and as a body in chunks (RFC 9112), read
 * as the bytes come in. Strict where two programs could see two things in the same
 * bytes (request smuggling): lines end with CR LF, nothing is folded, nothing is
 * repaired. A request is the same however its bytes were cut into pieces.
 */
#pragma once

#include "base/types.h"

#define HTTP_HEAD_MAX      (32 * 1024) /* request line and fields (414, 431) */
#define HTTP_FIELDS_MAX    100         /* fields of a head (431) */
#define HTTP_EXTENSION_MAX 4096        /* bytes of chunk extensions in a body (400) */
#define HTTP_TRAILER_MAX   8192        /* bytes of trailer fields (431) */

enum http_read {
    HTTP_MORE,   /* what is there is fine and not all of it */
    HTTP_WHOLE,  /* the end has been reached */
    HTTP_REFUSED /* `bad` says why; where this request ends is in doubt */
};

struct http_bad {
    unsigned status;
    const char *why; /* a sentence, constant */
};

/* A place in the bytes of the head. */
struct http_span {
    uint16_t at, n;
};

struct http_head_field {
    struct http_span name, value;
};

/* Zero it before the first byte. */
struct http_head {
    uint16_t line; /* where the line begins that has not ended; at the end: the size */
    uint16_t seen; /* bytes that were searched for its end */
    bool has_request_line;
    bool is_old;     /* HTTP/1.0 */
    bool keep_alive; /* the client would use the connection again */
    bool has_query;
    bool chunked;
    bool expects_continue;
    bool wants_close, wants_keep; /* in its Connection */
    unsigned lengths, encodings, hosts, n_fields;
    uint64_t length; /* Content-Length; 0 without */
    struct http_span method, path, query;
    struct http_head_field fields[HTTP_FIELDS_MAX];
    struct http_bad bad;
};

/* Reads on: `bytes` are the request's from its first, `n` of them are there by now.
 * HTTP_WHOLE: the first head->line of them are the head. */
enum http_read http_head_read(struct http_head *head, const char *bytes,
                              size_t n) must_check;
/* Makes strings of the method, the path, and each field's name and value, by a NUL in
 * place of what stood behind them. The query stays a span. */
void http_head_seal(const struct http_head *head, char *bytes);

static inline bool
http_head_has_body(const struct http_head *head)
{
    return head->chunked || head->length > 0;
}

enum http_chunk_stage {
    CHUNK_SIZE,
    CHUNK_EXTENSION,
    CHUNK_SIZE_LF,
    CHUNK_DATA,
    CHUNK_DATA_CR,
    CHUNK_DATA_LF,
    CHUNK_TRAILER, /* at the start of a line behind the last chunk */
    CHUNK_TRAILER_NAME,
    CHUNK_TRAILER_VALUE,
    CHUNK_TRAILER_LF,
    CHUNK_LAST_LF,
    CHUNK_END
};

/* Zero it before the first byte. */
struct http_chunks {
    enum http_chunk_stage stage;
    unsigned digits;
    uint64_t left; /* of the chunk */
    size_t extension, trailer;
    struct http_bad bad;
};

/* Reads on from `bytes`: *used of them are done with, and *data (n may be 0) is content
 * among those. HTTP_MORE may also mean that there was data: call again with the rest.
 * Trailer fields are checked and dropped. */
enum http_read http_chunks_read(struct http_chunks *chunks, struct slice bytes,
                                size_t *used, struct slice *data) must_check;

/* A token (RFC 9110 5.6.2), and what a field's value may hold. */
bool http_name_ok(struct slice name);
bool http_value_ok(struct slice value);
