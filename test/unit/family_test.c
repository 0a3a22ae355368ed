/* Models by what they are for. */
#include "unit.h"

#include "sluice/route/family.h"

static struct model_options models[] = {
    {.id = "x/tiny"}, {.id = "x/usual"}, {.id = "x/wise"}, {.id = "x/only"}, {.id = "x/many"}};
static unsigned three[] = {0, 1, 2}, two[] = {0, 2}, one[] = {3},
                many[] = {4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4};
static const struct snapshot snapshot = {
    .models = models,
    .nmodels = ROWS(models),
    .routing.families =
        {[TASK_GENERAL] = {three, 3}, [TASK_CODING] = {two, 2}, [TASK_REASONING] = {one, 1}},
};
static const struct snapshot crowded = {
    .models = models, .nmodels = ROWS(models), .routing.families = {[TASK_GENERAL] = {many, 18}}};

static void a_family_is_tried_as_the_request_prefers(void **state)
{
    (void)state;
    static const struct {
        const char *provider, *models, *tried;
        enum sort_by sort;
    } rows[] = {
        {"{}", "[\"a\"]", "a", SORT_UNSAID}, /* neither is said */
        {"{\"task\":\"general\"}", "", "x/usual x/wise x/tiny", SORT_UNSAID},
        {"{\"prefer\":\"balanced\"}", "", "x/usual x/wise x/tiny", SORT_UNSAID},
        {"{\"prefer\":\"cheapest\"}", "", "x/tiny x/usual x/wise", SORT_PRICE},
        {"{\"prefer\":\"cheapest\",\"sort\":\"latency\"}", "", "x/tiny x/usual x/wise",
         SORT_LATENCY},
        {"{\"prefer\":\"smartest\"}", "", "x/wise x/usual x/tiny", SORT_UNSAID},
        {"{\"task\":\"coding\"}", "", "x/tiny x/wise", SORT_UNSAID},
        {"{\"task\":\"coding\",\"prefer\":\"smartest\"}", "[\"b\"]", "x/wise x/tiny b",
         SORT_UNSAID},
        {"{\"task\":\"reasoning\",\"prefer\":\"cheapest\"}", "\"c\"", "x/only c", SORT_PRICE},
    };
    for (unsigned i = 0; i < ROWS(rows); i++) {
        struct arena a;
        struct preferences p;
        struct fault why;
        char got[200] = "";
        arena_init(&a, NULL, 512);
        assert_row(i, preferences_read(span_text(rows[i].provider), span_text(rows[i].models), &a,
                                       &p, &why));
        assert_row(i, family_choose(&snapshot, &p, &why));
        for (unsigned k = 0; k < p.nmodels; k++)
            snprintf(got + strlen(got), sizeof got - strlen(got), "%s%.*s", k > 0 ? " " : "",
                     SPAN_FMT(p.models[k]));
        if (strcmp(got, rows[i].tried) != 0)
            print_error("row %u: %s\n", i, got);
        assert_row(i, strcmp(got, rows[i].tried) == 0 && p.sort == rows[i].sort);
        arena_fini(&a);
    }
}

static void a_task_without_models_is_refused(void **state)
{
    (void)state;
    struct preferences p = {.task = TASK_LONG_CONTEXT, .has_task = true};
    struct fault why;
    assert_false(family_choose(&snapshot, &p, &why));
    assert_int_equal(fault_status(&why), 404);
    assert_non_null(strstr(why.message, "routing.tasks.long_context"));
}

static void a_plan_has_room_for_so_many(void **state)
{
    (void)state;
    struct preferences p = {.prefer = PREFER_BALANCED, .nmodels = PREFERENCES_MODELS_MAX};
    struct fault why;
    assert_true(family_choose(&crowded, &p, &why));
    assert_int_equal(p.nmodels, PREFERENCES_MODELS_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_family_is_tried_as_the_request_prefers),
        cmocka_unit_test(a_task_without_models_is_refused),
        cmocka_unit_test(a_plan_has_room_for_so_many),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
