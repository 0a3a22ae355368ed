/* trial.h: one small live call with one credential, to see whether it works.
 *
 * It goes through the one engine, as an exchange whose sink is the trial and whose plan is one attempt:
 * the cheapest model of that provider, one token of output. So a credential that passes is sent as
 * every request's will be. */
#ifndef SLUICE_EXCHANGE_TRIAL_H
#define SLUICE_EXCHANGE_TRIAL_H

#include "sluice/exchange/gateway.h"

struct trial_result {
    bool ok;
    unsigned status;     /* the provider's; 0: it did not answer */
    unsigned latency_ms; /* of the whole call */
    const char *model;   /* as clients name it; NULL: there was none to ask */
    const char *error;   /* NULL when ok; never holds the credential */
};

struct trial;
typedef void (*trial_fn)(void *arg, const struct trial_result *r);

/* Answered later, from the loop, once, unless cancelled. */
struct trial *trial_start(struct gateway *g, const char *provider, struct span credential,
                          trial_fn done, void *arg);
void trial_cancel(struct trial *t);

#endif
