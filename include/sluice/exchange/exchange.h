/* exchange.h: one request, from its head to its record.
 *
 *   OPEN ──run──▶ READING ──▶ ADMITTING ──▶ ATTEMPTING ──first byte──▶ ANSWERING ──▶ ENDED
 *     └──────────────┴────────────┴──────────────┴────── fail, reply, client gone ──────▲
 *
 * The API layer opens an exchange for every request it accepts to look at and then calls one of
 * run, reply or fail. Whatever happens, the exchange ends exactly once, writes one record (log,
 * metrics, limits) and frees itself at the end of the turn: nobody holds it after that. */
#ifndef SLUICE_EXCHANGE_EXCHANGE_H
#define SLUICE_EXCHANGE_EXCHANGE_H

#include "sluice/codec/fault.h"
#include "sluice/exchange/gateway.h"
#include "sluice/route/plan.h"

struct exchange;
struct plan_options;

/* What the gateway works out about a request instead of having it answered (contract 2.18). */
enum estimates {
    ESTIMATES_NOTHING,
    ESTIMATES_TOKENS,
    ESTIMATES_COST,
    ESTIMATES_COSTS, /* of several models */
};

struct exchange_kind {
    enum api_protocol api;
    const char *label; /* in metrics and log: "chat" */
    /* Told how a request would be routed, asking nobody: the body says of which API it is. */
    bool explains;
    enum estimates estimates;
    /* The gateway answers by itself: called by exchange_run with the body, which is borrowed until it
     * returns. NULL: providers answer. */
    void (*take)(struct exchange *x, struct span body);
};

/* Takes note of the head (fields to forward, ids); the head may go afterwards. */
struct exchange *exchange_open(struct gateway *g, struct sink *sink,
                               const struct exchange_kind *kind, const struct http_head *head);

/* Field lines every answer of this exchange carries (CORS); copied. */
void exchange_add_fields(struct exchange *x, struct span lines);

/* The path says which model it is; copied. */
void exchange_fix_model(struct exchange *x, struct span model);

/* What the path names, as the id in /v1/byok/{id}/test; copied. */
void exchange_set_subject(struct exchange *x, struct span subject);
struct span exchange_subject(const struct exchange *x);

/* Checks the key of the head. False: the exchange has failed with a 401 and is gone. */
bool exchange_authenticate(struct exchange *x, const struct http_head *head);

/* The body is complete: admit, plan, attempt, relay; or kind->take. `kept` may be moved out. */
void exchange_run(struct exchange *x, struct span body, struct body *kept);

/* An answer of our own. */
void exchange_reply(struct exchange *x, unsigned status, const char *content_type,
                    struct span body);

/* The same with a document that was just written: `rc` tells whether all of it found room. Frees it. */
void exchange_reply_made(struct exchange *x, unsigned status, int rc, struct buf *document);

/* Ends it with this fault: as an answer, or inside the stream that has begun. */
void exchange_fail(struct exchange *x, const struct fault *why);

const struct deployment *exchange_deployment(const struct exchange *x);
const struct key_options *exchange_key(const struct exchange *x); /* NULL: none was needed */
/* What its key's subscription includes; NULL: there is none. */
const struct plan_options *exchange_plan(const struct exchange *x);
struct span exchange_request_id(const struct exchange *x);
/* How an endpoint of its deployment does, with latency as it is of streams. Returns the state of its
 * circuit in a word. */
const char *exchange_look_at(const struct exchange *x, const struct target *t,
                             struct target_health *out);

/* Told when the exchange ends, once: for work that goes on elsewhere for its sake. NULL: nobody any more. */
struct exchange_hook {
    void (*ended)(struct exchange_hook *hook);
};
void exchange_on_end(struct exchange *x, struct exchange_hook *hook);

/* Everything that is still open ends with this fault (the drain limit has passed). */
void exchange_fail_all(struct gateway *g, const struct fault *why);

/* At exit. */
void exchange_free_spares(void);

#endif
