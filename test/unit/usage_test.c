#include "unit.h"

#include "sluice/meter/usage.h"

static bool read_usage(const char *text, struct usage *u)
{
    struct span s = span_text(text);
    uint8_t *memory = exact_copy(s);
    bool stated = usage_read_openai(u, span_of(memory, s.len));
    free(memory);
    return stated;
}

static void what_states_no_count_changes_nothing(void **state)
{
    (void)state;
    static const char *const rows[] = {
        "",
        "null",
        "[]",
        "\"prompt_tokens\"",
        "{}",
        "{\"total_tokens\":5}",
        "{\"prompt_tokens\":null,\"completion_tokens\":null}",
        "{\"prompt_tokens\":-1}",
        "{\"prompt_tokens\":1.5}",
        "{\"prompt_tokens\":\"12\"}",
        "{\"prompt_tokens\":1e3}",
        "{\"prompt_tokens\":1000000001}",
        "{\"prompt_tokens\":99999999999999999999999}",
        "{\"prompt_tokens_details\":{\"cached_tokens\":5}}",
        "{\"a\":{\"prompt_tokens\":1}}",
    };
    for (unsigned i = 0; i < ROWS(rows); i++) {
        struct usage u = {.prompt = 7, .completion = 8, .source = USAGE_ESTIMATED};
        assert_row(i, !read_usage(rows[i], &u));
        assert_row(i, u.prompt == 7 && u.completion == 8 && u.source == USAGE_ESTIMATED);
    }
}

/* Of vectors nothing is written: the total says what was read. */
static void an_embeddings_total_is_its_prompt(void **state)
{
    (void)state;
    static const struct {
        const char *object;
        bool is_stated;
        uint64_t prompt;
    } rows[] = {
        {"{}", false, 0},
        {"{\"total_tokens\":0}", false, 0},
        {"{\"total_tokens\":5}", true, 5},
        {"{\"prompt_tokens\":4,\"total_tokens\":4}", true, 4},
        {"{\"prompt_tokens\":4}", true, 4},
    };
    for (unsigned i = 0; i < ROWS(rows); i++) {
        struct usage u = {0};
        assert_row(i, usage_read_embeddings(&u, span_text(rows[i].object)) == rows[i].is_stated);
        assert_row(i, u.prompt == rows[i].prompt && u.completion == 0);
        assert_row(i, (u.source == USAGE_PROVIDER) == rows[i].is_stated);
    }
}

