/* Where operators are told, and with what that is signed. */
#include "cli/serve.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/crypto.h"
#include "base/iofd.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/rng.h"
#include "core/secret.h"
#include "send/url.h"

#define SECRET_FILE_MAX 4096

static int
make_secret(struct webhook *webhook, const char *path, struct err *err)
{
    char text[SECRET_TEXT + 1];

    secret_make(text, SECRET_HMAC, &rng_system);
    webhook_set_secret(webhook, slice_of(text));
    size_t n = strlen(text);
    text[n] = '\n';
    int rc = file_write(path, text, n + 1, 0600, err);
    crypto_wipe(text, sizeof(text));
    if (rc == 0)
        log_line(LOG_INFO, "notify.secret.created", LOG_S("file", path));
    return rc;
}

static int
read_secret(struct webhook *webhook, const char *path, struct err *err)
{
    char secret[SECRET_TEXT];
    char *text;
    size_t n;

    int rc = file_read(path, SECRET_FILE_MAX, &text, &n, err);
    if (rc == E_NOT_FOUND)
        return make_secret(webhook, path, err);
    if (rc != 0)
        return rc;
    rc = secret_read((struct slice){text, strcspn(text, "\r\n")}, secret, err);
    if (rc == 0)
        webhook_set_secret(webhook, slice_of(secret));
    crypto_wipe(secret, sizeof(secret));
    crypto_wipe(text, n);
    free(text);
    return rc == 0 ? 0 : err_wrap(err, "%s", path);
}

static int
read_target(struct server *server, struct webhook *webhook, struct err *err)
{
    const char *text = option_text(server->options, OPTION_NOTIFY_URL);
    const char *file = option_text(server->options, OPTION_NOTIFY_SECRET_FILE);
    char path[PATH_MAX_BYTES];
    struct url url;

    int rc = url_read(&url, text, &server->guard, err);
    if (rc != 0)
        return err_wrap(err, "--notify-url");
    free(webhook->url);
    webhook->url = xstrdup(url.text);
    int n = snprintf(path, sizeof(path), "%s%s",
                     file ? file : option_text(server->options, OPTION_DATA),
                     file ? "" : "/notify.secret");
    if (n < 0 || (size_t)n >= sizeof(path))
        return err_set(err, E_INVALID, "--notify-secret-file: the path is too long");
    rc = read_secret(webhook, path, err);
    return rc == 0 ? 0 : err_wrap(err, "--notify-secret-file");
}

int
server_read_notify(struct server *server, struct err *err)
{
    const struct options *options = server->options;

    server->notify = (struct engine_notify){
        .on = true,
        .backlog = (uint64_t)option_number(options, OPTION_NOTIFY_BACKLOG),
        .oldest_due_ms = option_number(options, OPTION_NOTIFY_OLDEST_DUE),
    };
    if (!option_text(options, OPTION_NOTIFY_URL))
        return 0;
    server->notify.to = webhook_new();
    return read_target(server, server->notify.to, err);
}
