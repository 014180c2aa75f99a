/* pushwire backup: a copy of everything that the server keeps, while it runs. The file
 * has its name only when it has been checked. */
#include <stdio.h>

#include "base/crypto.h"
#include "cli/client.h"
#include "cli/output.h"
#include "cli/progress.h"
#include "cli/table.h"
#include "store/copy.h"

struct backup {
    struct client *client;
    struct output output;
    struct sha256_sum *sum;
    int64_t bytes;
    struct progress progress;
};

static int
take(void *ctx, struct slice bytes, int64_t size, struct err *err)
{
    struct backup *backup = ctx;
    int rc = output_write(&backup->output, bytes, err);
    if (rc != 0)
        return rc;
    sha256_add(backup->sum, bytes.p, bytes.n);
    backup->bytes += (int64_t)bytes.n;
    progress_show(&backup->progress, backup->bytes,
                  size > 0 ? (double)backup->bytes / (double)size : PROGRESS_UNKNOWN);
    return 0;
}

/* What came in is what the server read when it had made the copy. */
static int
check_digest(struct backup *backup, struct err *err)
{
    const char *said = client_header(backup->client, "Repr-Digest");
    uint8_t sum[SHA256_BYTES];
    char text[BASE64_LEN(SHA256_BYTES) + 1];
    char digest[sizeof(text) + 20];

    sha256_end(backup->sum, sum);
    backup->sum = NULL;
    base64_format(text, sum, sizeof(sum));
    snprintf(digest, sizeof(digest), "sha-256=:%s:", text);
    if (!said)
        return err_set(err, E_INVALID,
                       "this does not look like a Pushwire server: its answer has no "
                       "Repr-Digest");
    if (strcmp(said, digest) != 0)
        return err_set(err, E_INVALID,
                       "what came in is not what was sent: its SHA-256 differs");
    return 0;
}

static int
take_all(struct backup *backup, struct store_copy *copy, struct err *err)
{
    const struct client_sink sink = {take, backup};
    struct reply refusal;

    reply_init(&refusal);
    progress_say(&backup->progress, "the server is making the copy");
    int rc =
        client_download(backup->client, "POST", "/v1/backup", &sink, &refusal, err);
    reply_fini(&refusal);
    if (rc == 0)
        rc = check_digest(backup, err);
    if (rc != 0)
        return rc;
    progress_say(&backup->progress, "checking the copy");
    rc = store_copy_check(backup->output.beside, copy, err);
    return rc == 0 ? output_commit(&backup->output, err) : rc;
}

static void
put_end(const struct command_line *line, const struct store_copy *copy)
{
    const char *file = line->args[0];

    if (option_on(&line->options, OPTION_JSON)) {
        printf("{\"bytes\":%llu,\"channels\":%llu,\"webhooks\":%llu,\"events\":%llu,"
               "\"waiting\":%llu}\n",
               (unsigned long long)copy->bytes, (unsigned long long)copy->channels,
               (unsigned long long)copy->webhooks, (unsigned long long)copy->events,
               (unsigned long long)copy->waiting);
        return;
    }
    printf("%s: %.1f MiB, %llu channels, %llu webhooks, %llu events, %llu calls "
           "waiting\n",
           file, (double)copy->bytes / (1 << 20), (unsigned long long)copy->channels,
           (unsigned long long)copy->webhooks, (unsigned long long)copy->events,
           (unsigned long long)copy->waiting);
    if (is_terminal(stdout))
        fputs("It holds everything but admin.key and master.key in the server's data "
              "folder.\n"
              "Keep the latter apart from it: what is secret in it opens with that "
              "alone.\n",
              stderr);
}

int
backup_run(const struct command_line *line)
{
    struct backup backup = {0};
    struct store_copy copy;
    struct err err = {0};

    int rc = output_open(&backup.output, line->args[0], &err);
    if (rc != 0)
        return command_fail(line, &err);
    if (!backup.output.path) {
        output_close(&backup.output);
        return command_misused(line,
                               "FILE must be a file: it is checked before it gets "
                               "its name");
    }
    progress_init(&backup.progress, NULL);
    backup.progress.quiet = option_on(&line->options, OPTION_JSON);
    backup.sum = sha256_begin();
    rc = client_open(&backup.client, line, &err);
    if (rc == 0)
        rc = take_all(&backup, &copy, &err);
    progress_wipe(&backup.progress);
    sha256_end(backup.sum, NULL);
    client_close(backup.client);
    output_close(&backup.output);
    if (rc != 0)
        return command_fail(line, &err);
    put_end(line, &copy);
    return DONE;
}
