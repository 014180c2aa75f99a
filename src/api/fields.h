/*
 * Reading a JSON object member by member: a table names the members there may be, and
 * whatever is wrong is answered at once with its JSON pointer.
 */
#pragma once

#include "api/request.h"
#include "base/json.h"

struct reader {
    struct api_request *request;
    struct json_doc doc;
    struct buf path; /* JSON pointer of the value being read */
    struct buf text; /* of the string being read */
};

struct field {
    const char *name;
    /* 0, or an error that is answered already. */
    int (*read)(struct reader *rd, const struct json_token *value, void *out);
};

/* Parses the request's body, which must be an object. Pair with reader_fini in any
 * case. */
int reader_init(struct reader *rd, struct api_request *r) must_check;
void reader_fini(struct reader *rd);

/* Reads the members of `object` (which may turn out to be something else) by the table.
 */
int reader_object(struct reader *rd, const struct json_token *object,
                  const struct field *fields, size_t n, void *out) must_check;

/* The bytes of a string of min to max bytes, without NUL; valid until the next one. */
int reader_text(struct reader *rd, const struct json_token *value, size_t min,
                size_t max, struct slice *out) must_check;
/* One that calls may go to; replaces *url by a copy. */
int reader_url(struct reader *rd, const struct json_token *value,
               char **url) must_check;
int reader_bool(struct reader *rd, const struct json_token *value,
                bool *out) must_check;
int reader_number(struct reader *rd, const struct json_token *value, double min,
                  double max, double *out) must_check;
int reader_int(struct reader *rd, const struct json_token *value, int64_t min,
               int64_t max, int64_t *out) must_check;

/* An id that clients can put into a path. */
int reader_id(struct reader *rd, const struct json_token *value,
              char out[ID_MAX + 1]) must_check;
/* Reads the elements of an array of at most `max`. */
int reader_array(struct reader *rd, const struct json_token *array, size_t max,
                 int (*read)(struct reader *rd, const struct json_token *value,
                             void *out),
                 void *out) must_check;

int reader_time(struct reader *rd, const struct json_token *value,
                msec_t *at_ms) must_check;
/* Of a request that takes none: a body without members, or no body. */
int reader_nothing(struct api_request *r) must_check;

/* Steps into a member or element and back out. */
size_t reader_enter(struct reader *rd, struct slice name);
void reader_leave(struct reader *rd, size_t mark);

/* Answers 400 with the path of the value being read; returns E_INVALID. */
int reader_fail(struct reader *rd, const char *fmt, ...) printf_like(2, 3);
/* The same for a member that should be there. */
int reader_missing(struct reader *rd, const char *name);
