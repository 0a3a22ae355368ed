#include "sluice/route/explanation.h"

#include "sluice/config/capabilities.h"
#include "sluice/format/json_out.h"
#include "sluice/meter/cost.h"

#include <stdio.h>

/* What a key may not use is nobody's business who holds it. */
static bool is_told(const struct considered *c)
{
    return c->dropped_by != FILTER_KEY;
}

static bool is_dropped(const struct considered *c)
{
    return is_told(c) && c->dropped_by != FILTER_NONE;
}

/* --- the field ------------------------------------------------------------------------------------ */

enum { ENTRY_MAX = 192, CUT_ROOM = sizeof "), cut=4294967295" };

struct field {
    char *out;
    size_t len;
    const char *section; /* under way; NULL: none has begun */
    unsigned cut;
};

/* An entry that does not fit does not begin its section either. */
static void add_entry(struct field *f, const char *section, const char *entry, int len)
{
    char before[32] = " ";
    bool is_first = f->section != section;
    if (is_first)
        snprintf(before, sizeof before, "%s%s=(", f->section != NULL ? "), " : "", section);
    size_t more = strlen(before) + (size_t)len;
    if (len >= ENTRY_MAX || f->len + more + CUT_ROOM > EXPLANATION_FIELD_MAX) {
        f->cut++;
        return;
    }
    memcpy(f->out + f->len, before, strlen(before));
    memcpy(f->out + f->len + strlen(before), entry, (size_t)len);
    f->len += more;
    f->section = section;
}

/* What a string of a structured field may hold; names of models may hold anything. */
static int put_string(char out[ENTRY_MAX], struct span text)
{
    size_t n = 0;
    if (text.len + 2 >= ENTRY_MAX)
        return ENTRY_MAX;
    out[n++] = '"';
    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = text.at[i];
        out[n++] = (char)(c < ' ' || c > '~' || c == '"' || c == '\\' ? '?' : c);
    }
    out[n++] = '"';
    return (int)n;
}

#define MORE(entry, n, ...) \
    ((n) < ENTRY_MAX ? (n) + snprintf((entry) + (n), (size_t)(ENTRY_MAX - (n)), __VA_ARGS__) : (n))

static void add_tried(struct field *f, const struct explained_attempt *a)
{
    char entry[ENTRY_MAX];
    int n = put_string(entry, a->endpoint);
    if (a->status > 0)
        n = MORE(entry, n, ";s=%u", a->status);
    if (a->result != NULL)
        n = MORE(entry, n, ";%s", a->result);
    n = MORE(entry, n, ";ms=%u", a->ms);
    add_entry(f, "tried", entry, n);
}

/* The model is told where it is another than the one before. */
static int put_model(char *entry, int n, const struct target *t, struct span *before)
{
    char name[ENTRY_MAX];
    bool is_new = before->at != NULL && !span_eq(*before, t->model_id);
    *before = t->model_id;
    if (!is_new)
        return n;
    int len = put_string(name, t->model_id);
    return len < ENTRY_MAX ? MORE(entry, n, ";model=%.*s", len, name) : ENTRY_MAX;
}

static void add_planned(struct field *f, const struct planned_attempt *a, struct span *model)
{
    char entry[ENTRY_MAX];
    int n = put_string(entry, a->target->slug);
    n = MORE(entry, n, ";%s%s", place_word(a->place), a->with_own_key ? ";own" : "");
    add_entry(f, "plan", entry, put_model(entry, n, a->target, model));
}

static void add_dropped(struct field *f, const struct considered *c, struct span *model)
{
    char entry[ENTRY_MAX];
    int n = put_string(entry, c->target->slug);
    n = MORE(entry, n, ";%s", filter_word(c->dropped_by));
    for (unsigned bit = 0, k = 0; c->dropped_by == FILTER_PARAMETERS && bit < CAPABILITIES; bit++) {
        if (c->missing & 1u << bit)
            n = MORE(entry, n, "%s%s", k++ == 0 ? "=\"" : " ", capability_name(bit));
    }
    if (c->dropped_by == FILTER_PARAMETERS)
        n = MORE(entry, n, "\"");
    add_entry(f, "dropped", entry, put_model(entry, n, c->target, model));
}

static int put_cut(char *at, const struct field *f)
{
    const char *close = f->section != NULL ? ")" : "", *between = f->section != NULL ? ", " : "";
    if (f->cut == 0)
        return snprintf(at, CUT_ROOM, "%s", close);
    return snprintf(at, CUT_ROOM, "%s%scut=%u", close, between, f->cut);
}

