/* Options whose value is a secret: everybody on the machine can read a command line, so
 * each has a brother that names a file. */
#pragma once

#include "base/err.h"
#include "cli/options.h"

/* The value of `text`, or the first line of the file that `file` names ("-" is standard
 * input); *out is for xfree_secret, NULL when neither is given. E_INVALID when both
 * are.
 */
int secret_option(const struct options *options, enum option_id text,
                  enum option_id file, char **out, struct err *err) must_check;
