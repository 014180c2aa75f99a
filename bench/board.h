/* The board: a mapped file on which the receiver notes what arrived and when, so that
 * the load generator reads it without asking and both use one clock. */
#pragma once
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* An event's sequence number stands in its subscription's id: 'S' and 14 digits, as
 * long as the placeholder of the sample payload, so that every body has one length. */
#define SEQ_PLACEHOLDER "SUBSCRIPTION_ID"
#define SEQ_DIGITS      14
#define SEQ_MARK        "##############" /* in other payloads: the digits alone */

struct board {
    uint64_t slots;            /* length of arrived_ns */
    _Atomic uint64_t requests; /* POSTs received, with or without a sequence number */
    _Atomic uint64_t distinct; /* sequence numbers seen for the first time */
    _Atomic uint64_t repeats;  /* sequence numbers seen again */
    _Atomic uint64_t last_ns;  /* when the latest new one arrived */
    _Atomic uint64_t highest;  /* one more than the highest number seen */
    char pad[4096 - 6 * sizeof(uint64_t)];
    _Atomic uint64_t arrived_ns[]; /* by sequence number; 0: not yet */
};

/* Maps the file; its size says how many slots there are. NULL: errno says why. */
struct board *board_open(const char *path);
void board_close(struct board *board);

/* Empties it. Only while nothing is under way to the receiver. */
void board_reset(struct board *board);

/* The receiver's verb: a POST with this number arrived. */
void board_note(struct board *board, uint64_t seq, uint64_t now_ns);

/* CLOCK_MONOTONIC in nanoseconds: the same in both processes. */
uint64_t board_now_ns(void);
