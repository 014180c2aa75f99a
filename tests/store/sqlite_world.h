/* What the tests of the SQLite backend share. Each test gets a world of it. */
#pragma once

#include "contract.h"

/* Opens and loads the world's store without using it, and closes it again. */
int try_open(struct world *world, struct err *err);

/* After any story: leaves the world and looks whether counts, numbers of attempts and
 * the file's structure agree with the rows. */
void check_rows(struct world *world);

/* With the store closed: its database, for sqlite3_close; and one of schema 1 in its
 * place. */
struct sqlite3;
struct sqlite3 *open_file(const struct world *world);
/* As the program itself would: what is written has checksums. */
struct sqlite3 *open_summed(const char *path);
void make_schema_1(const struct world *world);

/* Holds the store's thread when its turn to be done comes, so that what is submitted
 * meanwhile comes to the store at once. */
struct hold {
    struct store_counts counts;
    bool entered, released, left;
};

void hold_submit(struct world *world, struct hold *hold);
void hold_wait(struct hold *hold);    /* until the thread is held */
void hold_release(struct hold *hold); /* then *hold is the caller's again */
