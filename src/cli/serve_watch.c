/* Whether the server gets on with its work, and who is told. */
#include <stdio.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/notify.h"
#include "base/pulse.h"
#include "cli/serve.h"

/* A call may be due for so long, while nothing at all is being sent, and for as many
 * looks: a receiver that is spared is called again sooner. */
#define OVERDUE_S 60

/* Nothing is under way, nothing has ended since the last look, and yet something has
 * been due for long. A full disk is a reason, and one that a restart does not mend. */
static bool
is_idle_with_work(struct server *server)
{
    struct server_watch *watch = &server->watch;
    struct engine_gauges gauges;

    engine_gauges(server->engine, &gauges);
    uint64_t attempts = metric_total(METRIC_ATTEMPTS);
    bool idle = gauges.in_flight == 0 && attempts == watch->attempts;
    watch->attempts = attempts;
    return idle && gauges.room != DISK_FULL && gauges.oldest_due_ms != MSEC_NEVER &&
           clock_steady_ms(&clock_system) - gauges.oldest_due_ms > OVERDUE_S * 1000;
}

static void
say(const char *stalled)
{
    char text[80];

    if (stalled)
        log_line(LOG_ERROR, "stalled", LOG_S("thread", stalled));
    else
        log_line(LOG_WARN, "stalled.over");
    snprintf(text, sizeof(text), "STATUS=%s%s", stalled ? "stalled: " : "serving",
             stalled ? stalled : "");
    notify_send(text);
    pulse_say(stalled);
}

void
server_watch(struct server *server)
{
    struct server_watch *watch = &server->watch;
    const char *stalled = pulse_look();

    watch->idle = is_idle_with_work(server) ? watch->idle + 1 : 0;
    if (!stalled && watch->idle >= OVERDUE_S)
        stalled = "none, but calls are due and not sent";
    if (!stalled != !pulse_said())
        say(stalled);
    watch->looks++;
    /* A third of what the manager allows, so that one may be lost. */
    if (!stalled && watch->looks >= notify_watchdog_s() / 3) {
        watch->looks = 0;
        if (notify_watchdog_s() > 0)
            notify_send("WATCHDOG=1");
    }
}
