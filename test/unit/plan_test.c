#include "unit.h"

#include "sluice/route/plan.h"

static struct provider_options providers[] = {
    {.name = "p1"}, {.name = "p2"}, {.name = "open", .any_model = true}};
static struct endpoint_options one_at[] = {{.provider = 0, .upstream_model = "one-1"},
                                           {.provider = 1, .upstream_model = "one-2"}};
static struct endpoint_options two_at[] = {{.provider = 1, .upstream_model = "two"}};
static unsigned both[] = {1, 0};
static struct model_options models[] = {
    {.id = "a/one", .endpoints = one_at, .nendpoints = 2},
    {.id = "a/two", .endpoints = two_at, .nendpoints = 1},
    {.id = "best", .alias = both, .nalias = 2},
};
static const struct snapshot snapshot = {
    .providers = providers, .nproviders = 3, .models = models, .nmodels = 3};

static const char *everything[] = {"*"}, *only_one[] = {"a/one"}, *only_best[] = {"best"},
                  *open_x[] = {"open/x"};
static const struct key_options keys[] = {
    {.models = {everything, 1}}, {.models = {only_one, 1}}, {.models = {only_best, 1}},
    {.models = {open_x, 1}},     {.models = {NULL, 0}},
};
enum { NO_KEY = -1, ANYTHING, ONLY_ONE, ONLY_BEST, OPEN_X, NOTHING };

static void a_plan_keeps_the_order_and_the_reach_of_the_key(void **state)
{
    (void)state;
    static const struct {
        int key;
        const char *model, *plan; /* or what is said */
    } rows[] = {
        {NO_KEY, "nope", "404 no model is named \"nope\""},
        {ANYTHING, "nope", "404 no model is named \"nope\""},
        {ONLY_ONE, "nope", "404 no model is named \"nope\""},
        {ONLY_ONE, "a/two", "403 this key may not use \"a/two\""},
        {ONLY_BEST, "a/two", "403 this key may not use \"a/two\""},
        {NOTHING, "a/one", "403 this key may not use \"a/one\""},
        {OPEN_X, "open/y", "403 this key may not use \"open/y\""},
        {NO_KEY, "a/one", "p1:one-1 p2:one-2"},
        {ANYTHING, "best", "p2:two p1:one-1 p2:one-2"},
        {ONLY_ONE, "one", "p1:one-1 p2:one-2"}, /* by the canonical id, whatever was asked for */
        {ONLY_ONE, "p2/one", "p2:one-2"},
        {ONLY_ONE, "best", "p1:one-1 p2:one-2"}, /* the part of the alias it reaches */
        {ONLY_BEST, "best", "p2:two p1:one-1 p2:one-2"},
        {OPEN_X, "open/x", "open:x"},
        {NO_KEY, "open/any/thing", "open:any/thing"},
    };
    struct catalog *c = catalog_new(&snapshot);
    for (unsigned i = 0; i < ROWS(rows); i++) {
        struct arena arena;
        struct plan plan;
        struct fault why;
        char got[700] = "";
        size_t at = 0;
        arena_init(&arena, NULL, 256);
        struct span model = span_text(rows[i].model);
        uint8_t *asked = exact_copy(model);
        bool made = plan_make(c, rows[i].key < 0 ? NULL : &keys[rows[i].key],
                              span_of(asked, model.len), &arena, &plan, &why);
        free(asked); /* the body it lay in is gone before the last attempt */
        if (!made) {
            assert_row(i, strcmp(why.param, "model") == 0);
            snprintf(got, sizeof(got), "%u %s", fault_status(&why), why.message);
            assert_row(i, strncmp(got, rows[i].plan, strlen(rows[i].plan)) == 0);
            arena_fini(&arena);
            continue;
        }
        for (unsigned k = 0; k < plan.n; k++) {
            const struct target *t = &plan.attempts[k].target;
            assert_row(i, plan.attempts[k].reason != NULL && t->model_id.len > 0);
            at += (size_t)snprintf(got + at, sizeof(got) - at, "%s%s:%.*s", k > 0 ? " " : "",
                                   t->provider->name, SPAN_FMT(t->upstream_model));
        }
        if (strcmp(got, rows[i].plan) != 0)
            print_error("row %u: %s\n", i, got);
        assert_row(i, strcmp(got, rows[i].plan) == 0);
        arena_fini(&arena);
    }
    catalog_free(c);
}

static void a_name_without_end_does_not_fill_the_message(void **state)
{
    (void)state;
    struct catalog *c = catalog_new(&snapshot);
    struct arena arena;
    struct plan plan;
    struct fault why;
    char name[5000];
    memset(name, 'x', sizeof(name));
    arena_init(&arena, NULL, 256);
    assert_false(plan_make(c, NULL, span_of(name, sizeof(name)), &arena, &plan, &why));
    assert_non_null(strstr(why.message, "GET /v1/models"));
    arena_fini(&arena);
    catalog_free(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_plan_keeps_the_order_and_the_reach_of_the_key),
        cmocka_unit_test(a_name_without_end_does_not_fill_the_message),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
