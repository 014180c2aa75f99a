/*
 * pushwire listen: a webhook's other end, for development. One server thread takes the
 * calls; the main thread answers those that are to be answered later, and waits for
 * signals.
 */
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/httpd.h"
#include "base/json.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/timefmt.h"
#include "cli/command.h"
#include "cli/secret_option.h"
#include "cli/table.h"
#include "core/signature.h"

#define SEEN_MAX      10000 /* calls whose ids are kept */
#define ID_KEPT_MAX   256
#define BODY_MAX      ((size_t)1 << 20)
#define CALLS_AT_ONCE 1024 /* connections, and so calls that wait for their answer */
#define TOLERANCE_S   300  /* how old a signature may be */

/* An event's id and how often it came. */
struct seen {
    char id[ID_KEPT_MAX + 1];
    unsigned calls; /* of it, among the ones that are kept */
    unsigned attempts;
};

/* A call that is answered later. */
struct later {
    struct httpd_req *req;
    usec_t due_us; /* mono */
    unsigned status;
};

struct receiver {
    const struct command_line *line;
    struct signer *signer; /* NULL: unchecked */
    int wake_fd;
    pthread_mutex_t lock; /* of all that follows */
    uint64_t calls;
    uint64_t answered;
    bool ending; /* nothing is answered later any more */
    struct smap ids;
    struct seen *ring[SEEN_MAX]; /* of the last calls, by number */
    struct later later[CALLS_AT_ONCE];
    size_t first_later, n_later;
    struct buf text;
    struct json_doc doc;
};

/* ---- what was seen ---- */

static void
forget(struct receiver *rx, struct seen **place)
{
    struct seen *seen = *place;

    *place = NULL;
    if (!seen || --seen->calls > 0)
        return;
    smap_remove(&rx->ids, slice_of(seen->id));
    free(seen);
}

/* Counts a call; returns how often its event has come. */
static unsigned
count(struct receiver *rx, const char *id)
{
    struct seen **place = &rx->ring[rx->calls++ % SEEN_MAX];
    struct slice key = {id, strnlen(id, ID_KEPT_MAX)};

    struct seen *seen = smap_get(&rx->ids, key);
    if (!seen) {
        seen = xcalloc(1, sizeof(*seen));
        memcpy(seen->id, key.p, key.n);
        smap_put(&rx->ids, slice_of(seen->id), seen);
    }
    seen->calls++;
    unsigned attempt = ++seen->attempts;
    forget(rx, place);
    *place = seen;
    return attempt;
}

/* ---- a call ---- */

static bool
is_recent(const char *timestamp)
{
    char *end;
    long long seconds = strtoll(timestamp, &end, 10);
    int64_t now_s = clock_wall_us(&clock_system) / 1000000;

    return !*end && seconds >= now_s - TOLERANCE_S && seconds <= now_s + TOLERANCE_S;
}

static const char *
check_signature(struct receiver *rx, const struct httpd_req *req)
{
    const char *id = httpd_header(req, "webhook-id");
    const char *timestamp = httpd_header(req, "webhook-timestamp");
    const char *signature = httpd_header(req, "webhook-signature");

    if (!rx->signer)
        return "unchecked";
    if (!id || !timestamp || !signature)
        return "BAD: a header is missing";
    if (!signer_verify(rx->signer, slice_of(id), slice_of(timestamp), httpd_body(req),
                       slice_of(signature)))
        return "BAD";
    return is_recent(timestamp) ? "ok" : "BAD: too old";
}

static void
add_type(struct receiver *rx, struct slice body)
{
    struct json_error error;
    struct buf type;
    const struct json_token *value = NULL;

    if (json_parse(&rx->doc, body.p ? body.p : "", body.n, &error) == 0)
        value = json_member(&rx->doc, &rx->doc.tokens[0], "type");
    buf_init(&type, 100);
    if (value && value->type == JSON_STRING &&
        json_string_add(&rx->doc, value, &type) == 0)
        text_add_clean(&rx->text, buf_slice(&type), NULL);
    else
        buf_addc(&rx->text, '?');
    buf_fini(&type);
}

static void
print_call(struct receiver *rx, const struct httpd_req *req, const char *id,
           unsigned attempt, unsigned status)
{
    char now[TIME_TEXT];
    struct slice body = httpd_body(req);

    buf_reset(&rx->text);
    time_format(now, clock_wall_us(&clock_system) / 1000);
    buf_addf(&rx->text, "%s  ", now);
    add_type(rx, body);
    buf_adds(&rx->text, "  ");
    text_add_clean(&rx->text, (struct slice){id, strnlen(id, ID_KEPT_MAX)}, NULL);
    buf_addf(&rx->text, "  attempt %u  signature %s  answered %u\n", attempt,
             check_signature(rx, req), status);
    if (!option_on(&rx->line->options, OPTION_QUIET) && body.n) {
        buf_adds(&rx->text, "    ");
        text_add_clean(&rx->text, body, "    ");
        buf_addc(&rx->text, '\n');
    }
    fwrite(rx->text.p, 1, rx->text.n, stdout);
    fflush(stdout);
}

