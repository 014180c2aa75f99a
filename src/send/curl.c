/*
 * The transport in earnest: libcurl's multi interface on epoll.
 *
 * libcurl says for every request to watch a socket and, when it is done, not to watch
 * it any more. A connection that is kept alive stays in epoll all the same: so a
 * request needs no system call for that, and should the other side say something on an
 * idle connection (mostly goodbye), the socket is taken out then.
 */
#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/pulse.h"
#include "send/curl_private.h"

#define EVENTS_A_TURN 256

/* epoll does not count the time that the machine sleeps, and what is due does: look
 * again after this. */
#define WAIT_MAX_MS 30000

/* Making a handle costs a fifth of a request, and keeping one about 10 KiB: all
 * are kept while there is much to do, and these when nothing has happened for a moment.
 */
#define IDLE_KEPT    32
#define IDLE_WAIT_MS 100

/* Connections that are kept open for later, in use or not. */
#define CONNECTIONS_MAX 1024L

static struct curl_transport *
of(struct transport *transport)
{
    return container_of(transport, struct curl_transport, transport);
}

/* ---- lists of requests ---- */

static void
push(struct request **head, struct request *request)
{
    request->prev = NULL;
    request->next = *head;
    if (*head)
        (*head)->prev = request;
    *head = request;
}

static void
unlink_from(struct request **head, struct request *request)
{
    if (request->prev)
        request->prev->next = request->next;
    else
        *head = request->next;
    if (request->next)
        request->next->prev = request->prev;
    request->next = request->prev = NULL;
}

/* ---- sockets ---- */

struct sock *
sock_at(struct curl_transport *ct, int fd)
{
    size_t at = (size_t)fd;

    assert(fd >= 0);
    if (at >= ct->n_socks) {
        size_t n = ct->n_socks ? ct->n_socks : 64;
        while (n <= at)
            n *= 2;
        struct sock *more = realloc(ct->socks, n * sizeof(*more));
        if (!more)
            return NULL;
        memset(more + ct->n_socks, 0, (n - ct->n_socks) * sizeof(*more));
        ct->socks = more;
        ct->n_socks = n;
    }
    return &ct->socks[at];
}

static void
watch(struct curl_transport *ct, int fd, struct sock *sock, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.fd = fd};

    if (sock->events == events)
        return;
    if (events == 0) {
        epoll_ctl(ct->epoll_fd, EPOLL_CTL_DEL, fd, NULL);
    } else if (epoll_ctl(ct->epoll_fd, sock->events ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, fd,
                         &event) != 0) {
        /* Cannot be watched (no memory): its request ends at the deadline. */
        events = 0;
    }
    sock->events = events;
}

static int
on_socket(CURL *easy, curl_socket_t fd, int what, void *ctx, void *unused)
{
    struct curl_transport *ct = ctx;
    struct sock *sock = sock_at(ct, fd);

    (void)easy;
    (void)unused;
    if (!sock)
        return -1;
    if (what == CURL_POLL_REMOVE) {
        sock->wanted = false;
        /* Of a socket that libcurl made for itself the closing is not seen. */
        if (!sock->ours || (sock->events & EPOLLOUT))
            watch(ct, fd, sock, 0);
        return 0;
    }
    uint32_t events = 0;
    if (what & CURL_POLL_IN)
        events |= EPOLLIN;
    if (what & CURL_POLL_OUT)
        events |= EPOLLOUT;
    sock->wanted = events != 0;
    watch(ct, fd, sock, events);
    return 0;
}

static int
on_timer(CURLM *multi, long timeout_ms, void *ctx)
{
    struct curl_transport *ct = ctx;

    (void)multi;
    if (timeout_ms < 0)
        ct->timer_us = -1;
    else if (timeout_ms == 0)
        ct->timer_us = 0; /* at once, without reading a clock */
    else
        ct->timer_us = clock_mono_us(ct->options.clock) + timeout_ms * 1000;
    return 0;
}

/* ---- attempts ---- */

static void
end(struct curl_transport *ct, struct request *request, CURLcode code)
{
    struct attempt *attempt = request->attempt;

    assert(attempt);
    request_finish(request, code);
    attempt->done(attempt);
    target_unref(ct, request->target);
    request->target = NULL;
    request->attempt = NULL;
    push(&ct->idle, request);
    ct->n_idle++;
}

