/* sticky.h: where a conversation was answered last, so that it stays where its prompt is cached
 * (contract 2.4).
 *
 * Asked of the store while the request is admitted, told to it when an answer went well. Only for
 * models that more than one endpoint answers for: the others have no choice. */
#ifndef SLUICE_EXCHANGE_STICKY_H
#define SLUICE_EXCHANGE_STICKY_H

#include "sluice/base/span.h"

struct exchange;
struct value_call;

struct sticky {
    char key[48];     /* in the store; empty: nobody remembers this conversation */
    struct span slug; /* who answered it, once that is known; in the exchange's `sending` */
    struct value_call *asking; /* under way */
    void (*then)(struct exchange *x);
};

/* `then` follows later where this returns true; else the answer is there, or nobody has one. */
bool sticky_ask(struct exchange *x, void (*then)(struct exchange *x));
void sticky_cancel(struct exchange *x);
/* The conversation went well where it is. */
void sticky_remember(const struct exchange *x);

#endif
