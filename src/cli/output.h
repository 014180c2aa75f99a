/* What a command writes: standard output where the path is "-", or a file that is there
 * with all of it or as it was before. */
#pragma once

#include "base/err.h"
#include "base/types.h"

struct output {
    int fd;
    const char *name; /* how errors call it */
    char *path;       /* of the file; NULL: it is written where it stands */
    char *beside;     /* what becomes the file */
};

/* A file gets the mode 0600, whoever could read the one that it replaces. What is no
 * regular file is written as it is. At most one at a time. */
int output_open(struct output *output, const char *path, struct err *err) must_check;
int output_write(struct output *output, struct slice bytes, struct err *err) must_check;
/* What was written is the file, on stable storage. */
int output_commit(struct output *output, struct err *err) must_check;
/* Without a commit the file stays as it was. */
void output_close(struct output *output);
