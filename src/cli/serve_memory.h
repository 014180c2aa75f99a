/*
 * One number for all the memory that the server may use, and what each of its parts
 * gets of it. Pure.
 */
#pragma once

#include "base/err.h"
#include "base/types.h"

/* In: what was said; 0 = it is for the plan to say. Out: what holds. */
struct memory_plan {
    uint64_t ingest;      /* bodies of requests, and as much again for answers */
    uint64_t sender;      /* events being sent, each sender thread */
    uint64_t cache;       /* pages of the database */
    uint64_t slots;       /* attempts under way, each sender thread */
    uint64_t connections; /* of clients */
};

/* Fills what was not said, so that all of it and the program itself stay a fifth below
 * `max_bytes`: what no part counts needs room too. E_INVALID: it cannot be done. */
int memory_plan_make(struct memory_plan *plan, uint64_t max_bytes, unsigned threads,
                     unsigned senders, struct err *err) must_check;
