/* Which attempts a request is given, in which order, and why: rows of contract 2.1 to 2.4. */
#include "unit.h"

#include "sluice/base/rng.h"
#include "sluice/config/capabilities.h"
#include "sluice/route/plan.h"

#include <math.h>

/* --- a fleet -------------------------------------------------------------------------------------- */

enum { AZURE, ANTHROPIC, OPENAI, MINIMAX, BEDROCK, VERTEX, STUDIO, SMALL, OPEN, PROVIDERS };

static struct provider_options providers[PROVIDERS] = {
    [AZURE] = {.name = "azure"},
    [ANTHROPIC] = {.name = "anthropic"},
    [OPENAI] = {.name = "openai"},
    [MINIMAX] = {.name = "minimax"},
    [BEDROCK] = {.name = "amazon-bedrock"},
    [VERTEX] = {.name = "vertex"},
    [STUDIO] = {.name = "google-ai-studio"},
    [SMALL] = {.name = "small"},
    [OPEN] = {.name = "open", .any_model = true},
};

#define PRICE(in, out) {.input = (in), .output = (out), .known = 3}
#define AT(p, ...) {.provider = (p), .upstream_model = "m", .enabled = true, __VA_ARGS__}
#define OFF(p) {.provider = (p), .upstream_model = "m"}

static struct endpoint_options trio_at[] = {
    AT(AZURE, .price = PRICE(3, 3)),
    AT(ANTHROPIC, .price = PRICE(2, 2)),
    AT(OPENAI, .price = PRICE(1, 1)),
};
static struct endpoint_options m2_at[] = {
    AT(MINIMAX, .variant = "fp8", .quantization = QUANTIZATION_FP8, .price = PRICE(1, 1)),
    AT(MINIMAX, .variant = "lightning", .quantization = QUANTIZATION_FP16, .price = PRICE(5, 5)),
    AT(SMALL, .quantization = QUANTIZATION_NONE, .price = PRICE(2, 2)),
};
static struct endpoint_options claude_at[] = {AT(BEDROCK), AT(VERTEX), AT(ANTHROPIC)};
static struct endpoint_options gemini_at[] = {AT(VERTEX), AT(STUDIO)};
/* What they can do, and what they do with prompts. */
static struct endpoint_options mixed_at[] = {
    AT(AZURE, .known = ENDPOINT_PARAMS, .params = CAN_TOOLS | CAN_TEMPERATURE, .max_output = 1000,
       .data_policy = {.zdr = true, .known = POLICY_ZDR}),
    AT(ANTHROPIC, .known = ENDPOINT_PARAMS | ENDPOINT_INPUT, .params = CAN_TEMPERATURE | CAN_SEED,
       .input = MODALITY_TEXT, .max_output = 4000, .context = 8000,
       .data_policy = {.known = POLICY_TRAINING | POLICY_RETENTION}),
    AT(OPENAI, .known = ENDPOINT_PARAMS | ENDPOINT_INPUT, .params = CAN_TOOLS,
       .input = MODALITY_TEXT | MODALITY_IMAGE, .context = 1000,
       .data_policy = {.known = POLICY_TRAINING}),
};
static struct endpoint_options off_at[] = {OFF(AZURE), AT(OPENAI)};
static struct endpoint_options gone_at[] = {OFF(AZURE)};
static struct endpoint_options ten_at[] = {
    AT(OPENAI, .variant = "a"), AT(OPENAI, .variant = "b"), AT(OPENAI, .variant = "c"),
    AT(OPENAI, .variant = "d"), AT(OPENAI, .variant = "e"), AT(OPENAI, .variant = "f"),
    AT(OPENAI, .variant = "g"), AT(OPENAI, .variant = "h"), AT(OPENAI, .variant = "i"),
    AT(OPENAI, .variant = "j"),
};
static unsigned best[] = {1, 0};
static struct model_options models[] = {
    {.id = "x/trio", .endpoints = trio_at, .nendpoints = 3},
    {.id = "x/m2", .endpoints = m2_at, .nendpoints = 3, .distillable = true},
    {.id = "x/claude", .endpoints = claude_at, .nendpoints = 3},
    {.id = "x/gemini", .endpoints = gemini_at, .nendpoints = 2},
    {.id = "x/mixed", .endpoints = mixed_at, .nendpoints = 3},
    {.id = "x/off", .endpoints = off_at, .nendpoints = 2},
    {.id = "x/gone", .endpoints = gone_at, .nendpoints = 1},
    {.id = "x/ten", .endpoints = ten_at, .nendpoints = 10},
    {.id = "x/writer",
     .endpoints = gemini_at,
     .nendpoints = 2,
     .output = MODALITY_TEXT,
     .known = MODEL_OUTPUT},
    {.id = "x/painter",
     .endpoints = trio_at,
     .nendpoints = 3,
     .output = MODALITY_IMAGE,
     .known = MODEL_CATEGORY},
    {.id = "best", .alias = best, .nalias = 2},
};
static const struct snapshot snapshot = {
    .providers = providers, .nproviders = PROVIDERS, .models = models, .nmodels = ROWS(models)};

