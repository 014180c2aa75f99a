#include "base/pulse.h"

#include <assert.h>
#include <pthread.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct pulse *all;
static _Atomic(const char *) said;
static _Thread_local struct pulse *own;

void
pulse_begin(struct pulse *pulse, const char *name, unsigned patience)
{
    assert(!own);
    *pulse = (struct pulse){.name = name, .patience = patience};
    own = pulse;
    pthread_mutex_lock(&lock);
    pulse->next = all;
    all = pulse;
    pthread_mutex_unlock(&lock);
}

void
pulse_end(void)
{
    struct pulse **at = &all;

    pthread_mutex_lock(&lock);
    while (*at != own)
        at = &(*at)->next;
    *at = own->next;
    pthread_mutex_unlock(&lock);
    own = NULL;
}

/* Only its own thread writes it: no read-modify-write is needed. */
static void
beat(unsigned rests)
{
    if (!own)
        return;
    unsigned beats = atomic_load_explicit(&own->beats, memory_order_relaxed);
    beats += (beats + 1) % 2 == rests ? 1 : 2;
    atomic_store_explicit(&own->beats, beats, memory_order_relaxed);
}

void
pulse_rest(void)
{
    beat(1);
}

void
pulse_work(void)
{
    beat(0);
}

const char *
pulse_look(void)
{
    const char *stalled = NULL;

    pthread_mutex_lock(&lock);
    for (struct pulse *pulse = all; pulse; pulse = pulse->next) {
        unsigned beats = atomic_load_explicit(&pulse->beats, memory_order_relaxed);
        bool same = beats == pulse->seen && beats % 2 == 0;
        pulse->still = same ? pulse->still + 1 : 0;
        pulse->seen = beats;
        if (pulse->still >= pulse->patience)
            stalled = pulse->name;
    }
    pthread_mutex_unlock(&lock);
    return stalled;
}

void
pulse_say(const char *stalled)
{
    atomic_store(&said, stalled);
}

const char *
pulse_said(void)
{
    return atomic_load(&said);
}
