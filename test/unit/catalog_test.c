#include "unit.h"

#include "sluice/catalog/catalog.h"
#include "sluice/config/capabilities.h"

/* A configuration as its loader would leave it: three providers, the last made from the
 * environment, and models that share bare names. */
static struct provider_options providers[] = {
    {.name = "p1"},
    {.name = "p2"},
    {.name = "openai", .any_model = true},
    {.name = "openrouter", .any_model = true},
    {.name = "gemini", .any_model = true},
};

static struct endpoint_options fast_at[] = {{.provider = 0, .upstream_model = "fast-1"},
                                            {.provider = 1, .upstream_model = "fast-2"}};
static struct endpoint_options a_shared_at[] = {{.provider = 0, .upstream_model = "a-shared"}};
static struct endpoint_options b_shared_at[] = {{.provider = 1, .upstream_model = "b-shared"}};
static struct endpoint_options deep_at[] = {{.provider = 1, .upstream_model = "deep"}};
static struct endpoint_options plain_at[] = {{.provider = 0, .upstream_model = "plain"}};
static unsigned both[] = {0, 3};

static struct model_options models[] = {
    {.id = "a/fast", .endpoints = fast_at, .nendpoints = 2},
    {.id = "a/shared", .endpoints = a_shared_at, .nendpoints = 1},
    {.id = "b/shared", .endpoints = b_shared_at, .nendpoints = 1},
    {.id = "a/deep/image", .endpoints = deep_at, .nendpoints = 1},
    {.id = "plain", .endpoints = plain_at, .nendpoints = 1},
    {.id = "best", .alias = both, .nalias = 2},
};

static const struct snapshot snapshot = {
    .providers = providers,
    .nproviders = ROWS(providers),
    .models = models,
    .nmodels = ROWS(models),
};

/* "p1:fast-1=a/fast p2:…": provider, its name for the model, and the canonical one. */
static void describe(const struct resolution *r, char *out, size_t size)
{
    size_t at = 0;
    out[0] = '\0';
    for (unsigned i = 0; i < r->n; i++) {
        const struct target_group *g = &r->groups[i];
        for (unsigned k = 0; k < g->n; k++) {
            const struct target *t = &g->first[k];
            assert_non_null(t->price);
            assert_ptr_equal(t->provider, &providers[t->provider_index]);
            if (g->pinned != NULL && g->pinned != t->provider)
                continue;
            at += (size_t)snprintf(out + at, size - at, "%s%s:%.*s=%.*s", at > 0 ? " " : "",
                                   t->provider->name, SPAN_FMT(t->upstream_model),
                                   SPAN_FMT(t->model_id));
        }
    }
}

static void names_resolve_as_the_contract_says(void **state)
{
    (void)state;
    static const struct {
        const char *name, *targets;
    } rows[] = {
        /* nothing */
        {"", ""},
        {"/", ""},
        {"nope", ""},
        {"p1", ""},
        {"p1/", ""},
        {"/fast", ""},
        {"p1/nope", ""},
        {"A/FAST", ""},
        {"a/fast ", ""},
        {"c/fast", ""}, /* neither a model nor a provider */
        {"openai/", ""},
        {"shared", ""}, /* two models have it */
        {"sluice/nope", ""},
        {"sluice/sluice/fast", ""}, /* stripped once */
        /* exact ids, aliases in their order */
        {"a/fast", "p1:fast-1=a/fast p2:fast-2=a/fast"},
        {"plain", "p1:plain=plain"},
        {"a/deep/image", "p2:deep=a/deep/image"},
        {"best", "p1:fast-1=a/fast p2:fast-2=a/fast p2:deep=a/deep/image"},
        /* provider/name pins the provider */
        {"p2/fast", "p2:fast-2=a/fast"},
        {"p1/plain", "p1:plain=plain"},
        {"p2/deep/image", "p2:deep=a/deep/image"},
        {"p1/deep/image", ""},
        {"p1/shared", "p1:a-shared=a/shared"},
        {"p2/shared", "p2:b-shared=b/shared"},
        {"p2/best", ""}, /* an alias is no model of a provider */
        /* bare names */
        {"fast", "p1:fast-1=a/fast p2:fast-2=a/fast"},
        {"deep/image", "p2:deep=a/deep/image"},
        /* one leading segment is forgiven */
        {"sluice/a/fast", "p1:fast-1=a/fast p2:fast-2=a/fast"},
        {"sluice/fast", "p1:fast-1=a/fast p2:fast-2=a/fast"},
        {"sluice/best", "p1:fast-1=a/fast p2:fast-2=a/fast p2:deep=a/deep/image"},
        /* a provider from the environment offers anything */
        {"openai/gpt-x", "openai:gpt-x=openai/gpt-x"},
        {"openrouter/a/b:free", "openrouter:a/b:free=openrouter/a/b:free"},
        /* a provider has all its names */
        {"gemini/x", "gemini:x=gemini/x"},
        {"google-ai-studio/x", "gemini:x=google-ai-studio/x"},
        {"google-ai/x", "gemini:x=google-ai/x"},
        {"google-vertex/x", ""},
        {"sluice/openai/gpt-x", "openai:gpt-x=openai/gpt-x"},
        {"openai/openai/gpt-x", "openai:openai/gpt-x=openai/openai/gpt-x"},
    };
    struct catalog *c = catalog_new(&snapshot);
    for (unsigned i = 0; i < ROWS(rows); i++) {
        struct resolution r;
        char got[256];
        bool found = catalog_resolve(c, span_text(rows[i].name), &r);
        describe(&r, got, sizeof(got));
        if (strcmp(got, rows[i].targets) != 0)
            print_error("row %u \"%s\": %s\n", i, rows[i].name, got);
        assert_row(i, strcmp(got, rows[i].targets) == 0);
        assert_row(i, found == (r.n > 0));
    }
    catalog_free(c);
}

