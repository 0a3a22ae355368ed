/* refusal.h: what a client is told that a limit, a budget or the balance refused. */
#ifndef SLUICE_SRC_EXCHANGE_REFUSAL_H
#define SLUICE_SRC_EXCHANGE_REFUSAL_H

#include "sluice/codec/fault.h"
#include "sluice/store/ledger.h"

struct refusal {
    enum ledger_limit limit;
    const struct ledger_scope *scope; /* whose */
    uint64_t tokens, cost_pd;         /* the request would have reserved */
    unsigned retry_after_s;           /* 0: waiting does not help */
    uint64_t now_unix_ms;
};

void refusal_tell(const struct refusal *r, struct fault *out);

#endif
