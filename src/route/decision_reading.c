#include "sluice/config/capabilities.h"
#include "sluice/format/json_walk.h"
#include "sluice/route/decision.h"

#include <stdlib.h>

/* Lines come from a file: whatever does not fit is told by the member it is in, and ends the reading
 * of that line. Members nobody knows are passed over: a later version may have written them. */

struct reading {
    struct arena *a;
    struct err *why;
    const char *member; /* under way */
};

static bool refuse(const struct reading *g, const char *problem)
{
    (void)err_set(g->why, "\"%s\" %s", g->member, problem);
    return false;
}

/* --- single values -------------------------------------------------------------------------------- */

static bool read_text(const struct reading *g, struct span value, struct span *out)
{
    char *text = arena_alloc(g->a, value.len + 1);
    long len = json_string(value, text, value.len + 1);
    *out = span_of(text, len > 0 ? (size_t)len : 0);
    return len >= 0 || refuse(g, "must be a text");
}

static bool read_number(const struct reading *g, struct span value, uint64_t *out)
{
    return json_u64(value, out) || refuse(g, "must be a whole number");
}

static bool read_u32(const struct reading *g, struct span value, uint32_t *out)
{
    uint64_t n = 0;
    if (!read_number(g, value, &n))
        return false;
    *out = (uint32_t)n;
    return n <= UINT32_MAX || refuse(g, "is too large");
}

static bool read_double(const struct reading *g, struct span lexeme, double *out)
{
    char text[40], *end;
    if (lexeme.len == 0 || lexeme.len >= sizeof text)
        return refuse(g, "must be a number");
    memcpy(text, lexeme.at, lexeme.len);
    text[lexeme.len] = '\0';
    *out = strtod(text, &end);
    return (end == text + lexeme.len && *out >= 0 && *out < 1e300) || refuse(g, "must be a number");
}

static bool read_flag(const struct reading *g, struct span value, bool *out)
{
    *out = json_is_true(value);
    return *out || span_eq(value, SPAN_LIT("false")) || refuse(g, "must be true or false");
}

static bool read_word(const struct reading *g, struct span value, unsigned n,
                      const char *(*word)(unsigned v), unsigned *out)
{
    for (*out = 0; *out < n; ++*out) {
        if (span_eq(json_raw(value), span_text(word(*out))))
            return true;
    }
    return refuse(g, "is a word that is not known here");
}

static bool read_bits(const struct reading *g, struct span list, unsigned n,
                      const char *(*name)(unsigned bit), unsigned *out)
{
    struct span element;
    size_t cursor = 0;
    while (json_each(list, &cursor, &element)) {
        unsigned bit;
        if (!read_word(g, element, n, name, &bit))
            return false;
        *out |= 1u << bit;
    }
    return true;
}

static const char *filter_at(unsigned v)
{
    return filter_word((enum filter)v);
}

static const char *place_at(unsigned v)
{
    return place_word((enum place)v);
}

static unsigned count(struct span list)
{
    struct span element;
    size_t cursor = 0;
    unsigned n = 0;
    while (json_each(list, &cursor, &element))
        n++;
    return n;
}

static bool read_reach(const struct reading *g, struct span list, struct decision *d)
{
    struct span element, name;
    size_t cursor = 0;
    const char **at = ARENA_ARRAY(g->a, const char *, count(list) + 1);
    d->key.models.n = 0;
    while (json_each(list, &cursor, &element)) {
        if (!read_text(g, element, &name))
            return false;
        at[d->key.models.n++] = (const char *)name.at;
    }
    d->key.models.at = at;
    d->question.key = &d->key;
    return true;
}

static bool read_weights(const struct reading *g, struct span list, struct route_weights *w)
{
    unsigned *const into[] = {&w->price, &w->throughput, &w->latency, &w->reliability};
    struct span element;
    size_t cursor = 0;
    unsigned n = 0;
    while (json_each(list, &cursor, &element)) {
        if (n == 4 || !read_u32(g, element, into[n]))
            return refuse(g, "must be four numbers");
        n++;
    }
    return n == 4 || refuse(g, "must be four numbers");
}

/* --- endpoints ------------------------------------------------------------------------------------ */

