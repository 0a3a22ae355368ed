/* What an operator chooses where a protocol has no word for what a client says: `translation` in the
 * configuration. Rows without a choice say what happens by default. */
#include "unit.h"

#include "turn_rows.h"

#define DROP_TOOLS {.drops_unknown_tools = true}
#define FUNCTION "{\"name\":\"f\",\"input_schema\":{\"type\":\"object\"}}"
#define BASH "{\"type\":\"bash_20250124\",\"name\":\"bash\"}"

static void tools_of_one_protocol_are_refused_or_left_out(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {API_MESSAGES, UPSTREAM_CHAT, DEFAULT, MESSAGES(",\"tools\":[" FUNCTION "," BASH "]"),
         "tools[1].type", NULL, NULL, NULL},
        {API_RESPONSES, UPSTREAM_MESSAGES, DEFAULT,
         RESPONSES(",\"tools\":[{\"type\":\"computer_use\"}]"), "tools[0].type", NULL, NULL, NULL},
        {API_CHAT, UPSTREAM_MESSAGES, DEFAULT, CHAT(",\"tools\":[{\"type\":\"retrieval\"}]"),
         "tools[0].type", NULL, NULL, NULL},
        /* what must be called must be there */
        {API_MESSAGES, UPSTREAM_CHAT, DROP_TOOLS,
         MESSAGES(",\"tools\":[" FUNCTION "," BASH
                  "],\"tool_choice\":{\"type\":\"tool\",\"name\":\"bash\"}"),
         "tool_choice", NULL, NULL, NULL},
        {API_MESSAGES, UPSTREAM_CHAT, DROP_TOOLS,
         MESSAGES(",\"tools\":[" BASH "],\"tool_choice\":{\"type\":\"any\"}"), "tool_choice", NULL,
         NULL, NULL},
        {API_RESPONSES, UPSTREAM_CHAT, DROP_TOOLS,
         RESPONSES(",\"tools\":[{\"type\":\"mcp\"}],\"tool_choice\":\"required\""), "tool_choice",
         NULL, NULL, NULL},
        {API_MESSAGES, UPSTREAM_CHAT, DROP_TOOLS, MESSAGES(",\"tools\":[" FUNCTION "," BASH "]"),
         NULL, "\"name\":\"f\"", "bash", "tools: bash_20250124"},
        {API_MESSAGES, UPSTREAM_CONVERSE, DROP_TOOLS, MESSAGES(",\"tools\":[" BASH "]"), NULL, NULL,
         "toolConfig", "tools: bash_20250124"},
        {API_RESPONSES, UPSTREAM_MESSAGES, DROP_TOOLS,
         RESPONSES(",\"tools\":[{\"type\":\"computer_use\"},{\"type\":\"custom\",\"name\":\"p\"}]"),
         NULL, "\"name\":\"p\"", "computer", "tools: computer_use"},
        {API_CHAT, UPSTREAM_GEMINI, DROP_TOOLS,
         CHAT(",\"tools\":[{\"type\":\"a\\r\\nb\"}],\"tool_choice\":\"auto\""), NULL, NULL, "tools",
         "tools: a?r?nb"},
    };
    check(rows, ROWS(rows));
}

#define REJECT_DEFERRED {.rejects_deferred_tools = true}
#define DEFERRED ",\"tools\":[{\"name\":\"f\",\"input_schema\":{},\"defer_loading\":true}]"
#define BY_CODE \
    ",\"tools\":[{\"name\":\"f\",\"input_schema\":{},\"allowed_callers\":[\"code_execution\"]}]"
#define BY_ALL                                                                         \
    ",\"tools\":[{\"name\":\"f\",\"input_schema\":{},\"allowed_callers\":[\"direct\"," \
    "\"code_execution\"]}]"
#define FINDS_TOOLS ",\"tools\":[{\"type\":\"tool_search_tool_bm25_20251119\",\"name\":\"s\"}]"
#define FOUND                                                                                     \
    "{\"model\":\"m\",\"max_tokens\":9,\"messages\":[{\"role\":\"user\",\"content\":\"hi\"},"     \
    "{\"role\":\"assistant\",\"content\":[{\"type\":\"tool_use\",\"id\":\"t\",\"name\":\"find\"," \
    "\"input\":{}}]},{\"role\":\"user\",\"content\":[{\"type\":\"tool_result\",\"tool_use_id\":"  \
    "\"t\",\"content\":[{\"type\":\"tool_reference\",\"tool_name\":\"hammer\"}]}]}]}"

