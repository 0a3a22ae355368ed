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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_become_slugs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
