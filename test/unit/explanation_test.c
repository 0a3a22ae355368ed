/* A plan is explained: in one field of a head, and as an object. */
#include "unit.h"

#include "sluice/config/capabilities.h"
#include "sluice/route/explanation.h"

#include <yyjson.h>

static struct provider_options providers[] = {
    {.name = "alpha"}, {.name = "beta"}, {.name = "gamma"}};
#define AT(p, usd, ...)                                      \
    {.provider = (p),                                        \
     .upstream_model = "secret-name",                        \
     .enabled = true,                                        \
     .price = {.input = (usd), .output = (usd), .known = 3}, \
     __VA_ARGS__}
static struct endpoint_options trio_at[] = {
    AT(0, 3000000, .known = ENDPOINT_PARAMS | ENDPOINT_INPUT, .params = CAN_TEMPERATURE,
       .input = MODALITY_TEXT),
    AT(1, 1000000, .variant = "fp8"),
    AT(2, 2000000, .context = 0),
};
static struct endpoint_options one_at[] = {AT(2, 1, .max_output = 0)};
static struct model_options models[] = {
    {.id = "x/trio", .endpoints = trio_at, .nendpoints = 3},
    {.id = "x/\"one\"\n", .endpoints = one_at, .nendpoints = 1},
};
static const struct snapshot snapshot = {
    .providers = providers, .nproviders = 3, .models = models, .nmodels = 2};

static void look(void *arg, const struct target *t, struct target_health *out)
{
    static const struct quantiles latency = {{0.25, 0.5, 1, 2}, 7}, none;
    bool is_beta = span_starts(t->slug, SPAN_LIT("beta"));
    (void)arg;
    *out = (struct target_health){.latency = is_beta ? &latency : &none, .throughput = &none};
    if (is_beta)
        out->outcomes = (struct outcomes){3, 1};
}

struct told {
    struct arena a;
    struct catalog *catalog;
    struct plan_question q;
    struct preferences preferences;
    struct plan plan;
    struct fault why;
    bool made;
};

static void plan(struct told *g, const char *provider, const char *more, unsigned used,
                 const struct key_options *key)
{
    arena_init(&g->a, NULL, 1024);
    g->catalog = catalog_new(&snapshot);
    assert_true(
        preferences_read(span_text(provider), span_text(more), &g->a, &g->preferences, &g->why));
    g->q = (struct plan_question){.catalog = g->catalog,
                                  .key = key,
                                  .model = SPAN_LIT("x/trio"),
                                  .preferences = &g->preferences,
                                  .used = used,
                                  .prompt_tokens = 10,
                                  .output_tokens = 20,
                                  .weights = {40, 20, 20, 20},
                                  .seed = UINT64_MAX,
                                  .tells_all = true,
                                  .look = look};
    g->made = plan_make(&g->q, &g->a, &g->a, &g->plan, &g->why);
}

static void plan_fini(struct told *g)
{
    catalog_free(g->catalog);
    arena_fini(&g->a);
}

static const char *only_one[] = {"x/\"one\"\n"};
static const struct key_options key_one = {.models = {only_one, 1}};

