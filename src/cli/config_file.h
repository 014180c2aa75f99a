/* The config file: lines `name = value`, comments from ; or #. */
#pragma once

#include "cli/options.h"

/* Refused with FILE:LINE. Nothing in the file is passed over in silence. */
int config_file_read(struct options *options, option_set taken, const char *path,
                     struct err *err) must_check;