/* --- how they do ---------------------------------------------------------------------------------- */

struct doing {
    const char *slug;
    double latency, throughput; /* p50; p90 is twice and half of it */
    unsigned ok, failed;
    bool is_open;
};

struct bed {
    const struct doing *doing; /* ended by a NULL slug; NULL: nobody was ever asked */
    const char *own_keys;      /* slugs, with blanks around each */
    const char *used_up;       /* of those */
    struct quantiles kept[32];
    unsigned nkept;
};

static void look(void *arg, const struct target *t, struct target_health *out)
{
    struct bed *b = arg;
    const struct doing *d = b->doing;
    struct quantiles *latency = &b->kept[b->nkept++], *throughput = &b->kept[b->nkept++];
    assert_true(b->nkept <= ROWS(b->kept));
    *latency = *throughput = (struct quantiles){.samples = 0};
    *out = (struct target_health){.latency = latency, .throughput = throughput};
    while (d != NULL && d->slug != NULL && !span_eq(span_text(d->slug), t->slug))
        d++;
    if (d == NULL || d->slug == NULL)
        return;
    out->is_open = d->is_open;
    out->outcomes = (struct outcomes){d->ok, d->failed};
    if (d->latency > 0)
        *latency = (struct quantiles){{d->latency, d->latency, 2 * d->latency, 3 * d->latency}, 9};
    if (d->throughput > 0)
        *throughput = (struct quantiles){
            {d->throughput, d->throughput, d->throughput / 2, d->throughput / 3}, 9};
}

static bool holds(const char *slugs, const struct target *t)
{
    char wanted[64];
    snprintf(wanted, sizeof wanted, " %.*s ", SPAN_FMT(t->slug));
    return strstr(slugs, wanted) != NULL;
}

static bool has_own_key(void *arg, const struct target *t)
{
    const struct bed *b = arg;
    return holds(b->own_keys, t);
}

static const char *able; /* slugs, with blanks around each */

static bool is_able(void *arg, const struct target *t)
{
    (void)arg;
    return holds(able, t);
}

static bool is_own_open(void *arg, const struct target *t)
{
    const struct bed *b = arg;
    char wanted[64];
    snprintf(wanted, sizeof wanted, " %.*s ", SPAN_FMT(t->slug));
    return b->used_up != NULL && strstr(b->used_up, wanted) != NULL;
}

static const char *everything[] = {"*"}, *only_trio[] = {"x/trio"}, *only_best[] = {"best"},
                  *open_x[] = {"open/x"};
static const struct key_options key_all = {.models = {everything, 1}},
                                key_trio = {.models = {only_trio, 1}},
                                key_best = {.models = {only_best, 1}},
                                key_open = {.models = {open_x, 1}},
                                key_none = {.models = {NULL, 0}};

struct row {
    const char *model, *provider, *plan; /* or "503 what is said" */
    const struct doing *doing;
    const char *own_keys, *used_up, *models, *sticky;
    const struct key_options *key;
    unsigned used, shown, wanted;
    const char *able;
    uint64_t max_tokens, prompt_tokens;
    double max_cost;
    bool denies_collection, wants_zdr;
};

/* "azure anthropic* openai": slugs in order, a star where the caller's own key is used. A model is
 * named where it changes. */
static void write_plan(const struct plan *plan, char *out, size_t size)
{
    size_t at = 0;
    out[0] = '\0';
    for (unsigned i = 0; i < plan->n; i++) {
        const struct planned_attempt *p = &plan->attempts[i];
        assert_true(p->place < PLACES && plan->considered[p->considered].target == p->target);
        bool is_new = i > 0 &&
                      !span_eq(p->target->model_id, plan->attempts[i - 1].target->model_id);
        at += (size_t)snprintf(out + at, size - at, "%s%s%.*s%s", i > 0 ? " " : "",
                               is_new ? "| " : "", SPAN_FMT(p->target->slug),
                               p->with_own_key ? "*" : "");
    }
}

static void plan_row(const struct row *r, uint64_t seed, char *out, size_t size)
{
    struct catalog *c = catalog_new(&snapshot);
    struct arena arena;
    struct plan plan;
    struct fault why;
    struct preferences preferences;
    struct bed b = {.doing = r->doing, .own_keys = r->own_keys, .used_up = r->used_up};
    able = r->able;
    arena_init(&arena, NULL, 1024);
    struct span model = span_text(r->model);
    uint8_t *asked = exact_copy(model);
    assert_true(preferences_read(r->provider != NULL ? span_text(r->provider) : SPAN_NONE,
                                 r->models != NULL ? span_text(r->models) : SPAN_NONE, &arena,
                                 &preferences, &why));
    struct plan_question q = {
        .catalog = c,
        .key = r->key,
        .model = span_of(asked, model.len),
        .preferences = &preferences,
        .used = r->used,
        .shown = r->shown,
        .wanted = r->wanted,
        .is_able = r->able != NULL ? is_able : NULL,
        .prompt_tokens = r->prompt_tokens > 0 ? r->prompt_tokens : 1000,
        .output_tokens = 500,
        .max_tokens = r->max_tokens,
        .denies_collection = r->denies_collection,
        .wants_zdr = r->wants_zdr,
        .max_cost_multiplier = r->max_cost,
        .sticky = r->sticky != NULL ? span_text(r->sticky) : SPAN_NONE,
        .weights = {40, 20, 20, 20},
        .seed = seed,
        .look = look,
        .has_own_key = r->own_keys != NULL ? has_own_key : NULL,
        .is_own_open = r->own_keys != NULL ? is_own_open : NULL,
        .arg = &b,
    };
    bool made = plan_make(&q, &arena, &arena, &plan, &why);
    free(asked); /* the body it lay in is gone before the last attempt */
    if (made)
        write_plan(&plan, out, size);
    else
        snprintf(out, size, "%u %s%s%s", fault_status(&why), why.param != NULL ? why.param : "",
                 why.param != NULL ? ": " : "", why.message);
    arena_fini(&arena);
    catalog_free(c);
}

