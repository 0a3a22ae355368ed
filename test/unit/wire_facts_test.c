/* The same request for models that take other things: each fact changes what is written. */
#include "unit.h"

#include "sluice/codec/turn_codec.h"

#define CHAT(more) "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]" more "}"
#define MESSAGES(more)                                                                                \
    "{\"model\":\"m\",\"max_tokens\":4000,\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]" more \
    "}"
#define EFFORT(word) CHAT(",\"reasoning_effort\":\"" word "\"")
#define SAMPLING ",\"temperature\":0.5,\"top_p\":0.9"
#define CALLED                                                                                   \
    "{\"model\":\"m\",\"max_tokens\":4000,\"messages\":[{\"role\":\"user\",\"content\":\"go\"}," \
    "{\"role\":\"assistant\",\"content\":[%s{\"type\":\"tool_use\",\"id\":\"toolu_1\","          \
    "\"name\":\"f\",\"input\":{}}]},{\"role\":\"user\",\"content\":[{\"type\":\"tool_result\","  \
    "\"tool_use_id\":\"toolu_1\",\"content\":\"r\"}]}],\"tools\":[{\"name\":\"f\","              \
    "\"input_schema\":{\"type\":\"object\"}}]}"

enum {
    PLAIN = FACT_REASONING | FACT_SAMPLING,
    BUDGET = PLAIN | FACT_THINKING_BUDGET,
    OFF = FACT_THINKING_OFF,
};

struct row {
    enum api_protocol client;
    enum upstream_api upstream;
    unsigned facts;
    const char *body, *has, *lacks; /* what the upstream's body holds, and what not; NULL: either */
    const char *dropped;            /* what the client is told; NULL: nothing */
};

static void check(const struct row *rows, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct wire_options o = {
            .model = SPAN_LIT("m"), .default_max_tokens = 4000, .facts = rows[i].facts};
        struct turn_notes notes = {.n = 0};
        struct turn_request r;
        struct arena a;
        struct fault why;
        struct buf out = {0};
        arena_init(&a, NULL, 512);
        if (!client_codec_for(rows[i].client)
                 ->read(span_text(rows[i].body), &o.translation, &a, &r, &why) ||
            !upstream_codec_for(rows[i].upstream)->write(&r, &o, &a, &out, &notes, &why))
            fail_msg("row %zu: %s: %s", i, why.param, why.message);
        struct span got = buf_span(&out);
        bool has = rows[i].has == NULL || span_find(got, span_text(rows[i].has)) != SIZE_MAX;
        bool lacks = rows[i].lacks == NULL || span_find(got, span_text(rows[i].lacks)) == SIZE_MAX;
        if (!has || !lacks)
            print_error("row %zu: %.*s\n", i, SPAN_FMT(got));
        assert_row(i, has && lacks);
        assert_row(i, notes.n == (rows[i].dropped == NULL ? 0 : 1));
        if (rows[i].dropped != NULL)
            assert_string_equal(notes.dropped[0], rows[i].dropped);
        arena_fini(&a);
        buf_fini(&out);
    }
}

static void messages_think_as_the_model_can(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {API_CHAT, UPSTREAM_MESSAGES, BUDGET, EFFORT("medium"),
         "\"thinking\":{\"type\":\"enabled\",\"budget_tokens\":2000", "output_config", NULL},
        {API_CHAT, UPSTREAM_MESSAGES, BUDGET, EFFORT("max"), "\"budget_tokens\":3800", NULL, NULL},
        {API_CHAT, UPSTREAM_MESSAGES, BUDGET, EFFORT("minimal"), NULL, "thinking", "reasoning"},
        {API_CHAT, UPSTREAM_MESSAGES, PLAIN, EFFORT("minimal"),
         "\"thinking\":{\"type\":\"adaptive\"},", NULL, NULL},
        {API_CHAT, UPSTREAM_MESSAGES, PLAIN, EFFORT("minimal"), "\"effort\":\"low\"", NULL, NULL},
        {API_CHAT, UPSTREAM_MESSAGES, PLAIN, EFFORT("xhigh"), "\"effort\":\"high\"", NULL, NULL},
        {API_CHAT, UPSTREAM_MESSAGES, PLAIN | FACT_EFFORT_XHIGH, EFFORT("max"),
         "\"effort\":\"xhigh\"", NULL, NULL},
        {API_CHAT, UPSTREAM_MESSAGES, PLAIN | FACT_EFFORT_MAX, EFFORT("max"), "\"effort\":\"max\"",
         NULL, NULL},
        {API_CHAT, UPSTREAM_MESSAGES, PLAIN | OFF, EFFORT("none"),
         "\"thinking\":{\"type\":\"disabled\"}", NULL, NULL},
        {API_CHAT, UPSTREAM_MESSAGES, PLAIN, EFFORT("none"), NULL, "thinking", "reasoning"},
        {API_CHAT, UPSTREAM_MESSAGES, FACT_SAMPLING, EFFORT("high"), NULL, "thinking", "reasoning"},
        {API_MESSAGES, UPSTREAM_MESSAGES, BUDGET, MESSAGES(",\"thinking\":{\"type\":\"adaptive\"}"),
         "\"budget_tokens\":3200", NULL, NULL},
        {API_MESSAGES, UPSTREAM_MESSAGES, PLAIN, MESSAGES(",\"thinking\":{\"type\":\"adaptive\"}"),
         "\"thinking\":{\"type\":\"adaptive\"}", "output_config", NULL},
        {API_MESSAGES, UPSTREAM_MESSAGES, PLAIN,
         MESSAGES(",\"thinking\":{\"type\":\"enabled\",\"budget_tokens\":2000}"),
         "\"effort\":\"medium\"", NULL, NULL},
    };
    check(rows, ROWS(rows));
}

