/* What watchers of the server ask: alive, ready, figures. */
#include <inttypes.h>
#include <sys/resource.h>

#include "api/resources.h"
#include "base/mem.h"
#include "base/metrics.h"
#include "base/pulse.h"

static void
answer_text(struct api_request *r, unsigned status, const char *text)
{
    size_t n = strlen(text);
    httpd_answer_header(r->req, "Cache-Control", "no-store");
    httpd_answer_header(r->req, "X-Content-Type-Options", "nosniff");
    api_answer(r->req, status, "text/plain; charset=utf-8", xstrndup(text, n), n);
}

/* NULL = there is room. */
static const char *
disk_trouble(const struct api_request *r)
{
    static const char *const sentences[DISK_ROOMS] = {
        [DISK_LOW] = "disk nearly full: new events are refused\n",
        [DISK_FULL] =
            "disk full or read-only: new events are refused, no call is sent\n",
    };
    struct engine_gauges gauges;
    engine_gauges(r->api->engine, &gauges);
    return sentences[gauges.room];
}

/* Alive also without room: to be started anew would not help. */
void
health_live(struct api_request *r)
{
    const char *trouble = disk_trouble(r);
    answer_text(r, 200, trouble ? trouble : "ok\n");
}

void
health_ready(struct api_request *r)
{
    const char *trouble = disk_trouble(r);
    if (atomic_load(&r->api->quiesced)) {
        httpd_answer_header(r->req, "Retry-After", "1");
        answer_text(r, 503, "shutting down\n");
    } else if (trouble) {
        httpd_answer_header(r->req, "Retry-After", "5");
        answer_text(r, 503, trouble);
    } else {
        answer_text(r, 200, "ready\n");
    }
}

/* ---- metrics ---- */

static void
write_calls(struct buf *out, const struct engine_counts *counts)
{
    metrics_gauge_head(out, "pushwire_calls", "Calls by state.");
    for (int state = 0; state < CALL_STATES; state++)
        if (state != CALL_IN_FLIGHT)
            buf_addf(out, "pushwire_calls{state=\"%s\"} %" PRIu64 "\n",
                     call_state_name((enum call_state)state), counts->calls[state]);
    metrics_gauge_head(out, "pushwire_disk_bytes",
                       "Bytes that the store takes on disk.");
    buf_addf(out, "pushwire_disk_bytes %" PRIu64 "\n", counts->disk_bytes);
    if (counts->disk_left == UINT64_MAX)
        return;
    metrics_gauge_head(out, "pushwire_disk_left_bytes",
                       "Bytes that may still be written, to the reserve and beyond.");
    buf_addf(out, "pushwire_disk_left_bytes %" PRIu64 "\n", counts->disk_left);
}

static double
seconds_overdue(struct engine *engine, msec_t due_ms)
{
    if (due_ms == MSEC_NEVER)
        return 0;
    msec_t late_ms = clock_steady_ms(engine_clock(engine)) - due_ms;
    return late_ms > 0 ? (double)late_ms / 1000 : 0;
}

static void
write_gauges(struct buf *out, struct engine *engine)
{
    struct engine_gauges gauges;
    engine_gauges(engine, &gauges);

    metrics_gauge_head(out, "pushwire_queue_depth",
                       "Operations that wait for the store, and calls in memory that "
                       "wait for a sender.");
    buf_addf(out, "pushwire_queue_depth{queue=\"store\"} %" PRIu64 "\n",
             gauges.store_queue);
    buf_addf(out, "pushwire_queue_depth{queue=\"sender\"} %" PRIu64 "\n",
             gauges.sender_queue);
    metrics_gauge_head(out, "pushwire_disk_room",
                       "1 for what the disk's room is: ok, low (new events are "
                       "refused) or full (no attempt is started either).");
    for (int room = 0; room < DISK_ROOMS; room++)
        buf_addf(out, "pushwire_disk_room{room=\"%s\"} %d\n",
                 disk_room_name((enum disk_room)room), (int)gauges.room == room);
    metrics_gauge_head(out, "pushwire_in_flight", "Attempts under way.");
    buf_addf(out, "pushwire_in_flight %" PRIu64 "\n", gauges.in_flight);
    metrics_gauge_head(out, "pushwire_streams", "Clients that follow a channel.");
    buf_addf(out, "pushwire_streams %" PRIu64 "\n", gauges.watches);
    metrics_gauge_head(out, "pushwire_oldest_due_seconds",
                       "For how long the oldest call that is due has been so.");
    buf_addf(out, "pushwire_oldest_due_seconds %.3f\n",
             seconds_overdue(engine, gauges.oldest_due_ms));
}

static void
write_process(struct buf *out, const struct api *api)
{
    metrics_gauge_head(out, "pushwire_connections", "Open connections of clients.");
    buf_addf(out, "pushwire_connections %zu\n", httpd_connections(api->httpd));
    metrics_gauge_head(out, "pushwire_stalled",
                       "1 while a thread makes no progress, or nothing is sent that is "
                       "due.");
    buf_addf(out, "pushwire_stalled %d\n", pulse_said() != NULL);
    metrics_gauge_head(out, "pushwire_build_info", "Always 1; the version is a label.");
    buf_addf(out, "pushwire_build_info{version=\"%s\"} 1\n", PUSHWIRE_VERSION);
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        metrics_gauge_head(out, "process_max_fds", "Files that may be open at a time.");
        buf_addf(out, "process_max_fds %llu\n", (unsigned long long)files.rlim_cur);
    }
    metrics_gauge_head(out, "process_start_time_seconds",
                       "When the server started, in Unix seconds.");
    buf_addf(out, "process_start_time_seconds %.3f\n", (double)api->started_ms / 1000);
}

static void
metrics_done(struct engine_counts *counts)
{
    struct api_request *r = container_of(counts, struct api_request, op.counts);
    struct buf *out = &r->out;

    metrics_write(out);
    /* A store that does not answer is no reason to hide the rest. */
    if (counts->result == 0)
        write_calls(out, counts);
    write_gauges(out, r->api->engine);
    write_process(out, r->api);
    if (out->failed) {
        api_refuse(r, E_NO_MEMORY, NULL);
        return;
    }
    size_t n = out->n;
    httpd_answer_header(r->req, "X-Content-Type-Options", "nosniff");
    api_answer(r->req, 200, "text/plain; version=0.0.4; charset=utf-8", buf_take(out),
               n);
}

void
health_metrics(struct api_request *r)
{
    r->op.counts = (struct engine_counts){.done = metrics_done};
    httpd_hold(r->req);
    engine_counts(r->api->engine, &r->op.counts);
}
