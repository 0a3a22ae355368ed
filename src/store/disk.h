/* disk.h: values in an SQLite file, off the loop.
 *
 * One job at a time runs on libuv's threads: it writes what has collected in one transaction, then
 * reads what was asked for. So a read sees every write before it, SQLite needs no lock of ours, and
 * the disk is never asked for more than one thing. A batch starts after 100 ms, at 500 rows, or with
 * the first read.
 *
 * A crash of the process loses nothing that was committed; a crash of the machine may lose the last
 * commits (WAL, synchronous=NORMAL), never the file. */
#ifndef SLUICE_STORE_DISK_H
#define SLUICE_STORE_DISK_H

#include "sluice/base/err.h"
#include "record_set.h"
#include "sluice/net/loop.h"

struct disk;

struct disk_events {
    /* `n` values could not be written, or looked up. `problem` is SQLite's phrase for it. */
    void (*failed)(void *owner, unsigned n, const char *problem);
    void (*worked)(void *owner); /* a job without a failure */
};

/* Opens, or creates and migrates: blocks, so it is for start-up. NULL and *why. */
struct disk *disk_open(struct loop *l, const char *path, const struct disk_events *events,
                       void *owner, struct err *why);
/* Silent from now on; writes what waits, then closes the file. NULL is fine. */
void disk_close(struct disk *d);

/* false: too much is waiting already, or memory is out. */
bool disk_put(struct disk *d, struct span key, struct span value, uint64_t expires_unix_ms);

/* Freed after `done`. A failed read finds nothing. */
struct disk_read;
typedef void (*disk_fn)(void *arg, bool found, struct span value, uint64_t expires_unix_ms);
/* NULL: as disk_put's false. */
struct disk_read *disk_get(struct disk *d, struct span key, disk_fn done, void *arg);
void disk_forget(struct disk_read *r); /* no upcall any more; the caller forgets r now */

/* --- records: each change is committed before it is answered ------------------------------------- */

enum record_op { RECORD_PUT, RECORD_REPLACE, RECORD_GET, RECORD_DELETE, RECORD_LIST };
static inline bool record_op_changes(enum record_op op)
{
    return op == RECORD_PUT || op == RECORD_REPLACE || op == RECORD_DELETE;
}

/* Freed after `done`. `found` may be emptied by whoever is told. */
struct disk_record;
typedef void (*disk_record_fn)(void *arg, enum record_outcome outcome, struct record_set *found);
/* NULL: too much is waiting already, or memory is out. */
struct disk_record *disk_record(struct disk *d, enum record_op op, const char *kind, struct span id,
                                struct span value, disk_record_fn done, void *arg);
void disk_record_forget(struct disk_record *r); /* as disk_forget; a change is made all the same */

/* --- whatever else (disk_ledger.h) ----------------------------------------------------------------- */

struct sqlite3;

/* Embedded in whatever has something to do with the file. */
struct disk_task {
    struct disk_task *next; /* private */
    /* On the thread, which has the database to itself. SQLITE_OK, or what went wrong. */
    int (*run)(struct disk_task *t, struct sqlite3 *db);
    /* On the loop, once, also when the disk is being closed: the last that is heard of it. */
    void (*done)(struct disk_task *t);
    bool is_failed; /* run said so */
};
void disk_run(struct disk *d, struct disk_task *t);
/* At once, here: for start-up. */
struct sqlite3 *disk_database(struct disk *d);

#endif