struct span explanation_field(const struct plan *p, const struct explained_attempt *tried,
                              unsigned ntried, char out[EXPLANATION_FIELD_MAX])
{
    struct field f = {.out = out};
    struct span model = SPAN_NONE;
    for (unsigned i = 0; i < ntried; i++)
        add_tried(&f, &tried[i]);
    for (unsigned i = 0; i < p->n; i++)
        add_planned(&f, &p->attempts[i], &model);
    for (unsigned i = 0; i < p->nconsidered; i++) {
        if (is_dropped(&p->considered[i]))
            add_dropped(&f, &p->considered[i], &model);
    }
    return span_of(out, f.len + (size_t)put_cut(out + f.len, &f));
}

/* --- the object: the question --------------------------------------------------------------------- */

static void put_text(struct json_out *o, const char *before, struct span text)
{
    json_out_span(o, span_text(before));
    json_out_bytes(o, text);
}

static void put_number(struct json_out *o, const char *before, uint64_t n)
{
    json_out_span(o, span_text(before));
    json_out_u64(o, n);
}

static void put_double(struct json_out *o, const char *before, double v)
{
    json_out_span(o, span_text(before));
    json_out_double(o, v);
}

static void put_bits(struct json_out *o, const char *before, unsigned bits, unsigned n,
                     const char *(*name)(unsigned bit))
{
    const char *between = "";
    json_out_span(o, span_text(before));
    json_out_lit(o, "[");
    for (unsigned bit = 0; bit < n; bit++) {
        if ((bits & 1u << bit) == 0)
            continue;
        put_text(o, between, span_text(name(bit)));
        between = ",";
    }
    json_out_lit(o, "]");
}

static void put_resolved(struct json_out *o, const struct plan *p)
{
    struct span before = SPAN_NONE;
    const char *between = "";
    json_out_lit(o, ",\"resolved\":[");
    for (unsigned i = 0; i < p->nconsidered; i++) {
        const struct considered *c = &p->considered[i];
        if (!is_told(c) || (before.at != NULL && span_eq(before, c->target->model_id)))
            continue;
        before = c->target->model_id;
        put_text(o, between, before);
        between = ",";
    }
    json_out_lit(o, "]");
}

static void put_weights(struct json_out *o, const struct route_weights *w)
{
    put_number(o, ",\"weights\":{\"price\":", w->price);
    put_number(o, ",\"throughput\":", w->throughput);
    put_number(o, ",\"latency\":", w->latency);
    put_number(o, ",\"reliability\":", w->reliability);
    json_out_lit(o, "}");
}

static void put_question(struct json_out *o, const struct plan_question *q, const struct plan *p)
{
    put_text(o, "{\"object\":\"route.explanation\",\"model\":", q->model);
    json_out_lit(o, ",\"models\":");
    preferences_write_models(q->preferences, o);
    put_resolved(o, p);
    json_out_lit(o, ",\"provider\":");
    preferences_write_provider(q->preferences, o);
    put_number(o, ",\"prompt_tokens\":", q->prompt_tokens);
    put_number(o, ",\"output_tokens\":", q->output_tokens);
    if (q->max_tokens > 0)
        put_number(o, ",\"max_tokens\":", q->max_tokens);
    put_bits(o, ",\"uses\":", q->used, CAPABILITIES, capability_name);
    put_bits(o, ",\"shows\":", q->shown, MODALITIES, modality_name);
    if (q->sticky.len > 0)
        put_text(o, ",\"conversation_at\":", q->sticky);
    if (q->denies_collection)
        json_out_lit(o, ",\"denies_collection\":true");
    if (q->wants_zdr)
        json_out_lit(o, ",\"wants_zdr\":true");
    if (q->max_cost_multiplier > 0)
        put_double(o, ",\"max_cost_multiplier\":", q->max_cost_multiplier);
    put_weights(o, &q->weights);
    put_number(o, ",\"seed\":\"", q->seed); /* larger than JavaScript's numbers are exact */
    json_out_lit(o, "\"");
}

/* --- the object: endpoints ------------------------------------------------------------------------ */

static void put_quantiles(struct json_out *o, const char *before, const struct quantiles *known)
{
    if (known->samples == 0)
        return;
    put_double(o, before, known->at[P50]);
    put_double(o, ",\"p75\":", known->at[P75]);
    put_double(o, ",\"p90\":", known->at[P90]);
    put_double(o, ",\"p99\":", known->at[P99]);
    put_number(o, ",\"samples\":", known->samples);
    json_out_lit(o, "}");
}

