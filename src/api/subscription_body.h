/* A subscription as the customer describes it. Private to api/. */
#pragma once

#include "base/json.h"
#include "core/change.h"

/* What is wrong in it, and where. */
struct subscription_error {
    char pointer[JSON_POINTER_MAX];
    char reason[200];
};

/* Room that canonical values need for so many bytes that are sent. */
#define SUBSCRIPTION_ROOM(bytes) ((bytes)*6 + 1024)

/* Reads an object into a change of kind CHANGE_REPLACE; its slices point into `text`,
 * which must have SUBSCRIPTION_ROOM. id stays n 0 when there is no _id. 0, E_INVALID
 * with the error filled in, or E_NO_MEMORY. */
int subscription_body_read(struct change *change, struct buf *text,
                           const struct json_doc *doc, const struct json_token *object,
                           const char *channel,
                           struct subscription_error *error) must_check;