/* Claude Code, told to search for tools: with a model that does not. */
static void tools_that_were_to_be_found_are_offered_or_refused(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {API_MESSAGES, UPSTREAM_CHAT, REJECT_DEFERRED, MESSAGES(DEFERRED), "tools[0].defer_loading",
         NULL, NULL, NULL},
        {API_MESSAGES, UPSTREAM_CHAT, REJECT_DEFERRED, MESSAGES(BY_CODE),
         "tools[0].allowed_callers", NULL, NULL, NULL},
        {API_MESSAGES, UPSTREAM_CHAT, REJECT_DEFERRED, MESSAGES(FINDS_TOOLS), "tools[0].type", NULL,
         NULL, NULL},
        {API_RESPONSES, UPSTREAM_CHAT, REJECT_DEFERRED,
         RESPONSES(",\"tools\":[{\"type\":\"function\",\"name\":\"f\",\"defer_loading\":true}]"),
         "tools[0].defer_loading", NULL, NULL, NULL},
        {API_RESPONSES, UPSTREAM_CHAT, REJECT_DEFERRED,
         RESPONSES(",\"tools\":[{\"type\":\"tool_search\"}]"), "tools[0].type", NULL, NULL, NULL},
        {API_MESSAGES, UPSTREAM_CHAT, REJECT_DEFERRED, MESSAGES(BY_ALL), NULL, "\"name\":\"f\"",
         NULL, NULL},
        {API_MESSAGES, UPSTREAM_CHAT, DEFAULT, MESSAGES(DEFERRED), NULL, "\"name\":\"f\"", NULL,
         "tools[].defer_loading"},
        {API_MESSAGES, UPSTREAM_RESPONSES, DEFAULT, MESSAGES(BY_CODE), NULL, "\"name\":\"f\"", NULL,
         "tools[].allowed_callers"},
        {API_MESSAGES, UPSTREAM_CHAT, DEFAULT, MESSAGES(FINDS_TOOLS), NULL, NULL, "tool",
         "tools: tool_search_tool_bm25_20251119"},
        {API_MESSAGES, UPSTREAM_CHAT, DEFAULT, FOUND, NULL, "\"content\":\"hammer\"", NULL, NULL},
        {API_RESPONSES, UPSTREAM_CHAT, DEFAULT,
         RESPONSES(",\"tools\":[{\"type\":\"tool_search\"},{\"type\":\"function\",\"name\":\"f\","
                   "\"defer_loading\":true}]"),
         NULL, "\"name\":\"f\"", NULL, "tools: tool_search, tools[].defer_loading"},
    };
    check(rows, ROWS(rows));
}

#define REJECT_GRAMMARS {.rejects_grammars = true}
#define CUSTOM(more) ",\"tools\":[{\"type\":\"custom\",\"name\":\"p\"" more "}]"
#define LARK ",\"format\":{\"type\":\"grammar\",\"syntax\":\"lark\",\"definition\":\"start: X\"}"

static void grammars_nobody_enforces_are_described_or_refused(void **state)
{
    (void)state;
    static const enum upstream_api apis[] = {UPSTREAM_CHAT, UPSTREAM_MESSAGES, UPSTREAM_GEMINI,
                                             UPSTREAM_CONVERSE};
    for (unsigned i = 0; i < ROWS(apis); i++) {
        const struct row rows[] = {
            {API_RESPONSES, apis[i], REJECT_GRAMMARS, RESPONSES(CUSTOM(LARK)), "tools[0]", NULL,
             NULL, NULL},
            {API_RESPONSES, apis[i], REJECT_GRAMMARS, RESPONSES(CUSTOM("")), NULL, "\"p\"", NULL,
             NULL},
            {API_RESPONSES, apis[i], DEFAULT, RESPONSES(CUSTOM(LARK)), NULL, "start: X", NULL,
             "grammar of a custom tool"},
        };
        check(rows, ROWS(rows));
    }
    static const struct row native[] = {{API_RESPONSES, UPSTREAM_RESPONSES, REJECT_GRAMMARS,
                                         RESPONSES(CUSTOM(LARK)), NULL,
                                         "\"definition\":\"start: X\"", NULL, NULL}};
    check(native, ROWS(native));
}

#define INSTRUCT {.instructs_json = true}
#define JSON_OBJECT ",\"response_format\":{\"type\":\"json_object\"}"