static void check_rows(const struct row *rows, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        char got[700];
        bool is_error = rows[i].plan[0] >= '0' && rows[i].plan[0] <= '9';
        for (uint64_t seed = 0; seed < 5; seed++) {
            plan_row(&rows[i], seed, got, sizeof got);
            bool same = is_error ? strncmp(got, rows[i].plan, strlen(rows[i].plan)) == 0
                                 : strcmp(got, rows[i].plan) == 0;
            if (!same)
                print_error("row %u, seed %u: %s\n", i, (unsigned)seed, got);
            assert_row(i, same);
        }
    }
}
#define CHECK(rows) check_rows(rows, ROWS(rows))

/* --- names ---------------------------------------------------------------------------------------- */

static void names_and_keys_decide_what_there_is(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"nope", NULL, "404 model: no model is named \"nope\""},
        {"nope", NULL, "404 model: no model is named \"nope\"", .key = &key_trio},
        {"x/off", NULL, "403 model: this key may not use \"x/off\"", .key = &key_trio},
        {"x/trio", NULL, "403 model: this key may not use", .key = &key_none},
        {"open/y", NULL, "403 model: this key may not use", .key = &key_open},
        {"x/gone", NULL, "503 no provider of this model is left after enabled (1)"},
        {"x/trio", NULL, "404 models: no model is named \"nope\"", .models = "[\"nope\"]"},
        {"x/off", NULL, "openai", .key = &key_all},
        {"open/x", NULL, "open", .key = &key_open},
        {"open/any/thing", NULL, "open"},
        {"azure/trio", NULL, "azure"},
        {"x/trio", "{\"sort\":\"price\"}", "openai anthropic azure", .key = &key_trio},
        /* an alias: one model after the other; a key may have it without what is behind */
        {"best", "{\"sort\":\"price\"}",
         "minimax/fp8 small minimax/lightning | openai anthropic azure", .key = &key_best},
        {"best", "{\"sort\":\"price\"}", "openai anthropic azure", .key = &key_trio},
        /* D-11: after `model`, or instead of it */
        {"x/off", "{\"sort\":\"price\"}", "openai | openai anthropic azure",
         .models = "[\"x/trio\"]"},
        {"", "{\"sort\":\"price\"}", "openai anthropic azure | openai",
         .models = "[\"x/trio\",\"x/off\"]"},
        {"", NULL, "openai", .models = "\"x/off\""},
    };
    CHECK(rows);
}

/* --- filters -------------------------------------------------------------------------------------- */

