/* history.h: the records of calls, kept and found again.
 *
 * memory    the last HISTORY_MEMORY_MAX, gone at exit
 * SQLite    a table in the store's file; written and read on other threads
 * Redis     shared by all replicas; the oldest make room beyond `max_records`
 *
 * Appending never waits and never fails the caller: records collect for 50 ms and are written together.
 * While the store cannot be written to they wait, up to two megabytes; what finds no room then is
 * counted in sluice_history_dropped_total and gone. What was appended can be read within two seconds.
 *
 * Reading goes from the newest to the oldest, in steps: a page holds what one step found, which may be
 * nothing although there is more. It is answered later, from the loop, once, unless cancelled. */
#ifndef SLUICE_STORE_HISTORY_H
#define SLUICE_STORE_HISTORY_H

#include "sluice/config/snapshot.h"
#include "sluice/store/history_record.h"

enum { HISTORY_MEMORY_MAX = 10000, HISTORY_PAGE_MAX = 1000 };

struct store;
struct history;
struct history *store_history(struct store *s); /* the store's own: as long as that */

/* By the configuration in force; before the first call nothing is kept. */
void history_use(struct history *h, const struct history_options *o);
bool history_is_kept(const struct history *h);

void history_append(struct history *h, const struct history_record *r);

/* Writes what has collected. True: nothing waits any more, nor is under way. */
bool history_flush(struct history *h);

struct history_query {
    uint64_t from_unix_ms, until_unix_ms; /* from, and before */
    struct history_filter filter;         /* copied; its texts are cut as those of records are */
    bool has_id;                          /* the record with this id, and nothing else counts */
    uint8_t id[HISTORY_ID_BYTES];
    bool has_place; /* only what is older than this */
    struct history_place place;
    unsigned most; /* records of a page: 1 to HISTORY_PAGE_MAX */
};

struct history_page {
    bool is_lost;       /* the store did not answer */
    struct span frames; /* newest first; borrowed until `done` returns */
    unsigned n;         /* how many */
    bool has_more;      /* ask again, with `next` as place */
    struct history_place next;
};

struct history_read; /* NULL: too many are under way */
typedef void (*history_fn)(void *arg, const struct history_page *page);
struct history_read *history_read(struct history *h, const struct history_query *q, history_fn done,
                                  void *arg);
void history_read_cancel(struct history_read *r);

#endif