static void one_json_object_can_be_asked_for_in_words(void **state)
{
    (void)state;
    static const char told[] =
        "{\"model\":\"m\",\"messages\":[{\"role\":\"system\",\"content\":\"be brief\"},{\"role\":"
        "\"user\",\"content\":\"hi\"},{\"role\":\"assistant\",\"content\":\"ho\"},{\"role\":"
        "\"system\",\"content\":\"now\"}]" JSON_OBJECT "}";
    static const struct row rows[] = {
        {API_CHAT, UPSTREAM_MESSAGES, DEFAULT, CHAT(JSON_OBJECT), "response_format", NULL, NULL,
         NULL},
        {API_CHAT, UPSTREAM_CONVERSE, DEFAULT, CHAT(JSON_OBJECT), "response_format", NULL, NULL,
         NULL},
        {API_RESPONSES, UPSTREAM_MESSAGES, DEFAULT,
         RESPONSES(",\"text\":{\"format\":{\"type\":\"json_object\"}}"), "text.format", NULL, NULL,
         NULL},
        {API_CHAT, UPSTREAM_MESSAGES, INSTRUCT,
         "{\"model\":\"m\",\"messages\":[{\"role\":\"system\",\"content\":\"s\"}]" JSON_OBJECT "}",
         "messages", NULL, NULL, NULL},
        {API_CHAT, UPSTREAM_MESSAGES, INSTRUCT, CHAT(JSON_OBJECT), NULL,
         "\"system\":[{\"type\":\"text\",\"text\":\"Answer with one JSON object", "output_config",
         "guarantee of JSON"},
        {API_CHAT, UPSTREAM_CONVERSE, INSTRUCT, told, NULL,
         "\"system\":[{\"text\":\"be brief\"},{\"text\":\"Answer with one JSON object", NULL,
         "guarantee of JSON, place of system messages"},
        {API_RESPONSES, UPSTREAM_CHAT, INSTRUCT,
         RESPONSES(",\"text\":{\"format\":{\"type\":\"json_object\"}}"), NULL,
         "\"response_format\":{\"type\":\"json_object\"}", "Answer with", NULL},
        {API_CHAT, UPSTREAM_GEMINI, INSTRUCT, CHAT(JSON_OBJECT), NULL, "application/json",
         "Answer with", NULL},
    };
    check(rows, ROWS(rows));
}

#define FORCE {.forces_schemas = true}
#define SCHEMA "{\"type\":\"object\",\"properties\":{\"a\":{}}}"
#define BY_SCHEMA                                                                                       \
    ",\"response_format\":{\"type\":\"json_schema\",\"json_schema\":{\"name\":\"n\",\"schema\":" SCHEMA \
    "}}"
#define CHAT_TOOL(name) ",\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"" name "\"}}]"

/* Models of which nobody knows that they can be held to one. */
static void schemas_can_be_those_of_a_tool_that_is_called(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {API_CHAT, UPSTREAM_MESSAGES, DEFAULT, CHAT(BY_SCHEMA), "response_format", NULL, NULL,
         NULL},
        {API_CHAT, UPSTREAM_CONVERSE, DEFAULT, CHAT(BY_SCHEMA), "response_format", NULL, NULL,
         NULL},
        {API_MESSAGES, UPSTREAM_CHAT, DEFAULT,
         MESSAGES(",\"output_config\":{\"format\":{\"type\":\"json_schema\",\"schema\":" SCHEMA
                  "}}"),
         "output_config.format", NULL, NULL, NULL},
        /* one call cannot be two */
        {API_CHAT, UPSTREAM_MESSAGES, FORCE, CHAT(BY_SCHEMA CHAT_TOOL("f")), "response_format",
         NULL, NULL, NULL},
        {API_CHAT, UPSTREAM_MESSAGES, FORCE, CHAT(BY_SCHEMA ",\"web_search_options\":{}"),
         "response_format", NULL, NULL, NULL},
        {API_CHAT, UPSTREAM_MESSAGES, FORCE, CHAT(BY_SCHEMA), NULL,
         "\"name\":\"structured_output\",\"description\":\"Your answer, in its form.\","
         "\"input_schema\":" SCHEMA "}],\"tool_choice\":{\"type\":\"tool\",\"name\":"
         "\"structured_output\"}",
         "output_config", "guarantee of a schema"},
        {API_CHAT, UPSTREAM_CONVERSE, FORCE, CHAT(BY_SCHEMA), NULL,
         "\"inputSchema\":{\"json\":" SCHEMA "}}}],\"toolChoice\":{\"tool\":{\"name\":"
         "\"structured_output\"}}",
         "outputConfig", "guarantee of a schema"},
        {API_MESSAGES, UPSTREAM_CHAT, FORCE,
         MESSAGES(",\"output_config\":{\"format\":{\"type\":\"json_schema\",\"schema\":" SCHEMA
                  "}}"),
         NULL,
         "\"parameters\":" SCHEMA "}}],\"tool_choice\":{\"type\":\"function\",\"function\":{"
         "\"name\":\"structured_output\"}}",
         "response_format", "guarantee of a schema"},
        {API_RESPONSES, UPSTREAM_MESSAGES, FORCE,
         RESPONSES(",\"reasoning\":{\"effort\":\"high\"},\"text\":{\"format\":{\"type\":"
                   "\"json_schema\",\"name\":\"n\",\"schema\":" SCHEMA "}}"),
         NULL, "\"structured_output\"", "thinking", "reasoning, guarantee of a schema"},
        /* tools that must not be called are in nobody's way, but for their names */
        {API_CHAT, UPSTREAM_MESSAGES, FORCE,
         CHAT(BY_SCHEMA CHAT_TOOL("structured_output") ",\"tool_choice\":\"none\""), NULL,
         "\"tool_choice\":{\"type\":\"tool\",\"name\":\"structured_output_\"}", NULL,
         "guarantee of a schema"},
    };
    check(rows, ROWS(rows));
}

