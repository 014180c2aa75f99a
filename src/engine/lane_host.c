/*
 * What goes to one host, of all webhooks that name it: at most so many attempts at a
 * time. A lane that has work while its host is full stands in the host's line, and has
 * its turn when a slot there is free.
 */
#include <assert.h>
#include <stdlib.h>

#include "base/mem.h"
#include "engine/lane.h"

struct host {
    char *name; /* host and port, as the URL has them */
    unsigned lanes;
    unsigned in_flight;
    struct lane *line; /* circular; NULL = nobody waits */
};

static struct slice
authority(const char *url)
{
    const char *at = strstr(url, "://");
    at = at ? at + 3 : url;
    return (struct slice){at, strcspn(at, "/?#")};
}

static struct host *
host_get(struct dispatch *dispatch, struct slice name)
{
    struct host *host = smap_get(&dispatch->hosts, name);
    if (host)
        return host;
    host = xcalloc(1, sizeof(*host));
    host->name = xstrndup(name.p, name.n);
    smap_put(&dispatch->hosts, slice_of(host->name), host);
    return host;
}

static void
host_drop_unused(struct dispatch *dispatch, struct host *host)
{
    if (host->lanes > 0 || host->in_flight > 0)
        return;
    assert(!host->line);
    smap_remove(&dispatch->hosts, slice_of(host->name));
    free(host->name);
    free(host);
}

static void
line_leave(struct lane *lane)
{
    struct host *host = lane->host;
    if (!lane->line_next)
        return;
    if (lane->line_next == lane) {
        host->line = NULL;
    } else {
        lane->line_prev->line_next = lane->line_next;
        lane->line_next->line_prev = lane->line_prev;
        if (host->line == lane)
            host->line = lane->line_next;
    }
    lane->line_next = lane->line_prev = NULL;
}

static void
line_join(struct lane *lane)
{
    struct host *host = lane->host;
    if (lane->line_next)
        return;
    if (!host->line) {
        host->line = lane->line_next = lane->line_prev = lane;
        return;
    }
    lane->line_next = host->line;
    lane->line_prev = host->line->line_prev;
    lane->line_prev->line_next = lane;
    host->line->line_prev = lane;
}

void
lane_leave_host(struct dispatch *dispatch, struct lane *lane)
{
    struct host *host = lane->host;
    if (!host)
        return;
    line_leave(lane);
    lane->host = NULL;
    host->lanes--;
    host_drop_unused(dispatch, host);
}

void
lane_join_host(struct dispatch *dispatch, struct lane *lane)
{
    lane_leave_host(dispatch, lane);
    if (dispatch->options.host_window == 0)
        return;
    lane->host = host_get(dispatch, authority(lane->webhook->url));
    lane->host->lanes++;
}

static bool
has_room(const struct dispatch *dispatch, const struct host *host)
{
    return !host || host->in_flight < dispatch->options.host_window;
}

/* Whoever is first in line has its turn. */
static void
call_next(struct dispatch *dispatch, struct host *host)
{
    struct lane *lane = host->line;
    if (!lane || !has_room(dispatch, host))
        return;
    line_leave(lane);
    lane_update(dispatch, lane);
}

bool
lane_asks_host(struct dispatch *dispatch, struct lane *lane, bool has_work)
{
    struct host *host = lane->host;
    if (!host)
        return has_work;
    bool room = has_room(dispatch, host);
    if (has_work && !room) {
        line_join(lane);
        return false;
    }
    line_leave(lane);
    if (!has_work) /* its turn, if it had one, is another's */
        call_next(dispatch, host);
    return has_work;
}

bool
lane_host_is_full(const struct dispatch *dispatch, const struct lane *lane)
{
    return !has_room(dispatch, lane->host);
}

void
host_take(struct live_call *call)
{
    call->host = call->lane->host;
    if (call->host)
        call->host->in_flight++;
}

void
host_give(struct dispatch *dispatch, struct live_call *call)
{
    struct host *host = call->host;
    if (!host)
        return;
    call->host = NULL;
    assert(host->in_flight > 0);
    host->in_flight--;
    host->lanes++; /* it must outlive what the next lane does */
    call_next(dispatch, host);
    host->lanes--;
    host_drop_unused(dispatch, host);
}