static void
free_idle(struct curl_transport *ct, unsigned kept)
{
    while (ct->n_idle > kept) {
        struct request *request = ct->idle;
        unlink_from(&ct->idle, request);
        ct->n_idle--;
        request_free(request);
    }
}

static struct request *
take_idle(struct curl_transport *ct)
{
    struct request *request = ct->idle;

    if (!request) {
        request = request_new(ct);
        if (!request) /* as everywhere: without memory there is no going on */
            abort();
        return request;
    }
    unlink_from(&ct->idle, request);
    ct->n_idle--;
    return request;
}

/* Starts a request whose place is known, or ends it in the run. */
static void
go_on(struct curl_transport *ct, struct request *request, enum located located)
{
    if (located == LOCATED) {
        if (curl_multi_add_handle(ct->multi, request->easy) == CURLM_OK) {
            push(&ct->active, request);
            return;
        }
        request->refusal = "out of memory";
    }
    push(&ct->refused, request);
}

static void
transport_start(struct transport *transport, struct target *target,
                struct attempt *attempt)
{
    struct curl_transport *ct = of(transport);
    struct request *request = take_idle(ct);

    if (!request_prepare(request, target, attempt)) {
        push(&ct->refused, request);
        return;
    }
    enum located located = request_locate(request);
    if (located == LOCATED_LATER)
        push(&ct->looking, request);
    else
        go_on(ct, request, located);
}

void
request_located(struct request *request, enum located located)
{
    unlink_from(&request->transport->looking, request);
    go_on(request->transport, request, located);
}

static void
end_refused(struct curl_transport *ct)
{
    while (ct->refused) {
        struct request *request = ct->refused;
        unlink_from(&ct->refused, request);
        end(ct, request, CURLE_OK);
    }
}

static void
remove_active(struct curl_transport *ct, struct request *request)
{
    CURLMcode rc = curl_multi_remove_handle(ct->multi, request->easy);
    assert(rc == CURLM_OK);
    unlink_from(&ct->active, request);
}

/* Returns whether there was any. */
static bool
end_done(struct curl_transport *ct)
{
    bool any = false;
    CURLMsg *message;
    int left;

    while ((message = curl_multi_info_read(ct->multi, &left)) != NULL) {
        char *private;
        CURLcode code = message->data.result;
        assert(message->msg == CURLMSG_DONE);
        curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &private);
        struct request *request = (struct request *)(void *)private;
        remove_active(ct, request); /* the message is gone after this */
        end(ct, request, code);
        any = true;
    }
    return any;
}

/* ---- the loop ---- */

static void
act(struct curl_transport *ct, curl_socket_t fd, int events)
{
    int running;
    CURLMcode rc = curl_multi_socket_action(ct->multi, fd, events, &running);
    assert(rc == CURLM_OK);
}

static void
run_timer(struct curl_transport *ct)
{
    if (ct->timer_us > 0 && clock_mono_us(ct->options.clock) < ct->timer_us)
        return;
    if (ct->timer_us >= 0) {
        ct->timer_us = -1; /* libcurl sets the next one */
        act(ct, CURL_SOCKET_TIMEOUT, 0);
    }
}

/* The shorter of a wait and what is left until a time; -1 = for ever, never. */
static usec_t
sooner(const struct curl_transport *ct, usec_t timeout_us, usec_t at_us)
{
    if (at_us < 0)
        return timeout_us;
    usec_t left = at_us ? at_us - clock_mono_us(ct->options.clock) : 0;
    if (left < 0)
        left = 0;
    return timeout_us < 0 || left < timeout_us ? left : timeout_us;
}

static int
wait_ms(const struct curl_transport *ct, usec_t timeout_us)
{
    timeout_us = sooner(ct, timeout_us, ct->timer_us);
    if (ct->looking)
        timeout_us = sooner(ct, timeout_us, resolver_next_us(ct->resolver));
    if (timeout_us < 0)
        return -1;
    usec_t ms = (timeout_us + 999) / 1000; /* not before it is due */
    return ms < WAIT_MAX_MS ? (int)ms : WAIT_MAX_MS;
}

