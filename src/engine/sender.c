/* A sender thread: turns its dispatch and runs its transport, until told to stop. */
#include <assert.h>
#include <poll.h>
#include <sys/prctl.h>

#include "base/fault.h"
#include "base/log.h"
#include "base/pulse.h"
#include "engine/engine_private.h"

/* While stopping, look at the clock this often. */
#define STOP_LOOK_US 20000
/* When the store takes no outcomes any more (disk full), stop waiting for it after
 * this: those calls are due again. */
#define STOP_STORE_US 5000000

static usec_t
until(struct clock *clock, msec_t next_ms)
{
    if (next_ms == MSEC_NEVER)
        return -1;
    msec_t now_ms = clock_steady_ms(clock);
    return next_ms > now_ms ? (next_ms - now_ms) * 1000 : 0;
}

static void
drain(struct sender *sender)
{
    struct dispatch *dispatch = sender->dispatch;
    struct transport *transport = dispatch_transport(dispatch);
    struct clock *clock = sender->engine->clock;
    usec_t abort_at = atomic_load(&sender->engine->abort_at_us);
    bool aborted = false;

    dispatch_stop(dispatch);
    while (!dispatch_is_idle(dispatch)) {
        usec_t now = clock_mono_us(clock);
        if (!aborted && now >= abort_at) {
            dispatch_abort(dispatch);
            aborted = true;
        }
        if (now >= abort_at + STOP_STORE_US)
            break;
        dispatch_turn(dispatch);
        log_flush();
        transport->run(transport, STOP_LOOK_US);
    }
}

/* The first sender looks after the jobs, too. */
static msec_t
turn(struct sender *sender)
{
    struct engine *engine = sender->engine;
    msec_t next_ms = dispatch_turn(sender->dispatch);
    if (sender != &engine->senders[0])
        return next_ms;
    msec_t jobs_ms = jobs_turn(engine);
    return jobs_ms < next_ms ? jobs_ms : next_ms;
}

/* For a test of those who watch: a loop that goes round no more. */
static void
hang_if_told(struct sender *sender)
{
    while (fault_on("hang-sender") && !atomic_load(&sender->engine->stopping))
        poll(NULL, 0, STOP_LOOK_US / 1000);
}

static void *
sender_main(void *arg)
{
    struct sender *sender = arg;
    struct dispatch *dispatch = sender->dispatch;
    struct transport *transport = dispatch_transport(dispatch);

    struct pulse pulse;

    prctl(PR_SET_NAME, "sender");
    pulse_begin(&pulse, "sender", PULSE_PATIENCE);
    log_buffer_thread();
    while (!atomic_load_explicit(&sender->engine->stopping, memory_order_acquire)) {
        msec_t next_ms = turn(sender);
        log_flush();
        hang_if_told(sender);
        transport->run(transport, until(sender->engine->clock, next_ms));
    }
    drain(sender);
    log_flush();
    pulse_end();
    return NULL;
}

int
sender_start(struct sender *sender, struct err *err)
{
    if (pthread_create(&sender->thread, NULL, sender_main, sender) != 0)
        return err_set(err, E_NO_MEMORY, "start a sender thread: no thread to be had");
    sender->running = true;
    return 0;
}

void
sender_join(struct sender *sender)
{
    if (!sender->running)
        return;
    struct transport *transport = dispatch_transport(sender->dispatch);
    transport->wake(transport);
    pthread_join(sender->thread, NULL);
    sender->running = false;
}
