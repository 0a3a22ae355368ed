/* provider_bill.h: what a provider says was used, or is owed: files of OpenAI and Anthropic.
 *
 *   OpenAI     answers of /v1/organization/usage/… and /v1/organization/costs; exports of its dashboard
 *   Anthropic  answers of /v1/organizations/usage_report/messages and …/cost_report; exports of its
 *              console
 *
 * JSON is buckets of time with results in them; CSV is told apart by its columns' names. Both change over
 * time: what has another name is looked for under all that are known, and the rest is passed over. */
#ifndef SLUICE_METER_PROVIDER_BILL_H
#define SLUICE_METER_PROVIDER_BILL_H

#include "sluice/base/err.h"
#include "sluice/base/span.h"

struct bill_line {
    uint64_t day_unix_ms; /* its first moment, UTC */
    struct span model;    /* "" when the line is of none */
    bool has_tokens, has_cost;
    uint64_t input, output; /* cached and cache-written ones among the input */
    uint64_t cost_pd;
};

typedef void (*bill_fn)(void *arg, const struct bill_line *line);
/* Spans live during the call. -EINVAL and *why when it is no such file. `*is_part` when it says itself
 * that there are more pages of it. */
int provider_bill_read(struct span text, bill_fn take, void *arg, bool *is_part, struct err *why)
    __attribute__((warn_unused_result));

/* A decimal number of dollars ("0.0342", "1.2e-05") in pico-dollars. False: it is none. */
bool bill_dollars(struct span text, uint64_t *out_pd);

#endif
