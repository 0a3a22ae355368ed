/* LiteLLM's list of prices as models of ours. */
#include "unit.h"

#include "../../src/app/price_list.h"

static struct provider_options providers[] = {
    {.name = "openai"},
    {.name = "cloud", .preset = "bedrock"},
};
static struct model_options models[] = {{.id = "openai/had"}};
static const struct snapshot snapshot = {
    .providers = providers, .nproviders = 2, .models = models, .nmodels = 1};

struct made {
    struct buf yaml, says;
    struct price_list_counts n;
    struct err why;
    int rc;
};

static struct made make(const char *json, const char *provider, bool all)
{
    struct made m = {.rc = 0};
    const struct price_list_asked asked = {
        .snapshot = &snapshot, .provider = provider, .all = all, .today = "2026-11-21"};
    uint8_t *copy = exact_copy(span_text(json));
    m.rc = price_list_write(span_of(copy, strlen(json)), &asked, &m.yaml, &m.says, &m.n, &m.why);
    free(copy);
    return m;
}

static void made_fini(struct made *m)
{
    buf_fini(&m->yaml);
    buf_fini(&m->says);
}

static bool holds(const struct buf *b, const char *text)
{
    return span_find(buf_span(b), span_text(text)) != SIZE_MAX;
}

static void what_is_no_list_is_refused(void **state)
{
    (void)state;
    static const char *const rows[] = {"", "[]", "{", "{\"a\":}", "{\"a\":{}", "{\"a\":{}}x"};
    for (unsigned i = 0; i < ROWS(rows); i++) {
        struct made m = make(rows[i], NULL, true);
        assert_row(i, m.rc < 0 && strstr(m.why.text, "not a JSON object") != NULL);
        assert_row(i, buf_len(&m.yaml) == 0);
        made_fini(&m);
    }
}

#define CHAT "\"mode\":\"chat\",\"litellm_provider\":"

static void an_entry_that_is_wrong_is_named(void **state)
{
    (void)state;
    static const struct {
        const char *json, *says;
    } rows[] = {
        {"{\"a\":5}", "\"a\": it must be an object"},
        {"{\"a\":[]}", "\"a\": it must be an object"},
        {"{\"\":{}}", "\"\": it must be an object"},
        {"{\"a\":{" CHAT "5}}", "\"a\": litellm_provider is not"},
        {"{\"a\":{" CHAT "\"openai\",\"input_cost_per_token\":\"0.1\"}}",
         "\"a\": input_cost_per_token is not"},
        {"{\"a\":{" CHAT "\"openai\",\"output_cost_per_token\":-1}}",
         "\"a\": output_cost_per_token is not"},
        {"{\"a\":{" CHAT "\"openai\",\"max_input_tokens\":true}}",
         "\"a\": max_input_tokens is not"},
        {"{\"a\":{" CHAT "\"openai\",\"max_output_tokens\":1e30}}",
         "\"a\": max_output_tokens is not"},
        {"{\"a\":{" CHAT "\"openai\",\"deprecation_date\":20261121}}",
         "\"a\": deprecation_date is not"},
    };
    for (unsigned i = 0; i < ROWS(rows); i++) {
        struct made m = make(rows[i].json, NULL, false);
        if (!holds(&m.says, rows[i].says))
            print_error("%.*s\n", SPAN_FMT(buf_span(&m.says)));
        assert_row(i, m.rc == 0 && m.n.bad == 1 && m.n.models == 0 && holds(&m.says, rows[i].says));
        made_fini(&m);
    }
}

