/* estimate_request.h: what a request for an estimate says beside the request it is about (contract 2.18,
 * COST-1 and COST-2). */
#ifndef SLUICE_CODEC_ESTIMATE_REQUEST_H
#define SLUICE_CODEC_ESTIMATE_REQUEST_H

#include "sluice/codec/cache_strategy.h"

enum { ESTIMATE_MODELS_MAX = 50 };

struct estimate_request {
    uint64_t output_tokens;
    bool says_output;
    enum cache_strategy cache;
    bool is_batch;
    struct span models; /* a list of 1 to ESTIMATE_MODELS_MAX strings; empty: not said */
    unsigned nmodels;
};

/* `body` is valid JSON and outlives `out`. `takes_models`: to be compared; else nothing is read of them.
 * False with *why, a 400 that names the member. */
bool estimate_request_read(struct span body, bool takes_models, struct estimate_request *out,
                           struct fault *why);

#endif
