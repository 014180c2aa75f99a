/*
 * An engine of plain arrays for the tests of the API: requests complete on a thread of
 * its own, as the real one's do, and can be made to fail, to be stale, or to wait.
 */
#pragma once

#include "engine/engine.h"

struct engine *fake_engine_new(void);
void fake_engine_free(struct engine *engine);

struct clock_manual *fake_engine_clock(struct engine *engine);

/* The next request that reaches the thread ends with this error. */
void fake_engine_fail(struct engine *engine, int result);
/* The next change is computed once too often: what apply made first is thrown away, and
 * `meanwhile` runs (on the engine's thread) before it is asked again. */
void fake_engine_stale(struct engine *engine,
                       void (*meanwhile)(struct engine *engine, void *ctx), void *ctx);
/* Requests wait until go. fake_engine_wait returns when so many are waiting. */
void fake_engine_stop(struct engine *engine);
void fake_engine_go(struct engine *engine);
void fake_engine_wait(struct engine *engine, size_t n);

/* The next watch ends with this error; how many there are. */
void fake_engine_fail_watch(struct engine *engine, int result);
size_t fake_engine_watches(struct engine *engine);

/* Rows from nowhere. */
void fake_engine_add_channel(struct engine *engine, const char *id);
void fake_engine_delete_channel(struct engine *engine, const char *id);
void fake_engine_add_key(struct engine *engine, enum role role, const char *channel,
                         char text[KEY_TEXT]);
void fake_engine_disable(struct engine *engine, const char *webhook,
                         const char *reason);
/* One more attempt of a call, which leaves it in this (stored) state. */
void fake_engine_add_attempt(struct engine *engine, uint64_t event, uint64_t webhook,
                             const struct attempt_record *attempt,
                             enum call_state state, msec_t due_ms);

/* What has come in. */
size_t fake_engine_events(struct engine *engine);
struct slice fake_engine_body(struct engine *engine, size_t i);
uint64_t fake_engine_event_key(struct engine *engine, size_t i);
size_t fake_engine_calls(struct engine *engine);
uint64_t fake_engine_newest_webhook(struct engine *engine);
void fake_engine_set_gauges(struct engine *engine, struct engine_gauges gauges);
