/* record_table.h: the records of one kind, each read once and kept as the store has it.
 *
 *   a change ──▶ the store ──▶ the table ──▶ whoever made the change is told
 *   another replica's ──watch──▲
 *
 * A change that the store has taken shows at once; one that was made elsewhere when the watch tells
 * (records.h). While the store is away the table stays as it was; a store that comes back without its
 * records is given those of the table again. */
#ifndef SLUICE_ADMIT_RECORD_TABLE_H
#define SLUICE_ADMIT_RECORD_TABLE_H

#include "sluice/base/buf.h"
#include "sluice/net/loop.h"
#include "sluice/store/records.h"

/* What a record was read as: the first member of whatever that is. */
struct record_entry {
    struct span id, stored; /* the table's own copies */
};

/* What the table is told of its kind. */
struct record_reader {
    const char *kind;
    unsigned max; /* at most RECORDS_MAX */
    /* On the heap; NULL: damaged, or not ours: skipped, with one line in the log. */
    struct record_entry *(*read)(void *owner, const struct store_record *r);
    void (*free)(struct record_entry *e);
    void (*changed)(void *owner); /* the table is another one now, or was read for the first time */
};

struct record_table;

/* `records` and `owner` must outlive it. */
struct record_table *record_table_new(struct loop *l, struct records *records,
                                      const struct record_reader *reader, void *owner);
void record_table_free(
    struct record_table *t); /* changes under way are not answered. NULL is fine */

/* From now on, or no longer; what is known stays. */
void record_table_follow(struct record_table *t, bool follows);
/* Was the store asked successfully yet? */
bool record_table_is_loaded(const struct record_table *t);

/* In the order of their ids. */
unsigned record_table_count(const struct record_table *t);
struct record_entry *record_table_at(const struct record_table *t, unsigned i);
struct record_entry *record_table_find(const struct record_table *t, struct span id); /* or NULL */

/* Answered from the loop, once, unless cancelled: then it is made, and shown, all the same. */
struct record_change;
typedef void (*record_change_fn)(void *arg, enum record_outcome outcome);
/* A new one, or in place of the one that is in the table: RECORD_ABSENT where that was deleted meanwhile.
 * `text` NULL: it did not fit. Everything is copied. */
struct record_change *record_table_put(struct record_table *t, struct span id,
                                       const struct buf *text, record_change_fn done, void *arg);
struct record_change *record_table_delete(struct record_table *t, struct span id,
                                          record_change_fn done, void *arg);
void record_change_cancel(struct record_change *c);

#endif
