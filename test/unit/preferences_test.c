/* What a request says about who may answer it. */
#include "unit.h"

#include "sluice/config/capabilities.h"
#include "sluice/route/preferences.h"

struct reading {
    struct arena a;
    struct fault why;
    struct preferences p;
    bool ok;
};

static void read_both(struct reading *g, const char *provider, const char *models)
{
    arena_init(&g->a, NULL, 512);
    g->ok = preferences_read(span_text(provider), span_text(models), &g->a, &g->p, &g->why);
}

static void wrong_values_are_refused_by_their_path(void **state)
{
    (void)state;
    static const struct {
        const char *provider, *models, *param;
    } rows[] = {
        {"[]", "", "provider"},
        {"\"openai\"", "", "provider"},
        {"{\"order\":\"openai\"}", "", "provider.order"},
        {"{\"order\":[5]}", "", "provider.order"},
        {"{\"order\":[\"\"]}", "", "provider.order"},
        {"{\"only\":{}}", "", "provider.only"},
        {"{\"ignore\":[null]}", "", "provider.ignore"},
        {"{\"sort\":\"cheapest\"}", "", "provider.sort"},
        {"{\"sort\":{}}", "", "provider.sort"},
        {"{\"sort\":{\"by\":\"size\"}}", "", "provider.sort"},
        {"{\"sort\":5}", "", "provider.sort"},
        {"{\"allow_fallbacks\":\"no\"}", "", "provider.allow_fallbacks"},
        {"{\"require_parameters\":0}", "", "provider.require_parameters"},
        {"{\"hedge\":\"no\"}", "", "provider.hedge"},
        {"{\"data_collection\":\"never\"}", "", "provider.data_collection"},
        {"{\"data_collection\":false}", "", "provider.data_collection"},
        {"{\"zdr\":\"true\"}", "", "provider.zdr"},
        {"{\"continue_streams\":1}", "", "provider.continue_streams"},
        {"{\"enforce_distillable_text\":1}", "", "provider.enforce_distillable_text"},
        {"{\"quantizations\":[\"fp64\"]}", "", "provider.quantizations"},
        {"{\"quantizations\":\"fp8\"}", "", "provider.quantizations"},
        {"{\"preferred_min_throughput\":\"50\"}", "", "provider.preferred_min_throughput"},
        {"{\"preferred_min_throughput\":0}", "", "provider.preferred_min_throughput"},
        {"{\"preferred_min_throughput\":1e999}", "", "provider.preferred_min_throughput"},
        {"{\"preferred_max_latency\":{\"p95\":1}}", "", "provider.preferred_max_latency"},
        {"{\"preferred_max_latency\":{\"p90\":-1}}", "", "provider.preferred_max_latency"},
        {"{\"vendor\":[\"openai\"]}", "", "provider.vendor"},
        {"{\"vendor\":\"\"}", "", "provider.vendor"},
        {"{\"task\":\"dreaming\"}", "", "provider.task"},
        {"{\"task\":[]}", "", "provider.task"},
        {"{\"prefer\":\"best\"}", "", "provider.prefer"},
        {"{\"prefer\":true}", "", "provider.prefer"},
        {"{\"max_cost_multiplier\":0.5}", "", "provider.max_cost_multiplier"},
        {"{\"max_cost_multiplier\":\"2\"}", "", "provider.max_cost_multiplier"},
        {"", "5", "models"},
        {"", "[5]", "models"},
        {"", "[\"\"]", "models"},
        {"", "[1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1]", "models"},
    };
    for (unsigned i = 0; i < ROWS(rows); i++) {
        struct reading g;
        read_both(&g, rows[i].provider, rows[i].models);
        assert_row(i, !g.ok && strcmp(g.why.param, rows[i].param) == 0);
        assert_row(i, g.why.message[0] != '\0' && fault_status(&g.why) == 400);
        arena_fini(&g.a);
    }
}

static void lists_have_an_end(void **state)
{
    (void)state;
    struct buf text = {0};
    assert_int_equal(buf_add_text(&text, "{\"order\":[\"a\""), 0);
    for (unsigned i = 0; i < PREFERENCES_LIST_MAX; i++)
        assert_int_equal(buf_add_text(&text, ",\"b\""), 0);
    assert_int_equal(buf_add(&text, span_of("]}\0", 3)), 0);
    struct reading g;
    read_both(&g, (const char *)text.at, "");
    assert_false(g.ok);
    arena_fini(&g.a);
    buf_fini(&text);
}

static void nothing_said_is_nothing_wanted(void **state)
{
    (void)state;
    static const char *const rows[] = {
        "",
        "null",
        "{}",
        "{\"max_price\":{},\"order\":null,\"sort\":null,\"zdr\":null}",
        "{\"response_format\":{\"type\":\"text\"}}", /* D-12: a slip of the documents */
    };
    for (unsigned i = 0; i < ROWS(rows); i++) {
        struct reading g;
        read_both(&g, rows[i], "null");
        struct preferences none = {.allows_fallbacks = true};
        assert_row(i, g.ok && memcmp(&g.p, &none, sizeof none) == 0);
        arena_fini(&g.a);
    }
}

