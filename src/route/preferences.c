#include "sluice/route/preferences.h"

#include "sluice/catalog/slug.h"
#include "sluice/config/capabilities.h"
#include "sluice/format/json_walk.h"

#include <stdio.h>
#include <stdlib.h>

/* One reading: `member` is the one under way, for the path of what is wrong. */
struct reading {
    const char *member;
    struct arena *a;
    struct fault *why;
};

static bool refuse(const struct reading *g, const char *problem)
{
    *g->why = (struct fault){
        .kind = FAULT_INVALID_REQUEST,
        .param = arena_printf(g->a, "provider.%s", g->member),
    };
    snprintf(g->why->message, sizeof g->why->message, "\"provider.%s\" %s", g->member, problem);
    return false;
}

static bool read_text(struct span value, struct arena *a, struct span *out)
{
    char *text = arena_alloc(a, value.len + 1);
    long len = json_string(value, text, value.len + 1);
    *out = span_of(text, len > 0 ? (size_t)len : 0);
    return len > 0;
}

static bool read_slugs(const struct reading *g, struct span value, struct slugs *out)
{
    struct span element, text;
    size_t cursor = 0;
    *out = (struct slugs){.at = ARENA_ARRAY(g->a, struct span, PREFERENCES_LIST_MAX),
                          .is_said = true};
    if (value.len == 0 || value.at[0] != '[')
        return refuse(g, "must be a list of providers: [\"openai\", \"azure\"]");
    while (json_each(value, &cursor, &element)) {
        if (!read_text(element, g->a, &text))
            return refuse(g, "must be a list of providers: [\"openai\", \"azure\"]");
        if (out->n == PREFERENCES_LIST_MAX)
            return refuse(g, "names too many providers");
        out->at[out->n++] = slug_make(text, g->a);
    }
    return true;
}

static bool read_bool(const struct reading *g, const struct json_walk *w, bool *out)
{
    if (w->kind != JSON_TRUE && w->kind != JSON_FALSE)
        return refuse(g, "must be true or false");
    *out = w->kind == JSON_TRUE;
    return true;
}

/* The opposite of what is said. */
static bool read_unless(const struct reading *g, const struct json_walk *w, bool *out)
{
    bool yes = false;
    if (!read_bool(g, w, &yes))
        return false;
    *out = !yes;
    return true;
}

static bool read_sort(const struct reading *g, const struct json_walk *w, enum sort_by *out)
{
    static const char *const words[] = {
        [SORT_PRICE] = "\"price\"",
        [SORT_THROUGHPUT] = "\"throughput\"",
        [SORT_LATENCY] = "\"latency\"",
    };
    struct span value = w->value;
    struct json_member by;
    if (w->kind == JSON_OBJECT)
        value = json_get(w->value, "by", &by) ? json_value(w->value, &by) : SPAN_NONE;
    for (unsigned i = SORT_PRICE; i <= SORT_LATENCY; i++) {
        if (span_eq(value, span_text(words[i]))) {
            *out = (enum sort_by)i;
            return true;
        }
    }
    return refuse(g, "must be \"price\", \"throughput\" or \"latency\"");
}

static bool read_number(struct span lexeme, double *out)
{
    char text[40], *end;
    if (lexeme.len == 0 || lexeme.len >= sizeof text)
        return false;
    memcpy(text, lexeme.at, lexeme.len);
    text[lexeme.len] = '\0';
    *out = strtod(text, &end);
    return end == text + lexeme.len && *out > 0 && *out < 1e12;
}

static bool read_cutoffs(const struct reading *g, const struct json_walk *w, struct cutoffs *out)
{
    static const char *const names[QUANTILES] = {"p50", "p75", "p90", "p99"};
    static const char problem[] =
        "must be a number above 0, or an object of them: {\"p50\": 2, \"p90\": 5}";
    struct json_walk each;
    out->is_said = true;
    if (w->kind != JSON_OBJECT)
        return read_number(w->value, &out->at[P50]) || refuse(g, problem);
    json_walk_init(&each, w->value);
    while (json_walk_next(&each)) {
        unsigned q = 0;
        while (q < QUANTILES && !json_walk_is(&each, names[q]))
            q++;
        if (q == QUANTILES || !read_number(each.value, &out->at[q]))
            return refuse(g, problem);
    }
    return true;
}