static unsigned
status_of(const struct receiver *rx)
{
    const struct options *options = &rx->line->options;

    if (rx->calls <= (uint64_t)option_number(options, OPTION_FAIL))
        return 503;
    return (unsigned)option_number(options, OPTION_STATUS);
}

/* Says so when that was the last one. */
static void
note_answered(struct receiver *rx)
{
    pthread_mutex_lock(&rx->lock);
    rx->answered++;
    pthread_mutex_unlock(&rx->lock);
    if (option_given(&rx->line->options, OPTION_CALLS))
        eventfd_write(rx->wake_fd, 1);
}

/* False: it must be answered at once. */
static bool
answer_later(struct receiver *rx, struct httpd_req *req, unsigned status)
{
    msec_t delay_ms = option_number(&rx->line->options, OPTION_DELAY);
    bool held = false;

    if (delay_ms == 0)
        return false;
    pthread_mutex_lock(&rx->lock);
    if (!rx->ending && rx->n_later < CALLS_AT_ONCE) {
        size_t at = (rx->first_later + rx->n_later++) % CALLS_AT_ONCE;
        usec_t due_us = clock_mono_us(&clock_system) + delay_ms * 1000;
        httpd_hold(req);
        rx->later[at] = (struct later){req, due_us, status};
        held = true;
    }
    pthread_mutex_unlock(&rx->lock);
    eventfd_write(rx->wake_fd, 1);
    return held;
}

static void
on_body(void *ctx, struct httpd_req *req)
{
    struct receiver *rx = ctx;
    const char *id = httpd_header(req, "webhook-id");

    if (strcmp(httpd_method(req), "POST") != 0) {
        httpd_answer_header(req, "Allow", "POST");
        httpd_answer(req, 405, NULL, NULL, 0);
        return;
    }
    pthread_mutex_lock(&rx->lock);
    unsigned attempt = count(rx, id ? id : "-");
    unsigned status = status_of(rx);
    print_call(rx, req, id ? id : "-", attempt, status);
    pthread_mutex_unlock(&rx->lock);
    if (!answer_later(rx, req, status)) {
        httpd_answer(req, status, NULL, NULL, 0);
        note_answered(rx);
    }
}

static void
on_nothing(void *ctx, struct httpd_req *req)
{
    (void)ctx;
    (void)req;
}

static void
on_refuse(void *ctx, struct httpd_req *req, unsigned status, const char *detail)
{
    (void)ctx;
    (void)detail;
    httpd_answer(req, status, NULL, NULL, 0);
}

/* ---- the main thread ---- */

/* Takes the first of those that wait, if it is due. */
static bool
take_due(struct receiver *rx, usec_t now_us, struct later *out)
{
    bool taken = false;

    pthread_mutex_lock(&rx->lock);
    if (rx->n_later > 0 && rx->later[rx->first_later].due_us <= now_us) {
        *out = rx->later[rx->first_later];
        rx->first_later = (rx->first_later + 1) % CALLS_AT_ONCE;
        rx->n_later--;
        taken = true;
    }
    pthread_mutex_unlock(&rx->lock);
    return taken;
}

static void
answer_due(struct receiver *rx, usec_t now_us)
{
    struct later later;

    while (take_due(rx, now_us, &later)) {
        httpd_answer(later.req, later.status, NULL, NULL, 0);
        note_answered(rx);
    }
}

/* Milliseconds until the next answer, for poll; -1: none waits. */
static int
next_due_ms(struct receiver *rx)
{
    usec_t wait_us = -1;

    pthread_mutex_lock(&rx->lock);
    if (rx->n_later > 0)
        wait_us = rx->later[rx->first_later].due_us - clock_mono_us(&clock_system);
    bool none = rx->n_later == 0;
    pthread_mutex_unlock(&rx->lock);
    if (none)
        return -1;
    return wait_us <= 0 ? 0 : (int)(wait_us / 1000) + 1;
}

static bool
has_had_enough(struct receiver *rx)
{
    int64_t enough = option_number(&rx->line->options, OPTION_CALLS);

    pthread_mutex_lock(&rx->lock);
    bool had = enough > 0 && rx->answered >= (uint64_t)enough;
    pthread_mutex_unlock(&rx->lock);
    return had;
}

