/* Searching and fetching at the provider: in three protocols' words, for five upstreams. */
#include "turn_rows.h"

#define CHAT_FETCH(more) CHAT(",\"web_fetch_options\":{" more "}")
#define FETCH(more) \
    MESSAGES(",\"tools\":[{\"type\":\"web_fetch_20250910\",\"name\":\"web_fetch\"" more "}]")
#define SEARCH(more) \
    MESSAGES(",\"tools\":[{\"type\":\"web_search_20250305\",\"name\":\"web_search\"" more "}]")
#define ONLY_A "\"allowed_domains\":[\"a.org\"]"
#define NOT_B "\"blocked_domains\":[\"b.org\"]"

static void domains_are_allowed_or_blocked_not_both(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {API_CHAT, UPSTREAM_MESSAGES, DEFAULT, CHAT_FETCH(ONLY_A "," NOT_B), "web_fetch_options",
         NULL, NULL, NULL},
        {API_MESSAGES, UPSTREAM_CHAT, DEFAULT, FETCH("," ONLY_A "," NOT_B), "tools[0]", NULL, NULL,
         NULL},
        {API_MESSAGES, UPSTREAM_GEMINI, DEFAULT, SEARCH("," ONLY_A "," NOT_B), "tools[0]", NULL,
         NULL, NULL},
        {API_RESPONSES, UPSTREAM_MESSAGES, DEFAULT,
         RESPONSES(",\"tools\":[{\"type\":\"web_search\",\"filters\":{" ONLY_A "," NOT_B "}}]"),
         "tools[0]", NULL, NULL, NULL},
        {API_RESPONSES, UPSTREAM_MESSAGES, DEFAULT,
         RESPONSES(",\"tools\":[{\"type\":\"web_fetch\"," ONLY_A "," NOT_B "}]"), "tools[0]", NULL,
         NULL, NULL},
        {API_MESSAGES, UPSTREAM_GEMINI, DEFAULT, FETCH("," NOT_B), "tools[0]", NULL, NULL, NULL},
        {API_MESSAGES, UPSTREAM_GEMINI, DEFAULT, FETCH("," ONLY_A), "tools[0]", NULL, NULL, NULL},
        {API_CHAT, UPSTREAM_MESSAGES, DEFAULT, CHAT_FETCH(ONLY_A ",\"blocked_domains\":[]"), NULL,
         ONLY_A "}]", "blocked", NULL},
    };
    check(rows, ROWS(rows));
}

#define SETTINGS "\"max_uses\":2,\"max_content_tokens\":900,\"citations\":{\"enabled\":true}," NOT_B