static bool read_quantizations(const struct reading *g, struct span value, unsigned *out)
{
    struct span element, text;
    size_t cursor = 0;
    static const char problem[] = "must list some of fp32, bf16, fp16, fp8, int8, int4 and none";
    if (value.len == 0 || value.at[0] != '[')
        return refuse(g, problem);
    while (json_each(value, &cursor, &element)) {
        int q = read_text(element, g->a, &text) ? quantization_of(text) : -1;
        if (q < 0)
            return refuse(g, problem);
        *out |= 1u << q;
    }
    return true;
}

static bool read_collection(const struct reading *g, const struct json_walk *w, bool *out)
{
    *out = span_eq(w->value, SPAN_LIT("\"deny\""));
    return *out || span_eq(w->value, SPAN_LIT("\"allow\"")) ||
           refuse(g, "must be \"allow\" or \"deny\"");
}

static bool read_member(struct reading *g, const struct json_walk *w, struct preferences *p)
{
#define IS(name) (json_walk_is(w, name) && (g->member = (name)) != NULL)
    if (w->kind == JSON_NULL)
        return true; /* as if absent: SDKs write what was left out so */
    if (IS("order"))
        return read_slugs(g, w->value, &p->order);
    if (IS("only"))
        return read_slugs(g, w->value, &p->only);
    if (IS("ignore"))
        return read_slugs(g, w->value, &p->ignore);
    if (IS("sort"))
        return read_sort(g, w, &p->sort);
    if (IS("preferred_min_throughput"))
        return read_cutoffs(g, w, &p->min_throughput);
    if (IS("preferred_max_latency"))
        return read_cutoffs(g, w, &p->max_latency);
    if (IS("quantizations"))
        return read_quantizations(g, w->value, &p->quantizations);
    if (IS("allow_fallbacks"))
        return read_bool(g, w, &p->allows_fallbacks);
    if (IS("require_parameters"))
        return read_unless(g, w, &p->drops_parameters);
    if (IS("data_collection"))
        return read_collection(g, w, &p->denies_collection);
    if (IS("zdr"))
        return read_bool(g, w, &p->wants_zdr);
    if (IS("enforce_distillable_text"))
        return read_bool(g, w, &p->wants_distillable);
    if (IS("hedge"))
        return read_unless(g, w, &p->forbids_hedge);
    return true;
#undef IS
}

static bool add_model(struct span value, struct arena *a, struct preferences *p)
{
    if (p->nmodels == PREFERENCES_MODELS_MAX)
        return false;
    p->nmodels++;
    return read_text(value, a, &p->models[p->nmodels - 1]);
}

static bool read_models(struct span value, struct arena *a, struct preferences *p,
                        struct fault *why)
{
    struct span element;
    size_t cursor = 0;
    bool ok = true;
    if (value.len == 0 || span_eq(value, SPAN_LIT("null")))
        return true;
    if (value.at[0] == '"') { /* one, D-11 */
        ok = add_model(value, a, p);
    } else {
        ok = value.at[0] == '[';
        while (ok && json_each(value, &cursor, &element))
            ok = add_model(element, a, p);
    }
    if (ok)
        return true;
    *why = (struct fault){.kind = FAULT_INVALID_REQUEST, .param = "models"};
    snprintf(why->message, sizeof why->message,
             "\"models\" must be a model, or a list of %u at most", PREFERENCES_MODELS_MAX);
    return false;
}

bool preferences_read(struct span provider, struct span models, struct arena *a,
                      struct preferences *out, struct fault *why)
{
    struct reading g = {.a = a, .why = why};
    struct json_walk w;
    *out = (struct preferences){.allows_fallbacks = true};
    if (!read_models(models, a, out, why))
        return false;
    if (provider.len == 0 || span_eq(provider, SPAN_LIT("null")))
        return true;
    if (provider.at[0] != '{') {
        *why = (struct fault){.kind = FAULT_INVALID_REQUEST, .param = "provider"};
        snprintf(why->message, sizeof why->message, "\"provider\" must be an object");
        return false;
    }
    json_walk_init(&w, provider);
    while (json_walk_next(&w)) {
        if (!read_member(&g, &w, out))
            return false;
    }
    return true;
}
