#include "estimating.h"

#include "exchange_priv.h"
#include "routing.h"

#include "sluice/catalog/facts.h"
#include "sluice/meter/estimate.h"

#include <stdio.h>
#include <stdlib.h>

enum { OUTPUT_TOKENS = 256 }; /* contract 2.18: where nobody says how many to expect */

/* One model it could be. */
struct estimated {
    struct span model; /* as it was asked for; empty: the configuration's choice */
    const struct target *target;
    bool with_own_key;
    struct fault *why; /* NULL: nothing is wrong with it */
    struct token_count count;
    struct estimate estimate;
};

struct estimating {
    struct estimated *at;
    unsigned n;
    bool by_cost; /* the order is ours */
};

/* --- which models ------------------------------------------------------------------------------------ */

static void set_one(struct exchange *x, struct estimating *e, struct span model)
{
    e->at = ARENA_NEW(&x->arena, struct estimated);
    e->at[0].model = model;
    e->n = 1;
}

/* A list as it was read: of strings, not too long. One that is no text is a name nothing has. */
static void set_listed(struct exchange *x, struct estimating *e)
{
    struct span name;
    size_t cursor = 0;
    e->at = ARENA_ARRAY(&x->arena, struct estimated, x->estimate->nmodels);
    while (e->n < x->estimate->nmodels && json_each(x->estimate->models, &cursor, &name)) {
        char *text = arena_alloc(&x->arena, name.len + 1);
        long len = json_string(name, text, name.len + 1);
        e->at[e->n++].model = len > 0 ? span_of(text, (size_t)len) : SPAN_LIT("?");
    }
}

static bool is_text(const struct snapshot *s, const struct model_options *m)
{
    if (m->nalias > 0)
        return is_text(s, &s->models[m->alias[0]]);
    return m->category == CATEGORY_LLM && m->nendpoints > 0;
}

/* An alias stands for a model that is listed anyway, unless the key reaches it by that name alone. */
static bool is_listed(const struct exchange *x, const struct snapshot *s,
                      const struct model_options *m)
{
    if (!is_text(s, m) || !plan_key_reaches(x->key, span_text(m->id)))
        return false;
    return m->nalias == 0 || !plan_key_reaches(x->key, span_text(s->models[m->alias[0]].id));
}

static void set_all(struct exchange *x, struct estimating *e)
{
    const struct snapshot *s = x->deployment->snapshot;
    e->by_cost = true;
    e->at = ARENA_ARRAY(&x->arena, struct estimated, ESTIMATE_MODELS_MAX);
    for (unsigned i = 0; i < s->nmodels && e->n < ESTIMATE_MODELS_MAX; i++) {
        if (is_listed(x, s, &s->models[i]))
            e->at[e->n++].model = span_text(s->models[i].id);
    }
}

/* The only one there is, by the path or by the key; empty: it could be any. */
static struct span only_model(const struct exchange *x)
{
    bool is_keys = x->key != NULL && x->key->scope == SCOPE_PIPELINE;
    if (x->fixed_model.len > 0 || !is_keys)
        return x->fixed_model;
    return span_text(x->key->pipeline);
}

static void set_models(struct exchange *x, struct estimating *e)
{
    struct span only = only_model(x);
    if (x->kind->estimates != ESTIMATES_COSTS)
        set_one(x, e, x->request->model);
    else if (x->estimate->nmodels > 0)
        set_listed(x, e);
    else if (only.len > 0)
        set_one(x, e, only);
    else
        set_all(x, e);
}

/* --- who would answer -------------------------------------------------------------------------------- */

static void note_problem(struct exchange *x, struct estimated *m, const struct fault *why)
{
    m->why = ARENA_NEW(&x->arena, struct fault);
    *m->why = *why;
}

static void plan_one(struct exchange *x, struct estimated *m)
{
    struct plan plan = {.n = 0};
    struct fault why;
    bool counts_only = x->kind->estimates == ESTIMATES_TOKENS;
    if (!routing_ask(x, counts_only, &plan, &why)) {
        note_problem(x, m, &why);
        return;
    }
    m->target = plan.attempts[0].target;
    m->with_own_key = plan.attempts[0].with_own_key;
}

