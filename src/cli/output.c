#include "cli/output.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/iofd.h"
#include "base/mem.h"

#define BESIDE ".XXXXXX"

/* ---- a signal in the middle of it ---- */

static const int ending[] = {SIGINT, SIGTERM, SIGHUP};

/* The file beside: it holds push tokens, and nobody would look for it. */
static const char *volatile unfinished;

static void
on_ending(int number)
{
    const char *path = unfinished;

    if (path)
        unlink(path);
    raise(number); /* which has its default again, and comes when this returns */
}

static void
watch_signals(const char *path)
{
    struct sigaction action = {.sa_handler = on_ending, .sa_flags = (int)SA_RESETHAND};
    struct sigaction before;

    unfinished = path;
    sigemptyset(&action.sa_mask);
    for (size_t i = 0; i < ARRAY_LEN(ending); i++) {
        /* One that is ignored stays so, as nohup wants it. */
        if (sigaction(ending[i], NULL, &before) == 0 && before.sa_handler != SIG_IGN)
            sigaction(ending[i], &action, NULL);
    }
}

/* ---- open ---- */

static int
failed(const struct output *output, const char *verb, struct err *err)
{
    return err_set(err, errno == ENOSPC || errno == EDQUOT ? E_FULL : E_IO, "%s %s: %s",
                   verb, output->name, strerror(errno));
}

/* A device or a pipe cannot be replaced by a file. */
static int
open_as_it_is(struct output *output, const char *path, struct err *err)
{
    output->fd = open(path, O_WRONLY | O_CLOEXEC);
    return output->fd < 0 ? failed(output, "open", err) : 0;
}

static int
open_beside(struct output *output, const char *path, struct err *err)
{
    size_t n = strlen(path);

    output->beside = xmalloc(n + sizeof(BESIDE));
    memcpy(output->beside, path, n);
    memcpy(output->beside + n, BESIDE, sizeof(BESIDE));
    output->fd = mkostemp(output->beside, O_CLOEXEC); /* mode 0600 */
    if (output->fd < 0) {
        int rc = failed(output, "create a file beside", err);
        free(output->beside);
        output->beside = NULL;
        return rc;
    }
    output->path = xstrdup(path);
    watch_signals(output->beside);
    return 0;
}

int
output_open(struct output *output, const char *path, struct err *err)
{
    struct stat st;
    bool is_stdout = strcmp(path, "-") == 0;

    *output = (struct output){
        .fd = STDOUT_FILENO,
        .name = is_stdout ? "standard output" : path,
    };
    if (is_stdout)
        return 0;
    if (stat(path, &st) == 0 && !S_ISREG(st.st_mode))
        return open_as_it_is(output, path, err);
    /* What a link leads to is replaced, not the link. */
    char *real = realpath(path, NULL);
    int rc = open_beside(output, real ? real : path, err);
    free(real);
    return rc;
}

/* ---- write, commit, close ---- */

int
output_write(struct output *output, struct slice bytes, struct err *err)
{
    return fd_write_all(output->fd, bytes.p, bytes.n) == 0
               ? 0
               : failed(output, "write", err);
}

static int
sync_folder(const struct output *output, struct err *err)
{
    char *folder = folder_of(output->path);
    int rc = folder_sync(folder) == 0 ? 0 : failed(output, "sync the folder of", err);

    free(folder);
    return rc;
}

int
output_commit(struct output *output, struct err *err)
{
    if (!output->path)
        return 0;
    if (fsync(output->fd) != 0)
        return failed(output, "write", err);
    if (rename(output->beside, output->path) != 0)
        return failed(output, "rename to", err);
    unfinished = NULL;
    free(output->beside);
    output->beside = NULL;
    return sync_folder(output, err);
}

void
output_close(struct output *output)
{
    if (output->fd > STDOUT_FILENO)
        close(output->fd);
    if (output->beside)
        unlink(output->beside);
    unfinished = NULL;
    free(output->beside);
    free(output->path);
}