static void filters_are_hard(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"x/trio", "{\"only\":[\"anthropic\",\"nobody\"]}", "anthropic"},
        {"x/trio", "{\"only\":[]}",
         "503 no provider of this model is left after provider.only (3)"},
        {"x/trio", "{\"ignore\":[\"azure\",\"openai\"]}", "anthropic"},
        {"x/trio", "{\"only\":[\"azure\"],\"ignore\":[\"azure\"]}",
         "503 no provider of this model is left after provider.only (2), provider.ignore (1)"},
        {"x/trio", "{\"order\":[\"azure\"],\"ignore\":[\"azure\",\"openai\"]}", "anthropic"},
        {"x/m2", "{\"only\":[\"minimax/fp8\"]}", "minimax/fp8"},
        {"x/m2", "{\"only\":[\"MiniMax\"],\"sort\":\"price\"}", "minimax/fp8 minimax/lightning"},
        {"x/m2", "{\"quantizations\":[\"fp16\"]}", "minimax/lightning"},
        {"x/m2", "{\"quantizations\":[\"none\",\"int4\"]}", "small"},
        {"x/m2", "{\"quantizations\":[\"bf16\"]}",
         "503 no provider of this model is left after provider.quantizations (3)"},
        {"x/m2", "{\"enforce_distillable_text\":true,\"only\":[\"small\"]}", "small"},
        {"x/trio", "{\"enforce_distillable_text\":true}", "503 "},
        /* what is not said of a provider is taken to be the worst */
        {"x/mixed", "{\"zdr\":true}", "azure"},
        {"x/mixed", "{\"data_collection\":\"deny\",\"order\":[\"azure\"]}", "azure anthropic"},
        {"x/mixed", "{\"order\":[\"azure\"]}", "azure anthropic", .denies_collection = true},
        {"x/mixed", "{\"zdr\":false}", "azure", .wants_zdr = true},
        {"x/trio", "{\"zdr\":true}",
         "503 no provider of this model is left after provider.zdr (3)"},
        /* what they can do */
        {"x/mixed", "{\"order\":[\"openai\"],\"ignore\":[\"anthropic\"]}", "openai azure",
         .used = CAN_TOOLS},
        {"x/mixed", NULL, "anthropic", .used = CAN_SEED},
        {"x/mixed", "{\"order\":[\"azure\",\"anthropic\",\"openai\"],\"require_parameters\":false}",
         "azure anthropic openai", .used = CAN_SEED},
        {"x/mixed", "{\"order\":[\"azure\",\"anthropic\",\"openai\"],\"require_parameters\":false}",
         "azure openai", .used = CAN_SEED | CAN_TOOLS},
        {"x/mixed", NULL, "400 seed: no provider of this model can do what \"seed\" asks for",
         .used = CAN_SEED | CAN_TOOLS},
        {"x/mixed", NULL, "400 response_format: ", .used = CAN_FOLLOW_SCHEMAS},
        {"x/mixed", "{\"only\":[\"azure\"]}",
         "503 no provider of this model is left after provider.only (2), "
         "provider.require_parameters (1)",
         .used = CAN_SEED},
        {"x/trio", "{\"sort\":\"price\"}", "openai anthropic azure", .used = UINT32_MAX},
        {"x/mixed", "{\"order\":[\"azure\"]}", "azure openai", .shown = MODALITY_IMAGE},
        {"x/mixed", NULL, "azure", .shown = MODALITY_IMAGE | MODALITY_AUDIO},
        /* what they make, and in which protocol */
        {"x/writer", NULL, "400 model: ", .wanted = MODALITY_IMAGE},
        {"x/writer", NULL, "400 model: ", .wanted = MODALITY_IMAGE, .able = ""},
        {"x/writer", "{\"only\":[\"azure\"]}", "400 model: ", .wanted = MODALITY_AUDIO},
        {"x/painter", "{\"sort\":\"price\"}", "openai anthropic azure", .wanted = MODALITY_IMAGE},
        {"x/painter", "{\"sort\":\"price\"}", "openai azure", .wanted = MODALITY_IMAGE,
         .able = " openai  azure "},
        {"x/painter", NULL, "503 no provider of this model is spoken to", .able = ""},
        {"x/painter", "{\"ignore\":[\"azure\"]}",
         "503 no provider of this model is left after protocol (2), provider.ignore (1)",
         .able = " azure "},
        {"x/trio", "{\"sort\":\"price\"}", "openai anthropic azure", .wanted = MODALITY_AUDIO},
        {"x/mixed", "{\"order\":[\"anthropic\"]}", "anthropic openai", .max_tokens = 2000},
        {"x/mixed", NULL, "openai", .max_tokens = 5000},
        {"x/mixed", "{\"order\":[\"azure\"]}", "azure anthropic", .prompt_tokens = 3000},
        {"x/mixed", NULL, "azure", .prompt_tokens = 20000},
        {"x/mixed", "{\"ignore\":[\"azure\"]}", "503 ", .prompt_tokens = 20000},
    };
    CHECK(rows);
}

/* --- order ---------------------------------------------------------------------------------------- */

static const struct doing well[] = {
    {"azure", .latency = 0.2, .throughput = 40, .ok = 100},
    {"anthropic", .latency = 0.5, .throughput = 90, .ok = 100},
    {"openai", .latency = 0.9, .throughput = 60, .ok = 100},
    {NULL},
};
static const struct doing openai_is_open[] = {
    {"openai", .is_open = true},
    {NULL},
};
static const struct doing openai_is_slow[] = {
    {"openai", .latency = 3, .throughput = 10},
    {"anthropic", .latency = 1, .throughput = 100},
    {NULL},
};