static void entries_are_left_out_for_a_reason(void **state)
{
    (void)state;
    struct made m = make(
        "{\"sample_spec\":{\"max_tokens\":\"a text\"},"
        "\"gpt-x\":{" CHAT "\"openai\",\"colour\":\"red\",\"shape\":1},"
        "\"GPT-X\":{" CHAT "\"openai\",\"colour\":\"red\"},"
        "\"had\":{" CHAT "\"openai\"},\"openai/had\":{" CHAT "\"openai\"},"
        "\"gpt-old\":{" CHAT "\"openai\",\"deprecation_date\":\"2026-11-20\"},"
        "\"gpt-late\":{" CHAT "\"openai\",\"deprecation_date\":\"2026-11-21\"},"
        "\"ft:gpt-x\":{" CHAT "\"openai\"},\"low/1024/dall\":{\"mode\":\"image_generation\","
        "\"litellm_provider\":\"openai\"},\"guard\":{\"mode\":\"guardrail\",\"litellm_provider\":"
        "\"openai\"},\"azure_ai/x\":{" CHAT "\"azure_ai\"},\"groq/x\":{" CHAT "\"groq\"},"
        "\"x\":{" CHAT "\"text-completion-openai\"},\"y\":{}}",
        NULL, false);
    assert_int_equal(m.rc, 0);
    assert_int_equal(m.n.models, 2);
    assert_int_equal(m.n.endpoints, 2);
    assert_int_equal(m.n.twice, 1);
    assert_int_equal(m.n.configured, 2);
    assert_int_equal(m.n.over, 1);
    assert_int_equal(m.n.odd, 3);
    assert_int_equal(m.n.elsewhere, 4);
    assert_int_equal(m.n.unread, 2);
    assert_int_equal(m.n.bad, 0);
    assert_false(holds(&m.yaml, "providers:"));
    assert_true(holds(&m.yaml, "  openai/gpt-late:\n"));
    made_fini(&m);
}

static void a_model_is_called_by_its_author_and_its_name(void **state)
{
    (void)state;
    static const struct {
        const char *key, *provider, *id, *endpoint;
    } rows[] = {
        {"gpt-x", "openai", "openai/gpt-x", "provider: openai, upstream_model: gpt-x"},
        {"anthropic.claude-x-v1:0", "bedrock_converse", "amazon-bedrock/anthropic.claude-x-v1:0",
         "provider: cloud, upstream_model: anthropic.claude-x-v1:0"},
        {"together_ai/meta-llama/Llama-3", "together_ai", "meta-llama/llama-3",
         "provider: together, upstream_model: meta-llama/Llama-3"},
        {"fireworks_ai/accounts/fireworks/models/deepseek-v3", "fireworks_ai",
         "deepseek/deepseek-v3",
         "provider: fireworks, upstream_model: accounts/fireworks/models/deepseek-v3"},
        {"fireworks_ai/accounts/fireworks/models/own", "fireworks_ai-embedding-models",
         "fireworks/own", "provider: fireworks, upstream_model: accounts/fireworks/models/own"},
        {"xai/grok-4", "xai", "x-ai/grok-4", "provider: xai, upstream_model: grok-4"},
        {"gemini/gemini-3", "gemini", "google/gemini-3",
         "provider: gemini, upstream_model: gemini-3"},
        {"command-r", "cohere_chat", "cohere/command-r",
         "provider: cohere, upstream_model: command-r"},
    };
    for (unsigned i = 0; i < ROWS(rows); i++) {
        char json[256], line[256];
        snprintf(json, sizeof json, "{\"%s\":{" CHAT "\"%s\"}}", rows[i].key, rows[i].provider);
        struct made m = make(json, NULL, true);
        snprintf(line, sizeof line, "  %s:\n    endpoints:\n      - { %s", rows[i].id,
                 rows[i].endpoint);
        if (!holds(&m.yaml, line))
            print_error("row %u: %.*s\n", i, SPAN_FMT(buf_span(&m.yaml)));
        assert_row(i, holds(&m.yaml, line));
        made_fini(&m);
    }
}

static void what_is_offered_by_several_is_one_model(void **state)
{
    (void)state;
    struct made m = make("{\"deepseek/deepseek-v3\":{" CHAT "\"deepseek\"},"
                         "\"groq/deepseek-v3\":{" CHAT "\"groq\"},"
                         "\"groq/other\":{" CHAT "\"groq\"}}",
                         NULL, true);
    assert_int_equal(m.n.models, 2);
    assert_int_equal(m.n.endpoints, 3);
    assert_true(holds(&m.yaml, "providers:\n  deepseek: {}\n  groq: {}\nmodels:\n"));
    made_fini(&m);
    m = make("{\"deepseek/deepseek-v3\":{" CHAT "\"deepseek\"},\"groq/x\":{" CHAT "\"groq\"}}",
             "groq", false);
    assert_int_equal(m.n.models, 1);
    assert_true(holds(&m.yaml, "providers:\n  groq: {}\nmodels:\n  groq/x:"));
    made_fini(&m);
    m = make("{\"azure/gpt-x\":{" CHAT "\"azure\"}}", "azure", true); /* needs an address */
    assert_int_equal(m.n.models, 0);
    made_fini(&m);
}