static void converse_thinks_as_the_model_can(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {API_CHAT, UPSTREAM_CONVERSE, BUDGET, EFFORT("high"),
         "{\"thinking\":{\"type\":\"enabled\",\"budget_tokens\":3200}}", NULL, NULL},
        {API_CHAT, UPSTREAM_CONVERSE, PLAIN | FACT_EFFORT_MAX, EFFORT("max"),
         "{\"thinking\":{\"type\":\"adaptive\"},\"output_config\":{\"effort\":\"max\"}}", NULL,
         NULL},
        {API_CHAT, UPSTREAM_CONVERSE, FACT_SAMPLING, EFFORT("high"), NULL, "thinking", "reasoning"},
        {API_MESSAGES, UPSTREAM_CONVERSE, PLAIN, MESSAGES(",\"thinking\":{\"type\":\"adaptive\"}"),
         "{\"thinking\":{\"type\":\"adaptive\"}}", NULL, NULL},
    };
    check(rows, ROWS(rows));
}

static void openais_think_as_the_model_can(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {API_RESPONSES, UPSTREAM_CHAT, PLAIN,
         "{\"model\":\"m\",\"input\":\"x\",\"reasoning\":{\"effort\":\"xhigh\"}}",
         "\"reasoning_effort\":\"high\"", NULL, NULL},
        {API_RESPONSES, UPSTREAM_CHAT, PLAIN | OFF,
         "{\"model\":\"m\",\"input\":\"x\",\"reasoning\":{\"effort\":\"none\"}}",
         "\"reasoning_effort\":\"none\"", NULL, NULL},
        {API_RESPONSES, UPSTREAM_CHAT, FACT_SAMPLING,
         "{\"model\":\"m\",\"input\":\"x\",\"reasoning\":{\"effort\":\"none\"}}", NULL, "reasoning",
         NULL},
        {API_CHAT, UPSTREAM_RESPONSES, PLAIN | FACT_EFFORT_XHIGH, EFFORT("max"),
         "\"effort\":\"xhigh\"", NULL, NULL},
        {API_CHAT, UPSTREAM_RESPONSES, PLAIN, EFFORT("minimal"), "\"effort\":\"low\"", NULL, NULL},
        {API_CHAT, UPSTREAM_RESPONSES, PLAIN | FACT_EFFORT_MINIMAL, EFFORT("minimal"),
         "\"effort\":\"minimal\"", NULL, NULL},
        {API_CHAT, UPSTREAM_RESPONSES, BUDGET, EFFORT("max"), "\"effort\":\"high\"", NULL, NULL},
        {API_CHAT, UPSTREAM_RESPONSES, PLAIN, EFFORT("none"), NULL, "effort", "reasoning"},
        {API_CHAT, UPSTREAM_RESPONSES, PLAIN | OFF, EFFORT("none"), "\"effort\":\"none\"", NULL,
         NULL},
    };
    check(rows, ROWS(rows));
}