static void a_wish_puts_them_in_order(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"x/trio", "{\"order\":[\"anthropic\",\"openai\"]}", "anthropic openai azure"},
        {"x/trio", "{\"order\":[\"anthropic\",\"openai\"],\"allow_fallbacks\":false}",
         "anthropic openai"},
        {"x/m2", "{\"order\":[\"minimax/fp8\"],\"allow_fallbacks\":false}", "minimax/fp8"},
        {"x/trio", "{\"order\":[\"nobody\"],\"allow_fallbacks\":false}",
         "503 no provider of this model is left after provider.allow_fallbacks (3)"},
        {"x/trio", "{\"order\":[\"nobody\",\"azure\"],\"sort\":\"price\"}",
         "azure openai anthropic"},
        {"x/trio", "{\"sort\":\"price\"}", "openai anthropic azure"},
        {"x/trio", "{\"sort\":\"price\",\"allow_fallbacks\":false}", "openai"},
        {"x/trio", "{\"sort\":\"latency\"}", "azure anthropic openai", well},
        {"x/trio", "{\"sort\":{\"by\":\"throughput\"}}", "anthropic openai azure", well},
        /* ties: by price, then by slug */
        {"x/trio", "{\"sort\":\"latency\"}", "openai anthropic azure"},
        {"x/claude", "{\"sort\":\"latency\"}", "amazon-bedrock anthropic google-vertex"},
        /* cut-offs move behind, never out; who has no samples is not slow */
        {"x/trio", "{\"sort\":\"price\",\"preferred_min_throughput\":{\"p90\":45}}",
         "anthropic openai azure", well},
        {"x/trio", "{\"sort\":\"price\",\"preferred_min_throughput\":55}", "openai anthropic azure",
         well},
        {"x/trio", "{\"sort\":\"price\",\"preferred_max_latency\":{\"p50\":1,\"p90\":0.5}}",
         "azure openai anthropic", well},
        {"x/trio", "{\"sort\":\"price\",\"preferred_max_latency\":0.1}", "openai anthropic azure",
         well},
        {"x/trio",
         "{\"sort\":\"price\",\"preferred_min_throughput\":50,"
         "\"preferred_max_latency\":2}",
         "anthropic azure openai", openai_is_slow},
        {"x/trio", "{\"order\":[\"openai\"],\"preferred_max_latency\":2}", "anthropic azure openai",
         openai_is_slow},
        /* an open circuit is the last resort */
        {"x/trio", "{\"sort\":\"price\"}", "anthropic azure openai", openai_is_open},
        {"x/trio", "{\"order\":[\"openai\",\"azure\"]}", "azure anthropic openai", openai_is_open},
        {"x/trio", "{\"only\":[\"openai\"]}", "openai", openai_is_open},
    };
    CHECK(rows);
}

static void own_keys_come_first(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"x/claude", "{\"order\":[\"amazon-bedrock\",\"google-vertex\",\"anthropic\"]}",
         "amazon-bedrock* google-vertex* anthropic* amazon-bedrock google-vertex anthropic",
         .own_keys = " amazon-bedrock google-vertex  anthropic "},
        {"x/claude", "{\"order\":[\"amazon-bedrock\",\"google-vertex\"],\"allow_fallbacks\":false}",
         "google-vertex* amazon-bedrock google-vertex", .own_keys = " google-vertex "},
        {"x/gemini", "{\"sort\":\"price\"}", "google-vertex* google-ai-studio google-vertex",
         .own_keys = " google-vertex "},
        {"x/trio", "{\"sort\":\"price\"}", "anthropic* azure* openai anthropic azure",
         .own_keys = " azure  anthropic "},
        {"x/trio", "{\"only\":[\"azure\"],\"allow_fallbacks\":false}", "azure* azure",
         .own_keys = " azure  anthropic "},
        {"x/trio", "{\"sort\":\"price\",\"allow_fallbacks\":false}", "azure* azure",
         .own_keys = " azure "},
        /* whom the caller has an account with stays the first with ours, but for its conversation */
        {"x/gemini", NULL, "google-vertex* google-vertex google-ai-studio",
         .own_keys = " google-vertex "},
        {"x/gemini", NULL, "google-ai-studio* google-ai-studio google-vertex",
         .own_keys = " google-ai-studio "},
        /* filters hold for them, too */
        {"x/trio", "{\"sort\":\"price\",\"ignore\":[\"azure\"]}", "openai anthropic",
         .own_keys = " azure "},
        /* one that is outside of `order` still goes before what is not the caller's: D-36 */
        {"x/trio", "{\"order\":[\"openai\"]}", "azure* openai anthropic azure",
         .own_keys = " azure "},
    };
    CHECK(rows);
}

static void an_own_key_that_is_used_up_waits_behind(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"x/trio", "{\"sort\":\"price\"}", "anthropic* openai anthropic azure azure*",
         .own_keys = " azure  anthropic ", .used_up = " azure "},
        {"x/trio", "{\"order\":[\"azure\"],\"allow_fallbacks\":false}", "azure azure*",
         .own_keys = " azure ", .used_up = " azure "},
        /* where only one provider may be asked, it stays the caller's */
        {"x/trio", "{\"sort\":\"price\",\"allow_fallbacks\":false}", "azure* azure",
         .own_keys = " azure ", .used_up = " azure "},
        /* our own circuit says nothing of it */
        {"x/trio", "{\"sort\":\"price\"}", "openai* azure* anthropic azure openai", openai_is_open,
         .own_keys = " openai  azure "},
    };
    CHECK(rows);
}

