#include "sluice/route/plan.h"

#include <stdio.h>

bool plan_key_reaches(const struct key_options *key, struct span model_id)
{
    if (key == NULL)
        return true;
    for (unsigned i = 0; i < key->models.n; i++) {
        struct span allowed = span_text(key->models.at[i]);
        if (span_eq(allowed, SPAN_LIT("*")) || span_eq(allowed, model_id))
            return true;
    }
    return false;
}

static bool not_found(struct span model, struct fault *why)
{
    *why = (struct fault){.kind = FAULT_MODEL_NOT_FOUND, .param = "model"};
    snprintf(why->message, sizeof why->message,
             "no model is named \"%.*s\" here; GET /v1/models lists those that are",
             (int)(model.len < 200 ? model.len : 200), (const char *)model.at);
    return false;
}

bool plan_make(const struct catalog *catalog, const struct key_options *key, struct span model,
               struct arena *a, struct plan *out, struct fault *why)
{
    struct resolution found;
    if (!catalog_resolve(catalog, model, &found))
        return not_found(model, why);

    out->attempts = ARENA_ARRAY(a, struct planned_attempt, found.n);
    out->n = 0;
    for (unsigned i = 0; i < found.n; i++) {
        struct target *t = &found.targets[i];
        /* A key may be given an alias without the models behind it. */
        if (!plan_key_reaches(key, t->model_id) && !plan_key_reaches(key, model))
            continue;
        if (t->model == NULL) { /* its names lie in the request's bytes */
            t->model_id = arena_keep(a, t->model_id);
            t->upstream_model = span_skip(t->model_id, t->model_id.len - t->upstream_model.len);
        }
        out->attempts[out->n++] = (struct planned_attempt){.target = *t,
                                                           .reason = "configured order"};
    }
    if (out->n > 0)
        return true;
    *why = (struct fault){.kind = FAULT_KEY_SCOPE, .param = "model"};
    snprintf(why->message, sizeof why->message,
             "this key may not use \"%.*s\"; ask for it to be added to the key's models",
             (int)(model.len < 200 ? model.len : 200), (const char *)model.at);
    return false;
}