#define WRAP_ARGUMENTS {.wraps_bad_arguments = true}
#define CALLED(arguments)                                                                       \
    "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"go\"},{\"role\":"          \
    "\"assistant\",\"tool_calls\":[{\"id\":\"c\",\"type\":\"function\",\"function\":{\"name\":" \
    "\"f\",\"arguments\":\"" arguments "\"}}]},{\"role\":\"tool\",\"tool_call_id\":\"c\","      \
    "\"content\":\"r\"}]}"
#define ITEM_CALLED                                                                             \
    "{\"model\":\"m\",\"input\":[{\"type\":\"function_call\",\"call_id\":\"c\",\"name\":\"f\"," \
    "\"arguments\":\"[\"},{\"type\":\"function_call_output\",\"call_id\":\"c\",\"output\":\"r\"}]}"

static void arguments_that_are_no_object_are_refused_or_wrapped(void **state)
{
    (void)state;
    static const enum upstream_api apis[] = {UPSTREAM_MESSAGES, UPSTREAM_GEMINI, UPSTREAM_CONVERSE};
    for (unsigned i = 0; i < ROWS(apis); i++) {
        const struct row rows[] = {
            {API_CHAT, apis[i], DEFAULT, CALLED("[1]"),
             "messages[1].tool_calls[0].function.arguments", NULL, NULL, NULL},
            {API_CHAT, apis[i], DEFAULT, CALLED("{\\\"a\\\":"),
             "messages[1].tool_calls[0].function.arguments", NULL, NULL, NULL},
            {API_RESPONSES, apis[i], DEFAULT, ITEM_CALLED, "input[0].arguments", NULL, NULL, NULL},
        };
        check(rows, ROWS(rows));
    }
    static const struct row wrapped[] = {
        {API_CHAT, UPSTREAM_MESSAGES, WRAP_ARGUMENTS, CALLED("{\\\"a\\\":"), NULL,
         "\"input\":{\"_raw\":\"{\\\"a\\\":\"}", NULL, "arguments that are no object"},
        {API_RESPONSES, UPSTREAM_CONVERSE, WRAP_ARGUMENTS, ITEM_CALLED, NULL,
         "\"input\":{\"_raw\":\"[\"}", NULL, "arguments that are no object"},
        {API_CHAT, UPSTREAM_GEMINI, WRAP_ARGUMENTS, CALLED("x"), NULL, "\"args\":{\"_raw\":\"x\"}",
         NULL, "thought signature, arguments that are no object"},
        {API_CHAT, UPSTREAM_MESSAGES, WRAP_ARGUMENTS, CALLED("{}"), NULL, "\"input\":{}", "_raw",
         NULL},
        {API_CHAT, UPSTREAM_RESPONSES, WRAP_ARGUMENTS, CALLED("[1]"), NULL, "\"arguments\":\"[1]\"",
         NULL, NULL},
    };
    check(wrapped, ROWS(wrapped));
}

#define MAKE_RESULTS {.makes_missing_results = true}
#define TWO_CALLED(more)                                                                        \
    "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"go\"},{\"role\":"          \
    "\"assistant\",\"tool_calls\":[{\"id\":\"c\",\"type\":\"function\",\"function\":{\"name\":" \
    "\"f\",\"arguments\":\"{}\"}},{\"id\":\"d\",\"type\":\"function\",\"function\":{\"name\":"  \
    "\"f\",\"arguments\":\"{}\"}}]}" more "]}"