static void a_conversation_stays_where_it_is(void **state)
{
    (void)state;
    static const struct doing azure_is_open[] = {{"azure", .is_open = true}, {NULL}};
    static const struct doing azure_is_slow[] = {{"azure", .latency = 5}, {NULL}};
    static const struct row rows[] = {
        {"x/off", NULL, "openai", .sticky = "azure"}, /* which is disabled */
        {"x/off", NULL, "openai", .sticky = "nobody"},
        {"x/gemini", NULL, "google-ai-studio google-vertex", .sticky = "google-ai-studio"},
        {"x/gemini", NULL, "google-vertex google-ai-studio", .sticky = "google-vertex"},
        {"x/gemini", "{\"zdr\":false,\"preferred_max_latency\":9}",
         "google-vertex google-ai-studio", .sticky = "google-vertex"},
        /* an explicit choice goes first: D-39 */
        {"x/trio", "{\"sort\":\"price\"}", "openai anthropic azure", .sticky = "azure"},
        {"x/trio", "{\"order\":[\"openai\",\"anthropic\"]}", "openai anthropic azure",
         .sticky = "azure"},
        /* and so does health */
        {"x/off", NULL, "openai", openai_is_open, .sticky = "openai"},
        {"x/gemini", "{\"sort\":\"price\"}", "google-ai-studio google-vertex", azure_is_open},
        {"azure/trio", NULL, "azure", azure_is_slow, .sticky = "azure"},
        /* in its own tier */
        {"x/gemini", NULL, "google-vertex* google-ai-studio google-vertex",
         .own_keys = " google-vertex ", .sticky = "google-ai-studio"},
    };
    CHECK(rows);
    struct row row = {"x/trio", NULL, .doing = azure_is_open, .sticky = "azure"};
    for (uint64_t seed = 0; seed < 50; seed++) {
        char got[700];
        plan_row(&row, seed, got, sizeof got);
        assert_row(seed, strncmp(got, "azure", 5) != 0 && strstr(got, " azure") != NULL);
    }
    row.doing = well;
    for (uint64_t seed = 0; seed < 50; seed++) {
        char got[700];
        plan_row(&row, seed, got, sizeof got);
        assert_row(seed, strncmp(got, "azure ", 6) == 0);
    }
}

static void who_is_not_well_is_asked_when_nobody_else_is_left(void **state)
{
    (void)state;
    static const struct doing ten_are_open[] = {
        {"openai/a", .is_open = true},
        {"openai/b", .is_open = true},
        {"openai/c", .is_open = true},
        {"openai/d", .is_open = true},
        {"openai/e", .is_open = true},
        {"openai/f", .is_open = true},
        {"openai/g", .is_open = true},
        {"openai/h", .is_open = true},
        {"openai/i", .is_open = true},
        {"openai/j", .is_open = true},
        {NULL},
    };
    static const struct row rows[] = {
        {"x/trio", "{\"sort\":\"price\"}", "anthropic azure openai", openai_is_open},
        {"x/trio", "{\"order\":[\"openai\"]}", "anthropic azure openai", openai_is_open},
        /* of the next model, too, where a model has one endpoint, or many */
        {"x/off", "{\"sort\":\"price\"}", "google-ai-studio google-vertex | openai", openai_is_open,
         .models = "[\"x/gemini\"]"},
        {"x/ten", "{\"sort\":\"price\"}",
         "openai anthropic azure | openai/a openai/b openai/c openai/d openai/e", ten_are_open,
         .models = "[\"x/trio\"]"},
        {"best", "{\"sort\":\"price\",\"only\":[\"small\",\"openai\",\"azure\"]}",
         "small | azure openai", openai_is_open},
        /* but for the caller's own key */
        {"x/off", "{\"sort\":\"price\"}", "openai* | google-ai-studio google-vertex | openai",
         openai_is_open, .own_keys = " openai ", .models = "[\"x/gemini\"]"},
    };
    CHECK(rows);
}

static void fallbacks_may_not_cost_too_much(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"x/trio", "{\"sort\":\"price\"}", "openai anthropic azure", .max_cost = 3},
        {"x/trio", "{\"sort\":\"price\"}", "openai anthropic", .max_cost = 2.5},
        {"x/trio", "{\"sort\":\"price\"}", "openai", .max_cost = 1.5},
        {"x/trio", "{\"order\":[\"azure\"]}", "azure openai anthropic", .max_cost = 1},
        {"x/gemini", "{\"sort\":\"price\"}", "google-ai-studio google-vertex", .max_cost = 1},
        /* of the first attempt of all, not of each model's */
        {"x/off", "{\"sort\":\"price\"}", "openai | openai anthropic azure",
         .models = "[\"x/trio\"]", .max_cost = 2},
        {"x/m2", "{\"only\":[\"minimax\",\"azure\"],\"sort\":\"price\"}", "minimax/fp8",
         .models = "[\"x/trio\"]", .max_cost = 2},
        {"azure/trio", "{\"sort\":\"price\"}", "azure | minimax/fp8 small", .models = "[\"x/m2\"]",
         .max_cost = 1},
    };
    CHECK(rows);
}

/* --- the default ---------------------------------------------------------------------------------- */

