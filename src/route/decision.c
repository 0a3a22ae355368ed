#include "sluice/route/decision.h"

#include "sluice/config/capabilities.h"
#include "sluice/format/json_line.h"
#include "sluice/format/json_out.h"

#include <errno.h>

/* Written for every request where it is wanted: short names, no number that is not known, and no piece
 * checked, for there is room for all of them. */

/* What is ours of a line, of one endpoint, of one more name. */
enum { LINE_ROOM = 4096, ENDPOINT_ROOM = 512, NAME_ROOM = 4 };

#define PUT(l, text) JSON_LINE_PUT(l, text)
#define PUT_TEXT(l, before, text) \
    do {                          \
        PUT(l, before);           \
        json_line_text(l, text);  \
    } while (0)
#define PUT_NUMBER(l, before, n) \
    do {                         \
        PUT(l, before);          \
        json_line_u64(l, n);     \
    } while (0)

/* A word of ours: nothing in it needs an escape. */
static void put_word(struct json_line *l, struct span before, struct span word)
{
    json_line_put(l, before);
    *l->at++ = '"';
    json_line_put(l, word);
    *l->at++ = '"';
}
#define PUT_WORD(l, before, word) put_word(l, SPAN_LIT(before), word)

static void put_bits(struct json_line *l, struct span before, unsigned bits, unsigned n,
                     const char *(*name)(unsigned bit))
{
    struct span between = before;
    for (unsigned bit = 0; bit < n && bits != 0; bit++) {
        if ((bits & 1u << bit) == 0)
            continue;
        put_word(l, between, span_text(name(bit)));
        between = SPAN_LIT(",");
    }
    if (between.at != before.at)
        PUT(l, "]");
}

/* --- what was asked ------------------------------------------------------------------------------- */

static void put_reach(struct json_line *l, const struct key_options *key)
{
    PUT(l, ",\"reach\":[");
    for (unsigned i = 0; i < key->models.n; i++) {
        if (i > 0)
            PUT(l, ",");
        json_line_text(l, span_text(key->models.at[i]));
    }
    PUT(l, "]");
}

static bool says_anything(const struct preferences *p)
{
    return p->order.is_said || p->only.is_said || p->ignore.is_said || p->sort != SORT_UNSAID ||
           p->min_throughput.is_said || p->max_latency.is_said || p->quantizations != 0 ||
           !p->allows_fallbacks || p->drops_parameters || p->denies_collection || p->wants_zdr ||
           p->wants_distillable;
}

/* Seldom there, and of any length: each piece finds its own room. */
static int add_wishes(const struct preferences *p, struct buf *out)
{
    struct json_out o = json_out_to(out);
    if (says_anything(p)) {
        json_out_lit(&o, ",\"provider\":");
        preferences_write_provider(p, &o);
    }
    if (p->nmodels > 0) {
        json_out_lit(&o, ",\"models\":");
        preferences_write_models(p, &o);
    }
    return o.rc;
}

static void put_weights(struct json_line *l, const struct route_weights *w)
{
    PUT_NUMBER(l, ",\"weights\":[", w->price);
    PUT_NUMBER(l, ",", w->throughput);
    PUT_NUMBER(l, ",", w->latency);
    PUT_NUMBER(l, ",", w->reliability);
    PUT(l, "]");
}

static void put_question(struct json_line *l, const struct plan_question *q)
{
    PUT_TEXT(l, ",\"model\":", q->model);
    if (q->key != NULL)
        put_reach(l, q->key);
    put_bits(l, SPAN_LIT(",\"uses\":["), q->used, CAPABILITIES, capability_name);
    put_bits(l, SPAN_LIT(",\"shows\":["), q->shown, MODALITIES, modality_name);
    put_bits(l, SPAN_LIT(",\"makes\":["), q->wanted, MODALITIES, modality_name);
    PUT_NUMBER(l, ",\"prompt\":", q->prompt_tokens);
    PUT_NUMBER(l, ",\"output\":", q->output_tokens);
    if (q->max_tokens > 0)
        PUT_NUMBER(l, ",\"most\":", q->max_tokens);
    if (q->denies_collection)
        PUT(l, ",\"denies_collection\":true");
    if (q->wants_zdr)
        PUT(l, ",\"wants_zdr\":true");
    if (q->max_cost_multiplier > 0) {
        PUT(l, ",\"max_cost\":");
        json_line_double(l, q->max_cost_multiplier);
    }
    if (q->has_own_key != NULL)
        PUT(l, ",\"own_keys\":true");
    if (q->sticky.len > 0)
        PUT_TEXT(l, ",\"sticky\":", q->sticky);
    put_weights(l, &q->weights);
    PUT_NUMBER(l, ",\"seed\":", q->seed);
}

/* --- who there was, and how they did -------------------------------------------------------------- */

