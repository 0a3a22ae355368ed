/* What callers call providers and endpoints. */
#include "unit.h"

#include "sluice/catalog/slug.h"

static void names_become_slugs(void **state)
{
    (void)state;
    static const struct {
        const char *name, *slug;
    } rows[] = {
        {"", ""},
        {"---", ""},
        {"openai", "openai"},
        {"Google AI Studio", "google-ai-studio"},
        {"Z.ai", "z-ai"},
        {"xAI", "x-ai"}, /* by its other name */
        {"gemini", "google-ai-studio"},
        {"vertex", "google-vertex"},
        {"Amazon  Bedrock!", "amazon-bedrock"},
        {"MiniMax/FP8", "minimax/fp8"},
        {"bedrock/us-east-1", "amazon-bedrock/us-east-1"},
        {"\xc3\xa9t\xc3\xa9", "t"},
        {"a/", "a/"},
    };
    for (unsigned i = 0; i < ROWS(rows); i++) {
        struct arena a;
        arena_init(&a, NULL, 256);
        struct span slug = slug_make(span_text(rows[i].name), &a);
        if (!span_eq(slug, span_text(rows[i].slug)))
            print_error("%.*s\n", SPAN_FMT(slug));
        assert_row(i, span_eq(slug, span_text(rows[i].slug)));
        arena_fini(&a);
    }
}

static void a_provider_names_all_its_endpoints(void **state)
{
    (void)state;
    static const struct {
        const char *wanted, *endpoint;
        bool matches;
    } rows[] = {
        {"minimax", "minimax", true},
        {"minimax", "minimax/fp8", true},
        {"minimax/fp8", "minimax", false},
        {"minimax/fp8", "minimax/fp8", true},
        {"minimax/fp", "minimax/fp8", false},
        {"mini", "minimax", false},
        {"minimax/fp8", "minimax/lightning", false},
        {"", "minimax", false},
    };
    for (unsigned i = 0; i < ROWS(rows); i++)
        assert_row(i, slug_matches(span_text(rows[i].wanted), span_text(rows[i].endpoint)) ==
                          rows[i].matches);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_become_slugs),
        cmocka_unit_test(a_provider_names_all_its_endpoints),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