static void
on_event(struct curl_transport *ct, const struct epoll_event *event)
{
    int fd = event->data.fd;
    uint64_t count;

    if (fd == resolver_fd(ct->resolver))
        return; /* it runs in every turn */
    if (fd == ct->wake_fd) {
        ssize_t n = read(ct->wake_fd, &count, sizeof(count));
        (void)n; /* a count is all that it holds */
        return;
    }
    struct sock *sock = sock_at(ct, fd);
    assert(sock);
    if (!sock->wanted) { /* an idle connection */
        watch(ct, fd, sock, 0);
        return;
    }
    int events = 0;
    if (event->events & EPOLLIN)
        events |= CURL_CSELECT_IN;
    if (event->events & EPOLLOUT)
        events |= CURL_CSELECT_OUT;
    if (event->events & (EPOLLERR | EPOLLHUP))
        events |= CURL_CSELECT_ERR;
    act(ct, fd, events);
}

/* Returns how many events there are. */
static int
wait_events(struct curl_transport *ct, struct epoll_event *events, usec_t timeout_us)
{
    int timeout_ms = wait_ms(ct, timeout_us);
    bool look_again =
        ct->n_idle > IDLE_KEPT && (timeout_ms < 0 || timeout_ms > IDLE_WAIT_MS);

    pulse_rest();
    int n = epoll_wait(ct->epoll_fd, events, EVENTS_A_TURN,
                       look_again ? IDLE_WAIT_MS : timeout_ms);
    if (n == 0 && look_again) {
        free_idle(ct, IDLE_KEPT);
        if (timeout_ms > 0)
            timeout_ms -= IDLE_WAIT_MS;
        pulse_rest();
        n = epoll_wait(ct->epoll_fd, events, EVENTS_A_TURN, timeout_ms);
    }
    pulse_work();
    assert(n >= 0 || errno == EINTR);
    return n;
}

static void
transport_run(struct transport *transport, usec_t timeout_us)
{
    struct curl_transport *ct = of(transport);
    struct epoll_event events[EVENTS_A_TURN];

    resolver_run(ct->resolver);
    bool refused = ct->refused != NULL;
    end_refused(ct);
    run_timer(ct); /* what was started since: all of it in one go */
    if (end_done(ct) || refused)
        timeout_us = 0;

    int n = wait_events(ct, events, timeout_us);
    for (int i = 0; i < n; i++)
        on_event(ct, &events[i]);
    resolver_run(ct->resolver);
    run_timer(ct);
    end_done(ct);
    end_refused(ct);
}

static void
transport_wake(struct transport *transport)
{
    uint64_t one = 1;
    ssize_t n = write(of(transport)->wake_fd, &one, sizeof(one));
    (void)n; /* full means that it is awake anyway */
}

/* ---- open and close ---- */

static struct target *
transport_target_open(struct transport *transport, struct webhook *webhook)
{
    return target_new(of(transport), webhook);
}

static void
transport_target_close(struct transport *transport, struct target *target)
{
    target_unref(of(transport), target);
}

static void
transport_abort(struct transport *transport)
{
    struct curl_transport *ct = of(transport);

    end_refused(ct);
    end_done(ct);
    while (ct->looking) {
        struct request *request = ct->looking;
        resolver_cancel(ct->resolver, &request->lookup);
        unlink_from(&ct->looking, request);
        request->aborted = true;
        end(ct, request, CURLE_ABORTED_BY_CALLBACK);
    }
    while (ct->active) {
        struct request *request = ct->active;
        remove_active(ct, request);
        request->aborted = true;
        end(ct, request, CURLE_ABORTED_BY_CALLBACK);
    }
}

static void
transport_close(struct transport *transport)
{
    struct curl_transport *ct = of(transport);

    assert(!ct->active && !ct->refused && !ct->looking);
    free_idle(ct, 0);
    if (ct->multi)
        curl_multi_cleanup(ct->multi);
    resolver_close(ct->resolver);
    place_fini(ct, &ct->proxy.place);
    curl_slist_free_all(ct->forgotten);
    if (ct->epoll_fd >= 0)
        close(ct->epoll_fd);
    if (ct->wake_fd >= 0)
        close(ct->wake_fd);
    free(ct->socks);
    free(ct->ca_file);
    free(ct);
}

