/* ledger.h: what is counted for a key and for the account: requests, tokens, what runs at the moment, money.
 *
 * A request is admitted by all limits of all its scopes or by none, in one round trip; a refused one counts
 * nowhere. What admission took (a place among those running, tokens and money that may be needed) is held
 * until it is settled, exactly once, whether the request succeeded, failed or never went out.
 *
 * Requests and tokens: a sliding window of 60 s from two fixed minutes, the older one weighted by the part of
 * it that still lies in the window (contract 0.3). Tokens are counted when they are reserved and corrected
 * when they are settled. A request that reserves more tokens than its limit has is never admitted.
 *
 * Money: pico-dollars. Spent and credited only grow, by calendar period (UTC, weeks begin on Monday) and in
 * total; what is reserved counts as if it were spent. So a budget is never passed while reservations are
 * upper bounds; a scope whose budget is used up refuses also what reserves nothing.
 *
 * With Redis the counts are common to all replicas. While it is away (policy local) each replica admits
 * its share of what was left, as if every other one did what it does itself; what it admitted and settled is
 * told to Redis when it is back, once. Sums consist of parts, one for each process and for each credit, which
 * only grow: a Redis that came back empty is told all parts by all who saw them, and the larger of each
 * counts. So nothing is lost or doubled that a living replica settled or saw. */
#ifndef SLUICE_STORE_LEDGER_H
#define SLUICE_STORE_LEDGER_H

#include "sluice/config/snapshot.h"
#include "sluice/store/store.h"

enum { LEDGER_SCOPES_MAX = 2, LEDGER_SCOPE_BYTES = 48, LEDGER_LOOK_MAX = 32 };

struct ledger_scope {              /* a limit of 0: there is none; it is counted all the same */
    char name[LEDGER_SCOPE_BYTES]; /* "key:<32 hex>", "account"; NUL-ended */
    unsigned rpm, concurrency, tasks;
    uint64_t tpm;
    bool has_budget;
    uint64_t budget_pd;
    enum budget_period period;
    bool is_prepaid; /* what was credited and is not spent may not go below 0 */
};

enum ledger_limit {
    LIMIT_NONE,
    LIMIT_REQUESTS,    /* a minute */
    LIMIT_TOKENS,      /* a minute */
    LIMIT_CONCURRENCY, /* requests at a time */
    LIMIT_TASKS,       /* tasks at a time */
    LIMIT_BUDGET,
    LIMIT_BALANCE,
};

struct admit_query {
    struct ledger_scope scopes[LEDGER_SCOPES_MAX]; /* names differ */
    unsigned nscopes;
    uint64_t now_unix_ms;
    uint64_t tokens, cost_pd; /* reserved: upper bounds where they are known */
    bool is_task;             /* a request that counts as a task, too */
};

/* What an admitted request holds. By value; settled once by whoever has it. */
struct ledger_hold {
    char scopes[LEDGER_SCOPES_MAX][LEDGER_SCOPE_BYTES];
    unsigned nscopes; /* 0: nothing is held, and settling it does nothing */
    uint64_t at_unix_ms;
    uint64_t tokens, cost_pd;
    bool is_task;
};

struct admit_answer {
    bool allowed;
    enum ledger_limit refused_by; /* LIMIT_NONE: allowed, or nobody could decide (STORE_LOST) */
    unsigned refused_scope;       /* its index */
    /* Refused: when the same request would be allowed if nobody else asked, at least 1. 0: allowed, or no
     * waiting helps (a budget in total, a balance). */
    unsigned retry_after_s;
    enum store_quality quality;
    unsigned limit,
        remaining; /* requests a minute, of the scope with the fewest left; 0: no limit */
    uint64_t tokens_limit, tokens_remaining; /* the same of tokens */
    struct ledger_hold hold;
};

struct admit_call; /* owned by the store until `done` or store_cancel */
typedef void (*admit_fn)(void *arg, const struct admit_answer *a);

/* *pending is set with STORE_PENDING and NULL otherwise. */
enum store_answer store_admit(struct store *s, const struct admit_query *q,
                              struct admit_answer *out, admit_fn done, void *arg,
                              struct admit_call **pending);
/* What the store admits all the same is given back; the request stays counted as one. */
void store_cancel(struct admit_call *call);

struct settle_query {
    struct ledger_hold hold;
    uint64_t now_unix_ms;
    uint64_t tokens, cost_pd; /* what it really was; both 0: it never went out */
};
/* Fire and forget: counted at once here, told to the store until it has it, counted there once. */
void store_settle(struct store *s, const struct settle_query *q);

/* --- for showing --------------------------------------------------------------------------- */

struct ledger_counts {
    uint64_t requests, tokens; /* of the last 60 s */
    uint64_t live, tasks;      /* at the moment */
    uint64_t spent_pd[4];      /* by enum budget_period: in the one of now */
    uint64_t reserved_pd;
    int64_t credited_pd;        /* less what was taken away again */
    uint64_t last_used_unix_ms; /* when something was last settled; 0: never */
};

struct look_answer {
    struct ledger_counts counts[LEDGER_LOOK_MAX]; /* in the order of the names */
    unsigned n;
    enum store_quality
        quality; /* never STORE_LOST: what this process last saw is better than nothing */
};

struct look_call; /* as admit_call */
typedef void (*look_fn)(void *arg, const struct look_answer *a);
enum store_answer store_look(struct store *s, const char *const *names, unsigned n,
                             uint64_t now_unix_ms, struct look_answer *out, look_fn done, void *arg,
                             struct look_call **pending);
void store_look_cancel(struct look_call *call);
/* At once: what there is in memory, and with Redis what this process last saw of it. */
void store_glance(struct store *s, const char *name, uint64_t now_unix_ms,
                  struct ledger_counts *out);

/* --- crediting ------------------------------------------------------------------------------ */

enum { LEDGER_CREDIT_ID_BYTES = 65 };

enum credit_outcome {
    CREDIT_DONE,
    CREDIT_REPEATED, /* this id was credited before: nothing has changed */
    CREDIT_LOST,     /* the store is away, or did not answer: ask again with the same id */
};

struct credit_answer {
    enum credit_outcome outcome;
    int64_t balance_pd; /* afterwards: credited - spent; unless CREDIT_LOST */
};

struct credit_call; /* as admit_call */
typedef void (*credit_fn)(void *arg, const struct credit_answer *a);
/* Adds `amount_pd` to what is credited (below 0: takes it away), once for an id of 1 to 64 bytes. */
enum store_answer store_credit(struct store *s, const char *scope, const char *id,
                               int64_t amount_pd, struct credit_answer *out, credit_fn done,
                               void *arg, struct credit_call **pending);
void store_credit_cancel(struct credit_call *call);

#endif
