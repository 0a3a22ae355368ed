/* reading.h: what the gateway itself reads in a request's body.
 *
 * Every body is read once on its way in: whose model, which options, is it sound. One whose tokens are
 * to be counted here is read as a conversation, too. What is not small is read on another thread; the
 * body stays the exchange's meanwhile, unless that ends first: then it goes with the reading. */
#ifndef SLUICE_EXCHANGE_READING_H
#define SLUICE_EXCHANGE_READING_H

#include "sluice/codec/token_count.h"

struct exchange;
struct fault;
struct reading;

/* Reads x->body, and sets what the exchange must know of it. `then` follows, within this call or
 * later, with NULL or a fault that is good until it returns. */
void reading_of_request(struct exchange *x,
                        void (*then)(struct exchange *x, const struct fault *why));

/* How many tokens the conversation in x->body has (token_count.h), for each of these vocabularies: bits
 * 1 << enum vocabulary_name. `then` gets one count for each vocabulary there is, good until it returns. */
void reading_of_tokens(struct exchange *x, unsigned vocabularies,
                       void (*then)(struct exchange *x, const struct token_count *counts,
                                    const struct fault *why));

/* Ends it, wherever it is; NULL is fine. */
void reading_end(struct reading *r);

#endif