/* p50, p75, p90, p99 and how many samples they are of. */
static bool read_quantiles(const struct reading *g, struct span list, struct quantiles *out)
{
    struct span element;
    size_t cursor = 0;
    unsigned n = 0;
    while (json_each(list, &cursor, &element)) {
        bool ok = n < QUANTILES    ? read_double(g, element, &out->at[n])
                  : n == QUANTILES ? read_u32(g, element, &out->samples)
                                   : refuse(g, "has too many numbers");
        if (!ok)
            return false;
        n++;
    }
    return n == QUANTILES + 1 || refuse(g, "must be five numbers");
}

static bool read_endpoint_member(struct reading *g, const struct json_walk *w,
                                 struct decided_endpoint *e)
{
#define IS(name) (json_walk_is(w, name) && (g->member = "endpoints." name) != NULL)
    unsigned v = 0;
    if (IS("model"))
        return read_text(g, w->value, &e->model);
    if (IS("endpoint"))
        return read_text(g, w->value, &e->slug);
    if (IS("as"))
        return read_text(g, w->value, &e->upstream);
    if (IS("own"))
        return read_flag(g, w->value, &e->has_own_key);
    if (IS("own_open"))
        return read_flag(g, w->value, &e->is_own_open);
    if (IS("by")) {
        bool ok = read_word(g, w->value, FILTERS, filter_at, &v);
        e->dropped_by = (enum filter)v;
        return ok;
    }
    if (IS("ok")) {
        e->is_seen = true;
        return read_u32(g, w->value, &e->outcomes.ok);
    }
    if (IS("failed"))
        return read_u32(g, w->value, &e->outcomes.failed);
    if (IS("latency"))
        return read_quantiles(g, w->value, &e->latency);
    if (IS("throughput"))
        return read_quantiles(g, w->value, &e->throughput);
    if (IS("open"))
        return read_flag(g, w->value, &e->is_open);
    return true;
#undef IS
}

static bool read_endpoints(struct reading *g, struct span list, struct decision *d)
{
    struct span element;
    size_t cursor = 0;
    d->endpoints = ARENA_ARRAY(g->a, struct decided_endpoint, count(list) + 1);
    d->nendpoints = 0;
    while (json_each(list, &cursor, &element)) {
        struct json_walk w;
        json_walk_init(&w, element);
        while (json_walk_next(&w)) {
            if (!read_endpoint_member(g, &w, &d->endpoints[d->nendpoints]))
                return false;
        }
        d->nendpoints++;
    }
    return true;
}

static bool read_attempt(struct reading *g, struct span object, struct decided_attempt *out)
{
#define IS(name) (json_walk_is(&w, name) && (g->member = "plan." name) != NULL)
    struct json_walk w;
    unsigned v = 0;
    json_walk_init(&w, object);
    while (json_walk_next(&w)) {
        bool ok = IS("at")      ? read_u32(g, w.value, &out->at)
                  : IS("own")   ? read_flag(g, w.value, &out->with_own_key)
                  : IS("place") ? read_word(g, w.value, PLACES, place_at, &v)
                                : true;
        if (!ok)
            return false;
    }
    out->place = (enum place)v;
    return true;
#undef IS
}

static bool read_plan(struct reading *g, struct span list, struct decision *d)
{
    struct span element;
    size_t cursor = 0;
    d->nplan = 0;
    while (json_each(list, &cursor, &element)) {
        if (d->nplan == PLAN_ATTEMPTS_MAX)
            return refuse(g, "has too many attempts");
        if (!read_attempt(g, element, &d->plan[d->nplan++]))
            return false;
    }
    return true;
}

/* --- the line ------------------------------------------------------------------------------------- */

enum seen { SEEN_VERSION = 1, SEEN_MODEL = 2, SEEN_SEED = 4, SEEN_ENDPOINTS = 8, SEEN_PLAN = 16 };
#define SEEN_ALL (SEEN_VERSION | SEEN_MODEL | SEEN_SEED | SEEN_ENDPOINTS | SEEN_PLAN)

struct wishes {
    struct span provider, models;
};

static bool read_version(const struct reading *g, struct span value)
{
    return span_eq(value, SPAN_LIT("1")) || refuse(g, "is not 1: another sluice has written it");
}