#define ANSWERED ",{\"role\":\"tool\",\"tool_call_id\":\"d\",\"content\":\"r\"}"
#define GO_ON ",{\"role\":\"user\",\"content\":\"on\"}"
#define NEVER "Error: this call was never answered."

static void calls_without_a_result_are_refused_or_answered(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {API_CHAT, UPSTREAM_MESSAGES, DEFAULT, TWO_CALLED(ANSWERED), "messages[1].tool_calls[0]",
         NULL, NULL, NULL},
        /* nothing was called */
        {API_CHAT, UPSTREAM_MESSAGES, MAKE_RESULTS,
         "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"go\"}" ANSWERED "]}",
         "messages[1]", NULL, NULL, NULL},
        {API_CHAT, UPSTREAM_MESSAGES, MAKE_RESULTS, TWO_CALLED(ANSWERED GO_ON), NULL,
         "[{\"type\":\"tool_result\",\"tool_use_id\":\"c\",\"content\":[{\"type\":\"text\",\"text\":"
         "\"" NEVER "\"}],\"is_error\":true},{\"type\":\"tool_result\",\"tool_use_id\":\"d\","
         "\"content\":[{\"type\":\"text\",\"text\":\"r\"}]},{\"type\":\"text\",\"text\":\"on\"}]",
         NULL, "calls without a result"},
        {API_CHAT, UPSTREAM_RESPONSES, MAKE_RESULTS, TWO_CALLED(ANSWERED GO_ON), NULL,
         "\"call_id\":\"d\",\"output\":\"r\"},{\"type\":\"function_call_output\",\"call_id\":\"c\","
         "\"output\":\"" NEVER "\"},{\"type\":\"message\",\"role\":\"user\"",
         NULL, "calls without a result"},
        {API_CHAT, UPSTREAM_RESPONSES, MAKE_RESULTS, TWO_CALLED(""), NULL,
         "\"call_id\":\"c\",\"output\":\"" NEVER "\"},{\"type\":\"function_call_output\","
         "\"call_id\":\"d\",\"output\":\"" NEVER "\"}]",
         NULL, "calls without a result"},
        {API_MESSAGES, UPSTREAM_CHAT, MAKE_RESULTS,
         "{\"model\":\"m\",\"max_tokens\":9,\"messages\":[{\"role\":\"user\",\"content\":\"go\"},"
         "{\"role\":\"assistant\",\"content\":[{\"type\":\"tool_use\",\"id\":\"c\",\"name\":\"f\","
         "\"input\":{}}]},{\"role\":\"user\",\"content\":\"on\"}]}",
         NULL,
         "{\"role\":\"tool\",\"tool_call_id\":\"c\",\"content\":\"" NEVER
         "\"},{\"role\":\"user\",\"content\":\"on\"}",
         NULL, "calls without a result"},
        {API_RESPONSES, UPSTREAM_CHAT, MAKE_RESULTS,
         "{\"model\":\"m\",\"input\":[{\"type\":\"custom_tool_call\",\"call_id\":\"c\",\"name\":"
         "\"f\",\"input\":\"x\"},{\"role\":\"system\",\"content\":\"s\"}]}",
         NULL, "\"tool_call_id\":\"c\",\"content\":\"" NEVER "\"}", NULL, "calls without a result"},
    };
    check(rows, ROWS(rows));
}

#define CITED                                                                                    \
    "{\"model\":\"m\",\"max_tokens\":9,\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":" \
    "\"document\",\"source\":{\"type\":\"text\",\"media_type\":\"text/plain\",\"data\":\"x\"},"  \
    "\"citations\":{\"enabled\":true}}]}]}"

static void citations_nobody_makes_are_done_without_or_refused(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {API_MESSAGES,
         UPSTREAM_CHAT,
         {.rejects_citations = true},
         CITED,
         "messages[0].content[0].citations",
         NULL,
         NULL,
         NULL},
        {API_MESSAGES, UPSTREAM_CHAT, DEFAULT, CITED, NULL, NULL, NULL, "citations"},
    };
    check(rows, ROWS(rows));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tools_of_one_protocol_are_refused_or_left_out),
        cmocka_unit_test(tools_that_were_to_be_found_are_offered_or_refused),
        cmocka_unit_test(grammars_nobody_enforces_are_described_or_refused),
        cmocka_unit_test(one_json_object_can_be_asked_for_in_words),
        cmocka_unit_test(schemas_can_be_those_of_a_tool_that_is_called),
        cmocka_unit_test(arguments_that_are_no_object_are_refused_or_wrapped),
        cmocka_unit_test(calls_without_a_result_are_refused_or_answered),
        cmocka_unit_test(citations_nobody_makes_are_done_without_or_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
