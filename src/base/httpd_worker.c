/* A worker: one thread, its epoll set, its connections, and how long they may wait. */
#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/httpd_private.h"
#include "base/mem.h"
#include "base/pulse.h"

#define EVENTS_A_TURN 128

/* In so long a client must have sent, or taken, so many bytes more, or it is held to be
 * one of those that only want to keep a connection busy: 1 KiB/s. */
#define FLOW_BYTES(flow_us) ((int64_t)(flow_us) / 1000000 * 1024)

static _Thread_local struct httpd_worker *own;

/* ---- mailboxes ---- */

static void
wake(struct httpd_worker *worker)
{
    if (own != worker)
        eventfd_write(worker->wake_fd, 1);
}

/* Only who finds the box empty wakes the worker: it takes all that is in it. */
void
worker_give(struct httpd_worker *worker, struct httpd_conn *conn)
{
    struct httpd_conn *first = atomic_load(&worker->arrived);

    conn->worker = worker;
    atomic_fetch_add(&worker->connections, 1);
    do
        conn->next = first;
    while (!atomic_compare_exchange_weak(&worker->arrived, &first, conn));
    if (!first)
        wake(worker);
}

void
worker_answered(struct httpd_worker *worker, struct httpd_req *req)
{
    struct httpd_req *first = atomic_load(&worker->answered);

    do
        req->next = first;
    while (!atomic_compare_exchange_weak(&worker->answered, &first, req));
    if (!first)
        wake(worker);
}

void
worker_spare(struct httpd_worker *worker, unsigned n)
{
    atomic_store(&worker->spare, n);
    wake(worker);
}

/* Only who finds it in no list puts it there: it is looked at once for all. */
void
worker_woken(struct httpd_worker *worker, struct httpd_conn *conn)
{
    pthread_mutex_lock(&worker->wake_lock);
    bool is_new = !conn->woken.next;
    if (is_new)
        link_add(&worker->woken, &conn->woken);
    pthread_mutex_unlock(&worker->wake_lock);
    if (is_new && !atomic_exchange(&worker->has_woken, true))
        wake(worker);
}

void
worker_end_streams(struct httpd_worker *worker)
{
    atomic_store(&worker->ends, true);
    wake(worker);
}

static void
take_arrived(struct httpd_worker *worker)
{
    struct httpd_conn *conn = atomic_exchange(&worker->arrived, NULL);

    while (conn) {
        struct httpd_conn *next = conn->next;
        struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET,
                                    .data.ptr = conn};
        link_add(&worker->all, &conn->all);
        if (epoll_ctl(worker->epoll_fd, EPOLL_CTL_ADD, conn->fd, &event) != 0)
            conn_close(conn);
        else
            conn_run(conn);
        conn = next;
    }
}

static void
take_answered(struct httpd_worker *worker)
{
    struct httpd_req *req = atomic_exchange(&worker->answered, NULL);

    while (req) {
        struct httpd_req *next = req->next;
        struct httpd_conn *conn = req->conn;
        req_answered(req);
        conn_run(conn);
        req = next;
    }
}

static void
wake_stream(struct httpd_conn *conn)
{
    if (!conn->req)
        return;
    conn->req->woken = true;
    if (conn->stage == CONN_STREAM)
        worker_ready(conn);
}

static void
take_woken(struct httpd_worker *worker)
{
    struct http_link *link;

    if (atomic_exchange(&worker->ends, false))
        for (link = worker->all.next; link != &worker->all; link = link->next)
            wake_stream(container_of(link, struct httpd_conn, all));
    if (!atomic_exchange(&worker->has_woken, false))
        return;
    pthread_mutex_lock(&worker->wake_lock);
    while ((link = link_first(&worker->woken))) {
        link_remove(link);
        wake_stream(container_of(link, struct httpd_conn, woken));
    }
    pthread_mutex_unlock(&worker->wake_lock);
}

/* ---- waiting ---- */

void
worker_wait(struct httpd_conn *conn, enum conn_wait wait)
{
    struct httpd_worker *worker = conn->worker;

    conn->wait = wait;
    conn->wait_since_us = worker->now_us;
    conn->flow_mark = wait == WAIT_FLOW ? conn_moved(conn) : 0;
    if (wait == WAIT_NONE)
        link_remove(&conn->waiting);
    else
        link_add(&worker->waiting[wait], &conn->waiting);
}

