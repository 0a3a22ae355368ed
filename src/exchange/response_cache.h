/* response_cache.h: the gateway's own memory of answers, for those who ask for it (`cache_strategy:
 * "infrai"`, contract 2.7 and D-14).
 *
 * The same question, asked of the same model under the same configuration by anybody of the account, is
 * answered once by a provider and then from here, as long as `cache.ttl`. Looked up while the request is
 * admitted; given only once it is planned: so whoever may not ask the model does not learn what it said.
 * Never under zero data retention, and never with `usage: {"include": true}`, for the cost in the body
 * would be another request's. */
#ifndef SLUICE_SRC_EXCHANGE_RESPONSE_CACHE_H
#define SLUICE_SRC_EXCHANGE_RESPONSE_CACHE_H

#include "sluice/base/buf.h"
#include "sluice/exchange/instruments.h"
#include "sluice/store/answers.h"

struct exchange;

struct response_cache { /* in the exchange's arena; NULL: it is not asked for */
    struct answer_id id;
    struct answer_claim *looking;
    struct buf found; /* as kept */
    enum cache_result result;
    void (*then)(struct exchange *x);
};

/* `print` is of the question. */
void response_cache_note(struct exchange *x, const uint8_t print[SHA256_BYTES]);
/* `then` follows later where this returns true. */
bool response_cache_ask(struct exchange *x, void (*then)(struct exchange *x));
static inline bool response_cache_is_asking(const struct response_cache *c)
{
    return c != NULL && c->looking != NULL;
}
/* The request is planned. True: it was answered. Else its answer is captured, where it may be kept. */
bool response_cache_serve(struct exchange *x);
/* The field's value; NULL: nothing to tell. */
const char *response_cache_word(const struct exchange *x);
/* At the end, before the claim of an idempotency key takes what was captured. */
void response_cache_settle(struct exchange *x);

#endif
