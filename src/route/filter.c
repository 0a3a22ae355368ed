#include "filter.h"

#include "sluice/config/capabilities.h"

#include <stdio.h>

static const struct {
    const char *word, *filter, *phrase; /* for programs, in errors, for people */
} filters[FILTERS] = {
    [FILTER_NONE] = {"none", "", "in the plan"},
    [FILTER_KEY] = {"key", "the key's models", "the key may not use the model"},
    [FILTER_DISABLED] = {"disabled", "enabled", "it is disabled in the configuration"},
    [FILTER_PROTOCOL] = {"protocol", "protocol", "its protocol has nothing of this kind"},
    [FILTER_OUTPUT] = {"output", "output", "it does not make what is asked for"},
    [FILTER_MODALITY] = {"input", "input", "it cannot be shown what the messages hold"},
    [FILTER_ONLY] = {"only", "provider.only", "provider.only does not name it"},
    [FILTER_IGNORE] = {"ignore", "provider.ignore", "provider.ignore names it"},
    [FILTER_QUANTIZATION] = {"quantizations", "provider.quantizations",
                             "its quantization is not asked for"},
    [FILTER_COLLECTION] = {"data_collection", "provider.data_collection",
                           "it may keep prompts, or train on them"},
    [FILTER_ZDR] = {"zdr", "provider.zdr", "it does not promise to keep nothing"},
    [FILTER_DISTILLABLE] = {"distillable", "provider.enforce_distillable_text",
                            "the model's author does not allow distillation"},
    [FILTER_CONTEXT] = {"context", "context", "the prompt is longer than its context"},
    [FILTER_PARAMETERS] = {"parameters", "provider.require_parameters",
                           "it does not take all parameters"},
    [FILTER_MAX_TOKENS] = {"max_tokens", "max_tokens", "its answers are not that long"},
    [FILTER_NO_FALLBACKS] = {"allow_fallbacks", "provider.allow_fallbacks",
                             "no fallbacks are allowed"},
    [FILTER_COST] = {"cost", "max_cost_multiplier", "it costs too much more than the first"},
    [FILTER_BEYOND] = {"beyond", "", "eight others are tried before"},
};

static const struct {
    const char *word, *phrase;
} places[PLACES] = {
    [PLACE_ONLY] = {"only", "nobody else of its model is left"},
    [PLACE_CONVERSATION] = {"conversation", "it has answered this conversation before"},
    [PLACE_ORDER] = {"order", "provider.order names it"},
    [PLACE_UNNAMED] = {"unnamed", "behind those that provider.order names"},
    [PLACE_PRICE] = {"price", "the cheapest first"},
    [PLACE_THROUGHPUT] = {"throughput", "the highest throughput first"},
    [PLACE_LATENCY] = {"latency", "the lowest latency first"},
    [PLACE_SHARED] = {"shared", "the caller's own account there went first"},
    [PLACE_DRAWN] = {"drawn", "drawn by score"},
    [PLACE_SCORE] = {"score", "by score"},
    [PLACE_SLOW] = {"slow", "behind the others: it misses a cut-off"},
    [PLACE_OPEN] = {"open", "behind the others: its circuit is open, or it asked to be left alone"},
};

const char *filter_word(enum filter v)
{
    return filters[v].word;
}

const char *filter_phrase(enum filter v)
{
    return filters[v].phrase;
}

const char *place_word(enum place v)
{
    return places[v].word;
}

const char *place_phrase(enum place v)
{
    return places[v].phrase;
}

/* Without these an answer would not be the one that was asked for, however lenient the caller is. */
#define NEVER_DROPPED (CAN_TOOLS | CAN_CHOOSE_TOOLS)

static bool is_too_short(uint64_t max_tokens, const struct target *t)
{
    return t->max_output > 0 && max_tokens > t->max_output;
}

static bool makes_other(unsigned wanted, const struct target *t)
{
    return (wanted & ~t->output) != 0;
}

static bool names(const struct places *list, const struct target *t)
{
    return places_find(list, t) != PLAN_UNPLACED;
}

/* What the request picks among those that could. */
static enum filter judge_wishes(const struct filtering *f, const struct target *t)
{
    if (f->names_some && !names(&f->only, t))
        return FILTER_ONLY;
    if (names(&f->ignore, t))
        return FILTER_IGNORE;
    if ((f->quantizations & 1u << t->quantization) == 0)
        return FILTER_QUANTIZATION;
    if (f->denies_collection && (t->policy.stores || t->policy.trains))
        return FILTER_COLLECTION;
    if (f->wants_zdr && !t->policy.zdr)
        return FILTER_ZDR;
    return f->wants_distillable && !t->distillable ? FILTER_DISTILLABLE : FILTER_NONE;
}

static bool is_too_long(const struct filtering *f, const struct target *t)
{
    return t->context > 0 && f->context > t->context;
}

static enum filter judge(const struct filtering *f, const struct considered *c)
{
    const struct target *t = c->target;
    if (f->lacks_key)
        return FILTER_KEY;
    if (!t->enabled)
        return FILTER_DISABLED;
    if (f->is_plain)
        return is_too_long(f, t) ? FILTER_CONTEXT : FILTER_NONE;
    if (makes_other(f->wanted, t))
        return FILTER_OUTPUT;
    if (f->is_able != NULL && !f->is_able(f->arg, t))
        return FILTER_PROTOCOL;
    if ((f->shown & ~t->input) != 0)
        return FILTER_MODALITY;
    enum filter v = f->is_picky ? judge_wishes(f, t) : FILTER_NONE;
    if (v != FILTER_NONE)
        return v;
    if (is_too_long(f, t))
        return FILTER_CONTEXT;
    if (c->missing != 0)
        return FILTER_PARAMETERS;
    return is_too_short(f->max_output, t) ? FILTER_MAX_TOKENS : FILTER_NONE;
}

struct filtering filter_begin(const struct plan_question *q, struct arena *scratch)
{
    const struct preferences *p = q->preferences;
    struct filtering f = {
        .only = places_of(&p->only, q->catalog, scratch),
        .ignore = places_of(&p->ignore, q->catalog, scratch),
        .shown = q->shown,
        .wanted = q->wanted,
        .is_able = q->is_able,
        .arg = q->arg,
        .matters = q->used & (p->drops_parameters ? NEVER_DROPPED : UINT32_MAX),
        .quantizations = p->quantizations != 0 ? p->quantizations : UINT32_MAX,
        .context = q->prompt_tokens / 4 * 3, /* an estimate, a quarter off: the provider knows */
        .max_output = q->max_tokens,
        .names_some = p->only.is_said,
        .denies_collection = p->denies_collection || q->denies_collection,
        .wants_zdr = p->wants_zdr || q->wants_zdr,
        .wants_distillable = p->wants_distillable,
    };
    f.is_picky = f.names_some || f.ignore.at != NULL || f.quantizations != UINT32_MAX ||
                 f.denies_collection || f.wants_zdr || f.wants_distillable;
    f.is_plain = !f.is_picky && f.wanted == 0 && f.is_able == NULL && f.shown == 0 &&
                 f.matters == 0 && f.max_output == 0;
    return f;
}

void filter_judge(const struct filtering *f, struct considered *c)
{
    c->missing = f->matters & ~c->target->params;
    c->dropped_by = judge(f, c);
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
        if (makes_other(q->wanted, c->target))
            *param = "model";
        else if (c->missing != 0)
            *param = param_of(c->missing);
        else if (is_too_short(q->max_tokens, c->target))
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
