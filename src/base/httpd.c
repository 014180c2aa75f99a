/* The server: its workers, its acceptor, and its end. */
#include "base/httpd.h"

#include <assert.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/httpd_private.h"
#include "base/mem.h"

/* How long httpd_close lets answers that were given reach their clients. */
#define CLOSE_WAIT_MS 2000
/* And how long for a thread that is in the middle of giving one: it may have lost its
 * core to others. */
#define CLOSE_HELD_MS 60000

static struct httpd_worker *
least_busy(struct httpd *httpd)
{
    struct httpd_worker *best = &httpd->workers[0];

    for (unsigned i = 1; i < httpd->options.threads; i++)
        if (atomic_load(&httpd->workers[i].connections) <
            atomic_load(&best->connections))
            best = &httpd->workers[i];
    return best;
}

static void
take_connection(void *ctx, int fd, const struct sockaddr *peer, socklen_t peer_len)
{
    struct httpd *httpd = ctx;
    struct httpd_conn *conn = conn_new(httpd->options.tls, fd, peer, peer_len);

    if (conn)
        worker_give(least_busy(httpd), conn);
    else
        acceptor_left(&httpd->acceptor, peer);
}

static void
make_room(void *ctx, unsigned n)
{
    struct httpd *httpd = ctx;
    unsigned threads = httpd->options.threads;

    for (unsigned i = 0; i < threads; i++)
        worker_spare(&httpd->workers[i], (n + threads - 1) / threads);
}

static int
open_workers(struct httpd *httpd, struct err *err)
{
    unsigned threads = httpd->options.threads;
    int rc = 0;

    httpd->workers = xcalloc(threads, sizeof(*httpd->workers));
    for (unsigned i = 0; i < threads; i++)
        httpd->workers[i].epoll_fd = httpd->workers[i].wake_fd = -1;
    for (unsigned i = 0; rc == 0 && i < threads; i++)
        rc = worker_init(&httpd->workers[i], httpd, err);
    for (unsigned i = 0; rc == 0 && i < threads; i++)
        rc = worker_start(&httpd->workers[i], err);
    return rc;
}

int
httpd_open(struct httpd **out, const struct httpd_options *options, struct err *err)
{
    struct httpd *httpd = xcalloc(1, sizeof(*httpd));

    assert(options->threads > 0 && options->max_connections > 0);
    httpd->options = *options;
    httpd->wait_us[WAIT_IDLE] = options->idle_timeout_s * (usec_t)1000000;
    httpd->wait_us[WAIT_HEAD] = options->head_timeout_s * (usec_t)1000000;
    httpd->wait_us[WAIT_FLOW] = options->flow_timeout_s * (usec_t)1000000;
    httpd->wait_us[WAIT_BEAT] = options->beat_s * (usec_t)1000000;
    httpd->wait_us[WAIT_LINGER] = LINGER_MS * (usec_t)1000;
    httpd->drained_fd = eventfd(0, EFD_CLOEXEC);
    int rc = acceptor_init(&httpd->acceptor, options->listen, options->listen_fd, err);
    if (rc == 0 && httpd->drained_fd < 0)
        rc = err_set(err, E_IO, "eventfd: no descriptor left");
    if (rc == 0)
        rc = open_workers(httpd, err);
    if (rc != 0)
        goto fail;
    httpd->acceptor.max_connections = options->max_connections;
    httpd->acceptor.max_per_address = options->max_connections_per_address;
    httpd->acceptor.take = take_connection;
    httpd->acceptor.make_room = make_room;
    httpd->acceptor.ctx = httpd;
    rc = acceptor_start(&httpd->acceptor, err);
    if (rc != 0)
        goto fail;
    *out = httpd;
    return 0;
fail:
    err_wrap(err, "listen");
    httpd_close(httpd);
    return rc;
}

void
httpd_quiesce(struct httpd *httpd)
{
    atomic_store(&httpd->quiesced, true);
    acceptor_stop(&httpd->acceptor);
    for (unsigned i = 0; httpd->workers && i < httpd->options.threads; i++)
        worker_end_streams(&httpd->workers[i]);
}

/* Lets answers that were given leave, for a limited time: a client may read slowly. */
static void
wait_drained(struct httpd *httpd)
{
    struct pollfd drained = {httpd->drained_fd, POLLIN, 0};

    atomic_store(&httpd->closing, true);
    if (atomic_load(&httpd->due) != 0)
        poll(&drained, 1, CLOSE_WAIT_MS);
    /* An httpd_answer may still be on its way out of waking its worker. */
    for (int ms = 0; ms < CLOSE_HELD_MS && atomic_load(&httpd->held) != 0; ms++)
        poll(NULL, 0, 1);
    assert(atomic_load(&httpd->held) == 0);
}

void
httpd_close(struct httpd *httpd)
{
    if (!httpd)
        return;
    httpd_quiesce(httpd);
    if (httpd->workers)
        wait_drained(httpd);
    for (unsigned i = 0; httpd->workers && i < httpd->options.threads; i++) {
        worker_stop(&httpd->workers[i]);
        worker_fini(&httpd->workers[i]);
    }
    free(httpd->workers);
    acceptor_fini(&httpd->acceptor);
    if (httpd->drained_fd >= 0)
        close(httpd->drained_fd);
    free(httpd);
}

const char *
httpd_address(const struct httpd *httpd)
{
    return httpd->acceptor.address;
}

size_t
httpd_connections(const struct httpd *httpd)
{
    return atomic_load(&httpd->acceptor.connections);
}
