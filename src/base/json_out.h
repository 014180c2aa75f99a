/* Writing JSON into a buffer. Commas are placed by the writer; nothing else is checked:
 * the caller writes what it means. Errors stay in buf->failed. */
#pragma once

#include "base/buf.h"
#include "base/types.h"

struct json_out {
    struct buf *buf;
    uint64_t more; /* bit per depth: something stands before here */
    unsigned depth;
};

void json_out_init(struct json_out *out, struct buf *buf);

/* `name` is NULL inside arrays and at the top. Names are written as they are: constants
 * without escapes. */
void json_object(struct json_out *out, const char *name);
void json_object_end(struct json_out *out);
void json_array(struct json_out *out, const char *name);
void json_array_end(struct json_out *out);
void json_str(struct json_out *out, const char *name,
              const char *value); /* NULL value = null */
/* Escapes controls, quotes, backslash, U+2028/9, DEL; bytes that are not UTF-8 become
 * U+FFFD. */
void json_strn(struct json_out *out, const char *name, struct slice value);
void json_i64(struct json_out *out, const char *name, int64_t value);
void
json_f64(struct json_out *out, const char *name,
         double value); /* up to 3 decimals, no trailing zeros; not finite = null */
void json_bool(struct json_out *out, const char *name, bool value);
void json_null(struct json_out *out, const char *name);
void json_time(struct json_out *out, const char *name,
               msec_t unix_ms); /* MSEC_NEVER = null */
void json_raw_out(struct json_out *out, const char *name,
                  struct slice json); /* bytes that are JSON already */
/* A member whose name is data: escaped. */
void json_name_str(struct json_out *out, struct slice name, struct slice value);

/* Appends JSON without the white space between its tokens. */
void json_compact(struct buf *buf, struct slice json);

/* Appends the escaped form without quotes. */
void json_escape(struct buf *buf, struct slice value);
