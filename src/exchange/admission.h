/* admission.h: who is it, and may it: what the limits, budgets and the balance say of a request.
 *
 *   ask ──▶ refused: the exchange fails with it
 *    │
 *    └────▶ granted: something is held ──▶ settled once, when the exchange ends: with what it used, with
 *           nothing when nobody was asked
 *
 * Both scopes, the key's and the account's, are asked in one round trip to the store, before the plan is
 * made and at the same time as sticky routing. Money is reserved as the dearest endpoint of a plan made
 * beforehand would charge it (reservation.h).
 *
 * A request that the caller's own credential comes first for costs nothing there (contract 2.3). It
 * reserves as all others do, for it may go on with ours; where that is refused for want of money alone, it
 * is asked for once more without, and goes to own credentials only. */
#ifndef SLUICE_SRC_EXCHANGE_ADMISSION_H
#define SLUICE_SRC_EXCHANGE_ADMISSION_H

#include "sluice/store/ledger.h"

struct exchange;
struct fault;

struct admission { /* of one exchange; embedded; zeroed at first */
    void (*done)(struct exchange *x);
    struct admit_call *call;   /* under way */
    struct ledger_hold hold;   /* until it is settled */
    uint64_t tokens, cost_pd;  /* asked for */
    unsigned limit, remaining; /* requests a minute, as the answer's head tells */
    bool has_answer;           /* somebody counted */
    bool is_granted;
    bool has_own;            /* the caller's own credential would come first */
    bool is_only_own;        /* and nobody else may follow: there is no money */
    enum ledger_limit lacks; /* is_only_own: which, */
    unsigned lacking_scope;  /* and whose */
    unsigned renews_s;
    uint64_t asked_us; /* 0: it was answered at once */
};

/* `done` is called at once, or when the store has answered; unless the exchange has failed. */
void admission_ask(struct exchange *x, void (*done)(struct exchange *x));
/* What an answer's head tells of requests a minute; of one that was not counted, as this process last saw
 * them. */
struct rate_told {
    unsigned limit, remaining; /* limit 0: there is none */
    const char *tier;          /* the plan's name, or "config" */
};
struct rate_told admission_rate(const struct exchange *x);
/* Leaves in the plan whom there is money for. False: nobody, and the exchange has failed. */
bool admission_fits_plan(struct exchange *x);
/* The exchange has ended: nothing is waited for, and what is held is settled with what was used. */
void admission_cancel(struct exchange *x);
void admission_settle(struct exchange *x);

#endif
