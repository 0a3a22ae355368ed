/* idempotency.h: a request that says which one it is, and is answered once (contract 0.5).
 *
 *   key and print ──▶ claim ──ours──▶ the request takes its way, its answer is captured ──▶ kept
 *                       │                          broken, 5xx, client gone ──▶ released: a retry runs
 *                       ├── kept, same print ──▶ given again: nothing is admitted, asked or billed
 *                       └── running, or another print ──▶ 409
 *
 * On every POST and DELETE. The key is the field Idempotency-Key, the member idempotency_key or, with
 * DELETE, that parameter. A request without one pays nothing; one with it a round trip to the store. */
#ifndef SLUICE_SRC_EXCHANGE_IDEMPOTENCY_H
#define SLUICE_SRC_EXCHANGE_IDEMPOTENCY_H

#include "sluice/base/digest.h"

struct answer_claim;
struct exchange;
struct fault;

struct idempotency { /* in the exchange's arena; NULL: it has no key */
    struct span key;
    uint8_t print[SHA256_BYTES]; /* of the body */
    struct fault *refusal;       /* why the key is none; or NULL */
    struct fault *problem; /* the request's own, to be told once it is known whose answer it is */
    struct answer_claim *claim; /* asked for, or held */
    bool is_held, is_replayed;
    void (*then)(struct exchange *x, const struct fault *problem);
};

/* The key as the head has it: the field's value, and the target. */
void idempotency_note_field(struct exchange *x, struct span value);
void idempotency_note_target(struct exchange *x, struct span target);
/* ... as the body has it, decoded (`at` NULL: it has none), with its print; empty while no key is known. */
void idempotency_note_body(struct exchange *x, struct span key, const uint8_t print[SHA256_BYTES]);
/* The same for a body that the gateway itself reads later; JSON. */
void idempotency_read_body(struct exchange *x, struct span body);

/* With a key: `then` follows, with `problem`, where the request is to go on; else it has ended. */
void idempotency_claim(struct exchange *x, const struct fault *problem,
                       void (*then)(struct exchange *x, const struct fault *problem));
/* At the end: what was captured is kept, or the claim goes. */
void idempotency_settle(struct exchange *x);

#endif
