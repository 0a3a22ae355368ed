#include "sluice/route/preferences.h"

#include "sluice/catalog/slug.h"
#include "sluice/config/capabilities.h"
#include "sluice/format/json_walk.h"

#include <stdio.h>
#include <stdlib.h>

/* One reading: `member` is the one under way, for the path of what is wrong. */
struct reading {
    const char *member;
    bool is_inside; /* of `provider`; else at the top level */
    struct arena *a;
    struct fault *why;
};

static bool refuse(const struct reading *g, const char *problem)
{
    const char *path = arena_printf(g->a, "%s%s", g->is_inside ? "provider." : "", g->member);
    *g->why = (struct fault){.kind = FAULT_INVALID_REQUEST, .param = path};
    snprintf(g->why->message, sizeof g->why->message, "\"%s\" %s", path, problem);
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

static const char *const sorts[] = {
    [SORT_UNSAID] = "null",
    [SORT_PRICE] = "\"price\"",
    [SORT_THROUGHPUT] = "\"throughput\"",
    [SORT_LATENCY] = "\"latency\"",
};

static bool read_continuing(const struct reading *g, const struct json_walk *w,
                            struct preferences *p)
{
    bool yes = false;
    if (!read_bool(g, w, &yes))
        return false;
    p->continue_streams = yes ? CONTINUE_YES : CONTINUE_NO;
    return true;
}

static bool read_sort(const struct reading *g, const struct json_walk *w, enum sort_by *out)
{
    struct span value = w->value;
    struct json_member by;
    if (w->kind == JSON_OBJECT)
        value = json_get(w->value, "by", &by) ? json_value(w->value, &by) : SPAN_NONE;
    for (unsigned i = SORT_PRICE; i <= SORT_LATENCY; i++) {
        if (span_eq(value, span_text(sorts[i]))) {
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

static const char *const quantiles[QUANTILES] = {"p50", "p75", "p90", "p99"};

static bool read_cutoffs(const struct reading *g, const struct json_walk *w, struct cutoffs *out)
{
    static const char problem[] =
        "must be a number above 0, or an object of them: {\"p50\": 2, \"p90\": 5}";
    struct json_walk each;
    out->is_said = true;
    if (w->kind != JSON_OBJECT)
        return read_number(w->value, &out->at[P50]) || refuse(g, problem);
    json_walk_init(&each, w->value);
    while (json_walk_next(&each)) {
        unsigned q = 0;
        while (q < QUANTILES && !json_walk_is(&each, quantiles[q]))
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

/* --- contract 2.16 -------------------------------------------------------------------------------- */

/* The same as `only` with one entry. */
static bool read_vendor(const struct reading *g, struct span value, struct slugs *only)
{
    struct span text;
    if (!read_text(value, g->a, &text))
        return refuse(g, "must be the name of a provider: \"openai\"");
    *only = (struct slugs){.at = ARENA_NEW(g->a, struct span), .n = 1, .is_said = true};
    only->at[0] = slug_make(text, g->a);
    return true;
}

static bool read_prefer(const struct reading *g, struct span value, enum prefer_what *out)
{
    static const char *const words[] = {
        [PREFER_BALANCED] = "\"balanced\"",
        [PREFER_CHEAPEST] = "\"cheapest\"",
        [PREFER_SMARTEST] = "\"smartest\"",
    };
    for (unsigned i = PREFER_BALANCED; i <= PREFER_SMARTEST; i++) {
        if (span_eq(value, span_text(words[i]))) {
            *out = (enum prefer_what)i;
            return true;
        }
    }
    return refuse(g, "must be \"balanced\", \"cheapest\" or \"smartest\"");
}

static bool read_task(const struct reading *g, struct span value, struct preferences *p)
{
    static const char *const words[TASKS] = {
        [TASK_GENERAL] = "\"general\"",
        [TASK_REASONING] = "\"reasoning\"",
        [TASK_CODING] = "\"coding\"",
        [TASK_LONG_CONTEXT] = "\"long_context\"",
    };
    for (unsigned i = 0; i < TASKS; i++) {
        if (span_eq(value, span_text(words[i]))) {
            p->task = (enum task)i;
            p->has_task = true;
            return true;
        }
    }
    return refuse(g, "must be \"general\", \"reasoning\", \"coding\" or \"long_context\"");
}

static bool read_multiplier(const struct reading *g, struct span value, double *out)
{
    if (!read_number(value, out) || *out < 1)
        return refuse(g, "must be a number of at least 1");
    return true;
}

bool preferences_read_infrai(const struct infrai_members *m, struct arena *a,
                             struct preferences *out, struct fault *why)
{
    static const double usual = 1.5;
    struct reading g = {.a = a, .why = why};
#define SAYS(name) \
    (m->name.len > 0 && !span_eq(m->name, SPAN_LIT("null")) && (g.member = #name) != NULL)
    if (out->max_cost_multiplier == 0)
        out->max_cost_multiplier = usual;
    return (!SAYS(vendor) || read_vendor(&g, m->vendor, &out->only)) &&
           (!SAYS(task) || read_task(&g, m->task, out)) &&
           (!SAYS(prefer) || read_prefer(&g, m->prefer, &out->prefer)) &&
           (!SAYS(max_cost_multiplier) ||
            read_multiplier(&g, m->max_cost_multiplier, &out->max_cost_multiplier));
#undef SAYS
}

/* --- the object ----------------------------------------------------------------------------------- */

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
    if (IS("vendor"))
        return read_vendor(g, w->value, &p->only);
    if (IS("task"))
        return read_task(g, w->value, p);
    if (IS("prefer"))
        return read_prefer(g, w->value, &p->prefer);
    if (IS("max_cost_multiplier"))
        return read_multiplier(g, w->value, &p->max_cost_multiplier);
    if (IS("hedge"))
        return read_unless(g, w, &p->forbids_hedge);
    if (IS("continue_streams"))
        return read_continuing(g, w, p);
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
    struct reading g = {.is_inside = true, .a = a, .why = why};
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

/* --- written anew ------------------------------------------------------------------------------- */

struct writing {
    struct json_out *o;
    const char *between;
};

static void name_member(struct writing *w, const char *name)
{
    json_out_span(w->o, span_text(w->between));
    json_out_raw(w->o, span_text(name));
    json_out_lit(w->o, ":");
    w->between = ",";
}

static void write_literal(struct writing *w, bool is_said, const char *name, const char *value)
{
    if (!is_said)
        return;
    name_member(w, name);
    json_out_span(w->o, span_text(value));
}

static void write_slugs(struct writing *w, const char *name, const struct slugs *list)
{
    if (!list->is_said)
        return;
    name_member(w, name);
    json_out_lit(w->o, "[");
    for (unsigned i = 0; i < list->n; i++) {
        if (i > 0)
            json_out_lit(w->o, ",");
        /* A name without a letter or digit has an empty slug, and so has a dash. */
        json_out_bytes(w->o, list->at[i].len > 0 ? list->at[i] : SPAN_LIT("-"));
    }
    json_out_lit(w->o, "]");
}

static void write_cutoffs(struct writing *w, const char *name, const struct cutoffs *cut)
{
    const char *between = "";
    if (!cut->is_said)
        return;
    name_member(w, name);
    json_out_lit(w->o, "{");
    for (unsigned q = 0; q < QUANTILES; q++) {
        if (cut->at[q] <= 0)
            continue;
        json_out_span(w->o, span_text(between));
        json_out_raw(w->o, span_text(quantiles[q]));
        json_out_lit(w->o, ":");
        json_out_double(w->o, cut->at[q]);
        between = ",";
    }
    json_out_lit(w->o, "}");
}

static void write_quantizations(struct writing *w, unsigned bits)
{
    const char *between = "";
    if (bits == 0)
        return;
    name_member(w, "quantizations");
    json_out_lit(w->o, "[");
    for (unsigned q = 0; bits >> q != 0; q++) {
        if ((bits & 1u << q) == 0)
            continue;
        json_out_span(w->o, span_text(between));
        json_out_raw(w->o, span_text(quantization_name((enum quantization)q)));
        between = ",";
    }
    json_out_lit(w->o, "]");
}

void preferences_write_provider(const struct preferences *p, struct json_out *o)
{
    struct writing w = {.o = o, .between = ""};
    json_out_lit(o, "{");
    write_slugs(&w, "order", &p->order);
    write_slugs(&w, "only", &p->only);
    write_slugs(&w, "ignore", &p->ignore);
    write_literal(&w, p->sort != SORT_UNSAID, "sort", sorts[p->sort]);
    write_cutoffs(&w, "preferred_min_throughput", &p->min_throughput);
    write_cutoffs(&w, "preferred_max_latency", &p->max_latency);
    write_quantizations(&w, p->quantizations);
    write_literal(&w, !p->allows_fallbacks, "allow_fallbacks", "false");
    write_literal(&w, p->drops_parameters, "require_parameters", "false");
    write_literal(&w, p->denies_collection, "data_collection", "\"deny\"");
    write_literal(&w, p->wants_zdr, "zdr", "true");
    write_literal(&w, p->wants_distillable, "enforce_distillable_text", "true");
    json_out_lit(o, "}");
}

void preferences_write_models(const struct preferences *p, struct json_out *o)
{
    json_out_lit(o, "[");
    for (unsigned i = 0; i < p->nmodels; i++) {
        if (i > 0)
            json_out_lit(o, ",");
        json_out_bytes(o, p->models[i]);
    }
    json_out_lit(o, "]");
}
