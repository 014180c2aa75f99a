/*
 * Rate limits for any number of keys in 512 KiB, without a lock.
 *
 * A key may pass `burst` times at once and per_second times a second in the long run
 * (GCRA). What it has used stands in two cells that it shares with other keys, one in
 * each of two tables, and the lower one counts: a key is limited only when both its
 * cells say so. Sharing one cell with a busy key therefore limits nobody; sharing both
 * does, which a thousand busy keys do to one key in a thousand. No key ever passes more
 * often than it may.
 */
#pragma once

#include "base/types.h"

struct limiter;

/* per_second 0 = no limit: everything passes, and there is no table. A burst of 0 is
 * one of 1. */
struct limiter *limiter_new(uint32_t per_second, uint32_t burst);
void limiter_free(struct limiter *limiter);

/* Any thread; now_us is mono. 0 = passes, and is counted. Otherwise how long to wait,
 * in ms and at least 1; what is refused is not counted. */
msec_t limiter_take(struct limiter *limiter, uint64_t key, usec_t now_us);
/* The same for n at once, all or none: n is the burst at most, or they never pass. */
msec_t limiter_take_many(struct limiter *limiter, uint64_t key, uint32_t n,
                         usec_t now_us);