void
transport_ignore_environment(void)
{
    static const char *const names[] = {
        /* libcurl opens this file as soon as it is initialized */
        "SSLKEYLOGFILE",
        /* these it is told to leave alone, too */
        "http_proxy", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY",
        "no_proxy", "NO_PROXY", "NETRC", "CURL_CA_BUNDLE", "CURL_HOME", "SSL_CERT_FILE",
        "SSL_CERT_DIR",
        /* and c-ares these */
        "LOCALDOMAIN", "RES_OPTIONS", "HOSTALIASES", "CARES_HOSTS"};

    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        unsetenv(names[i]);
}

static pthread_once_t global_once = PTHREAD_ONCE_INIT;
static CURLcode global_code;

static void
init_global(void)
{
    global_code = curl_global_init(CURL_GLOBAL_DEFAULT);
}

static int
open_multi(struct curl_transport *ct, struct err *err)
{
    ct->multi = curl_multi_init();
    if (!ct->multi ||
        curl_multi_setopt(ct->multi, CURLMOPT_SOCKETFUNCTION, on_socket) != CURLM_OK ||
        curl_multi_setopt(ct->multi, CURLMOPT_SOCKETDATA, ct) != CURLM_OK ||
        curl_multi_setopt(ct->multi, CURLMOPT_TIMERFUNCTION, on_timer) != CURLM_OK ||
        curl_multi_setopt(ct->multi, CURLMOPT_TIMERDATA, ct) != CURLM_OK ||
        curl_multi_setopt(ct->multi, CURLMOPT_PIPELINING, CURLPIPE_NOTHING) !=
            CURLM_OK ||
        curl_multi_setopt(ct->multi, CURLMOPT_MAXCONNECTS, CONNECTIONS_MAX) != CURLM_OK)
        return err_set(err, E_NO_MEMORY, "libcurl: no memory");
    return 0;
}

static int
watch_resolver(struct curl_transport *ct)
{
    int fd = resolver_fd(ct->resolver);
    struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
    return epoll_ctl(ct->epoll_fd, EPOLL_CTL_ADD, fd, &event);
}

static int
open_epoll(struct curl_transport *ct, struct err *err)
{
    struct epoll_event event = {.events = EPOLLIN};

    ct->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    ct->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    event.data.fd = ct->wake_fd;
    if (ct->epoll_fd < 0 || ct->wake_fd < 0 ||
        epoll_ctl(ct->epoll_fd, EPOLL_CTL_ADD, ct->wake_fd, &event) != 0 ||
        watch_resolver(ct) != 0)
        return err_set(err, E_IO, "epoll: %s", strerror(errno));
    return 0;
}

int
transport_curl_open(struct transport **out, const struct transport_options *options,
                    struct err *err)
{
    int rc = pthread_once(&global_once, init_global);
    assert(rc == 0);
    if (global_code != CURLE_OK)
        return err_set(err, E_IO, "libcurl: %s", curl_easy_strerror(global_code));

    struct curl_transport *ct = xcalloc(1, sizeof(*ct));
    ct->transport = (struct transport){
        .target_open = transport_target_open,
        .target_close = transport_target_close,
        .start = transport_start,
        .run = transport_run,
        .wake = transport_wake,
        .abort = transport_abort,
        .close = transport_close,
    };
    ct->options = *options;
    ct->options.ca_file = NULL; /* the caller's; so the next two */
    ct->options.dns = NULL;
    ct->options.egress_proxy = NULL;
    ct->ca_file = options->ca_file ? xstrdup(options->ca_file) : NULL;
    ct->epoll_fd = ct->wake_fd = -1;
    ct->timer_us = -1;
    rc = resolver_open(&ct->resolver, options->clock, options->dns, err);
    if (rc == 0)
        rc = open_epoll(ct, err);
    if (rc == 0)
        rc = open_multi(ct, err);
    if (rc == 0)
        rc = proxy_open(ct, options->egress_proxy, err);
    if (rc != 0) {
        transport_close(&ct->transport);
        return rc;
    }
    *out = &ct->transport;
    return 0;
}