/* The request itself, as if it named this one. */
static void plan_named(struct exchange *x, struct estimated *m)
{
    struct fault why;
    x->request->model = x->request->named = m->model;
    x->request->takes_default = false;
    if (!openai_request_check_name(m->model, &why))
        note_problem(x, m, &why);
    else
        plan_one(x, m);
    if (m->why != NULL && m->why->param != NULL && strcmp(m->why->param, "model") == 0)
        m->why->param = "models";
}

static unsigned plan_all(struct exchange *x, struct estimating *e)
{
    unsigned vocabularies = 0;
    for (unsigned i = 0; i < e->n; i++) {
        struct estimated *m = &e->at[i];
        if (x->kind->estimates == ESTIMATES_COSTS)
            plan_named(x, m);
        else
            plan_one(x, m);
        if (m->target != NULL)
            vocabularies |= 1u << facts_vocabulary(m->target);
    }
    return vocabularies;
}

/* --- what it would take ------------------------------------------------------------------------------ */

static uint64_t output_tokens(const struct exchange *x)
{
    uint64_t most = x->request->asked.max_tokens;
    if (x->estimate->says_output)
        return x->estimate->output_tokens;
    return most > 0 ? most : OUTPUT_TOKENS;
}

static void miss_price(struct exchange *x, struct estimated *m, const char *member)
{
    struct fault why = {.kind = FAULT_INVALID_REQUEST,
                        .param = x->kind->estimates == ESTIMATES_COSTS ? "models" : "model"};
    snprintf(why.message, sizeof why.message,
             "what %.*s costs at %s is not known: the configuration has no price.%s for that "
             "endpoint",
             (int)(m->target->model_id.len < 200 ? m->target->model_id.len : 200),
             (const char *)m->target->model_id.at, target_name(m->target), member);
    note_problem(x, m, &why);
}

static void price(struct exchange *x, struct estimated *m)
{
    bool may_cache = x->estimate->cache != CACHE_NONE;
    const struct estimate_terms terms = {
        .prompt = m->count.tokens,
        .output = output_tokens(x),
        .cacheable = may_cache ? m->count.cacheable : 0,
        .keeps_an_hour = m->count.keeps_an_hour,
        .is_batch = x->estimate->is_batch,
        .discount_ppm = exchange_discount_ppm(x),
        .is_own = m->with_own_key,
    };
    const char *member = estimate_lacks(&terms, m->target->price);
    if (member != NULL)
        miss_price(x, m, member);
    else
        m->estimate = estimate_make(&terms, m->target->price);
}

static void work_out(struct exchange *x, struct estimating *e, const struct token_count *counts)
{
    for (unsigned i = 0; i < e->n; i++) {
        struct estimated *m = &e->at[i];
        if (m->target == NULL)
            continue;
        m->count = counts[facts_vocabulary(m->target)];
        if (x->kind->estimates != ESTIMATES_TOKENS)
            price(x, m);
    }
}

/* Those that nobody can tell last; otherwise as they were. */
static bool is_before(const struct estimated *a, const struct estimated *b)
{
    if (a->why != NULL || b->why != NULL)
        return a->why == NULL && b->why != NULL;
    return a->estimate.total_pd < b->estimate.total_pd;
}

static void sort(struct estimating *e)
{
    for (unsigned i = 1; i < e->n; i++) {
        struct estimated m = e->at[i];
        unsigned to = i;
        for (; to > 0 && is_before(&m, &e->at[to - 1]); to--)
            e->at[to] = e->at[to - 1];
        e->at[to] = m;
    }
}

/* --- the answer ------------------------------------------------------------------------------------- */

