#include "core/webhook.h"

#include <assert.h>
#include <stdlib.h>
#include <strings.h>

#include "base/mem.h"

/* ---- webhooks ---- */

struct webhook_health {
    atomic_uint refs;
    atomic_int_fast64_t failing_since_ms;
};

static struct webhook_health *
health_new(msec_t since_ms)
{
    struct webhook_health *health = xcalloc(1, sizeof(*health));
    atomic_init(&health->refs, 1);
    atomic_init(&health->failing_since_ms, since_ms);
    return health;
}

static void
health_unref(struct webhook_health *health)
{
    if (atomic_fetch_sub_explicit(&health->refs, 1, memory_order_acq_rel) == 1)
        free(health);
}

msec_t
webhook_failing_since(const struct webhook *webhook)
{
    return atomic_load_explicit(&webhook->health->failing_since_ms,
                                memory_order_relaxed);
}

void
webhook_set_failing_since(const struct webhook *webhook, msec_t since_ms)
{
    atomic_store_explicit(&webhook->health->failing_since_ms, since_ms,
                          memory_order_relaxed);
}

void
webhook_part_health(struct webhook *webhook)
{
    struct webhook_health *own = health_new(webhook_failing_since(webhook));
    health_unref(webhook->health);
    webhook->health = own;
}

struct webhook *
webhook_new(void)
{
    struct webhook *webhook = xcalloc(1, sizeof(*webhook));
    atomic_init(&webhook->refs, 1);
    webhook->types = EVENT_ALL_TYPES;
    webhook->enabled = true;
    webhook->retry = retry_default;
    webhook->health = health_new(MSEC_NEVER);
    return webhook;
}

static char *
copy_text(const char *text)
{
    return text ? xstrdup(text) : NULL;
}

struct webhook *
webhook_copy(const struct webhook *webhook)
{
    struct webhook *copy = webhook_new();

    copy->number = webhook->number;
    copy->channel = webhook->channel;
    memcpy(copy->id, webhook->id, sizeof(copy->id));
    copy->url = copy_text(webhook->url);
    copy->types = webhook->types;
    copy->description = copy_text(webhook->description);
    for (size_t i = 0; i < webhook->n_headers; i++)
        webhook_add_header(copy, slice_of(webhook->headers[i].name),
                           slice_of(webhook->headers[i].value));
    for (size_t i = 0; i < webhook->n_secrets; i++)
        webhook_add_secret(copy, slice_of(webhook->secrets[i].text),
                           webhook->secrets[i].until_ms);
    copy->enabled = webhook->enabled;
    copy->disabled_reason = copy_text(webhook->disabled_reason);
    health_unref(copy->health);
    copy->health = webhook->health;
    atomic_fetch_add_explicit(&copy->health->refs, 1, memory_order_relaxed);
    copy->deleted = webhook->deleted;
    copy->own_retry = webhook->own_retry;
    copy->retry = webhook->retry;
    copy->created_ms = webhook->created_ms;
    copy->updated_ms = webhook->updated_ms;
    return copy;
}

/* ---- secrets ---- */

static void
clear_secrets(struct webhook *webhook)
{
    for (size_t i = 0; i < webhook->n_secrets; i++)
        xfree_secret(webhook->secrets[i].text);
    free(webhook->secrets);
    webhook->secrets = NULL;
    webhook->n_secrets = 0;
}

const char *
webhook_secret_text(const struct webhook *webhook)
{
    return webhook->n_secrets ? webhook->secrets[0].text : NULL;
}

void
webhook_add_secret(struct webhook *webhook, struct slice text, msec_t until_ms)
{
    size_t n = webhook->n_secrets;

    assert(n < WEBHOOK_SECRETS_MAX);
    webhook->secrets = xrealloc(webhook->secrets, (n + 1) * sizeof(*webhook->secrets));
    webhook->secrets[n].text = xstrndup(text.p, text.n);
    webhook->secrets[n].until_ms = until_ms;
    webhook->n_secrets = n + 1;
}

void
webhook_set_secret(struct webhook *webhook, struct slice text)
{
    struct webhook_secret *secret = xmalloc(sizeof(*secret));

    /* Copied first: it may be one of those that go. */
    *secret = (struct webhook_secret){xstrndup(text.p, text.n), MSEC_NEVER};
    clear_secrets(webhook);
    webhook->secrets = secret;
    webhook->n_secrets = 1;
}

int
webhook_rotate_secret(struct webhook *webhook, struct slice text, msec_t now_ms,
                      msec_t overlap_ms, struct err *err)
{
    const msec_t end_ms = now_ms + overlap_ms;
    struct webhook_secret kept[WEBHOOK_SECRETS_MAX];
    size_t n = 0;

    for (size_t i = 0; i < webhook->n_secrets; i++) {
        struct webhook_secret old = webhook->secrets[i];
        if (old.until_ms > end_ms)
            old.until_ms = end_ms;
        /* One that comes back is the newest, not an old one as well. */
        if (old.until_ms > now_ms && !slice_is(text, old.text))
            kept[n++] = old;
    }
    if (n == WEBHOOK_SECRETS_MAX)
        return err_set(err, E_CONFLICT,
                       "the webhook has %d secrets that still sign: wait until one of "
                       "them ends, or end them with a shorter overlap",
                       WEBHOOK_SECRETS_MAX);

    struct webhook before = {.secrets = webhook->secrets,
                             .n_secrets = webhook->n_secrets};
    webhook->secrets = NULL;
    webhook->n_secrets = 0;
    webhook_add_secret(webhook, text, MSEC_NEVER);
    for (size_t i = 0; i < n; i++)
        webhook_add_secret(webhook, slice_of(kept[i].text), kept[i].until_ms);
    clear_secrets(&before);
    return 0;
}