/* The columns: prompt, cached, cache_write, completion, reasoning. */
static void counts_mean_the_same_whatever_a_provider_calls_them(void **state)
{
    (void)state;
    static const struct {
        const char *object;
        uint64_t prompt, cached, cache_write, completion, reasoning;
    } rows[] = {
        {"{\"prompt_tokens\":0,\"completion_tokens\":0}", 0, 0, 0, 0, 0},
        {"{\"prompt_tokens\":5,\"total_tokens\":5}", 5, 0, 0, 0, 0}, /* embeddings */
        {" { \"completion_tokens\" : 3 } ", 0, 0, 0, 3, 0},
        {"{\"prompt_tokens\":1000000000}", 1000000000, 0, 0, 0, 0},
        {"{\"prompt_tokens\":9,\"completion_tokens\":4,\"total_tokens\":13,"
         "\"prompt_tokens_details\":{\"cached_tokens\":3,\"audio_tokens\":0},"
         "\"completion_tokens_details\":{\"reasoning_tokens\":2}}",
         9, 3, 0, 4, 2},
        {"{\"prompt_tokens\":9,\"completion_tokens\":4,\"prompt_tokens_details\":null,"
         "\"completion_tokens_details\":null}",
         9, 0, 0, 4, 0},
        {"{\"prompt_tokens\":9,\"prompt_tokens_details\":{\"cached_tokens\":3,"
         "\"cache_write_tokens\":4}}",
         9, 3, 4, 0, 0},
        /* DeepSeek, Moonshot */
        {"{\"prompt_tokens\":9,\"prompt_cache_hit_tokens\":8,\"prompt_cache_miss_tokens\":1}", 9, 8,
         0, 0, 0},
        {"{\"prompt_tokens\":9,\"cached_tokens\":7}", 9, 7, 0, 0, 0},
        /* xAI: reasoning beside the completion, told by the total */
        {"{\"prompt_tokens\":10,\"completion_tokens\":5,\"total_tokens\":35,"
         "\"completion_tokens_details\":{\"reasoning_tokens\":20}}",
         10, 0, 0, 25, 20},
        {"{\"prompt_tokens\":10,\"completion_tokens\":25,\"total_tokens\":35,"
         "\"completion_tokens_details\":{\"reasoning_tokens\":20}}",
         10, 0, 0, 25, 20},
        {"{\"prompt_tokens\":10,\"completion_tokens\":5,"
         "\"completion_tokens_details\":{\"reasoning_tokens\":20}}",
         10, 0, 0, 25, 20},
        /* what contradicts itself is cut to what can be */
        {"{\"prompt_tokens\":10,\"completion_tokens\":5,\"total_tokens\":15,"
         "\"completion_tokens_details\":{\"reasoning_tokens\":20}}",
         10, 0, 0, 5, 5},
        {"{\"prompt_tokens\":5,\"prompt_tokens_details\":{\"cached_tokens\":9}}", 5, 5, 0, 0, 0},
        {"{\"prompt_tokens\":5,\"prompt_tokens_details\":{\"cached_tokens\":3,"
         "\"cache_write_tokens\":9}}",
         5, 3, 2, 0, 0},
    };
    for (unsigned i = 0; i < ROWS(rows); i++) {
        struct usage u = {
            .prompt = 77, .cached = 77, .reasoning = 77}; /* replaced, never added to */
        assert_row(i, read_usage(rows[i].object, &u));
        assert_row(i, u.prompt == rows[i].prompt && u.completion == rows[i].completion);
        assert_row(i, u.cached == rows[i].cached && u.cache_write == rows[i].cache_write);
        assert_row(i, u.reasoning == rows[i].reasoning && u.source == USAGE_PROVIDER);
    }
}

static void two_answers_count_as_one(void **state)
{
    (void)state;
    static const struct {
        enum usage_source a, b, both;
    } rows[] = {
        {USAGE_NONE, USAGE_NONE, USAGE_NONE},
        {USAGE_NONE, USAGE_PROVIDER, USAGE_PROVIDER},
        {USAGE_ESTIMATED, USAGE_PROVIDER, USAGE_ESTIMATED},
        {USAGE_PROVIDER, USAGE_ESTIMATED, USAGE_ESTIMATED},
        {USAGE_COUNTED, USAGE_PROVIDER, USAGE_COUNTED},
    };
    for (unsigned i = 0; i < ROWS(rows); i++) {
        struct usage u = {.prompt = 1, .cached = 2, .completion = 4, .source = rows[i].a};
        struct usage more = {.prompt = 10,
                             .cache_write = 30,
                             .reasoning = 50,
                             .searches = 1,
                             .in = {.audio = 3},
                             .source = rows[i].b};
        usage_add(&u, &more);
        assert_row(i, u.prompt == 11 && u.cached == 2 && u.cache_write == 30);
        assert_row(i, u.completion == 4 && u.reasoning == 50 && u.source == rows[i].both);
        assert_row(i, u.searches == 1 && u.in.audio == 3);
    }
}

static void a_source_has_a_name(void **state)
{
    (void)state;
    assert_string_equal(usage_source_name(USAGE_NONE), "none");
    assert_string_equal(usage_source_name(USAGE_PROVIDER), "provider");
    assert_string_equal(usage_source_name(USAGE_COUNTED), "counted");
    assert_string_equal(usage_source_name(USAGE_ESTIMATED), "estimated");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_embeddings_total_is_its_prompt),
        cmocka_unit_test(what_states_no_count_changes_nothing),
        cmocka_unit_test(counts_mean_the_same_whatever_a_provider_calls_them),
        cmocka_unit_test(two_answers_count_as_one),
        cmocka_unit_test(a_source_has_a_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
