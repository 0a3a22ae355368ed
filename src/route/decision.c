#include "sluice/route/decision.h"

#include "sluice/config/capabilities.h"
#include "sluice/format/json_out.h"

/* Written for every request where it is wanted: short names, no number that is not known, and nothing
 * by printf. */

static void put_text(struct json_out *o, struct span before, struct span text)
{
    json_out_span(o, before);
    json_out_bytes(o, text);
}
#define PUT_TEXT(o, before, text) put_text(o, SPAN_LIT(before), text)

/* A word of ours, or of the configuration's making: nothing in it needs an escape. */
static void put_word(struct json_out *o, struct span before, struct span word)
{
    json_out_span(o, before);
    json_out_raw(o, word);
}
#define PUT_WORD(o, before, word) put_word(o, SPAN_LIT(before), word)

static void put_number(struct json_out *o, struct span before, uint64_t n)
{
    json_out_span(o, before);
    json_out_u64(o, n);
}
#define PUT_NUMBER(o, before, n) put_number(o, SPAN_LIT(before), n)

static void put_bits(struct json_out *o, struct span before, unsigned bits, unsigned n,
                     const char *(*name)(unsigned bit))
{
    struct span between = before;
    for (unsigned bit = 0; bit < n && bits != 0; bit++) {
        if ((bits & 1u << bit) == 0)
            continue;
        put_word(o, between, span_text(name(bit)));
        between = SPAN_LIT(",");
    }
    if (between.at != before.at)
        json_out_lit(o, "]");
}

/* --- what was asked ------------------------------------------------------------------------------- */

static void put_reach(struct json_out *o, const struct key_options *key)
{
    json_out_lit(o, ",\"reach\":[");
    for (unsigned i = 0; i < key->models.n; i++)
        put_text(o, i > 0 ? SPAN_LIT(",") : SPAN_NONE, span_text(key->models.at[i]));
    json_out_lit(o, "]");
}

static bool says_anything(const struct preferences *p)
{
    return p->order.is_said || p->only.is_said || p->ignore.is_said || p->sort != SORT_UNSAID ||
           p->min_throughput.is_said || p->max_latency.is_said || p->quantizations != 0 ||
           !p->allows_fallbacks || p->drops_parameters || p->denies_collection || p->wants_zdr ||
           p->wants_distillable;
}

static void put_wishes(struct json_out *o, const struct preferences *p)
{
    if (says_anything(p)) {
        json_out_lit(o, ",\"provider\":");
        preferences_write_provider(p, o);
    }
    if (p->nmodels > 0) {
        json_out_lit(o, ",\"models\":");
        preferences_write_models(p, o);
    }
}

static void put_weights(struct json_out *o, const struct route_weights *w)
{
    PUT_NUMBER(o, ",\"weights\":[", w->price);
    PUT_NUMBER(o, ",", w->throughput);
    PUT_NUMBER(o, ",", w->latency);
    PUT_NUMBER(o, ",", w->reliability);
    json_out_lit(o, "]");
}

static void put_question(struct json_out *o, const struct plan_question *q)
{
    PUT_TEXT(o, ",\"model\":", q->model);
    if (q->key != NULL)
        put_reach(o, q->key);
    put_wishes(o, q->preferences);
    put_bits(o, SPAN_LIT(",\"uses\":["), q->used, CAPABILITIES, capability_name);
    put_bits(o, SPAN_LIT(",\"shows\":["), q->shown, MODALITIES, modality_name);
    PUT_NUMBER(o, ",\"prompt\":", q->prompt_tokens);
    PUT_NUMBER(o, ",\"output\":", q->output_tokens);
    if (q->max_tokens > 0)
        PUT_NUMBER(o, ",\"most\":", q->max_tokens);
    if (q->denies_collection)
        json_out_lit(o, ",\"denies_collection\":true");
    if (q->wants_zdr)
        json_out_lit(o, ",\"wants_zdr\":true");
    if (q->max_cost_multiplier > 0) {
        json_out_lit(o, ",\"max_cost\":");
        json_out_double(o, q->max_cost_multiplier);
    }
    if (q->sticky.len > 0)
        PUT_TEXT(o, ",\"sticky\":", q->sticky);
    put_weights(o, &q->weights);
    PUT_NUMBER(o, ",\"seed\":", q->seed);
}

/* --- who there was, and how they did -------------------------------------------------------------- */

static void put_quantiles(struct json_out *o, struct span before, const struct quantiles *known)
{
    if (known->samples == 0)
        return;
    for (unsigned q = 0; q < QUANTILES; q++) {
        json_out_span(o, q == 0 ? before : SPAN_LIT(","));
        json_out_double(o, known->at[q]);
    }
    PUT_NUMBER(o, ",", known->samples);
    json_out_lit(o, "]");
}

static void put_health(struct json_out *o, const struct target_health *h)
{
    PUT_NUMBER(o, ",\"ok\":", h->outcomes.ok);
    PUT_NUMBER(o, ",\"failed\":", h->outcomes.failed);
    put_quantiles(o, SPAN_LIT(",\"latency\":["), h->latency);
    put_quantiles(o, SPAN_LIT(",\"throughput\":["), h->throughput);
    if (h->is_open)
        json_out_lit(o, ",\"open\":true");
}

static void put_endpoint(struct json_out *o, const struct plan_question *q,
                         const struct considered *c)
{
    const struct target *t = c->target;
    PUT_TEXT(o, "{\"model\":", t->model_id);
    PUT_WORD(o, ",\"endpoint\":", t->slug);
    PUT_TEXT(o, ",\"as\":", t->upstream_model);
    if (q->has_own_key != NULL && q->has_own_key(q->arg, t))
        json_out_lit(o, ",\"own\":true");
    if (c->seen != NULL)
        put_health(o, c->seen);
    if (c->dropped_by != FILTER_NONE)
        PUT_WORD(o, ",\"by\":", span_text(filter_word(c->dropped_by)));
    json_out_lit(o, "}");
}

static void put_attempt(struct json_out *o, const struct planned_attempt *a)
{
    PUT_NUMBER(o, "{\"at\":", a->considered);
    if (a->with_own_key)
        json_out_lit(o, ",\"own\":true");
    PUT_WORD(o, ",\"place\":", span_text(place_word(a->place)));
    json_out_lit(o, "}");
}

static void put_plan(struct json_out *o, const struct plan_question *q, const struct plan *p)
{
    json_out_lit(o, ",\"endpoints\":[");
    for (unsigned i = 0; i < p->nconsidered; i++) {
        if (i > 0)
            json_out_lit(o, ",");
        put_endpoint(o, q, &p->considered[i]);
    }
    json_out_lit(o, "],\"plan\":[");
    for (unsigned i = 0; i < p->n; i++) {
        if (i > 0)
            json_out_lit(o, ",");
        put_attempt(o, &p->attempts[i]);
    }
    json_out_lit(o, "]");
}

int decision_write(const struct decision_note *n, struct buf *out)
{
    struct json_out o = json_out_to(out);
    PUT_NUMBER(&o, "{\"v\":1,\"ts\":", n->at_unix_ms);
    PUT_WORD(&o, ",\"id\":", n->request_id);
    PUT_WORD(&o, ",\"config\":", n->config);
    if (n->is_stream)
        json_out_lit(&o, ",\"stream\":true");
    put_question(&o, n->question);
    put_plan(&o, n->question, n->plan);
    if (n->why != NULL)
        PUT_WORD(&o, ",\"error\":", span_text(fault_type(n->why)));
    json_out_lit(&o, "}\n");
    return o.rc;
}
