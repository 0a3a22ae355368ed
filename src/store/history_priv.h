/* history_priv.h: the history and what keeps it: one of three backends behind one table of verbs. */
#ifndef SLUICE_STORE_HISTORY_PRIV_H
#define SLUICE_STORE_HISTORY_PRIV_H

#include "redis.h"
#include "sluice/base/err.h"
#include "sluice/store/history.h"

/* One read, from history_read to its answer. The backend that works on it may leave it to a thread. */
struct history_read {
    struct history_read *next, **at; /* the history's; `at` NULL: forgotten */
    struct history *history;
    struct history_query query;
    uint8_t texts[4 * HISTORY_TEXT_MAX_BYTES]; /* of its filter */
    history_fn done;
    void *arg;
    struct history_page page; /* what was found, but for `frames`: those are */
    struct buf frames;
    struct history_read *queued; /* the backend's, from here on */
    void *work;
};

/* To the answer, from the loop: tells whoever asked, unless it was forgotten, and frees it. */
void history_read_end(struct history_read *r);
/* Keeps a frame that may be meant. False: nothing further can be, or the page is full; page.has_more
 * says which. Of any thread that has `r` to itself. */
bool history_read_take(struct history_read *r, struct span frame);

struct history_limits {
    uint64_t retention_ms, max_records;
};

struct history_backend {
    /* Takes the frames, and may take their memory; false: not now. The history asks when it is idle, and
     * once more before `close`. */
    bool (*write)(void *self, struct buf *frames);
    bool (*is_idle)(const void *self);
    /* Ends by history_read_end, never at once. */
    void (*read)(void *self, struct history_read *r);
    /* It was forgotten: ends it now, or when the thread is through with it. */
    void (*forget)(void *self, struct history_read *r);
    void (*limit)(void *self, const struct history_limits *l);
    void (*close)(void *self); /* writes what it has moved in, as far as that takes no answer */
};

extern const struct history_backend history_in_memory, history_on_disk, history_in_redis;

struct history;
/* What became of a write that did not go well; and that the next one may come. */
void history_lost(struct history *h, unsigned nrecords, const char *problem);
void history_next(struct history *h);

void *history_memory_open(struct loop *l);
/* Blocks, as disk_open. NULL and *why. */
void *disk_history_open(struct loop *l, const char *path, struct history *h, struct err *why);
void *redis_history_open(struct loop *l, struct redis *r, struct history *h);

/* NULL and *why. `redis`, or `path` of a file, or neither. */
struct history *history_new(struct loop *l, const char *path, struct redis *redis,
                            struct metric_registry *metrics, struct err *why);
void history_free(struct history *h); /* drops reads, writes what it can. NULL is fine */

unsigned history_count(struct span frames);

#endif