static void field_has_the_plan_and_those_that_are_not_in_it(void **state)
{
    (void)state;
    static const struct {
        const char *provider, *models;
        unsigned used;
        const struct key_options *key;
        const char *field;
    } rows[] = {
        {"{\"sort\":\"price\"}", "", 0, NULL,
         "plan=(\"beta/fp8\";price \"gamma\";price \"alpha\";price)"},
        {"{\"order\":[\"gamma\"],\"ignore\":[\"beta\"]}", "", CAN_SEED | CAN_TOOLS, NULL,
         "plan=(\"gamma\";only), dropped=(\"alpha\";parameters=\"tools seed\" \"beta/fp8\";ignore)"},
        {"{\"order\":[\"gamma\",\"beta\"]}", "", 0, NULL,
         "plan=(\"gamma\";order \"beta/fp8\";order \"alpha\";unnamed)"},
        {"{\"sort\":\"price\",\"preferred_max_latency\":0.1,\"only\":[\"beta\",\"gamma\"]}", "", 0,
         NULL, "plan=(\"gamma\";price \"beta/fp8\";slow), dropped=(\"alpha\";only)"},
        {"{\"sort\":\"price\",\"allow_fallbacks\":false}", "\"x/\\\"one\\\"\\n\"", 0, NULL,
         "plan=(\"beta/fp8\";price \"gamma\";only;model=\"x/?one??\"), "
         "dropped=(\"alpha\";allow_fallbacks;model=\"x/trio\" \"gamma\";allow_fallbacks)"},
        {"{\"zdr\":true,\"only\":[\"beta\"]}", "", 0, NULL,
         "dropped=(\"alpha\";only \"beta/fp8\";zdr \"gamma\";only)"},
        {"", "", 0, &key_one, ""}, /* nothing of what the key may not use */
    };
    for (unsigned i = 0; i < ROWS(rows); i++) {
        struct told g;
        char out[EXPLANATION_FIELD_MAX];
        plan(&g, rows[i].provider, rows[i].models, rows[i].used, rows[i].key);
        assert_span(explanation_field(&g.plan, NULL, 0, out), rows[i].field);
        plan_fini(&g);
    }
}

static void field_tells_what_was_tried_first(void **state)
{
    (void)state;
    struct told g;
    char out[EXPLANATION_FIELD_MAX];
    static const struct explained_attempt tried[] = {
        {SPAN_LIT("beta/fp8"), NULL, 503, 12},
        {SPAN_LIT("gamma"), "timeout", 0, 3000},
        {SPAN_LIT("alpha"), NULL, 200, 7},
    };
    plan(&g, "{\"order\":[\"beta\"],\"allow_fallbacks\":false}", "", 0, NULL);
    assert_span(explanation_field(&g.plan, tried, 3, out),
                "tried=(\"beta/fp8\";s=503;ms=12 \"gamma\";timeout;ms=3000 \"alpha\";s=200;ms=7), "
                "plan=(\"beta/fp8\";only), "
                "dropped=(\"alpha\";allow_fallbacks \"gamma\";allow_fallbacks)");
    plan_fini(&g);
}

/* Whatever the names are, it is at most 512 bytes, of whole entries, and counts what it leaves out. */
static void field_is_cut_at_a_whole_entry(void **state)
{
    (void)state;
    enum { N = 60 };
    static struct target targets[N];
    static struct considered considered[N];
    static struct planned_attempt attempts[PLAN_ATTEMPTS_MAX];
    static char names[N][400];
    for (unsigned width = 1; width < 300; width++) {
        char out[EXPLANATION_FIELD_MAX + 1];
        unsigned entries = 0, cut = 0;
        for (unsigned i = 0; i < N; i++) {
            memset(names[i], 'a' + i % 26, width);
            targets[i] = (struct target){.slug = span_of(names[i], width),
                                         .model_id = SPAN_LIT("m")};
            considered[i] = (struct considered){.target = &targets[i],
                                                .dropped_by = i < 8 ? FILTER_NONE : FILTER_ZDR};
            if (i < PLAN_ATTEMPTS_MAX)
                attempts[i] = (struct planned_attempt){.target = &targets[i], .considered = i};
        }
        const struct plan p = {attempts, PLAN_ATTEMPTS_MAX, considered, N};
        struct span field = explanation_field(&p, NULL, 0, out);
        assert_row(width, field.len <= EXPLANATION_FIELD_MAX);
        out[field.len] = '\0';
        const char *told = strstr(out, "cut=");
        if (told != NULL)
            cut = (unsigned)strtoul(told + 4, NULL, 10);
        for (const char *at = out; (at = strchr(at, ';')) != NULL; at++)
            entries++;
        assert_row(width, entries + cut == N);
        assert_row(width, (strchr(out, '(') == NULL) == (entries == 0));
        const char *end = told != NULL ? told - 2 : out + field.len;
        assert_row(width, entries == 0 || end[-1] == ')');
    }
}