static void sampling_is_left_out_where_it_is_refused(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {API_CHAT, UPSTREAM_MESSAGES, 0, CHAT(SAMPLING), NULL, "temperature",
         "temperature, top_p and top_k"},
        {API_CHAT, UPSTREAM_CONVERSE, 0, CHAT(SAMPLING), NULL, "temperature",
         "temperature, top_p and top_k"},
        {API_CHAT, UPSTREAM_RESPONSES, 0, CHAT(SAMPLING), NULL, "temperature", "temperature"},
        {API_MESSAGES, UPSTREAM_CHAT, 0, MESSAGES(SAMPLING), NULL, "temperature",
         "temperature, top_p and top_k"},
        {API_MESSAGES, UPSTREAM_CHAT, PLAIN, MESSAGES(",\"top_k\":5"), NULL, "top_k", "top_k"},
        {API_MESSAGES, UPSTREAM_CONVERSE, PLAIN, MESSAGES(",\"top_k\":5"), NULL, "top_k", "top_k"},
        {API_MESSAGES, UPSTREAM_CONVERSE, PLAIN | FACT_TOP_K, MESSAGES(",\"top_k\":5"),
         "\"additionalModelRequestFields\":{\"top_k\":5}", NULL, NULL},
        {API_MESSAGES, UPSTREAM_CHAT, PLAIN | FACT_TOP_K, MESSAGES(",\"top_k\":5"), "\"top_k\":5",
         NULL, NULL},
        {API_MESSAGES, UPSTREAM_CHAT, PLAIN, MESSAGES(""), "\"max_tokens\":4000", NULL, NULL},
        {API_MESSAGES, UPSTREAM_CHAT, PLAIN | FACT_COMPLETION_TOKENS, MESSAGES(""),
         "\"max_completion_tokens\":4000", "\"max_tokens\"", NULL},
        {API_MESSAGES, UPSTREAM_CHAT, PLAIN | FACT_WEB_SEARCH,
         MESSAGES(",\"tools\":[{\"type\":\"web_search_20250305\",\"name\":\"web_search\"}]"),
         "\"web_search_options\":{}", NULL, NULL},
        {API_MESSAGES, UPSTREAM_CHAT, PLAIN | FACT_WEB_SEARCH,
         MESSAGES(",\"tools\":[{\"type\":\"web_search_20250305\",\"name\":\"web_search\"},"
                  "{\"type\":\"web_fetch_20250910\",\"name\":\"web_fetch\"}]"),
         "\"web_search_options\":{}", "fetch", "web fetch"},
    };
    check(rows, ROWS(rows));
}

static void histories_are_told_as_the_model_wants(void **state)
{
    (void)state;
    char plain[700], thought[700];
    snprintf(plain, sizeof plain, CALLED, "");
    snprintf(thought, sizeof thought, CALLED,
             "{\"type\":\"thinking\",\"thinking\":\"hm\",\"signature\":\"\"},");
    const struct row rows[] = {
        {API_MESSAGES, UPSTREAM_CHAT, PLAIN, plain, "\"id\":\"toolu_1\"", "reasoning_content",
         NULL},
        {API_MESSAGES, UPSTREAM_CHAT, PLAIN, thought, NULL, "reasoning_content", "reasoning"},
        {API_MESSAGES, UPSTREAM_CHAT, PLAIN | FACT_REPLAYS_REASONING, thought,
         "\"reasoning_content\":\"hm\",\"tool_calls\"", NULL, NULL},
        {API_MESSAGES, UPSTREAM_CHAT, PLAIN | FACT_REPLAYS_REASONING, plain,
         "\"reasoning_content\":\"\"", NULL, NULL},
        {API_MESSAGES, UPSTREAM_CHAT, PLAIN | FACT_SHORT_CALL_IDS, plain,
         "\"tool_call_id\":\"DE8sQbilQ\"", "toolu_1", NULL},
        {API_MESSAGES, UPSTREAM_CHAT, PLAIN | FACT_SHORT_CALL_IDS, plain, "{\"id\":\"DE8sQbilQ\"",
         NULL, NULL},
    };
    check(rows, ROWS(rows));
}

#define USER "{\"role\":\"user\",\"content\":\"hi\"}"
#define ASSISTANT "{\"role\":\"assistant\",\"content\":\"ho\"}"
#define SYSTEM "{\"role\":\"system\",\"content\":\"now\"}"
#define TALK(more) "{\"model\":\"m\",\"messages\":[" USER "," more "]}"

