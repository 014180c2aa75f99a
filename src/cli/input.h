/* What a command reads: a file, or standard input where its name is "-"; as a whole, or
 * line by line. */
#pragma once

#include "base/buf.h"
#include "base/err.h"

/* How errors name it: "standard input" for "-". */
const char *input_name(const char *path);

/* All of it, appended; E_TOO_LARGE beyond what the buffer takes. */
int input_read(struct buf *out, const char *path, struct err *err) must_check;

#define INPUT_LINE_MAX ((size_t)1 << 20)

struct input {
    int fd;
    const char *name;
    struct buf buf;
    size_t at;      /* in buf: where the next line begins */
    int64_t line;   /* the number of the next line, from 1 */
    bool ended;     /* there is nothing behind buf */
    int64_t size;   /* bytes of a regular file; 0 = not known */
    int64_t passed; /* bytes of the lines before the next one */
};

int input_open(struct input *input, const char *path, struct err *err) must_check;
void input_close(struct input *input);

/* The next line without its end; p NULL behind the last. The same again until
 * input_next moves on; valid until the call after that. E_TOO_LARGE beyond
 * INPUT_LINE_MAX. */
int input_peek(struct input *input, struct slice *line, struct err *err) must_check;
void input_next(struct input *input, struct slice line);