void
worker_ready(struct httpd_conn *conn)
{
    link_add(&conn->worker->ready, &conn->ready);
}

/* All in a list wait equally long, so the first has waited longest. */
static struct httpd_conn *
first_waiting(struct httpd_worker *worker, enum conn_wait wait)
{
    struct http_link *first = link_first(&worker->waiting[wait]);

    return first ? container_of(first, struct httpd_conn, waiting) : NULL;
}

static void
time_is_up(struct httpd_conn *conn)
{
    struct httpd_worker *worker = conn->worker;
    uint64_t moved = conn_moved(conn);

    if (conn->wait == WAIT_BEAT) {
        conn->req->beat = true;
        worker_wait(conn, WAIT_BEAT);
        conn_run(conn);
        return;
    }
    if (conn->wait != WAIT_FLOW || (int64_t)(moved - conn->flow_mark) <
                                       FLOW_BYTES(worker->httpd->wait_us[WAIT_FLOW])) {
        conn_close(conn);
        return;
    }
    worker_wait(conn, WAIT_FLOW);
}

static void
close_late(struct httpd_worker *worker)
{
    for (enum conn_wait wait = 0; wait < WAITS; wait++) {
        usec_t since_us = worker->now_us - worker->httpd->wait_us[wait];
        struct httpd_conn *conn;
        while ((conn = first_waiting(worker, wait)) && conn->wait_since_us <= since_us)
            time_is_up(conn);
    }
}

static int
next_timeout_ms(struct httpd_worker *worker)
{
    usec_t next_us = INT64_MAX;

    if (link_first(&worker->ready) || atomic_load(&worker->answered) ||
        atomic_load(&worker->has_woken))
        return 0;
    for (enum conn_wait wait = 0; wait < WAITS; wait++) {
        struct httpd_conn *conn = first_waiting(worker, wait);
        usec_t due_us =
            conn ? conn->wait_since_us + worker->httpd->wait_us[wait] : INT64_MAX;
        next_us = due_us < next_us ? due_us : next_us;
    }
    if (next_us == INT64_MAX)
        return -1;
    usec_t left_us = next_us - clock_mono_us(&clock_system);
    return left_us <= 0 ? 0 : (int)(left_us / 1000 + 1);
}

/* Of those that wait for a request the one that has done so for longest. */
static struct httpd_conn *
most_idle(struct httpd_worker *worker)
{
    struct httpd_conn *idle = first_waiting(worker, WAIT_IDLE);
    struct httpd_conn *slow = first_waiting(worker, WAIT_HEAD);

    if (idle && slow)
        return idle->wait_since_us <= slow->wait_since_us ? idle : slow;
    return idle ? idle : slow;
}

static void
make_room(struct httpd_worker *worker)
{
    usec_t since_us =
        worker->now_us - worker->httpd->options.spare_after_ms * (usec_t)1000;

    for (unsigned n = atomic_exchange(&worker->spare, 0); n > 0; n--) {
        struct httpd_conn *conn = most_idle(worker);
        if (!conn || conn->wait_since_us > since_us)
            return;
        conn_close(conn);
    }
}

const char *
worker_date(struct httpd_worker *worker)
{
    msec_t now_s = clock_wall_us(&clock_system) / 1000000;

    if (now_s != worker->date_s) {
        worker->date_s = now_s;
        http_date_format(worker->date, now_s * 1000);
    }
    return worker->date;
}

bool
worker_relieve(struct httpd_worker *worker, size_t bytes)
{
    struct http_link *list = &worker->waiting[WAIT_FLOW];
    size_t freed = 0;

    for (struct http_link *link = list->next; link != list && freed < bytes;) {
        struct httpd_conn *conn = container_of(link, struct httpd_conn, waiting);
        link = link->next;
        bool waits = conn->stage == CONN_STREAM && conn->req->waits_with;
        if (conn->stage != CONN_ANSWER && !waits)
            continue;
        freed += conn->req->waits_with;
        conn_close(conn);
    }
    return freed >= bytes;
}

/* ---- the thread ---- */

