#include "sluice/codec/estimate_request.h"

#include "sluice/format/json_walk.h"

#include <stdio.h>

/* As many tokens as usage is bounded to: no product of them passes what an amount holds. */
#define TOKENS_MAX 1000000000u

static bool refuse(struct fault *why, const char *member, const char *problem)
{
    *why = (struct fault){.kind = FAULT_INVALID_REQUEST, .param = member};
    snprintf(why->message, sizeof why->message, "\"%s\" %s", member, problem);
    return false;
}

static bool read_output(const struct json_walk *w, struct estimate_request *out, struct fault *why)
{
    out->says_output = true;
    return (json_u64(w->value, &out->output_tokens) && out->output_tokens <= TOKENS_MAX) ||
           refuse(why, "expected_output_tokens", "must be a whole number from 0 to 1000000000");
}

static bool read_batch(const struct json_walk *w, struct estimate_request *out, struct fault *why)
{
    out->is_batch = w->kind == JSON_TRUE;
    return w->kind == JSON_TRUE || w->kind == JSON_FALSE ||
           refuse(why, "batch_mode", "must be true or false");
}

static bool read_models(const struct json_walk *w, struct estimate_request *out, struct fault *why)
{
    struct span name;
    size_t cursor = 0;
    if (w->kind != JSON_ARRAY)
        return refuse(why, "models", "must be a list of names");
    out->models = w->value;
    out->nmodels = 0;
    while (json_each(w->value, &cursor, &name)) {
        if (++out->nmodels > ESTIMATE_MODELS_MAX)
            return refuse(why, "models", "must not have more than 50 names");
        if (json_raw(name).len == 0)
            return refuse(why, "models", "must hold names, each a string that is not empty");
    }
    return out->nmodels > 0 ||
           refuse(why, "models", "must not be empty; without it all are compared");
}

bool estimate_request_read(struct span body, bool takes_models, struct estimate_request *out,
                           struct fault *why)
{
    struct json_walk w;
    bool is_good = true;
    *out = (struct estimate_request){.cache = CACHE_VENDOR};
    json_walk_init(&w, body);
    while (is_good && json_walk_next(&w)) {
        if (w.kind == JSON_NULL)
            continue;
        if (json_walk_is(&w, "expected_output_tokens"))
            is_good = read_output(&w, out, why);
        else if (json_walk_is(&w, "cache_strategy"))
            is_good = cache_strategy_read(json_raw(w.value), &out->cache, why);
        else if (json_walk_is(&w, "batch_mode"))
            is_good = read_batch(&w, out, why);
        else if (takes_models && json_walk_is(&w, "models"))
            is_good = read_models(&w, out, why);
    }
    return is_good;
}
