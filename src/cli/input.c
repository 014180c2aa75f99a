#include "cli/input.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define STEP ((size_t)64 << 10)

const char *
input_name(const char *path)
{
    return strcmp(path, "-") == 0 ? "standard input" : path;
}

/* A few more bytes; *got is 0 at the end. */
static int
read_more(int fd, const char *name, struct buf *out, size_t *got, struct err *err)
{
    ssize_t n;

    if (buf_reserve(out, STEP) != 0)
        return err_set(err, out->failed, "%s: no memory for it", name);
    do {
        n = read(fd, out->p + out->n, STEP);
    } while (n < 0 && errno == EINTR);
    if (n < 0)
        return err_set(err, E_IO, "read %s: %s", name, strerror(errno));
    out->n += (size_t)n;
    *got = (size_t)n;
    return 0;
}

static int
open_path(const char *path, int *fd, struct err *err)
{
    *fd = strcmp(path, "-") == 0 ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
    if (*fd < 0)
        return err_set(err, errno == ENOENT ? E_NOT_FOUND : E_IO, "open %s: %s", path,
                       strerror(errno));
    return 0;
}

static void
close_fd(int fd)
{
    if (fd != STDIN_FILENO)
        close(fd);
}

int
input_read(struct buf *out, const char *path, struct err *err)
{
    size_t max = out->max_bytes;
    size_t got;
    int fd;

    int rc = open_path(path, &fd, err);
    if (rc != 0)
        return rc;
    /* Room to see the end of what is just as long as it may be. */
    out->max_bytes = max + STEP;
    do {
        rc = read_more(fd, input_name(path), out, &got, err);
    } while (rc == 0 && got > 0 && out->n <= max);
    if (rc == 0 && out->n > max)
        rc =
            err_set(err, E_TOO_LARGE, "%s: more than %zu bytes", input_name(path), max);
    out->max_bytes = max;
    close_fd(fd);
    return rc;
}

/* ---- lines ---- */

int
input_open(struct input *input, const char *path, struct err *err)
{
    struct stat st;
    int fd;

    int rc = open_path(path, &fd, err);
    if (rc != 0)
        return rc;
    *input = (struct input){.fd = fd, .name = input_name(path), .line = 1};
    if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode))
        input->size = st.st_size;
    buf_init(&input->buf, INPUT_LINE_MAX + 2 * STEP);
    rc = buf_reserve(&input->buf, STEP);
    if (rc != 0) {
        input_close(input);
        return err_set(err, rc, "%s: no memory for it", input->name);
    }
    return 0;
}

void
input_close(struct input *input)
{
    close_fd(input->fd);
    buf_fini(&input->buf);
}

/* Forgets the lines that are passed, so that what is kept is the next one's. */
static void
forget(struct input *input)
{
    if (input->at == 0)
        return;
    input->buf.n -= input->at;
    memmove(input->buf.p, input->buf.p + input->at, input->buf.n);
    input->at = 0;
}

int
input_peek(struct input *input, struct slice *line, struct err *err)
{
    size_t seen = 0;

    for (;;) {
        const char *p = input->buf.p + input->at;
        size_t n = input->buf.n - input->at;
        const char *end = n > seen ? memchr(p + seen, '\n', n - seen) : NULL;
        size_t length = end ? (size_t)(end - p) : n;
        if (length > INPUT_LINE_MAX)
            return err_set(err, E_TOO_LARGE, "%s:%lld: the line is longer than 1 MiB",
                           input->name, (long long)input->line);
        if (end || input->ended) {
            *line = (struct slice){end || n > 0 ? p : NULL, length};
            return 0;
        }
        seen = n;
        forget(input);
        int rc = read_more(input->fd, input->name, &input->buf, &n, err);
        if (rc != 0)
            return rc;
        input->ended = n == 0;
    }
}

void
input_next(struct input *input, struct slice line)
{
    size_t n = line.n;

    if (input->at + n < input->buf.n)
        n++; /* its end */
    input->at += n;
    input->passed += (int64_t)n;
    input->line++;
}
