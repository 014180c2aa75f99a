/* A JSON object as lines `name: value` for people. */
#pragma once

#include <stdio.h>

#include "base/json.h"

/* Members in their order. Lists of objects become tables, other objects are indented, a
 * payload is printed as it is, and longer texts go below their name. */
void record_print(FILE *out, const struct json_doc *doc,
                  const struct json_token *object);
/* A member's value in one line; nothing for null or NULL. `name` says how: a next
 * attempt that is due is "now". */
void record_member(struct buf *out, const struct json_doc *doc, struct slice name,
                   const struct json_token *value);
/* Any value in one line; nothing for null or NULL. */
void record_value(struct buf *out, const struct json_doc *doc,
                  const struct json_token *value);
