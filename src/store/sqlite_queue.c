/* How operations come to the store's thread, and how it waits for them. */
#include "store/sqlite_private.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/pulse.h"

int
sqlite_queue_init(struct sqlite_queue *queue, struct err *err)
{
    int rc = pthread_mutex_init(&queue->mutex, NULL);
    assert(rc == 0);
    queue->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (queue->wake_fd < 0)
        return err_set(err, E_IO, "eventfd: %s", strerror(errno));
    return 0;
}

void
sqlite_queue_fini(struct sqlite_queue *queue)
{
    pthread_mutex_destroy(&queue->mutex);
    if (queue->wake_fd >= 0)
        close(queue->wake_fd);
}

static void
queue_wake(struct sqlite_queue *queue)
{
    uint64_t one = 1;
    ssize_t n = write(queue->wake_fd, &one, sizeof(one));
    (void)n; /* full: it is awake then */
}

size_t
sqlite_results_of(struct store_op *op)
{
    return op->kind == STORE_SETTLE ? container_of(op, struct store_settle, op)->n : 0;
}

/* With the mutex held: what came in ends the thread's wait. */
static bool
queue_has_reason(const struct sqlite_queue *queue)
{
    switch (queue->wait) {
    case ASLEEP:
        return queue->head || queue->closing;
    case LINGERING:
        return queue->others || queue->results >= queue->wake_results || queue->closing;
    case AWAKE:
        break;
    }
    return false;
}

void
sqlite_submit(struct store *store, struct store_op *op)
{
    struct sqlite_store *s = sqlite_of(store);
    struct sqlite_queue *queue = &s->queue;
    bool wake = false;

    op->next = NULL;
    op->why = NULL;
    pthread_mutex_lock(&queue->mutex);
    bool closed = queue->closing;
    if (!closed) {
        atomic_fetch_add_explicit(&s->depth, 1, memory_order_relaxed);
        if (queue->tail)
            queue->tail->next = op;
        else
            queue->head = op;
        queue->tail = op;
        if (op->kind == STORE_SETTLE)
            queue->results += sqlite_results_of(op);
        else
            queue->others++;
        wake = queue_has_reason(queue);
        if (wake)
            queue->wait = AWAKE;
    }
    pthread_mutex_unlock(&queue->mutex);

    if (wake)
        queue_wake(queue);
    if (closed) {
        op->result = E_CLOSED;
        op->why = "the store is closed";
        op->done(op);
    }
}

size_t
sqlite_depth(struct store *store)
{
    return atomic_load_explicit(&sqlite_of(store)->depth, memory_order_relaxed);
}

bool
sqlite_take(struct sqlite_store *s)
{
    struct sqlite_queue *queue = &s->queue;
    pthread_mutex_lock(&queue->mutex);
    if (queue->head) {
        if (s->pending)
            s->pending_tail->next = queue->head;
        else
            s->pending = queue->head;
        s->pending_tail = queue->tail;
        s->pending_results += queue->results;
        s->pending_others += queue->others;
        queue->head = queue->tail = NULL;
        queue->results = queue->others = 0;
    }
    s->closing = queue->closing;
    bool more = s->pending || s->scans || !s->closing;
    pthread_mutex_unlock(&queue->mutex);
    return more;
}

void
sqlite_wait_for_work(struct sqlite_store *s, enum sqlite_wait how,
                     const struct timespec *time)
{
    struct sqlite_queue *queue = &s->queue;
    pthread_mutex_lock(&queue->mutex);
    queue->wait = how;
    queue->wake_results = SQLITE_LINGER_RESULTS - s->pending_results;
    bool sleep = !queue_has_reason(queue);
    if (!sleep)
        queue->wait = AWAKE;
    pthread_mutex_unlock(&queue->mutex);
    if (!sleep)
        return;

    struct pollfd fd = {.fd = queue->wake_fd, .events = POLLIN};
    pulse_rest();
    (void)ppoll(&fd, 1, time, NULL);
    pulse_work();
    uint64_t count;
    ssize_t n = read(queue->wake_fd, &count, sizeof(count));
    (void)n; /* nothing to read after a time-out */

    pthread_mutex_lock(&queue->mutex);
    queue->wait = AWAKE;
    pthread_mutex_unlock(&queue->mutex);
}

void
sqlite_queue_shut(struct sqlite_queue *queue)
{
    pthread_mutex_lock(&queue->mutex);
    queue->closing = true;
    queue->wait = AWAKE;
    pthread_mutex_unlock(&queue->mutex);
    queue_wake(queue);
}
