/* What is known of models by name, and who overrules whom. */
#include "unit.h"

#include "sluice/catalog/facts.h"

static struct target of(enum protocol protocol, const char *model,
                        struct provider_options *provider)
{
    *provider = (struct provider_options){.protocol = protocol};
    return (struct target){.provider = provider, .upstream_model = span_text(model)};
}

/* One letter for each fact that matters of the family, in the order of the enum. */
static void write_facts(unsigned facts, char out[11])
{
    static const struct {
        unsigned fact;
        char letter;
    } letters[] = {{FACT_REASONING, 'r'},           {FACT_THINKING_BUDGET, 'b'},
                   {FACT_THINKING_OFF, 'o'},        {FACT_EFFORT_XHIGH, 'x'},
                   {FACT_EFFORT_MAX, 'm'},          {FACT_SAMPLING, 's'},
                   {FACT_SYSTEM_ANYWHERE, 'a'},     {FACT_EFFORT_MINIMAL, 'i'},
                   {FACT_ENCRYPTED_REASONING, 'e'}, {FACT_THOUGHT_SIGNATURES, 'g'}};
    size_t n = 0;
    for (unsigned i = 0; i < ROWS(letters); i++)
        if (facts & letters[i].fact)
            out[n++] = letters[i].letter;
    out[n] = '\0';
}

static void models_are_known_by_name(void **state)
{
    (void)state;
    static const struct {
        enum protocol protocol;
        const char *model, *facts;
    } rows[] = {
        {PROTOCOL_ANTHROPIC, "claude-opus-4-8", "roxma"},
        {PROTOCOL_ANTHROPIC, "claude-opus-7-20290101", "roxma"}, /* as the newest */
        {PROTOCOL_ANTHROPIC, "claude-opus-4-7", "roxm"},
        {PROTOCOL_ANTHROPIC, "claude-opus-4-6", "roms"},
        {PROTOCOL_ANTHROPIC, "claude-sonnet-4-6", "ros"},
        {PROTOCOL_ANTHROPIC, "claude-sonnet-4-5-20250929", "rbos"},
        {PROTOCOL_ANTHROPIC, "Claude-Sonnet-4.5", "rbos"},
        {PROTOCOL_ANTHROPIC, "claude-sonnet-4-20250514", "rbos"},
        {PROTOCOL_VERTEX, "claude-sonnet-4@20250514", "rbos"},
        {PROTOCOL_BEDROCK, "eu.anthropic.claude-haiku-4-5-20251001-v1:0", "rbos"},
        {PROTOCOL_BEDROCK, "us.anthropic.claude-opus-4-8-v1:0", "roxm"},
        {PROTOCOL_BEDROCK, "amazon.nova-pro-v1:0", "bs"},
        {PROTOCOL_ANTHROPIC, "claude-3-5-haiku-latest", "bos"},
        {PROTOCOL_ANTHROPIC, "claude-3-7-sonnet-latest", "rbos"},
        {PROTOCOL_ANTHROPIC, "glm-4.6", "rbos"},
        {PROTOCOL_GEMINI, "gemini-3-pro-preview", "rsg"},
        {PROTOCOL_GEMINI, "gemini-3-flash", "rosig"},
        {PROTOCOL_GEMINI, "gemini-2.5-flash-lite", "rbosg"},
        {PROTOCOL_VERTEX, "gemini-2.5-pro", "rbsg"},
        {PROTOCOL_GEMINI, "gemini-2.0-flash", "s"},
        {PROTOCOL_OPENAI, "google/gemini-3-pro", "rsg"},
        {PROTOCOL_OPENAI, "gpt-4o-mini", "s"},
        {PROTOCOL_OPENAI, "gpt-4.1", "s"},
        {PROTOCOL_OPENAI, "o3-mini", "r"},
        {PROTOCOL_OPENAI, "foo3", "rs"},
        {PROTOCOL_OPENAI, "gpt-5", "ri"},
        {PROTOCOL_OPENAI, "gpt-5-2025-08-07", "ri"},
        {PROTOCOL_OPENAI, "gpt-5-mini", "ri"},
        {PROTOCOL_OPENAI, "gpt-5.1", "ro"},
        {PROTOCOL_OPENAI, "gpt-5.2", "rox"},
        {PROTOCOL_OPENAI, "gpt-5:online", "ri"},
        {PROTOCOL_OPENAI, "gpt-5.2-pro", "rx"},
        {PROTOCOL_OPENAI, "gpt-5.2-codex", "rx"},
        {PROTOCOL_OPENAI, "gpt-5.1-codex-max", "rx"},
        {PROTOCOL_OPENAI, "openai/o3", "r"},
        {PROTOCOL_OPENAI, "AIDC-AI/Marco-o1", "rs"},
        {PROTOCOL_OPENAI, "grok-4.1-fast-reasoning", "s"},
        {PROTOCOL_OPENAI, "x-ai/grok-4.3", "rs"},
        {PROTOCOL_OPENAI, "anthropic/claude-sonnet-4", "rbos"},
        {PROTOCOL_VERTEX, "claude-opus-4-8@20260528", "roxm"},
        {PROTOCOL_OPENAI, "gpt-5-chat-latest", "oxs"},
        {PROTOCOL_OPENAI, "openai/gpt-oss-120b", "rs"},
        {PROTOCOL_OPENAI, "deepseek-v4-pro", "rms"},
        {PROTOCOL_OPENAI, "llama-3.3-70b", "rs"},
        {PROTOCOL_OPENAI, "", "rs"},
        {PROTOCOL_RESPONSES, "gpt-5-mini", "rie"},
        {PROTOCOL_RESPONSES, "gpt-4o-mini", "s"}, /* refuses to encrypt what it has not */
        {PROTOCOL_RESPONSES, "gpt-5-chat-latest", "oxs"},
        {PROTOCOL_RESPONSES, "grok-4", "se"},
    };
    for (unsigned i = 0; i < ROWS(rows); i++) {
        struct provider_options p;
        struct target t = of(rows[i].protocol, rows[i].model, &p);
        char facts[11];
        write_facts(facts_of(&t), facts);
        if (strcmp(facts, rows[i].facts) != 0)
            print_error("%s: %s\n", rows[i].model, facts);
        assert_row(i, strcmp(facts, rows[i].facts) == 0);
    }
}

