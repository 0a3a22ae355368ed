/* cost.h: usage times price, once, in one place, in integers.
 *
 * All amounts are pico-dollars (1e-12 USD). The formula and the names of the parts are those of
 * contract 2.5; parts this gateway does not meter yet are 0. */
#ifndef SLUICE_METER_COST_H
#define SLUICE_METER_COST_H

#include "sluice/base/buf.h"
#include "sluice/config/snapshot.h"
#include "sluice/meter/usage.h"

struct cost {
    uint64_t prompt_pd, cache_read_pd, cache_write_pd, completion_pd, reasoning_pd;
    uint64_t total_pd;
    uint64_t byok_pd; /* what the caller's own account is charged, about; the total is 0 then */
    bool is_byok;
    bool known;            /* the endpoint has a price */
    unsigned discount_ppm; /* what the total was multiplied by; 0: by nothing */
};

/* From this many prompt tokens up, all of a request is dearer where the price says so; this many exactly
 * are not long yet. In halves: twice for what is read, one and a half times for what is written. */
enum { COST_LONG_CONTEXT = 200000, COST_LONG_INPUT_HALVES = 4, COST_LONG_OUTPUT_HALVES = 3 };
bool cost_is_long_context(const struct usage *u, const struct price_options *price);

struct cost cost_of(const struct usage *u, const struct price_options *price);
/* The same on a credential of the caller's own (contract 2.3). */
struct cost cost_of_own(const struct usage *u, const struct price_options *price);
/* What a batch costs less (contract 2.20): half of all. */
uint64_t cost_batch_discount(const struct cost *c);

/* The account's discount_rate: on the total, once; the parts stay list prices. */
void cost_discount(struct cost *c, unsigned ppm);

void cost_add(struct cost *c, const struct cost *more);

/* A dollar amount as an exact JSON number: "0.00023495", "0". */
int cost_write_usd(uint64_t pd, struct buf *out) __attribute__((warn_unused_result));
/* What a discount multiplies by: "0.9", "1". */
int cost_write_rate(unsigned ppm, struct buf *out) __attribute__((warn_unused_result));
/* A price kept for one token, as it is talked about: for a million of them. */
int cost_write_per_million(uint64_t pd_per_token, struct buf *out)
    __attribute__((warn_unused_result));
/* `"cost":…,"cost_details":{…}` with every field of the contract. */
int cost_write_members(const struct cost *c, struct buf *out) __attribute__((warn_unused_result));

#endif