static void everything_is_read(void **state)
{
    (void)state;
    struct reading g;
    read_both(
        &g,
        "{\"order\":[\"Google AI Studio\",\"minimax/FP8\"],\"only\":[],\"ignore\":[\"xai\"],"
        "\"sort\":{\"by\":\"latency\"},\"preferred_min_throughput\":{\"p50\":100,\"p90\":5e1},"
        "\"preferred_max_latency\":1.5,\"quantizations\":[\"fp8\",\"none\"],"
        "\"allow_fallbacks\":false,\"require_parameters\":false,\"hedge\":false,\"data_collection\":\"deny\","
        "\"zdr\":true,\"enforce_distillable_text\":true,\"continue_streams\":false}",
        "[\"a/b\",\"c\\u0064\"]");
    assert_true(g.ok);
    assert_int_equal(g.p.order.n, 2);
    assert_span(g.p.order.at[0], "google-ai-studio");
    assert_span(g.p.order.at[1], "minimax/fp8");
    assert_true(g.p.only.is_said && g.p.only.n == 0);
    assert_span(g.p.ignore.at[0], "x-ai");
    assert_int_equal(g.p.sort, SORT_LATENCY);
    assert_true(g.p.min_throughput.at[P50] == 100 && g.p.min_throughput.at[P75] == 0 &&
                g.p.min_throughput.at[P90] == 50 && g.p.max_latency.at[P50] == 1.5);
    assert_int_equal(g.p.quantizations, 1u << QUANTIZATION_FP8 | 1u << QUANTIZATION_NONE);
    assert_true(!g.p.allows_fallbacks && g.p.drops_parameters && g.p.forbids_hedge &&
                g.p.denies_collection && g.p.wants_zdr && g.p.wants_distillable);
    assert_int_equal(g.p.continue_streams, CONTINUE_NO);
    assert_int_equal(g.p.nmodels, 2);
    assert_span(g.p.models[0], "a/b");
    assert_span(g.p.models[1], "cd");
    arena_fini(&g.a);

    read_both(&g, "{\"sort\":\"price\",\"allow_fallbacks\":true,\"continue_streams\":true}",
              "\"one\"");
    assert_true(g.ok && g.p.continue_streams == CONTINUE_YES && g.p.sort == SORT_PRICE &&
                g.p.allows_fallbacks && g.p.nmodels == 1);
    arena_fini(&g.a);
}

/* Contract 2.16: at the top level of some requests, and inside of `provider` everywhere. */
static void what_infrai_requests_say_is_read(void **state)
{
    (void)state;
    static const struct {
        const char *vendor, *task, *prefer, *multiplier, *param; /* NULL: it is good */
    } bad[] = {
        {"5", "", "", "", "vendor"},
        {"[\"openai\"]", "", "", "", "vendor"},
        {"", "\"General\"", "", "", "task"},
        {"", "", "\"\"", "", "prefer"},
        {"", "", "", "0.99", "max_cost_multiplier"},
        {"", "", "", "-2", "max_cost_multiplier"},
        {"", "", "", "[]", "max_cost_multiplier"},
        {"", "", "", "1e999", "max_cost_multiplier"},
    };
    struct reading g;
    for (unsigned i = 0; i < ROWS(bad); i++) {
        const struct infrai_members m = {span_text(bad[i].vendor), span_text(bad[i].task),
                                         span_text(bad[i].prefer), span_text(bad[i].multiplier)};
        read_both(&g, "", "");
        assert_row(i, !preferences_read_infrai(&m, &g.a, &g.p, &g.why));
        assert_row(i, strcmp(g.why.param, bad[i].param) == 0 && fault_status(&g.why) == 400);
        arena_fini(&g.a);
    }
    read_both(&g, "", "");
    assert_true(preferences_read_infrai(&(struct infrai_members){.prefer = SPAN_LIT("null")}, &g.a,
                                        &g.p, &g.why));
    assert_true(g.p.max_cost_multiplier == 1.5 && g.p.prefer == PREFER_UNSAID && !g.p.has_task &&
                !g.p.only.is_said);
    arena_fini(&g.a);

    const struct infrai_members all = {SPAN_LIT("\"Google AI Studio\""), SPAN_LIT("\"coding\""),
                                       SPAN_LIT("\"smartest\""), SPAN_LIT("2.5")};
    read_both(&g, "{\"only\":[\"openai\"],\"max_cost_multiplier\":4}", "");
    assert_true(g.ok && g.p.max_cost_multiplier == 4);
    assert_true(preferences_read_infrai(&all, &g.a, &g.p, &g.why));
    assert_int_equal(g.p.only.n, 1);
    assert_span(g.p.only.at[0], "google-ai-studio");
    assert_true(g.p.has_task && g.p.task == TASK_CODING && g.p.prefer == PREFER_SMARTEST &&
                g.p.max_cost_multiplier == 2.5);
    arena_fini(&g.a);

    read_both(&g,
              "{\"vendor\":\"xai\",\"task\":\"long_context\",\"prefer\":\"cheapest\","
              "\"max_cost_multiplier\":1}",
              "");
    assert_true(g.ok && g.p.only.is_said && g.p.task == TASK_LONG_CONTEXT &&
                g.p.prefer == PREFER_CHEAPEST && g.p.max_cost_multiplier == 1);
    assert_span(g.p.only.at[0], "x-ai");
    arena_fini(&g.a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(wrong_values_are_refused_by_their_path),
        cmocka_unit_test(lists_have_an_end),
        cmocka_unit_test(nothing_said_is_nothing_wanted),
        cmocka_unit_test(everything_is_read),
        cmocka_unit_test(what_infrai_requests_say_is_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
