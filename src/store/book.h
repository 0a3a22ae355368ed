/* book.h: what is counted of one scope, and what its limits say to a request. Pure arithmetic.
 *
 * ledger_script.c makes the same decisions inside Redis; store_conformance_test holds both to it. */
#ifndef SLUICE_STORE_BOOK_H
#define SLUICE_STORE_BOOK_H

#include "period.h"
#include "sluice/store/ledger.h"
#include "window.h"

/* What only grows. Two copies of what one process adds to are merged by taking the larger; sums several add
 * to are not (parts.h). */
struct sums {
    uint64_t spent_pd;
    struct spent_in {
        uint64_t period, pd; /* the newest one in which something was spent */
    } spent_in[CALENDAR_PERIODS];
    uint64_t credited_pd, withdrawn_pd;
    uint64_t last_used_unix_ms;
};

/* What requests hold at the moment; as a difference it may be below 0. */
struct held {
    int64_t live, tasks, reserved_pd;
};

struct book { /* all zero: nothing was counted yet */
    struct window requests, tokens;
    struct held held;
    struct sums sums;
};

/* --- money and time --------------------------------------------------------------------------- */

uint64_t pd_add(uint64_t a, uint64_t b); /* stops at its largest value, 18 million dollars */

void sums_spend(struct sums *s, uint64_t pd, uint64_t unix_ms);
uint64_t sums_spent(const struct sums *s, enum budget_period p, uint64_t unix_ms);
void sums_credit(struct sums *s, int64_t pd);
/* credited - withdrawn - spent */
int64_t sums_balance_pd(const struct sums *s);
void sums_keep_larger(struct sums *s, const struct sums *other);
/* What `more` spent besides, each in its period. */
void sums_add(struct sums *s, const struct sums *more);

void held_add(struct held *h, const struct held *more);
void held_take(struct held *h, const struct held *less); /* may fall below 0 */
void held_at_least_nothing(struct held *h);
bool held_is_nothing(const struct held *h);

/* --- a request -------------------------------------------------------------------------------- */

void book_move(struct book *b, uint64_t unix_ms); /* before anything below */

/* The first limit that says no. */
enum ledger_limit book_refuses(const struct book *b, const struct ledger_scope *s,
                               const struct admit_query *q);
unsigned book_retry_after_s(const struct book *b, const struct ledger_scope *s,
                            const struct admit_query *q, enum ledger_limit by);

struct held hold_share(const struct ledger_hold *h); /* what one request holds */
struct ledger_hold hold_of(const struct admit_query *q);
void book_admit(struct book *b, const struct ledger_hold *h);
void book_settle(struct book *b, const struct settle_query *q);
/* The tokens that were reserved too much are given back to their minute; those too few count now. */
void window_true_up(struct window *w, const struct settle_query *q);

void book_show(const struct book *b, uint64_t unix_ms, struct ledger_counts *out);

/* --- a share of the limits ---------------------------------------------------------------------- */

/* How many divide the limits among them while their common counts are out of reach, and which of them
 * this one is: what does not divide evenly goes to the first. */
struct peers {
    unsigned n, rank; /* n >= 1, rank < n */
};

/* The book as it would be if each of the peers had done since `common` what this one did: `mine`. Whoever
 * keeps to the limits of that book keeps to its share of what was left. */
struct book book_of_share(const struct book *common, const struct book *mine, const struct peers *p,
                          uint64_t unix_ms);
struct admit_query query_of_share(const struct admit_query *q, const struct peers *p);

/* What a client is told of its windows after the decision; `books` of all scopes, moved. */
void admit_answer_windows(struct admit_answer *a, const struct book *const *books,
                          const struct admit_query *q, const struct peers *p);
/* Decides, and fills everything but quality. */
void admit_decide(struct admit_answer *a, const struct book *const *books,
                  const struct admit_query *q);

#endif