/* How often each is first, against score²: contract 2.2. */
static void load_is_shared_by_the_squares_of_the_scores(void **state)
{
    (void)state;
    enum { N = 20000 };
    struct row row = {"x/trio", NULL, .doing = well};
    /* azure: cost 3, 0.2 s, 40/s; anthropic: 2, 0.5, 90; openai: 1, 0.9, 60 */
    const double scores[] = {
        0.4 / 3 + 0.2 + 0.2 * 40 / 90 + 0.2,
        0.4 / 2 + 0.2 * 0.2 / 0.5 + 0.2 + 0.2,
        0.4 + 0.2 * 0.2 / 0.9 + 0.2 * 60 / 90 + 0.2,
    };
    static const char *const names[] = {"azure", "anthropic", "openai"};
    unsigned first[3] = {0};
    for (uint64_t seed = 1; seed <= N; seed++) {
        char got[700];
        plan_row(&row, seed * 0x9e3779b97f4a7c15u, got, sizeof got);
        for (unsigned i = 0; i < 3; i++)
            first[i] += strncmp(got, names[i], strlen(names[i])) == 0;
    }
    double sum = 0;
    for (unsigned i = 0; i < 3; i++)
        sum += scores[i] * scores[i];
    for (unsigned i = 0; i < 3; i++) {
        double share = scores[i] * scores[i] / sum, got = (double)first[i] / N;
        if (fabs(share - got) > 0.01)
            print_error("%s: %f, wanted %f\n", names[i], got, share);
        assert_row(i, fabs(share - got) <= 0.01);
    }
    assert_int_equal(first[0] + first[1] + first[2], N);
}

static void the_rest_follows_by_score(void **state)
{
    (void)state;
    struct row row = {"x/trio", NULL, .doing = well};
    for (uint64_t seed = 0; seed < 100; seed++) {
        char got[700];
        plan_row(&row, seed, got, sizeof got);
        bool is_one = strcmp(got, "azure openai anthropic") == 0 ||
                      strcmp(got, "openai anthropic azure") == 0 ||
                      strcmp(got, "anthropic openai azure") == 0;
        if (!is_one)
            print_error("%s\n", got);
        assert_row(seed, is_one);
    }
}

static void eight_attempts_are_the_most(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"x/ten", "{\"sort\":\"price\"}",
         "openai/a openai/b openai/c openai/d openai/e openai/f openai/g openai/h"},
        {"x/ten", "{\"order\":[\"openai/j\",\"openai/i\"]}",
         "openai/j openai/i openai/a openai/b openai/c openai/d openai/e openai/f"},
    };
    CHECK(rows);
}

/* --- hundreds ------------------------------------------------------------------------------------- */

enum { MANY = 200 };

static struct crowd {
    struct quantiles latency, nothing;
    bool is_open;
    double cost;
    char slug[32];
} crowd[MANY];

static void look_at_crowd(void *arg, const struct target *t, struct target_health *out)
{
    (void)arg;
    struct crowd *c = &crowd[t->index];
    *out = (struct target_health){
        .latency = &c->latency, .throughput = &c->nothing, .is_open = c->is_open};
}

/* As the contract says it, without any shortcut: those that are open last, slow ones before them, then by
 * cost, then by name. */
static int by_price(const void *a, const void *b)
{
    const struct crowd *x = &crowd[*(const unsigned *)a], *y = &crowd[*(const unsigned *)b];
    bool x_is_slow = x->latency.at[P50] > 0.5, y_is_slow = y->latency.at[P50] > 0.5;
    if (x->is_open != y->is_open)
        return x->is_open - y->is_open;
    if (x_is_slow != y_is_slow)
        return x_is_slow - y_is_slow;
    if (x->cost != y->cost)
        return x->cost < y->cost ? -1 : 1;
    return strcmp(x->slug, y->slug);
}

static void make_crowd(uint64_t seed, struct endpoint_options at[MANY], unsigned order[MANY])
{
    static char variants[MANY][16];
    struct rng rng;
    rng_seed(&rng, seed);
    for (unsigned i = 0; i < MANY; i++) {
        uint64_t price = 1 + rng_below(&rng, 40);
        snprintf(variants[i], sizeof variants[i], "v%u", i);
        at[i] = (struct endpoint_options){.provider = OPENAI,
                                          .upstream_model = "m",
                                          .variant = variants[i],
                                          .enabled = true,
                                          .price = PRICE(price, price)};
        crowd[i] = (struct crowd){
            .latency = {.at = {(double)(1 + rng_below(&rng, 10)) / 10}, .samples = 1},
            .is_open = rng_below(&rng, seed + 1) == 0,
            .cost = (double)price * 1500,
        };
        snprintf(crowd[i].slug, sizeof crowd[i].slug, "openai/%s", variants[i]);
        order[i] = i;
    }
    qsort(order, MANY, sizeof order[0], by_price);
}

