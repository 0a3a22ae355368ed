#include "sluice/route/family.h"

#include <stdio.h>

static const char *const names[TASKS] = {
    [TASK_GENERAL] = "general",
    [TASK_REASONING] = "reasoning",
    [TASK_CODING] = "coding",
    [TASK_LONG_CONTEXT] = "long_context",
};

/* The k-th of n to be tried: from the best down, from the cheapest up, or from the middle: first up,
 * for who falls back should not get less than asked for, then down. */
static unsigned nth(enum prefer_what prefer, unsigned n, unsigned k)
{
    unsigned middle = (n - 1) / 2;
    switch (prefer) {
    case PREFER_SMARTEST:
        return n - 1 - k;
    case PREFER_CHEAPEST:
        return k;
    case PREFER_UNSAID:
    case PREFER_BALANCED:
        break;
    }
    return middle + k < n ? middle + k : n - 1 - k;
}

bool family_choose(const struct snapshot *s, struct preferences *p, struct fault *why)
{
    const struct model_family *f = &s->routing.families[p->task];
    struct span others[PREFERENCES_MODELS_MAX];
    unsigned nothers = p->nmodels;
    if (!p->has_task && p->prefer == PREFER_UNSAID)
        return true;
    if (f->n == 0) {
        *why = (struct fault){.kind = FAULT_MODEL_NOT_FOUND, .param = "model"};
        snprintf(why->message, sizeof why->message,
                 "no models are configured for the task \"%s\" (routing.tasks.%s); name one with "
                 "\"model\"",
                 names[p->task], names[p->task]);
        return false;
    }
    memcpy(others, p->models, sizeof others);
    p->nmodels = 0;
    for (unsigned k = 0; k < f->n && p->nmodels < PREFERENCES_MODELS_MAX; k++)
        p->models[p->nmodels++] = span_text(s->models[f->models[nth(p->prefer, f->n, k)]].id);
    for (unsigned i = 0; i < nothers && p->nmodels < PREFERENCES_MODELS_MAX; i++)
        p->models[p->nmodels++] = others[i];
    if (p->prefer == PREFER_CHEAPEST && p->sort == SORT_UNSAID)
        p->sort = SORT_PRICE;
    return true;
}