static void endpoints_inherit_what_they_do_not_say(void **state)
{
    (void)state;
    static struct provider_options owners[] = {
        {.name = "vertex",
         .data_policy = {.retention_ms = 0, .known = POLICY_RETENTION | POLICY_TRAINING}},
        {.name = "quiet", .data_policy = {.zdr = true, .known = POLICY_ZDR}},
        {.name = "silent"},
    };
    static struct endpoint_options at[] = {
        {.provider = 0, .upstream_model = "m", .context = 10, .max_output = 5, .enabled = true},
        {.provider = 0,
         .upstream_model = "m",
         .variant = "FP8",
         .known = ENDPOINT_PARAMS,
         .params = CAN_TOOLS,
         .data_policy = {.training = true, .known = POLICY_TRAINING}},
        {.provider = 1, .upstream_model = "m", .known = ENDPOINT_INPUT, .input = MODALITY_TEXT},
        {.provider = 2, .upstream_model = "m"},
    };
    static struct model_options one[] = {{.id = "m",
                                          .context = 99,
                                          .known = MODEL_INPUT,
                                          .input = MODALITY_IMAGE,
                                          .distillable = true,
                                          .endpoints = at,
                                          .nendpoints = 4}};
    static const struct snapshot s = {
        .providers = owners, .nproviders = 3, .models = one, .nmodels = 1};
    unsigned n;
    struct catalog *c = catalog_new(&s);
    const struct target *t = catalog_targets(c, &n);
    assert_int_equal(n, 4);
    assert_span(t[0].slug, "google-vertex");
    assert_span(t[1].slug, "google-vertex/fp8");
    assert_true(t[0].context == 10 && t[1].context == 99 && t[0].max_output == 5);
    assert_true(t[0].params == UINT32_MAX && t[1].params == CAN_TOOLS);
    assert_true(t[0].input == MODALITY_IMAGE && t[2].input == MODALITY_TEXT);
    assert_true(!t[0].policy.stores && !t[0].policy.trains && !t[0].policy.zdr);
    assert_true(!t[1].policy.stores && t[1].policy.trains);
    assert_true(!t[2].policy.stores && !t[2].policy.trains && t[2].policy.zdr);
    assert_true(t[3].policy.stores && t[3].policy.trains && !t[3].policy.zdr);
    assert_true(t[0].enabled && !t[1].enabled && t[3].distillable && t[3].index == 3);
    catalog_free(c);
}

static void an_empty_configuration_has_nothing(void **state)
{
    (void)state;
    static const struct snapshot empty;
    struct catalog *c = catalog_new(&empty);
    struct resolution r;
    assert_false(catalog_resolve(c, SPAN_LIT("a/fast"), &r));
    assert_int_equal(r.n, 0);
    catalog_free(c);
    catalog_free(NULL);
}

static void slugs_have_numbers_for_endpoints_and_for_their_providers(void **state)
{
    (void)state;
    static struct provider_options makers[] = {{.name = "MiniMax"}, {.name = "vertex"}};
    static struct endpoint_options at[] = {
        {.provider = 0, .upstream_model = "m", .variant = "fp8"},
        {.provider = 0, .upstream_model = "m", .variant = "lightning"},
        {.provider = 1, .upstream_model = "m"},
    };
    static struct model_options model = {.id = "x/m", .endpoints = at, .nendpoints = 3};
    const struct snapshot s = {
        .providers = makers, .nproviders = 2, .models = &model, .nmodels = 1};
    struct catalog *c = catalog_new(&s);
    const struct target *t = catalog_group(c, &model).first;
    static const struct {
        const char *slug;
        int endpoint,
            provider; /* which of t it is, and the first it is the provider of; -1: none */
    } rows[] = {
        {"minimax", -1, 0},     {"minimax/fp8", 0, -1}, {"minimax/lightning", 1, -1},
        {"minimax/fp", -1, -1}, {"mini", -1, -1},       {"google-vertex", 2, 2},
        {"vertex", -1, -1},     {"", -1, -1},
    };
    for (unsigned i = 0; i < ROWS(rows); i++) {
        unsigned number = catalog_slug_number(c, span_text(rows[i].slug));
        int endpoint = -1, provider = -1;
        for (int k = 2; k >= 0; k--) {
            endpoint = t[k].slug_number == number ? k : endpoint;
            provider = t[k].provider_slug_number == number ? k : provider;
        }
        assert_row(i, endpoint == rows[i].endpoint && provider == rows[i].provider);
        assert_row(i, number == SLUG_UNKNOWN || number < catalog_slugs(c));
        assert_row(i, (number == SLUG_UNKNOWN) == (endpoint < 0 && provider < 0));
    }
    catalog_free(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(slugs_have_numbers_for_endpoints_and_for_their_providers),
        cmocka_unit_test(names_resolve_as_the_contract_says),
        cmocka_unit_test(endpoints_inherit_what_they_do_not_say),
        cmocka_unit_test(an_empty_configuration_has_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
