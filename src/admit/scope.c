#include "sluice/admit/scope.h"

#include <stdio.h>

static bool holds(const struct resolution *r, const struct target *first)
{
    for (unsigned i = 0; i < r->n; i++) {
        if (r->groups[i].first == first)
            return true;
    }
    return false;
}

bool scope_is_within(const struct catalog *c, struct span name, struct span pipeline)
{
    struct resolution inner, outer;
    if (span_eq(name, pipeline))
        return true;
    if (!catalog_resolve(c, name, &inner) || !catalog_resolve(c, pipeline, &outer))
        return false;
    for (unsigned i = 0; i < inner.n; i++) {
        if (!holds(&outer, inner.groups[i].first))
            return false;
    }
    return true;
}

static bool is_limited(const struct key_options *key)
{
    return key != NULL && key->scope == SCOPE_PIPELINE;
}

bool scope_check_path(const struct key_options *key, const struct catalog *c, struct span pipeline,
                      struct fault *why)
{
    if (key != NULL && key->scope == SCOPE_ADMIN) {
        *why = (struct fault){.kind = FAULT_KEY_SCOPE};
        snprintf(why->message, sizeof why->message,
                 "this key manages and calls no models: use one of scope workspace or pipeline");
        return false;
    }
    if (!is_limited(key) || pipeline.len == 0 ||
        scope_is_within(c, pipeline, span_text(key->pipeline)))
        return true;
    fault_unknown_model(why, pipeline, "model");
    return false;
}

bool scope_check_model(const struct key_options *key, const struct catalog *c, struct span model,
                       const char *param, struct fault *why)
{
    if (!is_limited(key) || scope_is_within(c, model, span_text(key->pipeline)))
        return true;
    *why = (struct fault){.kind = FAULT_KEY_SCOPE, .param = param};
    snprintf(why->message, sizeof why->message,
             "this key calls nothing but \"%s\"; name that, or use a key of scope workspace",
             key->pipeline);
    return false;
}