static void object_is_json_with_every_endpoint_in_it_once(void **state)
{
    (void)state;
    struct told g;
    struct buf out = {0};
    plan(&g, "{\"sort\":\"price\",\"ignore\":[\"gamma\"]}", "", 0, NULL);
    assert_int_equal(explanation_write(&g.q, &g.plan, NULL, &out), 0);
    yyjson_doc *doc = yyjson_read((const char *)out.at, buf_len(&out), 0);
    assert_non_null(doc);
    yyjson_val *root = yyjson_doc_get_root(doc), *beta, *alpha, *gamma;
    beta = yyjson_arr_get(yyjson_obj_get(root, "plan"), 0);
    alpha = yyjson_arr_get(yyjson_obj_get(root, "plan"), 1);
    gamma = yyjson_arr_get(yyjson_obj_get(root, "dropped"), 0);
    assert_int_equal(yyjson_arr_size(yyjson_obj_get(root, "plan")), 2);
    assert_int_equal(yyjson_arr_size(yyjson_obj_get(root, "dropped")), 1);
    assert_string_equal(yyjson_get_str(yyjson_obj_get(root, "seed")), "18446744073709551615");
    assert_string_equal(yyjson_get_str(yyjson_obj_get(beta, "endpoint")), "beta/fp8");
    assert_string_equal(yyjson_get_str(yyjson_obj_get(beta, "place")), "price");
    assert_float_equal(yyjson_get_num(yyjson_obj_get(beta, "cost_usd")), 0.00003, 1e-12);
    assert_float_equal(yyjson_get_num(yyjson_obj_get(beta, "reliability")), 0.75, 1e-12);
    assert_int_equal(yyjson_get_int(yyjson_obj_get(yyjson_obj_get(beta, "latency_s"), "samples")),
                     7);
    assert_string_equal(yyjson_get_str(yyjson_obj_get(alpha, "endpoint")), "alpha");
    assert_null(yyjson_obj_get(alpha, "latency_s"));
    assert_string_equal(yyjson_get_str(yyjson_obj_get(gamma, "by")), "ignore");
    assert_null(yyjson_obj_get(root, "error"));
    assert_int_equal(span_find(buf_span(&out), SPAN_LIT("secret-name")), SIZE_MAX);
    yyjson_doc_free(doc);
    plan_fini(&g);

    /* nothing is left: the error it would be, and what is missing */
    buf_clear(&out);
    plan(&g, "{\"only\":[\"alpha\"]}", "", CAN_SEED, NULL);
    assert_false(g.made);
    assert_int_equal(explanation_write(&g.q, &g.plan, &g.why, &out), 0);
    doc = yyjson_read((const char *)out.at, buf_len(&out), 0);
    root = yyjson_doc_get_root(doc);
    assert_int_equal(yyjson_get_int(yyjson_obj_get(yyjson_obj_get(root, "error"), "status")), 503);
    alpha = yyjson_arr_get(yyjson_obj_get(root, "dropped"), 0);
    assert_string_equal(yyjson_get_str(yyjson_arr_get(yyjson_obj_get(alpha, "missing"), 0)),
                        "seed");
    yyjson_doc_free(doc);
    plan_fini(&g);

    /* and of models a key may not use not a word */
    buf_clear(&out);
    plan(&g, "", "", 0, &key_one);
    assert_int_equal(explanation_write(&g.q, &g.plan, &g.why, &out), 0);
    assert_int_equal(span_find(buf_span(&out), SPAN_LIT("alpha")), SIZE_MAX);
    plan_fini(&g);
    buf_fini(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(field_has_the_plan_and_those_that_are_not_in_it),
        cmocka_unit_test(field_tells_what_was_tried_first),
        cmocka_unit_test(field_is_cut_at_a_whole_entry),
        cmocka_unit_test(object_is_json_with_every_endpoint_in_it_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
