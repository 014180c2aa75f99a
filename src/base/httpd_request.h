/* A request and its answer as far as they need no server, for httpd.c: what a client
 * may send in a path, a query and a header field, and an answer as bytes. */
#pragma once

#include "base/buf.h"
#include "base/httpd.h"
#include "base/types.h"

#define HTTP_QUERY_MAX  64 /* parameters a request */
#define HTTP_FIELDS_MAX 8  /* header fields that an answer adds */
#define HTTP_DATE_TEXT  32 /* room for a date and its NUL */

/* Whether the target is a path, and perhaps a query: starts with '/', and holds no
 * bytes that no URI has (but in a query other than ASCII, which curl sends as it is
 * typed). The absolute form names a host beside Host, and is for proxies: it is none.
 */
bool http_target_ok(struct slice target);

/* What says where a body ends. Zero it, add every header field, then check: refused is
 * what two programs could read in two ways (request smuggling). */
struct http_framing {
    uint64_t length; /* Content-Length; 0 without */
    bool chunked;
    bool expects_continue;
    unsigned lengths, encodings, hosts; /* fields seen */
};

/* Each returns NULL, or a sentence about what is wrong. */
const char *http_framing_add(struct http_framing *framing, struct slice name,
                             struct slice value) must_check;
const char *http_framing_check(struct http_framing *framing,
                               const char *version) must_check;

/*
 * Whether the fields that libmicrohttpd gives account for every byte of the header
 * block. It is forgiving in silence: it joins folded lines (to the name!), cuts at a
 * NUL, ends the block at an empty name, takes a bare LF for a line's end. A proxy in
 * front that reads such bytes in another way sees a request end elsewhere. What it
 * gives points into the block as it came in, where it only put NULs over the colons and
 * the line ends:
 *
 *   POST 0 /target?query 0 HTTP/1.1 0 0 Host 0 ' ' x 0 0 Name 0 value 0 0 0 0
 *   method                 version      name       value                     end
 *
 * so anything else between two pointers is something it passed over. What stays unseen
 * is what is as long as proper line ends and became NULs too: NUL LF for CR LF, and
 * behind the last value such as CR LF ':' LF or NUL CR LF LF for CR LF CR LF.
 */
struct http_block {
    const char *at;  /* where the next name must start */
    const char *end; /* behind the empty line */
};

/* Each is false when bytes are not accounted for. `method` starts the block, whose size
 * is `n`; `target` is where it came in, with its query. */
bool http_block_start(struct http_block *block, const char *method, size_t n,
                      struct slice target, const char *version) must_check;
bool http_block_field(struct http_block *block, struct slice name,
                      struct slice value) must_check;
bool http_block_end(const struct http_block *block) must_check;

static inline bool
http_has_body(const struct http_framing *framing)
{
    return framing->chunked || framing->length > 0;
}

struct http_param {
    char *name;
    char *value; /* NULL without a '='; lives in the memory of name */
};

struct http_query {
    struct http_param *params;
    size_t n;
};

/* Decodes %XX. E_INVALID for a broken escape, %00, or too many parameters. `value` may
 * have p NULL. */
int http_query_add(struct http_query *query, struct slice name,
                   struct slice value) must_check;
/* The first of that name, "" for one without a value; NULL if there is none. */
const char *http_query_find(const struct http_query *query, const char *name);
void http_query_fini(struct http_query *query);

struct http_field {
    char *name;
    char *value;
};

struct http_answer {
    bool set;
    unsigned status;
    const char *type; /* a constant, or NULL */
    char *body;       /* free() */
    size_t n;
    bool is_file; /* then fd holds the body, and n counts for nothing */
    int fd;       /* -1 once it is somebody else's */
    uint64_t file_bytes;
    struct http_field fields[HTTP_FIELDS_MAX];
    size_t n_fields;
};

void http_answer_fini(struct http_answer *answer);
void http_answer_add(struct http_answer *answer, const char *name, const char *value);
/* The answer as it goes over the wire on a connection that is closed after it. */
int http_answer_format(struct buf *out, const struct http_answer *answer,
                       const char *reason, msec_t now_ms, bool with_body) must_check;

/* Sun, 06 Nov 1994 08:49:37 GMT */
void http_date_format(char out[HTTP_DATE_TEXT], msec_t unix_ms);

/* ---- the request ---- */

struct MHD_Connection;

/*
 *   TARGET IN
 *      | the header block is in
 *   READING ----> BODY IN ----> (held) ----> answered, sent by libmicrohttpd
 *      |
 *      | answered before the body is in (401, 413, 503 ...)
 *      v
 *   DISCARDING -> the body ends: the answer goes out, the connection stays
 *      | too much of it
 *      v
 *   LEFT          the answer has been sent past libmicrohttpd, which cannot answer in
 *                 the middle of a body, and our side shut; what still comes is read for
 *                 a while, since closing at once would reset the connection and might
 *                 take the answer from the client
 */
enum stage {
    STAGE_TARGET_IN,
    STAGE_READING,
    STAGE_DISCARDING,
    STAGE_LEFT,
    STAGE_BODY_IN
};

struct httpd_req {
    struct httpd *httpd;
    struct MHD_Connection *conn; /* for httpd.c alone */
    const char *method;
    const char *path;
    struct slice target; /* where it came in, whole; its bytes have been cut up since */
    bool target_ok;
    void *user;
    usec_t started_us;
    enum stage stage;
    bool head_ran;
    bool due;
    bool held;
    struct http_framing framing;
    size_t max_body_bytes;
    size_t discarded;
    struct buf body;
    struct http_query query;
    struct http_answer answer;
};