static void prices_and_abilities_are_taken_over(void **state)
{
    (void)state;
    struct made m = make(
        "{\"gpt-x\":{" CHAT "\"openai\",\"input_cost_per_token\":2.5e-07,\"output_cost_per_token\":"
        "0.000002,\"cache_read_input_token_cost\":2.5e-8,\"cache_creation_input_token_cost\":1.88e-06,"
        "\"cache_creation_input_token_cost_above_1hr\":6e-06,\"output_cost_per_reasoning_token\":0,"
        "\"max_input_tokens\":272000,\"max_output_tokens\":128000.0,\"supports_function_calling\":true,"
        "\"supports_parallel_function_calling\":false,\"supports_response_schema\":true,"
        "\"supports_reasoning\":true,\"supports_sampling_params\":false,\"supports_vision\":true,"
        "\"supported_modalities\":[\"text\",\"audio\",\"smell\"]},"
        "\"vec\":{\"mode\":\"embedding\",\"litellm_provider\":\"openai\",\"max_input_tokens\":8191}}",
        NULL, false);
    if (m.n.models != 2)
        print_error("%.*s", SPAN_FMT(buf_span(&m.says)));
    assert_int_equal(buf_add_byte(&m.yaml, '\0'), 0);
    assert_string_equal(
        (const char *)m.yaml.at,
        "models:\n"
        "  openai/gpt-x:\n"
        "    endpoints:\n"
        "      - { provider: openai, upstream_model: gpt-x, context: 272000, max_output: 128000,\n"
        "          price: { input: \"0.25\", output: \"2\", cache_read: \"0.025\", cache_write: \"1.88\", "
        "cache_write_1h: \"6\", reasoning: \"0\" },\n"
        "          input: [text, image, audio],\n"
        "          params: [tools, tool_choice, response_format, structured_outputs, reasoning, seed, "
        "stop] }\n"
        "  openai/vec:\n"
        "    category: embedding\n"
        "    output: [embedding]\n"
        "    endpoints:\n"
        "      - { provider: openai, upstream_model: vec, context: 8191 }\n");
    made_fini(&m);
}

/* Prices of what is no token are for models of that kind; of long prompts, where they are the usual ones. */
static void prices_of_other_things_are_taken_over(void **state)
{
    (void)state;
    struct made m = make(
        "{\"gpt-y\":{" CHAT
        "\"openai\",\"input_cost_per_token\":1e-06,\"output_cost_per_token\":2e-06,"
        "\"input_cost_per_audio_token\":4e-05,\"input_cost_per_image\":0.1,\"input_cost_per_second\":1,"
        "\"search_context_cost_per_query\":{\"search_context_size_low\":0.03,"
        "\"search_context_size_medium\":0.035},\"input_cost_per_token_above_200k_tokens\":2e-06,"
        "\"output_cost_per_token_above_200k_tokens\":3e-06},"
        "\"pic\":{\"mode\":\"image_generation\",\"litellm_provider\":\"openai\","
        "\"output_cost_per_image\":0.04},"
        "\"ear\":{\"mode\":\"audio_transcription\",\"litellm_provider\":\"openai\","
        "\"input_cost_per_second\":0.0001,\"output_cost_per_second\":0.0001},"
        "\"mouth\":{\"mode\":\"audio_speech\",\"litellm_provider\":\"openai\","
        "\"input_cost_per_character\":1.5e-05}}",
        NULL, false);
    static const char *const prices[] = {
        "price: { input: \"1\", output: \"2\", audio_input: \"40\", search: \"0.035\", "
        "long_context: true }",
        "price: { image: \"0.04\" }",
        "price: { second: \"0.0001\" }",
        "price: { character: \"15\" }",
    };
    for (unsigned i = 0; i < ROWS(prices); i++)
        assert_row(i, span_find(buf_span(&m.yaml), span_text(prices[i])) != SIZE_MAX);
    made_fini(&m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_no_list_is_refused),
        cmocka_unit_test(an_entry_that_is_wrong_is_named),
        cmocka_unit_test(entries_are_left_out_for_a_reason),
        cmocka_unit_test(a_model_is_called_by_its_author_and_its_name),
        cmocka_unit_test(what_is_offered_by_several_is_one_model),
        cmocka_unit_test(prices_and_abilities_are_taken_over),
        cmocka_unit_test(prices_of_other_things_are_taken_over),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
