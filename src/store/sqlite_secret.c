/* What of a row is secret, as text. */
#include <assert.h>
#include <stdlib.h>

#include "store/sqlite_private.h"

/* ---- headers: "name:value" a line; neither can hold a line feed, nor a name a colon
 */

void
sqlite_headers_write(struct buf *out, const struct webhook *webhook)
{
    for (size_t i = 0; i < webhook->n_headers; i++)
        buf_addf(out, "%s:%s\n", webhook->headers[i].name, webhook->headers[i].value);
    assert(!out->failed);
}

bool
sqlite_headers_read(struct webhook *webhook, struct slice text)
{
    while (text.n) {
        const char *colon = memchr(text.p, ':', text.n);
        const char *end = memchr(text.p, '\n', text.n);
        if (!colon || !end || colon > end)
            return false;
        webhook_add_header(webhook, (struct slice){text.p, (size_t)(colon - text.p)},
                           (struct slice){colon + 1, (size_t)(end - colon - 1)});
        text.n -= (size_t)(end + 1 - text.p);
        text.p = end + 1;
    }
    return true;
}

/* ---- secrets: the newest, then a line for each older one: its end and its text */

void
sqlite_secrets_write(struct buf *out, const struct webhook *webhook)
{
    for (size_t i = 0; i < webhook->n_secrets; i++) {
        const struct webhook_secret *secret = &webhook->secrets[i];
        if (i > 0)
            buf_addf(out, "\n%lld ", (long long)secret->until_ms);
        buf_adds(out, secret->text);
    }
    assert(!out->failed);
}

/* "123 whsec_…" */
static bool
read_older(struct webhook *webhook, struct slice line)
{
    char number[24];
    const char *space = memchr(line.p, ' ', line.n);
    char *end;

    if (!space || (size_t)(space - line.p) >= sizeof(number) ||
        webhook->n_secrets == WEBHOOK_SECRETS_MAX)
        return false;
    size_t n = (size_t)(space - line.p);
    memcpy(number, line.p, n);
    number[n] = '\0';
    long long until_ms = strtoll(number, &end, 10);
    if (n == 0 || *end || until_ms < 0)
        return false;
    webhook_add_secret(webhook, (struct slice){space + 1, line.n - n - 1}, until_ms);
    return true;
}

bool
sqlite_secrets_read(struct webhook *webhook, struct slice text)
{
    bool ok = true;

    for (bool first = true; ok && text.n; first = false) {
        const char *end = memchr(text.p, '\n', text.n);
        struct slice line = {text.p, end ? (size_t)(end - text.p) : text.n};
        if (first)
            webhook_set_secret(webhook, line);
        else
            ok = read_older(webhook, line);
        if (!end)
            break;
        text.n -= line.n + 1;
        text.p += line.n + 1;
    }
    return ok;
}
