#include "unit.h"

#include "sluice/codec/messages_turn.h"
#include "sluice/codec/messages_wire.h"

#define PLAIN (FACT_REASONING | FACT_SAMPLING)

struct turned {
    struct arena arena;
    struct turn_request request;
    struct turn_notes notes;
    struct fault fault;
    struct buf body;
    bool is_read, is_written;
};

static void turn(struct turned *t, struct span body)
{
    static const struct wire_options options = {
        .model = {(const uint8_t *)"up", 2}, .default_max_tokens = 4096, .facts = PLAIN};
    *t = (struct turned){.is_read = false};
    arena_init(&t->arena, NULL, 256);
    t->is_read = messages_turn_read(body, &options.translation, &t->arena, &t->request, &t->fault);
    t->is_written = t->is_read && messages_wire_write(&t->request, &options, &t->arena, &t->body,
                                                      &t->notes, &t->fault);
}

static void turned_fini(struct turned *t)
{
    buf_fini(&t->body);
    arena_fini(&t->arena);
}

#define BODY(messages, rest) \
    "{\"model\":\"m\",\"max_tokens\":9,\"messages\":[" messages "]" rest "}"
#define SAYS(role, content) "{\"role\":\"" role "\",\"content\":" content "}"
#define HI SAYS("user", "\"hi\"")

static void what_cannot_be_meant_is_refused_by_its_path(void **state)
{
    (void)state;
    static const struct {
        const char *body, *param;
    } rows[] = {
        {BODY(SAYS("user", "[{\"type\":\"riddle\"}]"), ""), "messages[0].content[0].type"},
        {BODY(HI, ",\"tools\":[{\"type\":\"bash_20250124\",\"name\":\"bash\"}]"), "tools[0].type"},
        {BODY(HI, ",\"tool_choice\":{\"type\":\"some\"}"), "tool_choice.type"},
        {BODY(HI, ",\"tool_choice\":{\"type\":\"tool\"}"), "tool_choice.name"},
        {BODY(HI, ",\"thinking\":{\"type\":\"deep\"}"), "thinking.type"},
        {BODY(HI, ",\"thinking\":{\"type\":\"enabled\"}"), "thinking.budget_tokens"},
        {BODY(HI, ",\"mcp_servers\":[{\"name\":\"x\"}]"), "mcp_servers"},
        {BODY(HI, ",\"container\":\"c\""), "container"},
        {BODY(HI, ",\"fallbacks\":[{}]"), "fallbacks"},
        {BODY(HI, ",\"thread\":{\"type\":\"new\"}"), "thread"},
        {BODY(HI, ",\"temperature\":\"hot\""), "temperature"},
        {BODY(HI, ",\"stop_sequences\":\"x\""), "stop_sequences"},
        {BODY("", ""), "messages"},
    };
    for (unsigned i = 0; i < ROWS(rows); i++) {
        struct turned t;
        turn(&t, span_text(rows[i].body));
        assert_row(i, !t.is_written && t.fault.param != NULL);
        assert_string_equal(t.fault.param, rows[i].param);
        turned_fini(&t);
    }
}

static void a_request_survives_the_way_through_the_turn(void **state)
{
    (void)state;
    static const char call[] =
        SAYS("assistant", "[{\"type\":\"tool_use\",\"id\":\"t1\",\"name\":\"f\","
                          "\"input\":{\"a\":1.50}}]") "," SAYS("user", "[{\"type\":\"tool_result\","
                                                                       "\"tool_use_id\":\"t1\","
                                                                       "\"is_error\":true,"
                                                                       "\"content\":\"no\"}]");
    static const struct {
        const char *body, *holds; /* a piece of what is written */
    } rows[] = {
        {BODY(SAYS("user", "\"caf\\u00e9 \\ud83d\\ude00\""), ""), "caf\\u00e9 \\ud83d\\ude00"},
        {BODY(HI, ",\"system\":\"be \\\"brief\\\"\""), "be \\\"brief\\\""},
        {BODY(HI, ",\"top_k\":7"), "\"top_k\":7"},
        {BODY(HI, ",\"stop_sequences\":[\"a\",\"b\"]"), "\"stop_sequences\":[\"a\",\"b\"]"},
        {BODY(HI, ""), "\"max_tokens\":9"},
        {BODY(SAYS("user", "[{\"type\":\"text\",\"text\":\"x\","
                           "\"cache_control\":{\"type\":\"ephemeral\"}}]"),
              ""),
         "\"cache_control\":{\"type\":\"ephemeral\"}"},
        {BODY(SAYS("user", "[{\"type\":\"image\",\"source\":{\"type\":\"base64\","
                           "\"media_type\":\"image/png\",\"data\":\"AA==\"}}]"),
              ""),
         "\"data\":\"AA==\""},
    };
    for (unsigned i = 0; i < ROWS(rows); i++) {
        struct turned t;
        turn(&t, span_text(rows[i].body));
        assert_row(i, t.is_written);
        assert_row(i, span_find(buf_span(&t.body), span_text(rows[i].holds)) != SIZE_MAX);
        turned_fini(&t);
    }
    struct turned t;
    char body[1024];
    snprintf(body, sizeof body, "{\"model\":\"m\",\"max_tokens\":9,\"messages\":[%s,%s]}", HI,
             call);
    turn(&t, span_text(body));
    assert_true(t.is_written);
    assert_true(span_find(buf_span(&t.body), SPAN_LIT("{\"a\":1.50}")) != SIZE_MAX);
    assert_true(span_find(buf_span(&t.body), SPAN_LIT("\"is_error\":true")) != SIZE_MAX);
    turned_fini(&t);
}

static void blocks_of_anthropics_own_tools_are_left_out(void **state)
{
    (void)state;
    struct turned t;
    turn(&t, SPAN_LIT(BODY(
                 HI "," SAYS("assistant",
                             "[{\"type\":\"server_tool_use\",\"id\":\"s\",\"name\":\"web_search\","
                             "\"input\":{\"query\":\"secret\"}},"
                             "{\"type\":\"web_search_tool_result\",\"tool_use_id\":\"s\","
                             "\"content\":[]},{\"type\":\"text\",\"text\":\"found\"}]") "," HI,
                 "")));
    assert_true(t.is_written);
    assert_true(span_find(buf_span(&t.body), SPAN_LIT("secret")) == SIZE_MAX);
    assert_true(span_find(buf_span(&t.body), SPAN_LIT("found")) != SIZE_MAX);
    turned_fini(&t);
}

static void edits_of_the_context_are_not_lost_silently(void **state)
{
    (void)state;
    struct turned t;
    turn(&t, SPAN_LIT(BODY(HI, ",\"context_management\":{\"edits\":[]}")));
    assert_true(t.is_written);
    assert_int_equal(t.notes.n, 1);
    assert_string_equal(t.notes.dropped[0], "context_management");
    turned_fini(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_cannot_be_meant_is_refused_by_its_path),
        cmocka_unit_test(a_request_survives_the_way_through_the_turn),
        cmocka_unit_test(blocks_of_anthropics_own_tools_are_left_out),
        cmocka_unit_test(edits_of_the_context_are_not_lost_silently),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