static void system_messages_stay_where_they_may(void **state)
{
    (void)state;
    static const char body[] =
        "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"a\"},{\"role\":"
        "\"assistant\",\"content\":\"b\"},{\"role\":\"user\",\"content\":\"c\"},{\"role\":"
        "\"system\",\"content\":\"now\"}]}";
    static const struct row rows[] = {
        {API_CHAT, UPSTREAM_MESSAGES, PLAIN | FACT_SYSTEM_ANYWHERE, body, "{\"role\":\"system\"",
         "\"system\":[", NULL},
        {API_CHAT, UPSTREAM_MESSAGES, PLAIN, body, "\"system\":[", "\"role\":\"system\"",
         "place of system messages"},
        {API_CHAT, UPSTREAM_MESSAGES, PLAIN | FACT_SYSTEM_ANYWHERE,
         TALK(ASSISTANT "," SYSTEM "," USER), "\"text\":\"hi\"}]},{\"role\":\"system\"",
         "\"system\":[", "place of system messages"},
        {API_CHAT, UPSTREAM_MESSAGES, PLAIN | FACT_SYSTEM_ANYWHERE, TALK(ASSISTANT "," SYSTEM),
         "\"system\":[", "{\"role\":\"system\"", "place of system messages"},
        {API_CHAT, UPSTREAM_MESSAGES, PLAIN | FACT_SYSTEM_ANYWHERE,
         "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"\"}," SYSTEM "," USER
         "]}",
         "{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"hi\"}]},{\"role\":\"system\"",
         "\"system\":[", NULL},
        {API_CHAT, UPSTREAM_MESSAGES, PLAIN | FACT_SYSTEM_ANYWHERE,
         TALK(ASSISTANT "," SYSTEM "," ASSISTANT "," USER), "{\"role\":\"system\"", "\"system\":[",
         "place of system messages"},
        {API_CHAT, UPSTREAM_MESSAGES, PLAIN | FACT_CACHE_PREFIX, CHAT(""), "\"cache_control\"",
         NULL, NULL},
        {API_MESSAGES, UPSTREAM_MESSAGES, PLAIN | FACT_CACHE_PREFIX,
         MESSAGES(",\"tools\":[{\"name\":\"f\",\"input_schema\":{\"type\":\"object\"},"
                  "\"cache_control\":{\"type\":\"ephemeral\"}}]"),
         "\"cache_control\"", "],\"cache_control\":", NULL},
        {API_CHAT, UPSTREAM_MESSAGES, PLAIN, CHAT(""), NULL, "\"cache_control\"", NULL},
    };
    check(rows, ROWS(rows));
}

#define GRAMMAR "\"syntax\":\"lark\",\"definition\":\"start: X\""
#define CHAT_CUSTOM                                                                                \
    "\"tools\":[{\"type\":\"custom\",\"custom\":{\"name\":\"p\",\"format\":{\"type\":\"grammar\"," \
    "\"grammar\":{" GRAMMAR "}}}}]"
#define SEARCH \
    ",\"tools\":[{\"type\":\"web_search_20250305\",\"name\":\"web_search\",\"max_uses\":3}]"
#define FORCED SEARCH ",\"tool_choice\":{\"type\":\"tool\",\"name\":\"web_search\"}"

