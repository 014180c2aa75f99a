/* Where the master key's file is, for those commands that open the store themselves. */
#pragma once

#include "base/err.h"
#include "cli/options.h"

#define MASTER_KEY_PATH_MAX 4096

/* --master-key; else master.key among systemd's credentials, if there is one; else the
 * one in the data folder. */
int master_key_path(const struct options *options, char out[MASTER_KEY_PATH_MAX],
                    struct err *err) must_check;
