#include "filter.h"

#include "sluice/catalog/slug.h"
#include "sluice/config/capabilities.h"

#include <stdio.h>

static const struct {
    const char *filter, *phrase;
} filters[FILTERS] = {
    [FILTER_NONE] = {"", "in the plan"},
    [FILTER_KEY] = {"the key's models", "the key may not use the model"},
    [FILTER_DISABLED] = {"enabled", "it is disabled in the configuration"},
    [FILTER_PROTOCOL] = {"protocol", "its protocol has nothing of this kind"},
    [FILTER_OUTPUT] = {"output", "it does not make what is asked for"},
    [FILTER_MODALITY] = {"input", "it cannot be shown what the messages hold"},
    [FILTER_ONLY] = {"provider.only", "provider.only does not name it"},
    [FILTER_IGNORE] = {"provider.ignore", "provider.ignore names it"},
    [FILTER_QUANTIZATION] = {"provider.quantizations", "its quantization is not asked for"},
    [FILTER_COLLECTION] = {"provider.data_collection", "it may keep prompts, or train on them"},
    [FILTER_ZDR] = {"provider.zdr", "it does not promise to keep nothing"},
    [FILTER_DISTILLABLE] = {"provider.enforce_distillable_text",
                            "the model's author does not allow distillation"},
    [FILTER_CONTEXT] = {"context", "the prompt is longer than its context"},
    [FILTER_PARAMETERS] = {"provider.require_parameters", "it does not take all parameters"},
    [FILTER_MAX_TOKENS] = {"max_tokens", "its answers are not that long"},
    [FILTER_NO_FALLBACKS] = {"provider.allow_fallbacks", "no fallbacks are allowed"},
    [FILTER_COST] = {"max_cost_multiplier", "it costs too much more than the first"},
    [FILTER_BEYOND] = {"", "eight others are tried before"},
};

const char *filter_phrase(enum filter v)
{
    return filters[v].phrase;
}

static bool names(const struct slugs *list, const struct target *t)
{
    for (unsigned i = 0; i < list->n; i++) {
        if (slug_matches(list->at[i], t->slug))
            return true;
    }
    return false;
}

/* Without these an answer would not be the one that was asked for, however lenient the caller is. */
#define NEVER_DROPPED (CAN_TOOLS | CAN_CHOOSE_TOOLS)

static unsigned missing_of(const struct plan_question *q, const struct target *t)
{
    return q->used & ~t->params & (q->preferences->drops_parameters ? NEVER_DROPPED : UINT32_MAX);
}

static bool makes_other(const struct plan_question *q, const struct target *t)
{
    return (q->wanted & ~t->output) != 0;
}

static bool is_too_short(const struct plan_question *q, const struct target *t)
{
    return t->max_output > 0 && q->max_tokens > t->max_output;
}

/* An estimate may be a quarter off; the provider knows better. */
static bool is_too_long(const struct plan_question *q, const struct target *t)
{
    return t->context > 0 && q->prompt_tokens / 4 * 3 > t->context;
}

static enum filter judge(const struct plan_question *q, struct span asked,
                         const struct considered *c)
{
    const struct preferences *p = q->preferences;
    const struct target *t = c->target;
    if (!plan_key_reaches(q->key, t->model_id) && !plan_key_reaches(q->key, asked))
        return FILTER_KEY;
    if (!t->enabled)
        return FILTER_DISABLED;
    if (makes_other(q, t))
        return FILTER_OUTPUT;
    if (q->is_able != NULL && !q->is_able(q->api, t))
        return FILTER_PROTOCOL;
    if ((q->shown & ~t->input) != 0)
        return FILTER_MODALITY;
    if (p->only.is_said && !names(&p->only, t))
        return FILTER_ONLY;
    if (names(&p->ignore, t))
        return FILTER_IGNORE;
    if (p->quantizations != 0 && (p->quantizations & 1u << t->quantization) == 0)
        return FILTER_QUANTIZATION;
    if ((p->denies_collection || q->denies_collection) && (t->policy.stores || t->policy.trains))
        return FILTER_COLLECTION;
    if ((p->wants_zdr || q->wants_zdr) && !t->policy.zdr)
        return FILTER_ZDR;
    if (p->wants_distillable && !t->distillable)
        return FILTER_DISTILLABLE;
    if (is_too_long(q, t))
        return FILTER_CONTEXT;
    if (c->missing != 0)
        return FILTER_PARAMETERS;
    return is_too_short(q, t) ? FILTER_MAX_TOKENS : FILTER_NONE;
}