static void
wait_for_end(struct receiver *rx, int signal_fd)
{
    struct pollfd fds[] = {{rx->wake_fd, POLLIN, 0}, {signal_fd, POLLIN, 0}};

    while (!has_had_enough(rx) && !ferror(stdout)) {
        if (poll(fds, 2, next_due_ms(rx)) > 0 && fds[1].revents)
            return;
        if (fds[0].revents) {
            eventfd_t ignored;
            eventfd_read(rx->wake_fd, &ignored);
        }
        answer_due(rx, clock_mono_us(&clock_system));
    }
}

/* SIGTERM and SIGINT as a descriptor; SIGPIPE is a failed write. */
static int
open_signals(void)
{
    sigset_t set;

    signal(SIGPIPE, SIG_IGN);
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    return signalfd(-1, &set, SFD_CLOEXEC);
}

static int
receive(struct receiver *rx, int signal_fd, struct err *err)
{
    struct httpd *httpd;
    const struct httpd_options options = {
        .handler = {rx, on_nothing, on_body, on_nothing, on_refuse, NULL},
        .listen = option_text(&rx->line->options, OPTION_RECEIVE_AT),
        .listen_fd = -1,
        .threads = 1,
        .max_connections = CALLS_AT_ONCE,
        .max_body_bytes = BODY_MAX,
        .max_answer_bytes = BODY_MAX,
        .idle_timeout_s = 60,
        .head_timeout_s = 60,
        .flow_timeout_s = 60,
        .spare_after_ms = 1000,
        .body_mem = &mem_heap,
    };

    int rc = httpd_open(&httpd, &options, err);
    if (rc != 0)
        return rc;
    printf("listening on http://%s\n", httpd_address(httpd));
    fflush(stdout);
    wait_for_end(rx, signal_fd);
    httpd_quiesce(httpd);
    pthread_mutex_lock(&rx->lock);
    rx->ending = true;
    pthread_mutex_unlock(&rx->lock);
    answer_due(rx, INT64_MAX);
    httpd_close(httpd);
    return 0;
}

static void
receiver_fini(struct receiver *rx)
{
    for (size_t i = 0; i < SEEN_MAX; i++)
        forget(rx, &rx->ring[i]);
    smap_fini(&rx->ids);
    json_fini(&rx->doc);
    buf_fini(&rx->text);
    signer_free(rx->signer);
    pthread_mutex_destroy(&rx->lock);
}

/* From a webhook's secret, or the public half of one. */
static int
verifier_of(struct slice text, struct signer **signer, struct err *err)
{
    uint8_t public[ED25519_PUBLIC_BYTES];

    bool is_public = text.n >= strlen(PUBLIC_PREFIX) &&
                     memcmp(text.p, PUBLIC_PREFIX, strlen(PUBLIC_PREFIX)) == 0;
    int rc = is_public ? public_key_decode(text, public, err) : secret_check(text, err);
    if (rc == 0)
        *signer = is_public ? signer_new_public(text) : signer_new(text);
    return rc;
}

static int
make_verifier(const struct command_line *line, struct signer **signer)
{
    char *secret;
    struct err err = {0};

    int rc = secret_option(&line->options, OPTION_CHECK_SECRET,
                           OPTION_CHECK_SECRET_FILE, &secret, &err);
    if (rc != 0)
        return command_misused(line, "%s", err.text);
    if (secret)
        rc = verifier_of(slice_of(secret), signer, &err);
    xfree_secret(secret);
    return rc == 0 ? DONE : command_misused(line, "--secret: %s", err.text);
}

int
listen_run(const struct command_line *line)
{
    struct signer *signer = NULL;
    struct err err = {0};

    int status = make_verifier(line, &signer);
    if (status != DONE)
        return status;

    struct receiver *rx = xcalloc(1, sizeof(*rx));
    rx->line = line;
    rx->signer = signer;
    pthread_mutex_init(&rx->lock, NULL);
    smap_init(&rx->ids);
    buf_init(&rx->text, 8 * BODY_MAX);
    json_init(&rx->doc);
    int signal_fd = open_signals();
    rx->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

    int rc = signal_fd < 0 || rx->wake_fd < 0
                 ? err_set(&err, E_IO, "no descriptor left")
                 : receive(rx, signal_fd, &err);
    if (rx->wake_fd >= 0)
        close(rx->wake_fd);
    if (signal_fd >= 0)
        close(signal_fd);
    receiver_fini(rx);
    free(rx);
    return rc == 0 ? DONE : command_fail(line, &err);
}