/* For people and their spreadsheets: six digits say it all. */
static void put_rounded(struct json_out *o, const char *before, double v)
{
    put_double(o, before, (double)(uint64_t)(v * 1e6 + 0.5) / 1e6);
}

/* What is known of one that somebody looked at. */
static void put_figures(struct json_out *o, const struct considered *c)
{
    const struct target_health *seen = c->seen;
    if (seen == NULL)
        return;
    if (c->cost >= 0 && c->cost < 1e18 && o->rc == 0) {
        json_out_lit(o, ",\"cost_usd\":");
        o->rc = o->rc == 0 ? cost_write_usd((uint64_t)c->cost, o->buf) : o->rc;
    }
    put_quantiles(o, ",\"latency_s\":{\"p50\":", seen->latency);
    put_quantiles(o, ",\"tokens_per_s\":{\"p50\":", seen->throughput);
    if (seen->outcomes.ok + seen->outcomes.failed > 0) {
        put_rounded(o, ",\"reliability\":", c->reliability);
        put_number(o, ",\"ok\":", seen->outcomes.ok);
        put_number(o, ",\"failed\":", seen->outcomes.failed);
    }
    put_rounded(o, ",\"score\":", c->score);
}

static void put_marks(struct json_out *o, const struct considered *c)
{
    if (c->is_open)
        json_out_lit(o, ",\"circuit_open\":true");
    if (c->is_slow)
        json_out_lit(o, ",\"slow\":true");
    if (c->is_sticky)
        json_out_lit(o, ",\"has_conversation\":true");
}

static void put_missing(struct json_out *o, const struct plan_question *q,
                        const struct considered *c)
{
    if (c->dropped_by == FILTER_PARAMETERS)
        put_bits(o, ",\"missing\":", c->missing, CAPABILITIES, capability_name);
    if (c->dropped_by == FILTER_MODALITY)
        put_bits(o, ",\"missing\":", q->shown & ~c->target->input, MODALITIES, modality_name);
}

static void put_endpoint(struct json_out *o, const char *before, const struct target *t,
                         const char *word_name, const char *word, const char *phrase)
{
    put_text(o, before, t->slug);
    put_text(o, ",\"model\":", t->model_id);
    put_text(o, word_name, span_text(word));
    put_text(o, ",\"reason\":", span_text(phrase));
}

static void put_plan(struct json_out *o, const struct plan *p)
{
    json_out_lit(o, ",\"plan\":[");
    for (unsigned i = 0; i < p->n; i++) {
        const struct planned_attempt *a = &p->attempts[i];
        const struct considered *c = &p->considered[a->considered];
        put_endpoint(o, i == 0 ? "{\"endpoint\":" : ",{\"endpoint\":", a->target,
                     ",\"place\":", place_word(a->place), place_phrase(a->place));
        if (a->with_own_key)
            json_out_lit(o, ",\"own_key\":true");
        put_marks(o, c);
        put_figures(o, c);
        json_out_lit(o, "}");
    }
    json_out_lit(o, "]");
}

static void put_dropped(struct json_out *o, const struct plan_question *q, const struct plan *p)
{
    const char *before = "{\"endpoint\":";
    json_out_lit(o, ",\"dropped\":[");
    for (unsigned i = 0; i < p->nconsidered; i++) {
        const struct considered *c = &p->considered[i];
        if (!is_dropped(c))
            continue;
        put_endpoint(o, before, c->target, ",\"by\":", filter_word(c->dropped_by),
                     filter_phrase(c->dropped_by));
        put_missing(o, q, c);
        put_marks(o, c);
        put_figures(o, c);
        json_out_lit(o, "}");
        before = ",{\"endpoint\":";
    }
    json_out_lit(o, "]");
}

static void put_fault(struct json_out *o, const struct fault *why)
{
    if (why == NULL)
        return;
    put_number(o, ",\"error\":{\"status\":", fault_status(why));
    put_text(o, ",\"type\":", span_text(fault_type(why)));
    put_text(o, ",\"param\":", span_text(why->param));
    put_text(o, ",\"message\":", span_text(why->message));
    json_out_lit(o, "}");
}

int explanation_write(const struct plan_question *q, const struct plan *p, const struct fault *why,
                      struct buf *out)
{
    struct json_out o = json_out_to(out);
    put_question(&o, q, p);
    put_plan(&o, p);
    put_dropped(&o, q, p);
    put_fault(&o, why);
    json_out_lit(&o, "}");
    return o.rc;
}
