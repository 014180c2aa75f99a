/* What the server says of itself, to somebody with a key and on its own machine. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/timefmt.h"
#include "cli/doctor.h"

#define SECOND_MS   ((msec_t)1000)
#define DAY_MS      (24 * 3600 * SECOND_MS)
#define SOON_MS     (14 * DAY_MS)   /* for what ends by itself */
#define CLOCK_OK_MS (5 * SECOND_MS) /* what nobody will notice */
#define FEW_FILES   8192
#define LITTLE_ROOM (1024.0 * 1024 * 1024)
#define LATE_S      60

/* ---- asking ---- */

static void
get(struct doctor *doctor, const char *path, struct reply *reply, struct err *err)
{
    int rc =
        client_call(doctor->client, "GET", path, NULL, (struct slice){0}, reply, err);
    (void)rc; /* refusals are answers, too: the status says it */
}

void
doctor_ask(struct doctor *doctor)
{
    struct err ignored = {0};

    if (client_open_keyless(&doctor->client, doctor->line, &doctor->no_client,
                            &doctor->no_answer) != 0)
        return;
    doctor->has_key = doctor->no_client.code == 0;
    doctor->asked_ms = clock_wall_us(&clock_system) / 1000;
    get(doctor, "/v1/me", &doctor->me, &doctor->no_answer);
    doctor->answered_ms = clock_wall_us(&clock_system) / 1000;
    if (doctor->me.status == 0)
        return;
    (void)client_certificate_end(doctor->client, &doctor->certificate_end_ms);
    if (doctor->me.status == 200 &&
        reply_parse(&doctor->me, &doctor->known, &doctor->no_answer) != 0)
        doctor->me.status = 0;
    get(doctor, "/readyz", &doctor->ready, &ignored);
    get(doctor, "/metrics", &doctor->metrics, &ignored);
}

/* ---- who it is ---- */

void
check_server(struct doctor *doctor)
{
    long status = doctor->me.status;

    if (status == 0)
        doctor_say(doctor, "server", FINDING_PROBLEM, NULL, "%s",
                   doctor->no_answer.text);
    else if (status == 200 || status == 401 || status == 403 || status == 429)
        doctor_say(doctor, "server", FINDING_OK, NULL, "%s answers in %" PRId64 " ms",
                   doctor->url, doctor->answered_ms - doctor->asked_ms);
    else
        doctor_say(doctor, "server", FINDING_PROBLEM,
                   "look whether --url or PUSHWIRE_URL names another server",
                   "%s answers with status %ld", doctor->url, status);
}

void
check_version(struct doctor *doctor)
{
    char version[64];

    if (!doctor_is_known(doctor))
        return;
    doctor_member(doctor, "version", version, sizeof(version));
    if (strcmp(version, PUSHWIRE_VERSION) == 0)
        doctor_say(doctor, "version", FINDING_OK, NULL, "%s, as this program", version);
    else
        doctor_say(doctor, "version", FINDING_WARNING,
                   "use the same: commands may ask for what the other does not know",
                   "the server is %s, this program " PUSHWIRE_VERSION, version);
}

void
check_certificate(struct doctor *doctor)
{
    char end[TIME_TEXT];
    msec_t end_ms = doctor->certificate_end_ms;

    if (doctor->me.status == 0 || strncmp(doctor->url, "https:", 6) != 0)
        return;
    if (end_ms == 0) {
        doctor_say(doctor, "certificate", FINDING_UNKNOWN, NULL,
                   "when it ends cannot be read");
        return;
    }
    time_format(end, end_ms);
    bool soon = end_ms - doctor->answered_ms < SOON_MS;
    doctor_say(doctor, "certificate", soon ? FINDING_WARNING : FINDING_OK,
               soon ? "put a new one in its place and send the server SIGHUP" : NULL,
               "ends on %.10s", end);
}

void
check_key(struct doctor *doctor)
{
    char role[32], channel[128], expires[TIME_TEXT];
    msec_t end_ms;

    if (doctor->client && !doctor->has_key) {
        doctor_say(doctor, "key", FINDING_PROBLEM, NULL, "%s", doctor->no_client.text);
        return;
    }
    if (doctor->me.status == 401) {
        doctor_say(doctor, "key", FINDING_PROBLEM,
                   "give another with --key-file or PUSHWIRE_KEY, or the server's "
                   "folder with --data; `pushwire serve --new-key` makes one",
                   "the server does not know it");
        return;
    }
    if (!doctor_is_known(doctor))
        return;
    doctor_member(doctor, "role", role, sizeof(role));
    doctor_member(doctor, "channel", channel, sizeof(channel));
    doctor_member(doctor, "expiresAt", expires, sizeof(expires));
    bool ends = time_parse(slice_of(expires), &end_ms);
    bool soon = ends && end_ms - doctor->answered_ms < SOON_MS;
    doctor_say(doctor, "key", soon ? FINDING_WARNING : FINDING_OK,
               soon ? "make another: pushwire key create --help" : NULL,
               "%s%s%s%s%.10s", role, channel[0] ? ", of the channel " : "", channel,
               ends ? ", ends on " : "", expires);
}

void
check_clock(struct doctor *doctor)
{
    char text[TIME_TEXT];
    msec_t server_ms;

    if (!doctor_is_known(doctor))
        return;
    doctor_member(doctor, "serverTime", text, sizeof(text));
    if (!time_parse(slice_of(text), &server_ms))
        return;
    /* What the request itself took is nobody's fault. */
    msec_t ahead_ms = server_ms > doctor->answered_ms ? server_ms - doctor->answered_ms
                      : server_ms < doctor->asked_ms  ? server_ms - doctor->asked_ms
                                                      : 0;
    if (llabs(ahead_ms) <= CLOCK_OK_MS)
        doctor_say(doctor, "clock", FINDING_OK, NULL, "the server's agrees with ours");
    else
        doctor_say(doctor, "clock", FINDING_WARNING,
                   "set both by NTP: receivers refuse signatures that are minutes off",
                   "the server's is %lld s %s ours", llabs(ahead_ms) / SECOND_MS,
                   ahead_ms > 0 ? "ahead of" : "behind");
}

