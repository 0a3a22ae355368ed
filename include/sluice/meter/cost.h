/* cost.h: usage times price, once, in one place, in integers.
 *
 * All amounts are pico-dollars (1e-12 USD). The formula and the names of the parts are those of
 * contract 2.5: the parts add up to `sum_pd`, exactly; what is charged is `total_pd`, which is that times
 * the account's discount rate, and nothing for a request on a credential of the caller's own or one that
 * the gateway insures. */
#ifndef SLUICE_METER_COST_H
#define SLUICE_METER_COST_H

#include "sluice/base/buf.h"
#include "sluice/config/snapshot.h"
#include "sluice/meter/usage.h"

struct cost {
    uint64_t prompt_pd, cache_read_pd;
    uint64_t cache_write_pd;    /* for five minutes and for an hour together */
    uint64_t cache_write_1h_pd; /* of these */
    uint64_t completion_pd, reasoning_pd;
    uint64_t image_pd, audio_pd, video_pd; /* of what is no text, where it has a price of its own */
    uint64_t search_pd;                    /* the provider's own searches */
    uint64_t plugin_search_pd;             /* the gateway's */
    uint64_t tools_pd;                     /* other tools the provider runs */
    uint64_t sum_pd;                       /* of these parts */
    uint64_t list_pd;      /* the sum, had nothing come from a cache or gone there */
    uint32_t discount_ppm; /* the rate that was applied: a million is none */
    uint64_t total_pd;
    uint64_t byok_pd; /* what the caller's own account is charged, about; the total is 0 then */
    bool is_byok;
    bool is_insured; /* nothing came of it: the total is 0 */
    bool known;      /* the endpoint has a price */
};

/* From this many prompt tokens up, all of a request is dearer where the price says so; this many exactly
 * are not long yet. In halves: twice for what is read, one and a half times for what is written. */
enum { COST_LONG_CONTEXT = 200000, COST_LONG_INPUT_HALVES = 4, COST_LONG_OUTPUT_HALVES = 3 };
bool cost_is_long_context(const struct usage *u, const struct price_options *price);

/* On whose account, and how. */
#define COST_NO_DISCOUNT 1000000u
struct cost_terms {
    uint32_t discount_ppm; /* of the account, as a rate: millionths of the sum that are charged */
    bool is_own;           /* on a credential of the caller's own (contract 2.3) */
    bool is_batch;         /* tokens cost half (contract 2.20) */
    bool is_insured;       /* nothing came of it (contract 2.5) */
};

struct cost cost_on(const struct cost_terms *terms, const struct usage *u,
                    const struct price_options *price);
/* The same without a discount, or anything else that is special. */
struct cost cost_of(const struct usage *u, const struct price_options *price);

/* Is an answer insured? `finish`: why the model stopped, empty when nobody said; "error" is a word for it.
 * A client that left is not what insurance is for. */
bool cost_is_insured(const struct usage *u, struct span finish, bool has_failed,
                     bool client_has_left);

void cost_add(struct cost *c, const struct cost *more);

/* A dollar amount as an exact JSON number: "0.00023495", "0". */
int cost_write_usd(uint64_t pd, struct buf *out) __attribute__((warn_unused_result));
/* A price kept for one token, as it is talked about: for a million of them. */
int cost_write_per_million(uint64_t pd_per_token, struct buf *out)
    __attribute__((warn_unused_result));
/* `"cost":…,"cost_details":{…}` with every field of the contract. */
int cost_write_members(const struct cost *c, struct buf *out) __attribute__((warn_unused_result));
/* A rate in millionths as an exact JSON number: "0.85". */
int cost_write_rate(uint32_t ppm, struct buf *out) __attribute__((warn_unused_result));

#endif
