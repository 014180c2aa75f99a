/* What the tests of the SQLite backend share. Each test gets a world of it. */
#pragma once

#include "contract.h"

/* Opens the world's store without using it, and closes it again. */
int try_open(struct world *world, struct err *err);

/* After any story: leaves the world and looks whether counts, numbers of attempts and
 * the file's structure agree with the rows. */
void check_rows(struct world *world);