static void put_quantiles(struct json_line *l, struct span before, const struct quantiles *known)
{
    if (known->samples == 0)
        return;
    for (unsigned q = 0; q < QUANTILES; q++) {
        json_line_put(l, q == 0 ? before : SPAN_LIT(","));
        json_line_double(l, known->at[q]);
    }
    PUT_NUMBER(l, ",", known->samples);
    PUT(l, "]");
}

static void put_health(struct json_line *l, const struct target_health *h)
{
    PUT_NUMBER(l, ",\"ok\":", h->outcomes.ok);
    PUT_NUMBER(l, ",\"failed\":", h->outcomes.failed);
    put_quantiles(l, SPAN_LIT(",\"latency\":["), h->latency);
    put_quantiles(l, SPAN_LIT(",\"throughput\":["), h->throughput);
    if (h->is_open)
        PUT(l, ",\"open\":true");
}

static void put_endpoint(struct json_line *l, const struct plan_question *q,
                         const struct considered *c)
{
    const struct target *t = c->target;
    PUT_TEXT(l, "{\"model\":", t->model_id);
    PUT_WORD(l, ",\"endpoint\":", t->slug);
    PUT_TEXT(l, ",\"as\":", t->upstream_model);
    if (q->has_own_key != NULL && q->has_own_key(q->arg, t)) {
        PUT(l, ",\"own\":true");
        if (q->is_own_open != NULL && q->is_own_open(q->arg, t))
            PUT(l, ",\"own_open\":true");
    }
    if (c->seen != NULL)
        put_health(l, c->seen);
    if (c->dropped_by != FILTER_NONE)
        PUT_WORD(l, ",\"by\":", span_text(filter_word(c->dropped_by)));
    PUT(l, "}");
}

static void put_attempt(struct json_line *l, const struct planned_attempt *a)
{
    PUT_NUMBER(l, "{\"at\":", a->considered);
    if (a->with_own_key)
        PUT(l, ",\"own\":true");
    PUT_WORD(l, ",\"place\":", span_text(place_word(a->place)));
    PUT(l, "}");
}

static void put_plan(struct json_line *l, const struct plan_question *q, const struct plan *p)
{
    PUT(l, ",\"endpoints\":[");
    for (unsigned i = 0; i < p->nconsidered; i++) {
        if (i > 0)
            PUT(l, ",");
        put_endpoint(l, q, &p->considered[i]);
    }
    PUT(l, "],\"plan\":[");
    for (unsigned i = 0; i < p->n; i++) {
        if (i > 0)
            PUT(l, ",");
        put_attempt(l, &p->attempts[i]);
    }
    PUT(l, "]");
}

/* --- the line ------------------------------------------------------------------------------------- */

/* More than all of it takes, but for the wishes. */
static size_t room_for(const struct decision_note *n)
{
    const struct plan_question *q = n->question;
    size_t room = LINE_ROOM + JSON_LINE_TEXT(q->model.len) + JSON_LINE_TEXT(q->sticky.len);
    for (unsigned i = 0; i < n->plan->nconsidered; i++) {
        const struct target *t = n->plan->considered[i].target;
        room += ENDPOINT_ROOM + JSON_LINE_TEXT(t->model_id.len) + t->slug.len +
                JSON_LINE_TEXT(t->upstream_model.len);
    }
    for (unsigned i = 0; q->key != NULL && i < q->key->models.n; i++)
        room += NAME_ROOM + JSON_LINE_TEXT(strlen(q->key->models.at[i]));
    return room;
}

static void put_line(struct json_line *l, const struct decision_note *n)
{
    PUT_NUMBER(l, ",\"ts\":", n->at_unix_ms);
    PUT_WORD(l, ",\"id\":", n->request_id);
    PUT_WORD(l, ",\"config\":", n->config);
    if (n->is_stream)
        PUT(l, ",\"stream\":true");
    put_question(l, n->question);
    put_plan(l, n->question, n->plan);
    if (n->why != NULL)
        PUT_WORD(l, ",\"error\":", span_text(fault_type(n->why)));
    PUT(l, "}\n");
}

int decision_write(const struct decision_note *n, struct buf *out)
{
    enum { ROOM_MAX = 8 * DECISION_MAX }; /* names of which hardly a byte is plain */
    size_t before = buf_len(out), room = room_for(n);
    int rc = room > ROOM_MAX ? -EMSGSIZE : buf_add_text(out, "{\"v\":1");
    if (rc == 0)
        rc = add_wishes(n->question->preferences, out);
    if (rc == 0)
        rc = buf_reserve(out, room);
    if (rc == 0) {
        struct json_line line = {out->at + out->tail};
        put_line(&line, n);
        out->tail = (size_t)(line.at - out->at);
        rc = buf_len(out) - before > DECISION_MAX ? -EMSGSIZE : 0;
    }
    if (rc < 0)
        out->tail = out->head + before;
    return rc;
}
