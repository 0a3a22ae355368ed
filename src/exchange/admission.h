/* admission.h: may it: what the limits of its key say of a request, in one round trip to the store. */
#ifndef SLUICE_SRC_EXCHANGE_ADMISSION_H
#define SLUICE_SRC_EXCHANGE_ADMISSION_H

#include "sluice/store/ledger.h"

struct exchange;

struct admission { /* of one exchange; embedded; zeroed at first */
    void (*done)(struct exchange *x);
    struct admit_call *call; /* under way */
    struct admit_answer answer;
    bool has_answer; /* somebody counted */
    bool is_granted;
    uint64_t asked_us; /* 0: it was answered at once */
};

/* `done` is called at once, or when the store has answered; unless the exchange has failed. */
void admission_ask(struct exchange *x, void (*done)(struct exchange *x));
void admission_cancel(struct exchange *x);

#endif
