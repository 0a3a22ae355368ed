/* ledger_text.h: what the ledger and its script (ledger_script.h) say to each other: numbers with a blank
 * between two. Money is two of them, dollars and pico-dollars. Pure.
 *
 *   query    Unix ms, tokens, cost, is a task (1 or 0), day, week, month
 *   limits   requests, tokens, at a time, tasks at a time, which budget (0: none; 1 day, 2 week,
 *            3 month, 4 total), the budget, is prepaid (1 or 0)
 *   sums     spent in total; day, spent in it; week …; month …; credited, withdrawn, last used (Unix ms)
 *   change   windows of requests and tokens (minute, now, before), live, tasks, reserved: what to add,
 *            all may be below 0; up to which version parts are known; and, when it may have been forgotten,
 *            both windows as they were last seen
 *   held     live, tasks, reserved: what to add
 *   parts    each its name, its era, its sums, and a semicolon
 *   book     both windows, held by all (live, tasks, reserved), held by this instance, sums */
#ifndef SLUICE_STORE_LEDGER_TEXT_H
#define SLUICE_STORE_LEDGER_TEXT_H

#include "parts.h"
#include "sluice/base/buf.h"

struct figures {
    char text[700]; /* the longest has 30 numbers */
};

/* The text lies in *room. */
struct span text_of_query(const struct admit_query *q, struct figures *room);
struct span text_of_limits(const struct ledger_scope *s, struct figures *room);
/* `seen` may be NULL. */
struct span text_of_change(const struct book *change, uint64_t version, const struct book *seen,
                           struct figures *room);
struct span text_of_held(const struct held *change, struct figures *room);
/* Appends one: 0 or -ENOMEM. */
int text_add_part(struct buf *out, const struct part *one) __attribute__((warn_unused_result));
struct span text_of_sums(const struct sums *s, struct figures *room);
struct span text_of_credit(int64_t pd, struct figures *room); /* 1 or -1, and the amount */

/* False, and nothing was changed: this is none. */
bool text_read_book(struct span text, struct book *all, struct held *own);
bool text_read_sums(struct span text, struct sums *s);
/* Adds them to `out`; NULL: are they some? */
bool text_read_parts(struct span text, struct parts *out);
/* "<version> <born>;" before them. */
bool text_read_version(struct span *text, uint64_t *version, uint64_t *born);

#endif
