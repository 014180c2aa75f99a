/*
 * Public ids. An event's key is 64 bits: 42 of steady milliseconds since 2024-01-01, 22
 * that count; so keys grow, newest-first is descending key, and a time range is a key
 * range. The public form is a prefix and 13 characters of Crockford base32
 * ("evt_01hq3k5v7n8me"): no dot, which would delimit the signed content.
 */
#pragma once

#include "base/types.h"

#define ID_MAX  64 /* bytes of any id, [A-Za-z0-9_.-]{1,64} */
#define ID_TEXT 40 /* room for a made id and its NUL */

#define EVENT_KEY_EPOCH_MS   INT64_C(1704067200000) /* 2024-01-01T00:00:00Z */
#define EVENT_KEY_COUNT_BITS 22

bool id_valid(struct slice id); /* [A-Za-z0-9_.-]{1,64} */

uint64_t event_key_at(
    msec_t steady_ms); /* the smallest key of that millisecond; 0 before 2024 */
msec_t event_key_ms(uint64_t key); /* Unix milliseconds */

void event_id_format(char out[ID_TEXT], uint64_t key); /* evt_… */
bool event_id_parse(struct slice id, uint64_t *key);
void notice_id_format(char out[ID_TEXT], uint64_t number); /* ntc_…, likewise */
bool notice_id_parse(struct slice id, uint64_t *number);
void call_id_format(char out[ID_TEXT], uint64_t event_key,
                    uint64_t webhook); /* call_…_… */
bool call_id_parse(struct slice id, uint64_t *event_key, uint64_t *webhook);
void webhook_id_format(
    char out[ID_TEXT],
    uint64_t webhook); /* wh_…: scrambled sequence number, so ids tell no count */
bool webhook_id_parse(struct slice id, uint64_t *webhook);
/* job_…: likewise; another number by another way, so that the two tell nothing of each
 * other */
void job_id_format(char out[ID_TEXT], uint64_t job);
bool job_id_parse(struct slice id, uint64_t *job);

/* An id as push platforms make them: 17 letters and digits that are not mistaken for
 * each other when read aloud, 98 bits. */
#define ID_MADE 17
struct rng;
void id_make(char out[ID_MADE + 1], struct rng *rng);
