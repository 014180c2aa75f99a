/*
 * What stands between SQLite and the disk, so that no byte is believed that is not the
 * one that was written: each page of the database carries a checksum in its last 8
 * bytes (SQLite leaves them alone: "reserved bytes"), written and verified here. What
 * is read back from the log is compared with what was written to it since the start, or
 * was verified by SQLite's own recovery. What differs is an I/O error, and whose it was
 * is kept in words.
 */
#pragma once

#include <sqlite3.h>

#include "base/types.h"

#define SUM_PAGE  4096
#define SUM_BYTES 8

/* The name of a VFS that does so on top of another; NULL = the system's. Any number of
 * times, from one thread. */
const char *sqlite_sum_vfs(const char *base);

/* What is known of an open database. */
struct sqlite_sum {
    bool on;       /* its pages carry checksums: it was not made by an older version */
    uint32_t page; /* the page that is not what was written; 0 = none was found */
    char why[200]; /* what failed last; "" = nothing */
};

const struct sqlite_sum *sqlite_sum_of(sqlite3 *db);

/* A page of the database as it is on disk. Salted with its number: a page in another's
 * place is found too. */
bool sqlite_sum_holds(const uint8_t page[SUM_PAGE], uint32_t number);
