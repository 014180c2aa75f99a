/*
 * A file system under SQLite that fails on demand: it passes everything on to the
 * system's, but for the n-th write or sync from when it is told so. From then on it
 * stays faulty (a full disk stays full, a dead one dead) until told otherwise, unless
 * it is to fail just once.
 */
#pragma once

#define FAULTY_VFS "faulty"

/* The last two as the system says it: a quota used up, a read-only file system. */
enum fault { FAULT_NONE, FAULT_FULL, FAULT_IO, FAULT_QUOTA, FAULT_READ_ONLY };
/* Writes to the database itself are those of checkpoints: the log goes on. */
enum fault_on { FAULT_ON_WRITE, FAULT_ON_SYNC, FAULT_ON_ALL, FAULT_ON_DATABASE };

void faulty_vfs_register(void); /* any number of times */
/* The n-th of these from now (1 = the next) fails, once. n 0 = none. */
void faulty_vfs_fail(enum fault fault, enum fault_on on, unsigned n);
/* Likewise, and all after it too. */
void faulty_vfs_die(enum fault fault, enum fault_on on, unsigned n);
unsigned faulty_vfs_failures(void); /* since the last fail or die */
unsigned faulty_vfs_syncs(void);    /* so far */
unsigned faulty_vfs_writes(void);   /* writes and syncs so far */