static void
take_event(const struct epoll_event *event)
{
    struct httpd_conn *conn = event->data.ptr;
    const uint32_t ends = EPOLLRDHUP | EPOLLHUP | EPOLLERR;

    if (!conn || conn->fd < 0)
        return; /* wake_fd: edge-triggered, need not be read; or closed in this turn */
    conn->hung_up = conn->hung_up || (event->events & ends);
    conn->readable = conn->readable || (event->events & (EPOLLIN | ends));
    if (conn->tls) /* a handshake may have waited to send before it reads on */
        conn->readable = conn->readable || (event->events & EPOLLOUT);
    conn->writable = conn->writable || (event->events & (EPOLLOUT | ends));
    conn_run(conn);
}

static void
run_ready(struct httpd_worker *worker)
{
    struct http_link turn;
    struct http_link *link;

    /* Those that are ready again have their turn after the network's. */
    link_init(&turn);
    while ((link = link_first(&worker->ready)))
        link_add(&turn, link);
    while ((link = link_first(&turn))) {
        link_remove(link);
        conn_run(container_of(link, struct httpd_conn, ready));
    }
}

static void
free_dead(struct httpd_worker *worker)
{
    struct http_link *link;

    while ((link = link_first(&worker->dead))) {
        link_remove(link);
        conn_free(container_of(link, struct httpd_conn, all));
    }
}

static void *
worker_loop(void *arg)
{
    struct httpd_worker *worker = arg;
    struct epoll_event events[EVENTS_A_TURN];
    struct pulse pulse;
    sigset_t pipe;

    own = worker;
    /* TLS writes to its socket, which may be closed at the other end, as to a file. */
    sigemptyset(&pipe);
    sigaddset(&pipe, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &pipe, NULL);
    pulse_begin(&pulse, "api", PULSE_PATIENCE);
    while (!atomic_load(&worker->stop)) {
        pulse_rest();
        int n = epoll_wait(worker->epoll_fd, events, EVENTS_A_TURN,
                           next_timeout_ms(worker));
        pulse_work();
        worker->now_us = clock_mono_us(&clock_system);
        for (int i = 0; i < n; i++)
            take_event(&events[i]);
        take_arrived(worker);
        take_answered(worker);
        take_woken(worker);
        run_ready(worker);
        close_late(worker);
        make_room(worker);
        free_dead(worker);
    }
    pulse_end();
    return NULL;
}

int
worker_init(struct httpd_worker *worker, struct httpd *httpd, struct err *err)
{
    struct epoll_event event = {.events = EPOLLIN | EPOLLET};

    worker->httpd = httpd;
    link_init(&worker->all);
    link_init(&worker->ready);
    link_init(&worker->dead);
    link_init(&worker->woken);
    pthread_mutex_init(&worker->wake_lock, NULL);
    for (size_t i = 0; i < WAITS; i++)
        link_init(&worker->waiting[i]);
    worker->now_us = clock_mono_us(&clock_system);
    worker->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    worker->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (worker->epoll_fd < 0 || worker->wake_fd < 0 ||
        epoll_ctl(worker->epoll_fd, EPOLL_CTL_ADD, worker->wake_fd, &event) != 0)
        return err_set(err, E_IO, "epoll: %s", strerror(errno));
    return 0;
}

int
worker_start(struct httpd_worker *worker, struct err *err)
{
    int rc = pthread_create(&worker->thread, NULL, worker_loop, worker);

    if (rc != 0)
        return err_set(err, E_NO_MEMORY, "thread: %s", strerror(rc));
    worker->running = true;
    return 0;
}

/* Nothing is held any more; what was answered in the last moment is sent as far as the
 * socket takes it. */
void
worker_stop(struct httpd_worker *worker)
{
    struct http_link *link;

    if (!worker->running)
        return;
    atomic_store(&worker->stop, true);
    eventfd_write(worker->wake_fd, 1);
    pthread_join(worker->thread, NULL);
    worker->running = false;
    take_arrived(worker);
    take_answered(worker);
    while ((link = link_first(&worker->all)))
        conn_close(container_of(link, struct httpd_conn, all));
    free_dead(worker);
}

void
worker_fini(struct httpd_worker *worker)
{
    if (worker->epoll_fd >= 0)
        close(worker->epoll_fd);
    if (worker->wake_fd >= 0)
        close(worker->wake_fd);
    pthread_mutex_destroy(&worker->wake_lock);
}