static void what_was_looked_up_once_is_what_a_look_says(void **state)
{
    (void)state;
    static const char *const names[] = {"claude-opus-4-1", "gpt-5-codex", "gemini-2.5-pro", "x"};
    for (unsigned i = 0; i < ROWS(names); i++) {
        struct provider_options p;
        struct target t = of(PROTOCOL_OPENAI, names[i], &p);
        unsigned facts = facts_of(&t);
        uint64_t most = facts_max_output(&t);
        facts_keep(&t);
        assert_row(i, t.known_facts == facts && t.known_max_output == most);
        t.upstream_model = SPAN_LIT("claude-3"); /* and nobody looks again */
        assert_row(i, facts_of(&t) == facts && facts_max_output(&t) == most);
    }
}

static void each_word_overrules_the_one_before(void **state)
{
    (void)state;
    struct provider_options p;
    struct fact_options said = {.known = FACT_SAMPLING | FACT_TOP_K, .yes = FACT_SAMPLING};
    struct target t = of(PROTOCOL_OPENAI, "o3", &p);
    p.has_responses = true;
    assert_int_equal(facts_of(&t), FACT_REASONING | FACT_CUSTOM_TOOLS | FACT_COMPLETION_TOKENS |
                                       FACT_CACHE_KEY | FACT_JSON_SCHEMA |
                                       FACT_ENCRYPTED_REASONING);
    p.preset_yes = FACT_TOP_K | FACT_SAMPLING; /* of the provider; the name knows better */
    p.preset_no = FACT_CUSTOM_TOOLS | FACT_ENCRYPTED_REASONING;
    assert_int_equal(facts_of(&t), FACT_REASONING | FACT_COMPLETION_TOKENS | FACT_TOP_K |
                                       FACT_CACHE_KEY | FACT_JSON_SCHEMA);
    p.facts = said;
    assert_int_equal(facts_of(&t), FACT_REASONING | FACT_COMPLETION_TOKENS | FACT_SAMPLING |
                                       FACT_CACHE_KEY | FACT_JSON_SCHEMA);
    struct fact_options of_endpoint = {.known = FACT_SAMPLING, .yes = FACT_TOP_K};
    t.facts = &of_endpoint;
    assert_int_equal(facts_of(&t),
                     FACT_REASONING | FACT_COMPLETION_TOKENS | FACT_CACHE_KEY | FACT_JSON_SCHEMA);
}

static void who_can_be_held_to_a_schema_is_known(void **state)
{
    (void)state;
    static const struct {
        enum protocol protocol;
        const char *model;
        bool can;
    } rows[] = {
        {PROTOCOL_ANTHROPIC, "claude-sonnet-4-20250514", false},
        {PROTOCOL_ANTHROPIC, "claude-3-7-sonnet-latest", false},
        {PROTOCOL_BEDROCK, "amazon.nova-pro-v1:0", false},
        {PROTOCOL_BEDROCK, "us.anthropic.claude-3-5-haiku-20241022-v1:0", false},
        {PROTOCOL_BEDROCK, "meta.llama3-1-70b-instruct-v1:0", false},
        {PROTOCOL_ANTHROPIC, "claude-haiku-4-5", true},
        {PROTOCOL_ANTHROPIC, "claude-opus-7", true},
        {PROTOCOL_ANTHROPIC, "glm-4.6", true},
        {PROTOCOL_BEDROCK, "eu.anthropic.claude-haiku-4-5-20251001-v1:0", true},
        {PROTOCOL_BEDROCK, "qwen.qwen3-32b-v1:0", true},
        {PROTOCOL_BEDROCK, "openai.gpt-oss-120b-1:0", true},
        {PROTOCOL_OPENAI, "llama-3.3-70b", true},
        {PROTOCOL_RESPONSES, "gpt-5", true},
        {PROTOCOL_GEMINI, "gemini-3-pro", true},
    };
    for (unsigned i = 0; i < ROWS(rows); i++) {
        struct provider_options p;
        struct target t = of(rows[i].protocol, rows[i].model, &p);
        assert_row(i, ((facts_of(&t) & FACT_JSON_SCHEMA) != 0) == rows[i].can);
    }
}

