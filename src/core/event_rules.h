/* What an event of each type must hold, as a table. Unknown members are not looked
 * at. */
#pragma once

#include "core/event.h"

/* Checks the parsed object at the doc's root and fills type and subscription of `ref`.
 * 0, or E_INVALID with pointer and reason of `error`. */
int event_rules_check(const struct json_doc *doc, struct slice channel,
                      struct event_ref *ref, struct event_error *error) must_check;