/* ---- what watchers see ---- */

void
check_ready(struct doctor *doctor)
{
    const struct buf *body = &doctor->ready.body;
    size_t n = body->n;

    if (doctor->me.status == 0)
        return;
    while (n && body->p[n - 1] == '\n')
        n--;
    if (doctor->ready.status == 200)
        doctor_say(doctor, "ready", FINDING_OK, NULL, "it takes events");
    else if (doctor->ready.status == 503)
        doctor_say(doctor, "ready", FINDING_PROBLEM, "see the lines below, and its log",
                   "%.*s", (int)n, n ? body->p : "");
    else
        doctor_say(doctor, "ready", FINDING_UNKNOWN, NULL, "/readyz is not open to us");
}

void
check_metrics(struct doctor *doctor)
{
    if (doctor->me.status == 0)
        return;
    if (doctor->metrics.status == 200)
        doctor_say(doctor, "metrics", FINDING_OK, NULL, "open to us");
    else
        doctor_say(doctor, "metrics", FINDING_UNKNOWN,
                   "ask on the server's own machine, or where --metrics-listen is",
                   "not open to us (status %ld), so that less can be said",
                   doctor->metrics.status);
}

void
check_threads(struct doctor *doctor)
{
    double stalled;

    if (!doctor_metric(doctor, "pushwire_stalled", &stalled))
        return;
    if (stalled != 0)
        doctor_say(doctor, "threads", FINDING_PROBLEM,
                   "look for `stalled` in its log, and start it anew",
                   "one makes no progress, or nothing is sent that is due");
    else
        doctor_say(doctor, "threads", FINDING_OK, NULL, "all make progress");
}

void
check_disk(struct doctor *doctor)
{
    double low = 0, full = 0, left;

    if (!doctor_metric(doctor, "pushwire_disk_room{room=\"low\"}", &low))
        return;
    (void)doctor_metric(doctor, "pushwire_disk_room{room=\"full\"}", &full);
    bool known = doctor_metric(doctor, "pushwire_disk_left_bytes", &left);
    if (low != 0 || full != 0)
        doctor_say(doctor, "disk", FINDING_PROBLEM,
                   "make room on its disk, or set --keep-bytes: it goes on by itself",
                   "%s: new events are refused%s", full != 0 ? "full" : "nearly full",
                   full != 0 ? " and no call is sent" : "");
    else if (known && left < LITTLE_ROOM)
        doctor_say(doctor, "disk", FINDING_WARNING,
                   "make room soon: then new events are refused",
                   "%.0f MiB are left until its reserve", left / (1 << 20));
    else if (known)
        doctor_say(doctor, "disk", FINDING_OK, NULL, "%.1f GiB are left",
                   left / (1 << 30));
    else
        doctor_say(doctor, "disk", FINDING_OK, NULL,
                   "there is room; how much is not watched");
}

/* What has ended and is kept is all that an operator can let go. */
void
check_kept(struct doctor *doctor)
{
    static const char *const ended[] = {"pushwire_calls{state=\"succeeded\"}",
                                        "pushwire_calls{state=\"failed\"}",
                                        "pushwire_calls{state=\"cancelled\"}"};
    double bytes, left, calls = 0, n;

    if (!doctor_metric(doctor, "pushwire_disk_bytes", &bytes))
        return;
    for (size_t i = 0; i < ARRAY_LEN(ended); i++)
        calls += doctor_metric(doctor, ended[i], &n) ? n : 0;
    bool much = doctor_metric(doctor, "pushwire_disk_left_bytes", &left) &&
                bytes > LITTLE_ROOM && left < bytes / 4;
    doctor_say(doctor, "retention", much ? FINDING_WARNING : FINDING_OK,
               much ? "lower --keep-succeeded and --keep-failed, or set --keep-bytes"
                    : NULL,
               "%.0f calls that have ended are kept; the data takes %.0f MiB%s", calls,
               bytes / (1 << 20), much ? ", more than four times what is left" : "");
}

void
check_files(struct doctor *doctor)
{
    double files;

    if (!doctor_metric(doctor, "process_max_fds", &files))
        return;
    if (files < FEW_FILES)
        doctor_say(doctor, "open files", FINDING_WARNING,
                   "raise LimitNOFILE of the service, or `ulimit -n`",
                   "it may have %.0f, half of them for clients", files);
    else
        doctor_say(doctor, "open files", FINDING_OK, NULL, "it may have %.0f", files);
}

void
check_backlog(struct doctor *doctor)
{
    double waiting, held = 0, late = 0;

    if (!doctor_metric(doctor, "pushwire_calls{state=\"waiting\"}", &waiting))
        return;
    (void)doctor_metric(doctor, "pushwire_calls{state=\"held\"}", &held);
    (void)doctor_metric(doctor, "pushwire_oldest_due_seconds", &late);
    if (late > LATE_S)
        doctor_say(doctor, "backlog", FINDING_WARNING,
                   "look at the webhooks that fail, below: their calls wait for them",
                   "%.0f calls wait, %.0f are held; the oldest is due for %.0f min",
                   waiting, held, late / 60);
    else
        doctor_say(doctor, "backlog", FINDING_OK, NULL,
                   "%.0f calls wait, %.0f are held, none is late", waiting, held);
}
