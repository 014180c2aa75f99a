/*
 * Reading JSON (RFC 8259), strictly and in one pass, without changing or copying a
 * byte: the result is a flat list of tokens that point into the text. Refused: anything
 * RFC 8259 does not allow, invalid UTF-8, a byte order mark, lone surrogates in
 * escapes, duplicate keys (compared after unescaping), nesting beyond the doc's
 * max_depth.
 * Numbers are checked for form only and keep their characters.
 */
#pragma once

#include "base/buf.h"
#include "base/err.h"
#include "base/types.h"

#define JSON_DEPTH_MAX 64 /* of what others send: a doc's max_depth by default */
/* The most a max_depth may be: an answer has what was sent inside values of its own. */
#define JSON_DEPTH_WRAPPED (JSON_DEPTH_MAX + 8)
#define JSON_POINTER_MAX                                                               \
    256 /* bytes of a JSON pointer in an error; a longer one is cut with "…" */

enum json_type {
    JSON_NULL,
    JSON_FALSE,
    JSON_TRUE,
    JSON_NUMBER,
    JSON_STRING,
    JSON_ARRAY,
    JSON_OBJECT
};

/* A value. Members of an object are two tokens each: the key (a JSON_STRING), then the
 * value. */
struct json_token {
    uint8_t type;    /* enum json_type */
    uint8_t escaped; /* a string that holds a backslash */
    uint32_t start; /* of the value's bytes in the text, quotes and brackets included */
    uint32_t end;   /* one past its last byte */
    uint32_t next;  /* index of the token after this value and all it holds */
    uint32_t count; /* members of an object, elements of an array */
};

struct json_doc {
    const char *text; /* the caller's; must outlive the tokens' use */
    size_t text_len;
    struct json_token *tokens; /* tokens[0] is the root */
    size_t n;
    size_t cap;
    unsigned max_depth; /* JSON_DEPTH_MAX after json_init */
    /* the rest is the parser's */
    void *keys;
    size_t keys_cap;
    struct buf unescaped;
};

struct json_error {
    size_t offset;      /* byte in the text */
    const char *reason; /* a constant: "duplicate key", "invalid UTF-8", ... */
    char pointer[JSON_POINTER_MAX]; /* RFC 6901 pointer of the value at fault, "" for
                                       the root */
};

/* A doc can be parsed into again and again and keeps its memory and its max_depth. */
void json_init(struct json_doc *doc);
void json_fini(struct json_doc *doc);

/* The whole text must be one value with optional white space around. 0, E_INVALID
 * (fills `error`) or E_NO_MEMORY. At most 4 GiB. */
int json_parse(struct json_doc *doc, const char *text, size_t len,
               struct json_error *error) must_check;

/* One value that starts at text[*at] (white space skipped); *at moves past it and the
 * rest is left alone. This is how an array's elements are read one by one. Token
 * offsets count from `text`. */
int json_parse_value(struct json_doc *doc, const char *text, size_t len, size_t *at,
                     struct json_error *error) must_check;

/* Index of the first white-space-free byte at or after `at`. */
size_t json_skip_space(const char *text, size_t len, size_t at);

/* ---- looking at a parsed document; token indexes; 0 is the root ---- */

/* The value of an object's member by its (unescaped) name; NULL if absent or not an
 * object. */
const struct json_token *json_member(const struct json_doc *doc,
                                     const struct json_token *object, const char *name);

/* First element or first key of a container; NULL when empty. json_after: its next
 * sibling (for objects: key, value, key, value …); NULL at the end of `container`. */
const struct json_token *json_first(const struct json_doc *doc,
                                    const struct json_token *container);
const struct json_token *json_after(const struct json_doc *doc,
                                    const struct json_token *container,
                                    const struct json_token *token);

struct slice json_raw(const struct json_doc *doc, const struct json_token *token);

/* A string's bytes between the quotes, still escaped. Equal to its value when
 * !token->escaped. */
struct slice json_string_raw(const struct json_doc *doc,
                             const struct json_token *token);
/* Appends a string's unescaped value (which may hold NUL). */
int json_string_add(const struct json_doc *doc, const struct json_token *token,
                    struct buf *out);
bool json_string_is(const struct json_doc *doc, const struct json_token *token,
                    const char *value);

/* A number that is an integer without fraction or exponent and fits. */
bool json_int(const struct json_doc *doc, const struct json_token *token,
              int64_t *value);
bool json_double(const struct json_doc *doc, const struct json_token *token,
                 double *value); /* finite ones */

const char *json_type_name(int type); /* "a string", "an object", … for messages */

bool utf8_valid(const char *text, size_t n);
/* Bytes of the one valid UTF-8 character that text starts with; 0 if there is none. */
size_t utf8_length(const char *text, size_t n);