/* This object and those below are left open: what an answer has besides goes in behind. */
static void put_estimate(const struct exchange *x, const struct estimated *m, struct json_out *o)
{
    json_out_lit(o, "{\"model\":");
    json_out_bytes(o, m->target->model_id);
    json_out_lit(o, ",\"vendor\":");
    json_out_bytes(o, m->target->slug);
    if (m->target->region != NULL) {
        json_out_lit(o, ",\"vendor_region\":");
        json_out_bytes(o, span_text(m->target->region));
    }
    json_out_lit(o, ",\"prompt_tokens\":");
    json_out_u64(o, m->count.tokens);
    json_out_span(o, span_text(m->count.is_exact ? ",\"exact\":true" : ",\"exact\":false"));
    json_out_lit(o, ",\"expected_output_tokens\":");
    json_out_u64(o, output_tokens(x));
    json_out_lit(o, ",\"breakdown\":");
    if (o->rc == 0)
        o->rc = estimate_write(&m->estimate, o->buf);
}

static void put_problem(const struct exchange *x, const struct estimated *m, struct json_out *o)
{
    json_out_lit(o, "{\"model\":");
    json_out_bytes(o, m->model);
    json_out_lit(o, ",\"error\":{");
    if (o->rc == 0)
        o->rc = fault_write_members(m->why, x->kind->api, o->buf);
    json_out_lit(o, "}");
}

static void put_tokens(const struct estimated *m, struct json_out *o)
{
    json_out_lit(o, "{\"prompt_tokens\":");
    json_out_u64(o, m->count.tokens);
    json_out_lit(o, ",\"model\":");
    json_out_bytes(o, m->target->model_id);
    json_out_span(o, span_text(m->count.is_exact ? ",\"exact\":true" : ",\"exact\":false"));
}

static void put_estimates(const struct exchange *x, const struct estimating *e, struct json_out *o)
{
    json_out_lit(o, "{\"estimates\":[");
    for (unsigned i = 0; i < e->n; i++) {
        if (i > 0)
            json_out_lit(o, ",");
        if (e->at[i].why == NULL)
            put_estimate(x, &e->at[i], o);
        else
            put_problem(x, &e->at[i], o);
        json_out_lit(o, "}");
    }
    json_out_lit(o, "]");
}

static void answer(struct exchange *x, const struct estimating *e)
{
    struct buf out = {0};
    struct json_out o = json_out_to(&out);
    switch (x->kind->estimates) {
    case ESTIMATES_NOTHING:
    case ESTIMATES_TOKENS:
        put_tokens(&e->at[0], &o);
        break;
    case ESTIMATES_COST:
        put_estimate(x, &e->at[0], &o);
        break;
    case ESTIMATES_COSTS:
        put_estimates(x, e, &o);
        break;
    }
    json_out_lit(&o, ",\"request_id\":");
    json_out_bytes(&o, span_of(x->request_id, 32));
    json_out_lit(&o, "}");
    exchange_reply_made(x, 200, o.rc, &out);
}

static void on_counted(struct exchange *x, const struct token_count *counts,
                       const struct fault *why)
{
    struct estimating *e = x->estimating;
    if (why == NULL)
        work_out(x, e, counts);
    if (why == NULL && x->kind->estimates != ESTIMATES_COSTS)
        why = e->at[0].why;
    if (why != NULL) {
        exchange_fail(x, why);
        return;
    }
    if (e->by_cost)
        sort(e);
    answer(x, e);
}

/* What all of them have in common is no problem of one of them. */
static bool check_preferences(struct exchange *x, struct fault *why)
{
    struct preferences unused;
    return preferences_read(x->request->provider, SPAN_NONE, &x->sending, &unused, why);
}

void estimating_start(struct exchange *x)
{
    struct estimating *e = ARENA_NEW(&x->arena, struct estimating);
    struct fault why;
    x->estimating = e;
    if (!check_preferences(x, &why)) {
        exchange_fail(x, &why);
        return;
    }
    set_models(x, e);
    unsigned vocabularies = plan_all(x, e);
    if (x->kind->estimates != ESTIMATES_COSTS && e->at[0].why != NULL)
        exchange_fail(x, e->at[0].why);
    else
        reading_of_tokens(x, vocabularies, on_counted);
}
