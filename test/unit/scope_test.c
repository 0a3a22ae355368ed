#include "unit.h"

#include "sluice/admit/scope.h"

/* a/fast and a/deep are models; bot stands for the first, team for both, solo is a model by itself. */
static struct provider_options providers[] = {{.name = "p1"}, {.name = "any", .any_model = true}};
static struct endpoint_options fast_at[] = {{.provider = 0, .upstream_model = "fast"}};
static struct endpoint_options deep_at[] = {{.provider = 0, .upstream_model = "deep"}};
static struct endpoint_options solo_at[] = {{.provider = 0, .upstream_model = "solo"}};
static unsigned bot[] = {0}, team[] = {0, 1};

static struct model_options models[] = {
    {.id = "a/fast", .endpoints = fast_at, .nendpoints = 1},
    {.id = "a/deep", .endpoints = deep_at, .nendpoints = 1},
    {.id = "solo", .endpoints = solo_at, .nendpoints = 1},
    {.id = "bot", .alias = bot, .nalias = 1},
    {.id = "team", .alias = team, .nalias = 2},
};
static const struct snapshot snapshot = {.providers = providers,
                                         .nproviders = ROWS(providers),
                                         .models = models,
                                         .nmodels = ROWS(models)};

static const struct key_options workspace = {.scope = SCOPE_WORKSPACE},
                                admin = {.scope = SCOPE_ADMIN},
                                of_bot = {.scope = SCOPE_PIPELINE, .pipeline = "bot"},
                                of_team = {.scope = SCOPE_PIPELINE, .pipeline = "team"},
                                of_solo = {.scope = SCOPE_PIPELINE, .pipeline = "solo"};

static void a_key_is_held_to_its_scope(void **state)
{
    (void)state;
    static const struct {
        const struct key_options *key;
        const char *name;
        unsigned in_path, as_model; /* status; 0: allowed */
    } rows[] = {
        {&admin, "bot", 403, 0}, /* which is not asked then */
        {&admin, "", 403, 0},          {&of_bot, "solo", 404, 403},
        {&of_bot, "nobody", 404, 403}, {&of_bot, "team", 404, 403}, /* which is more than bot */
        {&of_bot, "a/deep", 404, 403}, {&of_bot, "any/fast", 404, 403},
        {&of_bot, "BOT", 404, 403},    {&of_team, "solo", 404, 403},
        {&of_solo, "bot", 404, 403},   {&of_bot, "bot", 0, 0},
        {&of_bot, "a/fast", 0, 0},     {&of_bot, "fast", 0, 0},
        {&of_bot, "p1/fast", 0, 0},    {&of_bot, "openai/bot", 0, 0},
        {&of_team, "team", 0, 0},      {&of_team, "bot", 0, 0}, /* a part of it */
        {&of_team, "deep", 0, 0},      {&of_solo, "solo", 0, 0},
        {&of_solo, "p1/solo", 0, 0},   {&workspace, "solo", 0, 0},
        {&workspace, "nobody", 0, 0}, /* routing will say so */
        {NULL, "nobody", 0, 0},
    };
    struct catalog *c = catalog_new(&snapshot);
    for (unsigned i = 0; i < ROWS(rows); i++) {
        struct fault why;
        struct span name = span_text(rows[i].name);
        bool in_path = scope_check_path(rows[i].key, c, name, &why);
        assert_row(i, in_path == (rows[i].in_path == 0));
        assert_row(i, in_path || fault_status(&why) == rows[i].in_path);
        bool as_model = scope_check_model(rows[i].key, c, name, "model", &why);
        assert_row(i, as_model == (rows[i].as_model == 0));
        assert_row(i, as_model || fault_status(&why) == rows[i].as_model);
    }
    catalog_free(c);
}

static void the_paths_of_all_are_open_to_keys_that_call_models(void **state)
{
    (void)state;
    struct catalog *c = catalog_new(&snapshot);
    struct fault why;
    assert_true(scope_check_path(&of_bot, c, SPAN_NONE, &why));
    assert_true(scope_check_path(&workspace, c, SPAN_NONE, &why));
    assert_true(scope_check_path(NULL, c, SPAN_NONE, &why));
    catalog_free(c);
}

/* Neither by its words nor by anything else. */
static void what_exists_elsewhere_is_told_like_what_does_not(void **state)
{
    (void)state;
    struct catalog *c = catalog_new(&snapshot);
    struct fault there, nowhere;
    assert_false(scope_check_path(&of_bot, c, SPAN_LIT("solo"), &there));
    assert_false(scope_check_path(&of_bot, c, SPAN_LIT("none"), &nowhere));
    char *other = strstr(nowhere.message, "none");
    assert_non_null(other);
    memcpy(other, "solo", 4);
    assert_string_equal(there.message, nowhere.message);
    assert_string_equal(there.param, nowhere.param);
    assert_int_equal(there.kind, nowhere.kind);
    catalog_free(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_key_is_held_to_its_scope),
        cmocka_unit_test(the_paths_of_all_are_open_to_keys_that_call_models),
        cmocka_unit_test(what_exists_elsewhere_is_told_like_what_does_not),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