static void pages_are_fetched_where_somebody_does(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {API_CHAT, UPSTREAM_MESSAGES, DEFAULT, CHAT_FETCH(SETTINGS), NULL,
         "\"tools\":[{\"type\":\"web_fetch_20250910\",\"name\":\"web_fetch\",\"max_uses\":2," NOT_B
         ",\"max_content_tokens\":900,\"citations\":{\"enabled\":true}}]",
         NULL, NULL},
        {API_RESPONSES, UPSTREAM_MESSAGES, DEFAULT,
         RESPONSES(",\"tools\":[{\"type\":\"web_fetch\",\"max_uses\":2}],\"tool_choice\":{\"type\":"
                   "\"web_fetch\"}"),
         NULL, "\"max_uses\":2}],\"tool_choice\":{\"type\":\"tool\",\"name\":\"web_fetch\"}", NULL,
         NULL},
        {API_CHAT, UPSTREAM_GEMINI, DEFAULT, CHAT_FETCH("\"max_uses\":2,\"max_content_tokens\":9"),
         NULL, "\"tools\":[{\"urlContext\":{}}]", NULL, "max_uses, max_content_tokens"},
        {API_CHAT, UPSTREAM_GEMINI, DEFAULT,
         CHAT(",\"web_search_options\":{},\"web_fetch_options\":{},\"tools\":[{\"type\":"
              "\"function\",\"function\":{\"name\":\"f\"}}]"),
         NULL,
         "[{\"functionDeclarations\":[{\"name\":\"f\"}]},{\"googleSearch\":{}},"
         "{\"urlContext\":{}}]",
         NULL, NULL},
        {API_MESSAGES, UPSTREAM_GEMINI, DEFAULT,
         MESSAGES(",\"tools\":[{\"type\":\"web_fetch_20260209\",\"name\":\"web_fetch\"}],"
                  "\"tool_choice\":{\"type\":\"tool\",\"name\":\"web_fetch\"}"),
         NULL, "[{\"urlContext\":{}}]", "toolConfig", "tool_choice"},
        /* nobody there fetches */
        {API_MESSAGES, UPSTREAM_CHAT, DEFAULT, FETCH("," NOT_B), NULL, NULL, "tools", "web fetch"},
        {API_MESSAGES, UPSTREAM_RESPONSES, DEFAULT, FETCH(""), NULL, NULL, "tools", "web fetch"},
        {API_CHAT, UPSTREAM_CONVERSE, DEFAULT, CHAT_FETCH(""), NULL, NULL, "tool", "web fetch"},
        {API_MESSAGES, UPSTREAM_RESPONSES, DEFAULT,
         MESSAGES(",\"tools\":[{\"type\":\"web_fetch_20250910\",\"name\":\"web_fetch\"},{\"name\":"
                  "\"f\",\"input_schema\":{}}],\"tool_choice\":{\"type\":\"tool\",\"name\":"
                  "\"web_fetch\"}"),
         NULL, "\"name\":\"f\"", "tool_choice", "web fetch, tool_choice"},
        {API_RESPONSES, UPSTREAM_RESPONSES, DEFAULT,
         RESPONSES(
             ",\"tools\":[{\"type\":\"web_fetch\"},{\"type\":\"web_search\"}],\"tool_choice\":"
             "{\"type\":\"allowed_tools\",\"mode\":\"auto\",\"tools\":[{\"type\":"
             "\"web_fetch\"},{\"type\":\"web_search\"}]}"),
         NULL, "\"tools\":[{\"type\":\"web_search\"}]}", "web_fetch", "web fetch"},
        /* a function of that name is a function */
        {API_MESSAGES, UPSTREAM_CHAT, DEFAULT,
         MESSAGES(",\"tools\":[{\"name\":\"web_fetch\",\"input_schema\":{}}],\"tool_choice\":"
                  "{\"type\":\"tool\",\"name\":\"web_fetch\"}"),
         NULL, "\"tool_choice\":{\"type\":\"function\",\"function\":{\"name\":\"web_fetch\"}}",
         NULL, NULL},
    };
    check(rows, ROWS(rows));
}

#define OSLO "{\"type\":\"approximate\",\"city\":\"Oslo\"}"

static void a_place_may_be_flat_or_nested(void **state)
{
    (void)state;
    static const char *const bodies[] = {
        CHAT(",\"web_search_options\":{\"user_location\":" OSLO "}"),
        CHAT(",\"web_search_options\":{\"user_location\":{\"approximate\":{\"city\":\"Oslo\"}}}"),
        CHAT(",\"web_search_options\":{\"user_location\":{\"type\":\"approximate\","
             "\"approximate\":" OSLO "}}"),
    };
    for (unsigned i = 0; i < ROWS(bodies); i++) {
        const struct row row[] = {{API_CHAT, UPSTREAM_RESPONSES, DEFAULT, bodies[i], NULL,
                                   "\"user_location\":" OSLO, NULL, NULL}};
        check(row, 1);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(domains_are_allowed_or_blocked_not_both),
        cmocka_unit_test(pages_are_fetched_where_somebody_does),
        cmocka_unit_test(a_place_may_be_flat_or_nested),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