/* ---- references ---- */

struct webhook *
webhook_ref(struct webhook *webhook)
{
    unsigned before =
        atomic_fetch_add_explicit(&webhook->refs, 1, memory_order_relaxed);
    assert(before > 0);
    return webhook;
}

void
webhook_unref(struct webhook *webhook)
{
    if (!webhook)
        return;
    unsigned before =
        atomic_fetch_sub_explicit(&webhook->refs, 1, memory_order_acq_rel);
    assert(before > 0);
    if (before > 1)
        return;
    webhook_clear_headers(webhook);
    free(webhook->url);
    free(webhook->description);
    clear_secrets(webhook);
    free(webhook->disabled_reason);
    health_unref(webhook->health);
    free(webhook);
}

bool
webhook_wants(const struct webhook *webhook, enum event_type type)
{
    return !webhook->deleted && (webhook->types & 1u << type) != 0;
}

void
webhook_add_header(struct webhook *webhook, struct slice name, struct slice value)
{
    size_t n = webhook->n_headers;
    webhook->headers = xrealloc(webhook->headers, (n + 1) * sizeof(*webhook->headers));
    webhook->headers[n].name = xstrndup(name.p ? name.p : "", name.n);
    webhook->headers[n].value = xstrndup(value.p ? value.p : "", value.n);
    webhook->n_headers = n + 1;
}

void
webhook_clear_headers(struct webhook *webhook)
{
    for (size_t i = 0; i < webhook->n_headers; i++) {
        free(webhook->headers[i].name);
        xfree_secret(webhook->headers[i].value); /* it may be a password */
    }
    free(webhook->headers);
    webhook->headers = NULL;
    webhook->n_headers = 0;
}

/* ---- header rules ---- */

#define HEADER_NAME_MAX 100

struct reserved {
    const char *name;
    bool prefix; /* and all that begin with it */
    const char *why;
};

static const struct reserved reserved_headers[] = {
    {"Host", false, "it comes from the URL"},
    {"Content-", true, "the body decides it"},
    {"Transfer-Encoding", false, "the body decides it"},
    {"Connection", false, "it belongs to the connection"},
    {"Keep-Alive", false, "it belongs to the connection"},
    {"Proxy-", true, "it belongs to the connection"},
    {"TE", false, "it belongs to the connection"},
    {"Trailer", false, "it belongs to the connection"},
    {"Upgrade", false, "it belongs to the connection"},
    {"Expect", false, "it belongs to the connection"},
    {"User-Agent", false, "it says who calls"},
    {"webhook-", true, "it carries the signature"},
    {"Metadata", false, "cloud metadata services listen to it"},
    {"Metadata-Flavor", false, "cloud metadata services listen to it"},
    {"X-aws-ec2-metadata-token", true, "cloud metadata services listen to it"},
};

/* RFC 9110 5.6.2 */
static bool
is_token_char(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           (c != '\0' && strchr("!#$%&'*+-.^_`|~", c));
}

static bool
is_reserved_by(const struct reserved *reserved, struct slice name)
{
    size_t n = strlen(reserved->name);
    if (reserved->prefix ? name.n < n : name.n != n)
        return false;
    return strncasecmp(name.p, reserved->name, n) == 0;
}

static int
check_name(struct slice name, struct err *err)
{
    if (name.n == 0)
        return err_set(err, E_INVALID, "a header needs a name");
    if (name.n > HEADER_NAME_MAX)
        return err_set(err, E_INVALID, "a header's name has at most %d characters",
                       HEADER_NAME_MAX);
    for (size_t i = 0; i < name.n; i++) {
        if (!is_token_char(name.p[i]))
            return err_set(err, E_INVALID,
                           "a header's name is made of letters, digits and"
                           " !#$%%&'*+-.^_`|~");
    }
    for (size_t i = 0; i < ARRAY_LEN(reserved_headers); i++) {
        if (is_reserved_by(&reserved_headers[i], name))
            return err_set(err, E_INVALID, "the header %.*s is reserved: %s",
                           (int)name.n, name.p, reserved_headers[i].why);
    }
    return 0;
}

static bool
is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static int
check_value(struct slice value, struct err *err)
{
    if (value.n > WEBHOOK_HEADER_VALUE_MAX)
        return err_set(err, E_INVALID, "a header's value has at most %d characters",
                       WEBHOOK_HEADER_VALUE_MAX);
    for (size_t i = 0; i < value.n; i++) {
        char c = value.p[i];
        if (!is_blank(c) && (c < '!' || c > '~'))
            return err_set(err, E_INVALID,
                           "a header's value is made of visible ASCII, space and tab");
    }
    if (value.n > 0 && (is_blank(value.p[0]) || is_blank(value.p[value.n - 1])))
        return err_set(err, E_INVALID,
                       "a header's value neither begins nor ends with a space");
    return 0;
}

int
webhook_header_check(struct slice name, struct slice value, struct err *err)
{
    int rc = check_name(name, err);
    return rc != 0 ? rc : check_value(value, err);
}