void filter_judge(const struct plan_question *q, struct span asked, struct considered *c)
{
    c->missing = missing_of(q, c->target);
    c->dropped_by = judge(q, asked, c);
}

/* --- nobody is left ------------------------------------------------------------------------------- */

static const char *param_of(unsigned missing)
{
    unsigned bit = (unsigned)__builtin_ctz(missing);
    return (1u << bit) == CAN_FOLLOW_SCHEMAS ? "response_format" : capability_name(bit);
}

/* Could any of them have answered, had the caller not chosen among them? Else what the last lacks. */
static bool anybody_could(const struct plan_question *q, const struct considered *considered,
                          unsigned n, const char **param)
{
    for (unsigned i = 0; i < n; i++) {
        const struct considered *c = &considered[i];
        if (makes_other(q, c->target))
            *param = "model";
        else if (c->missing != 0)
            *param = param_of(c->missing);
        else if (is_too_short(q, c->target))
            *param = "max_tokens";
        else if ((q->shown & ~c->target->input) != 0)
            *param = q->wanted != 0 ? "file" : "messages";
        else
            return true;
    }
    return n == 0;
}

static bool all_are(const struct considered *considered, unsigned n, enum filter v)
{
    for (unsigned i = 0; i < n; i++) {
        if (considered[i].dropped_by != v)
            return false;
    }
    return n > 0;
}

static void name_filters(const struct considered *considered, unsigned n, struct fault *why)
{
    int at = snprintf(why->message, sizeof why->message, "no provider of this model is left after");
    const char *between = " ";
    for (unsigned v = 0; v < FILTERS; v++) {
        unsigned hit = 0;
        for (unsigned i = 0; i < n; i++)
            hit += considered[i].dropped_by == v;
        if (hit == 0 || at >= (int)sizeof why->message)
            continue;
        at += snprintf(why->message + at, sizeof why->message - (size_t)at, "%s%s (%u)", between,
                       filters[v].filter, hit);
        between = ", ";
    }
}

void filter_explain(const struct plan_question *q, const struct considered *considered, unsigned n,
                    struct fault *why)
{
    const char *param = "";
    *why = (struct fault){.kind = FAULT_NO_PROVIDER};
    if (all_are(considered, n, FILTER_KEY)) {
        *why = (struct fault){.kind = FAULT_KEY_SCOPE, .param = "model"};
        snprintf(why->message, sizeof why->message,
                 "this key may not use \"%.*s\"; ask for it to be added to the key's models",
                 SPAN_FMT(span_sub(q->model, 0, 200)));
    } else if (all_are(considered, n, FILTER_CONTEXT)) {
        *why = (struct fault){.kind = FAULT_CONTEXT_LENGTH, .param = "messages"};
        snprintf(why->message, sizeof why->message,
                 "the prompt has about %llu tokens, more than any provider of this model reads",
                 (unsigned long long)q->prompt_tokens);
    } else if (all_are(considered, n, FILTER_PROTOCOL)) {
        snprintf(
            why->message, sizeof why->message,
            "no provider of this model is spoken to in a protocol that has anything of this kind");
    } else if (!anybody_could(q, considered, n, &param)) {
        *why = (struct fault){.kind = FAULT_UNSUPPORTED_PARAMETER, .param = param};
        bool is_model = strcmp(param, "model") == 0;
        snprintf(why->message, sizeof why->message,
                 is_model
                     ? "the %s makes nothing of this kind; GET /v1/models tells what each makes"
                     : "no provider of this model can do what \"%s\" asks for",
                 param);
    } else {
        name_filters(considered, n, why);
    }
}