static void check_crowd(uint64_t seed)
{
    static struct endpoint_options at[MANY];
    unsigned order[MANY], beyond = 0;
    make_crowd(seed, at, order);
    struct model_options model = {.id = "x/many", .endpoints = at, .nendpoints = MANY};
    const struct snapshot s = {
        .providers = providers, .nproviders = PROVIDERS, .models = &model, .nmodels = 1};
    struct catalog *c = catalog_new(&s);
    struct arena a;
    struct preferences p;
    struct plan plan;
    struct fault why;
    arena_init(&a, NULL, 1024);
    assert_true(preferences_read(SPAN_LIT("{\"sort\":\"price\",\"preferred_max_latency\":0.5}"),
                                 SPAN_NONE, &a, &p, &why));
    struct plan_question q = {.catalog = c,
                              .model = SPAN_LIT("x/many"),
                              .preferences = &p,
                              .prompt_tokens = 1000,
                              .output_tokens = 500,
                              .weights = {1, 1, 1, 1},
                              .look = look_at_crowd};
    assert_true(plan_make(&q, &a, &a, &plan, &why));
    assert_int_equal(plan.n, PLAN_ATTEMPTS_MAX);
    for (unsigned i = 0; i < PLAN_ATTEMPTS_MAX; i++)
        assert_row(seed, plan.attempts[i].target->index == order[i]);
    for (unsigned i = 0; i < plan.nconsidered; i++)
        beyond += plan.considered[i].dropped_by == FILTER_BEYOND;
    assert_int_equal(beyond, MANY - PLAN_ATTEMPTS_MAX);
    arena_fini(&a);
    catalog_free(c);
}

static void the_best_of_hundreds_are_those_that_sorting_finds(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 50; seed++)
        check_crowd(seed);
}

static void everybody_is_told_why(void **state)
{
    (void)state;
    struct catalog *c = catalog_new(&snapshot);
    struct arena a;
    struct plan plan;
    struct fault why;
    struct preferences p;
    struct bed b = {.doing = openai_is_open};
    arena_init(&a, NULL, 1024);
    assert_true(preferences_read(SPAN_LIT("{\"ignore\":[\"azure\"]}"), SPAN_NONE, &a, &p, &why));
    struct plan_question q = {.catalog = c,
                              .model = SPAN_LIT("x/trio"),
                              .preferences = &p,
                              .prompt_tokens = 10,
                              .weights = {1, 1, 1, 1},
                              .look = look,
                              .arg = &b};
    assert_true(plan_make(&q, &a, &a, &plan, &why));
    assert_int_equal(plan.nconsidered, 3);
    assert_int_equal(plan.considered[0].dropped_by, FILTER_IGNORE);
    assert_true(plan.considered[0].cost < 0 && plan.considered[0].latency < 0); /* unknown */
    assert_true(plan.considered[1].cost >= 0 && plan.considered[1].throughput < 0);
    assert_int_equal(plan.considered[1].dropped_by, FILTER_NONE);
    assert_true(plan.considered[2].is_open && plan.considered[2].dropped_by == FILTER_NONE);
    assert_int_equal(plan.attempts[0].place, PLACE_DRAWN);
    assert_int_equal(plan.attempts[1].place, PLACE_OPEN);
    assert_null(plan.considered[1].seen);
    for (unsigned v = 0; v < FILTERS; v++)
        assert_row(v, filter_phrase((enum filter)v)[0] != '\0' &&
                          filter_word((enum filter)v)[0] != '\0');
    for (unsigned v = 0; v < PLACES; v++)
        assert_row(v,
                   place_phrase((enum place)v)[0] != '\0' && place_word((enum place)v)[0] != '\0');
    arena_fini(&a);

    arena_init(&a, NULL, 1024);
    assert_true(preferences_read(SPAN_LIT("{\"allow_fallbacks\":false,\"sort\":\"price\"}"),
                                 SPAN_NONE, &a, &p, &why));
    assert_true(plan_make(&q, &a, &a, &plan, &why));
    assert_int_equal(plan.considered[0].dropped_by, FILTER_NO_FALLBACKS);
    assert_int_equal(plan.considered[2].dropped_by, FILTER_NO_FALLBACKS);
    arena_fini(&a);
    q.model = SPAN_LIT("x/ten");
    arena_init(&a, NULL, 1024);
    p.allows_fallbacks = true;
    assert_true(plan_make(&q, &a, &a, &plan, &why));
    assert_int_equal(plan.considered[9].dropped_by, FILTER_BEYOND);
    arena_fini(&a);
    catalog_free(c);
}

static void a_name_without_end_does_not_fill_the_message(void **state)
{
    (void)state;
    char name[5000], got[1024];
    memset(name, 'x', sizeof(name) - 1);
    name[sizeof name - 1] = '\0';
    struct row row = {.model = name};
    plan_row(&row, 0, got, sizeof got);
    assert_non_null(strstr(got, "GET /v1/models"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_and_keys_decide_what_there_is),
        cmocka_unit_test(filters_are_hard),
        cmocka_unit_test(a_wish_puts_them_in_order),
        cmocka_unit_test(own_keys_come_first),
        cmocka_unit_test(an_own_key_that_is_used_up_waits_behind),
        cmocka_unit_test(a_conversation_stays_where_it_is),
        cmocka_unit_test(who_is_not_well_is_asked_when_nobody_else_is_left),
        cmocka_unit_test(fallbacks_may_not_cost_too_much),
        cmocka_unit_test(load_is_shared_by_the_squares_of_the_scores),
        cmocka_unit_test(the_rest_follows_by_score),
        cmocka_unit_test(eight_attempts_are_the_most),
        cmocka_unit_test(the_best_of_hundreds_are_those_that_sorting_finds),
        cmocka_unit_test(everybody_is_told_why),
        cmocka_unit_test(a_name_without_end_does_not_fill_the_message),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
