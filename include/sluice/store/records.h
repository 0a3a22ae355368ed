/* records.h: what is managed while the process runs and must outlive it: credentials of callers, say.
 * Few, whole, and the same in every replica.
 *
 * A record is a value under an id, of a kind. Memory forgets them at exit; SQLite and Redis do not.
 * Every call is answered later, from the loop, once; a cancelled one is not, but its effect stays.
 * Nothing is answered from this process's memory while the store is away: RECORD_LOST, and whether a
 * change was made is then unknown.
 *
 * A watch is told once the store can be asked for the first time, and then whenever the records of its
 * kind have changed, by whomever: at once when it was this process, else within RECORDS_POLL_MS. */
#ifndef SLUICE_STORE_RECORDS_H
#define SLUICE_STORE_RECORDS_H

#include "sluice/base/span.h"

enum {
    RECORD_KIND_MAX_BYTES = 24,
    RECORD_ID_MAX_BYTES = 64,
    RECORD_VALUE_MAX_BYTES = 32 * 1024,
    RECORDS_MAX = 2000, /* of a kind */
    RECORDS_POLL_MS = 500,
};

struct store;
struct records;
struct records *store_records(struct store *s); /* the store's own: as long as that */
/* Is there nothing but what this process has put? */
bool records_are_memory(const struct records *r);

struct store_record {
    struct span id, value;
};

enum record_outcome {
    RECORD_DONE,
    RECORD_ABSENT, /* there is none of that id */
    RECORD_FULL,   /* there are RECORDS_MAX already, or it is too large */
    RECORD_LOST,   /* the store did not answer */
};

struct record_answer {
    enum record_outcome outcome;
    const struct store_record *at; /* get: one; list: all, by id. Borrowed until `done` returns */
    unsigned n;
};

struct record_call;
typedef void (*record_fn)(void *arg, const struct record_answer *a);

/* Everything is copied. Ids are 1 to RECORD_ID_MAX_BYTES bytes, kinds are words of ours. */
struct record_call *records_put(struct records *r, const char *kind, struct span id,
                                struct span value, record_fn done, void *arg);
/* The same where there is one of that id already, and else nothing (RECORD_ABSENT): whoever deletes it
 * meanwhile shall be right. */
struct record_call *records_replace(struct records *r, const char *kind, struct span id,
                                    struct span value, record_fn done, void *arg);
struct record_call *records_get(struct records *r, const char *kind, struct span id, record_fn done,
                                void *arg);
struct record_call *records_delete(struct records *r, const char *kind, struct span id,
                                   record_fn done, void *arg);
struct record_call *records_list(struct records *r, const char *kind, record_fn done, void *arg);
void record_call_cancel(struct record_call *c);

/* Embedded in whoever watches. */
struct record_watch {
    struct record_watch *next, **from; /* private */
    const char *kind;
    void (*changed)(struct record_watch *w);
    long long seen; /* private: the version that was told, 0: none yet */
};
void records_watch(struct records *r, struct record_watch *w);
void record_watch_stop(struct record_watch *w); /* idempotent */

#endif
