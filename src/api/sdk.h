/* What the handlers of SDK routes share: a body that is read leniently about its type
 * and strictly about its form. Private to api/. */
#pragma once

#include "api/request.h"
#include "base/json.h"

struct sdk_body {
    struct json_doc doc;
    struct buf text; /* canonical values; never moves, so slices of it stay */
};

/* Parses the request's body, which must be an object; answers 400 otherwise. Pair with
 * sdk_body_fini in any case. */
int sdk_body_init(struct sdk_body *body, struct api_request *r) must_check;
void sdk_body_fini(struct sdk_body *body);

/* A member; NULL when it is not there, or null. */
const struct json_token *sdk_member(const struct sdk_body *body, const char *name);
/* An id. E_NOT_FOUND when it is not there or null; otherwise answers what is wrong. */
int sdk_id(struct sdk_body *body, struct api_request *r, const char *name,
           struct slice *out) must_check;
/* The same for one that must be there. */
int sdk_needed_id(struct sdk_body *body, struct api_request *r, const char *name,
                  struct slice *out) must_check;
