/* A request's query, and an answer as bytes: what needs neither a server nor a
 * connection. For httpd*.c. */
#pragma once

#include "base/buf.h"
#include "base/types.h"

#define HTTP_QUERY_MAX         64 /* parameters a request */
#define HTTP_ANSWER_FIELDS_MAX 16 /* header fields that an answer adds */
#define HTTP_DATE_TEXT         32 /* room for a date and its NUL */

struct http_param {
    char *name;
    char *value; /* NULL without a '='; lives in the memory of name */
};

struct http_query {
    struct http_param *params;
    size_t n;
};

/* Decodes %XX and '+'. E_INVALID for a broken escape, %00, or too many parameters. */
int http_query_parse(struct http_query *query, struct slice text) must_check;
/* The first of that name, "" for one without a value; NULL if there is none. */
const char *http_query_find(const struct http_query *query, const char *name);
void http_query_fini(struct http_query *query);

struct http_field {
    char *name;
    char *value;
};

/* How a client knows where the body ends. */
enum http_form { HTTP_LENGTH, HTTP_CHUNKED, HTTP_UNTIL_CLOSE };

struct http_answer {
    bool set;
    enum http_form form;
    unsigned status;
    const char *type; /* a constant, or NULL */
    char *body;       /* free(); NULL when a file is the body */
    size_t n;
    int fd; /* a file to send, or -1 */
    struct http_field fields[HTTP_ANSWER_FIELDS_MAX];
    size_t n_fields;
};

enum http_after { HTTP_CLOSE, HTTP_KEEP, HTTP_KEEP_SAID /* to an HTTP/1.0 client */ };

void http_answer_init(struct http_answer *answer);
void http_answer_fini(struct http_answer *answer);
void http_answer_add(struct http_answer *answer, const char *name, const char *value);
/* Everything before the body. Fails only by the buffer. */
int http_answer_head(struct buf *out, const struct http_answer *answer,
                     const char *date, enum http_after after) must_check;
/* 204 and the like have none, not even one of no bytes. */
bool http_status_has_body(unsigned status);

/* Sun, 06 Nov 1994 08:49:37 GMT */
void http_date_format(char out[HTTP_DATE_TEXT], msec_t unix_ms);