static void tools_are_spelt_as_each_protocol_does(void **state)
{
    (void)state;
    static const char custom_history[] =
        "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"go\"},{\"role\":"
        "\"assistant\",\"tool_calls\":[{\"id\":\"c\",\"type\":\"custom\",\"custom\":{\"name\":"
        "\"p\",\"input\":\"x\"}}]},{\"role\":\"tool\",\"tool_call_id\":\"c\",\"content\":\"r\"}]," CHAT_CUSTOM
        "}";
    static const char responses_custom[] =
        "{\"model\":\"m\",\"input\":\"x\",\"tools\":[{\"type\":\"custom\",\"name\":\"p\","
        "\"format\":{\"type\":\"grammar\"," GRAMMAR "}}],\"tool_choice\":{\"type\":\"custom\","
        "\"name\":\"p\"}}";
    static const struct row rows[] = {
        {API_CHAT, UPSTREAM_RESPONSES, PLAIN, custom_history, "\"custom_tool_call_output\"",
         "\"function_call_output\"", NULL},
        {API_CHAT, UPSTREAM_RESPONSES, PLAIN, CHAT("," CHAT_CUSTOM),
         "\"format\":{\"type\":\"grammar\"," GRAMMAR "}", NULL, NULL},
        {API_CHAT, UPSTREAM_RESPONSES, PLAIN,
         CHAT("," CHAT_CUSTOM ",\"tool_choice\":{\"type\":\"custom\",\"custom\":{\"name\":\"p\"}}"),
         "\"tool_choice\":{\"type\":\"custom\",\"name\":\"p\"}", NULL, NULL},
        {API_RESPONSES, UPSTREAM_CHAT, PLAIN | FACT_CUSTOM_TOOLS, responses_custom,
         "\"format\":{\"type\":\"grammar\",\"grammar\":{" GRAMMAR "}}", NULL, NULL},
        {API_MESSAGES, UPSTREAM_RESPONSES, PLAIN, MESSAGES(FORCED),
         "\"tool_choice\":{\"type\":\"web_search\"}", NULL, "max_uses"},
        {API_MESSAGES, UPSTREAM_MESSAGES, PLAIN, MESSAGES(FORCED), NULL, "web_search",
         "web search"},
        {API_MESSAGES, UPSTREAM_MESSAGES, PLAIN | FACT_WEB_SEARCH, MESSAGES(FORCED),
         "\"max_uses\":3}],\"tool_choice\":{\"type\":\"tool\",\"name\":\"web_search\"}", NULL,
         NULL},
        {API_MESSAGES, UPSTREAM_CHAT, PLAIN, MESSAGES(FORCED), NULL, "web_search", "web search"},
        {API_RESPONSES, UPSTREAM_MESSAGES, PLAIN | FACT_WEB_SEARCH,
         "{\"model\":\"m\",\"input\":\"x\",\"tools\":[{\"type\":\"web_search\",\"filters\":{"
         "\"allowed_domains\":[\"a.org\"]},\"user_location\":{\"type\":\"approximate\",\"city\":"
         "\"Oslo\"}}],\"tool_choice\":{\"type\":\"web_search\"}}",
         "{\"type\":\"web_search_20250305\",\"name\":\"web_search\",\"allowed_domains\":"
         "[\"a.org\"],\"user_location\":{\"type\":\"approximate\",\"city\":\"Oslo\"}}],"
         "\"tool_choice\":{\"type\":\"tool\",\"name\":\"web_search\"}",
         NULL, NULL},
        {API_CHAT, UPSTREAM_RESPONSES, PLAIN,
         CHAT(
             ",\"web_search_options\":{\"search_context_size\":\"low\",\"user_location\":{\"type\":"
             "\"approximate\",\"approximate\":{\"country\":\"NO\"}}}"),
         "{\"type\":\"web_search\",\"search_context_size\":\"low\",\"user_location\":{\"type\":"
         "\"approximate\",\"country\":\"NO\"}}",
         NULL, NULL},
    };
    check(rows, ROWS(rows));
}

/* Refused, and nothing of it goes out half written. */
static void domains_that_must_not_be_asked_are_a_promise(void **state)
{
    (void)state;
    static const enum upstream_api apis[] = {UPSTREAM_RESPONSES, UPSTREAM_GEMINI, UPSTREAM_CHAT};
    static const char body[] = MESSAGES(
        ",\"tools\":[{\"name\":\"f\",\"input_schema\":{\"type\":\"object\"}},{\"type\":"
        "\"web_search_20250305\",\"name\":\"web_search\",\"blocked_domains\":[\"a.org\"]}]");
    for (unsigned i = 0; i < ROWS(apis); i++) {
        struct wire_options o = {.model = SPAN_LIT("m"), .facts = PLAIN | FACT_WEB_SEARCH};
        struct turn_notes notes = {.n = 0};
        struct turn_request r;
        struct arena a;
        struct fault why;
        struct buf out = {0};
        arena_init(&a, NULL, 512);
        assert_true(
            client_codec_for(API_MESSAGES)->read(span_text(body), &o.translation, &a, &r, &why));
        assert_row(i, !upstream_codec_for(apis[i])->write(&r, &o, &a, &out, &notes, &why));
        assert_string_equal(why.param, "tools[1]");
        arena_fini(&a);
        buf_fini(&out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(messages_think_as_the_model_can),
        cmocka_unit_test(converse_thinks_as_the_model_can),
        cmocka_unit_test(openais_think_as_the_model_can),
        cmocka_unit_test(sampling_is_left_out_where_it_is_refused),
        cmocka_unit_test(histories_are_told_as_the_model_wants),
        cmocka_unit_test(system_messages_stay_where_they_may),
        cmocka_unit_test(tools_are_spelt_as_each_protocol_does),
        cmocka_unit_test(domains_that_must_not_be_asked_are_a_promise),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