/* Who offers the Messages protocol has Anthropic's search, but Bedrock. */
static void search_is_where_it_is_offered(void **state)
{
    (void)state;
    static const struct {
        enum protocol protocol;
        const char *model;
        bool searches;
    } rows[] = {
        {PROTOCOL_ANTHROPIC, "claude-opus-4-6", true},
        {PROTOCOL_VERTEX, "claude-opus-4-6", true},
        {PROTOCOL_VERTEX, "meta/llama-4-maverick", false},
        {PROTOCOL_BEDROCK, "anthropic.claude-opus-4-6-v1", false},
        {PROTOCOL_OPENAI, "anthropic/claude-opus-4.6", false},
        {PROTOCOL_OPENAI, "sonar-pro", true},
    };
    for (unsigned i = 0; i < ROWS(rows); i++) {
        struct provider_options p;
        struct target t = of(rows[i].protocol, rows[i].model, &p);
        assert_row(i, ((facts_of(&t) & FACT_WEB_SEARCH) != 0) == rows[i].searches);
    }
}

/* Messages that end in the model's own words; what a server in between makes of them nobody knows. */
static void who_goes_on_with_an_answer_is_known(void **state)
{
    (void)state;
    static const struct {
        enum protocol protocol;
        const char *model;
        bool goes_on;
    } rows[] = {
        {PROTOCOL_ANTHROPIC, "claude-opus-4-6", false},
        {PROTOCOL_ANTHROPIC, "claude-sonnet-4-6", false},
        {PROTOCOL_ANTHROPIC, "claude-opus-4-8", false},
        {PROTOCOL_ANTHROPIC, "claude-opus-7", false},
        {PROTOCOL_ANTHROPIC, "glm-4.6", false},
        {PROTOCOL_BEDROCK, "us.anthropic.claude-opus-4-8-v1:0", false},
        {PROTOCOL_BEDROCK, "amazon.nova-pro-v1:0", false},
        {PROTOCOL_OPENAI, "anthropic/claude-sonnet-4.5", false},
        {PROTOCOL_OPENAI, "gpt-4o", false},
        {PROTOCOL_OPENAI, "llama-3.3-70b", false},
        {PROTOCOL_RESPONSES, "gpt-5", false},
        {PROTOCOL_GEMINI, "gemini-3-pro", false},
        {PROTOCOL_ANTHROPIC, "claude-sonnet-4-5-20250929", true},
        {PROTOCOL_ANTHROPIC, "claude-haiku-4-5", true},
        {PROTOCOL_ANTHROPIC, "claude-opus-4-5", true},
        {PROTOCOL_ANTHROPIC, "claude-opus-4-20250514", true},
        {PROTOCOL_ANTHROPIC, "claude-3-7-sonnet-latest", true},
        {PROTOCOL_VERTEX, "claude-sonnet-4@20250514", true},
        {PROTOCOL_BEDROCK, "eu.anthropic.claude-haiku-4-5-20251001-v1:0", true},
    };
    for (unsigned i = 0; i < ROWS(rows); i++) {
        struct provider_options p;
        struct target t = of(rows[i].protocol, rows[i].model, &p);
        assert_row(i, ((facts_of(&t) & FACT_PREFILL) != 0) == rows[i].goes_on);
    }
    struct provider_options p;
    struct target t = of(PROTOCOL_OPENAI, "mistral-large-latest", &p);
    p.preset_yes = FACT_PREFILL;
    assert_true(facts_of(&t) & FACT_PREFILL);
    p.facts = (struct fact_options){.known = FACT_PREFILL};
    assert_false(facts_of(&t) & FACT_PREFILL);
}

static void longest_answers_are_known(void **state)
{
    (void)state;
    static const struct {
        const char *model;
        uint64_t said, most;
    } rows[] = {
        {"claude-opus-4-8", 0, 64000},       {"claude-opus-4-1", 0, 32000},
        {"claude-3-5-sonnet", 0, 8192},      {"claude-3-haiku-20240307", 0, 4096},
        {"claude-3-haiku-20240307", 10, 10}, {"glm-4.6", 0, 8192},
    };
    for (unsigned i = 0; i < ROWS(rows); i++) {
        struct provider_options p;
        struct target t = of(PROTOCOL_ANTHROPIC, rows[i].model, &p);
        t.max_output = rows[i].said;
        assert_row(i, facts_max_output(&t) == rows[i].most);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(models_are_known_by_name),
        cmocka_unit_test(what_was_looked_up_once_is_what_a_look_says),
        cmocka_unit_test(each_word_overrules_the_one_before),
        cmocka_unit_test(who_can_be_held_to_a_schema_is_known),
        cmocka_unit_test(search_is_where_it_is_offered),
        cmocka_unit_test(who_goes_on_with_an_answer_is_known),
        cmocka_unit_test(longest_answers_are_known),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