static bool read_question_member(struct reading *g, const struct json_walk *w, struct decision *d,
                                 struct wishes *wishes)
{
#define IS(name) (json_walk_is(w, name) && (g->member = (name)) != NULL)
    struct plan_question *q = &d->question;
    if (IS("reach"))
        return read_reach(g, w->value, d);
    if (IS("provider"))
        wishes->provider = w->value;
    else if (IS("models"))
        wishes->models = w->value;
    else if (IS("uses"))
        return read_bits(g, w->value, CAPABILITIES, capability_name, &q->used);
    else if (IS("shows"))
        return read_bits(g, w->value, MODALITIES, modality_name, &q->shown);
    else if (IS("makes"))
        return read_bits(g, w->value, MODALITIES, modality_name, &q->wanted);
    else if (IS("prompt"))
        return read_number(g, w->value, &q->prompt_tokens);
    else if (IS("output"))
        return read_number(g, w->value, &q->output_tokens);
    else if (IS("most"))
        return read_number(g, w->value, &q->max_tokens);
    else if (IS("denies_collection"))
        return read_flag(g, w->value, &q->denies_collection);
    else if (IS("wants_zdr"))
        return read_flag(g, w->value, &q->wants_zdr);
    else if (IS("max_cost"))
        return read_double(g, w->value, &q->max_cost_multiplier);
    else if (IS("sticky"))
        return read_text(g, w->value, &q->sticky);
    else if (IS("weights"))
        return read_weights(g, w->value, &q->weights);
    return true;
}

static bool read_member(struct reading *g, const struct json_walk *w, struct decision *d,
                        struct wishes *wishes, unsigned *seen)
{
#define MUST(name, bit) (IS(name) && (*seen |= (bit)) != 0)
    if (MUST("v", SEEN_VERSION))
        return read_version(g, w->value);
    if (MUST("model", SEEN_MODEL))
        return read_text(g, w->value, &d->question.model);
    if (MUST("seed", SEEN_SEED))
        return read_number(g, w->value, &d->question.seed);
    if (MUST("endpoints", SEEN_ENDPOINTS))
        return read_endpoints(g, w->value, d);
    if (MUST("plan", SEEN_PLAN))
        return read_plan(g, w->value, d);
    if (IS("ts"))
        return read_number(g, w->value, &d->at_unix_ms);
    if (IS("id"))
        return read_text(g, w->value, &d->request_id);
    if (IS("config"))
        return read_text(g, w->value, &d->config);
    if (IS("own_keys"))
        return read_flag(g, w->value, &d->asks_own_keys);
    if (IS("stream"))
        return read_flag(g, w->value, &d->is_stream);
    if (IS("error"))
        return read_text(g, w->value, &d->error);
    return read_question_member(g, w, d, wishes);
#undef MUST
#undef IS
}

static bool read_wishes(const struct reading *g, const struct wishes *wishes, struct decision *d)
{
    struct fault why;
    if (preferences_read(wishes->provider, wishes->models, g->a, &d->preferences, &why))
        return true;
    (void)err_set(g->why, "%s", why.message);
    return false;
}

static bool is_sound(const struct decision *d, struct err *why)
{
    for (unsigned i = 0; i < d->nplan; i++) {
        if (d->plan[i].at >= d->nendpoints) {
            (void)err_set(why, "\"plan.at\" names none of the endpoints");
            return false;
        }
    }
    return true;
}

bool decision_read(struct span line, struct arena *a, struct decision *out, struct err *why)
{
    struct reading g = {.a = a, .why = why, .member = ""};
    struct wishes wishes = {.provider = SPAN_NONE};
    struct json_walk w;
    unsigned seen = 0;
    *out = (struct decision){.question = {.tells_all = true}};
    json_walk_init(&w, line);
    while (json_walk_next(&w)) {
        if (!read_member(&g, &w, out, &wishes, &seen))
            return false;
    }
    if (!json_walk_is_complete(&w) || seen != SEEN_ALL) {
        (void)err_set(why, json_walk_is_complete(&w) ? "it is no decision: members are missing"
                                                     : "it is cut off, or no JSON");
        return false;
    }
    return read_wishes(&g, &wishes, out) && is_sound(out, why);
}
