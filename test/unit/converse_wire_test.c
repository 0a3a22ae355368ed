#include "unit.h"

#include "sluice/codec/chat_turn.h"
#include "sluice/codec/converse_wire.h"
#include "sluice/codec/messages_turn.h"
#include "sluice/format/json_scan.h"

#define PLAIN (FACT_REASONING | FACT_SAMPLING)

typedef bool (*read_fn)(struct span, const struct translation_options *, struct arena *,
                        struct turn_request *, struct fault *);

struct written {
    struct arena arena;
    struct turn_request request;
    struct turn_notes notes;
    struct fault fault;
    struct buf body;
    bool ok;
};

static void write_as_converse(struct written *w, read_fn read, const char *body,
                              const struct wire_options *o)
{
    *w = (struct written){.ok = false};
    arena_init(&w->arena, NULL, 256);
    if (!read(span_text(body), &o->translation, &w->arena, &w->request, &w->fault))
        fail_msg("%s: %s", body, w->fault.message);
    w->ok = converse_wire_write(&w->request, o, &w->arena, &w->body, &w->notes, &w->fault);
}

static void written_fini(struct written *w)
{
    buf_fini(&w->body);
    arena_fini(&w->arena);
}

static bool has_note(const struct turn_notes *notes, const char *field)
{
    for (unsigned i = 0; i < notes->n; i++) {
        if (strcmp(notes->dropped[i], field) == 0)
            return true;
    }
    return false;
}

static bool is_valid(struct span text)
{
    struct json_scan s;
    enum json_status status;
    json_scan_init(&s);
    while ((status = json_scan_next(&s, &text)) == JSON_MEMBER)
        continue;
    return status == JSON_DONE;
}

#define CHAT(messages, rest) "{\"model\":\"m\",\"messages\":[" messages "]" rest "}"
#define USER "{\"role\":\"user\",\"content\":\"hi\"}"

#define HI "{\"messages\":[{\"role\":\"user\",\"content\":[{\"text\":\"hi\"}]}]"
#define CONFIG ",\"inferenceConfig\":{\"maxTokens\":4096}}"
#define SPEC \
    ",\"toolConfig\":{\"tools\":[{\"toolSpec\":{\"name\":\"f\",\"description\":\"d\",\"inputSchema\":{\"json\":{\"type\":\"object\"}}}}]"

#define FUNCTION                                                                             \
    ",\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"f\",\"description\":\"d\"," \
    "\"parameters\":{\"type\":\"object\"}}}]"
#define CALL(id, name, args)                                                  \
    "{\"id\":\"" id "\",\"type\":\"function\",\"function\":{\"name\":\"" name \
    "\",\"arguments\":\"" args "\"}}"

static void chat_requests_become_messages(void **state)
{
    (void)state;
    static const struct {
        const char *body, *wanted, *note;
    } rows[] = {
        {CHAT(USER, ""), HI CONFIG, NULL},
        {CHAT("{\"role\":\"system\",\"content\":\"s\"}," USER, ""),
         HI ",\"system\":[{\"text\":\"s\"}]" CONFIG, NULL},
        {CHAT(USER,
              ",\"max_tokens\":9,\"temperature\":0.5,\"top_p\":1,\"stop\":[\"x\"],\"seed\":1"),
         HI
         ",\"inferenceConfig\":{\"maxTokens\":9,\"temperature\":0.5,\"topP\":1,\"stopSequences\":[\"x\"]}}",
         "seed"},
        {CHAT(USER, FUNCTION), HI SPEC "}" CONFIG, NULL},
        {CHAT(USER, FUNCTION ",\"tool_choice\":\"none\""), HI CONFIG, NULL},
        {CHAT(USER, FUNCTION ",\"tool_choice\":\"required\""),
         HI SPEC ",\"toolChoice\":{\"any\":{}}}" CONFIG, NULL},
        {CHAT(USER,
              FUNCTION ",\"tool_choice\":{\"type\":\"function\",\"function\":{\"name\":\"f\"}}"),
         HI SPEC ",\"toolChoice\":{\"tool\":{\"name\":\"f\"}}}" CONFIG, NULL},
        {CHAT(USER, ",\"reasoning_effort\":\"high\",\"temperature\":1"),
         HI
         ",\"additionalModelRequestFields\":{\"thinking\":{\"type\":\"adaptive\"},\"output_config\":{\"effort\":\"high\"}}" CONFIG,
         "temperature, top_p and top_k"},
        {CHAT(
             USER
             ",{\"role\":\"user\",\"content\":[{\"type\":\"image_url\",\"image_url\":{\"url\":\"data:image/png;base64,QUJD\"}}]}",
             ""),
         "{\"messages\":[{\"role\":\"user\",\"content\":[{\"text\":\"hi\"},{\"image\":{\"format\":\"png\",\"source\":{\"bytes\":\"QUJD\"}}}]}]" CONFIG,
         NULL},
        /* a history with calls needs their tools */
        {CHAT(
             USER ",{\"role\":\"assistant\",\"content\":null,\"tool_calls\":[" CALL(
                 "a", "f",
                 "{\\\"x\\\":1}") "]},{\"role\":\"tool\",\"tool_call_id\":\"a\",\"content\":\"plain\"}",
             ""),
         "{\"messages\":[{\"role\":\"user\",\"content\":[{\"text\":\"hi\"}]},{\"role\":\"assistant\",\"content\":[{\"toolUse\":{\"toolUseId\":\"a\",\"name\":\"f\",\"input\":{\"x\":1}}}]},{\"role\":\"user\",\"content\":[{\"toolResult\":{\"toolUseId\":\"a\",\"content\":[{\"text\":\"plain\"}]}}]}],\"toolConfig\":{\"tools\":[{\"toolSpec\":{\"name\":\"f\",\"inputSchema\":{\"json\":{\"type\":\"object\",\"properties\":{}}}}}]}" CONFIG,
         NULL},
    };
    static const struct wire_options options = {.default_max_tokens = 4096, .facts = PLAIN};
    for (unsigned i = 0; i < ROWS(rows); i++) {
        struct written w;
        write_as_converse(&w, chat_turn_read, rows[i].body, &options);
        assert_row(i, w.ok);
        assert_span(buf_span(&w.body), rows[i].wanted);
        assert_row(i, is_valid(buf_span(&w.body)));
        assert_row(i, rows[i].note == NULL ? w.notes.n == 0 : has_note(&w.notes, rows[i].note));
        written_fini(&w);
    }
}

static void reasoning_and_cache_points_are_kept(void **state)
{
    (void)state;
    static const struct wire_options options = {.default_max_tokens = 4096, .facts = PLAIN};
    struct written w;
    write_as_converse(
        &w, messages_turn_read,
        "{\"model\":\"m\",\"max_tokens\":100,\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"hi\",\"cache_control\":{\"type\":\"ephemeral\"}}]},{\"role\":\"assistant\",\"content\":[{\"type\":\"thinking\",\"thinking\":\"h\",\"signature\":\"s\"},{\"type\":\"redacted_thinking\",\"data\":\"d\"},{\"type\":\"text\",\"text\":\"t\"}]},{\"role\":\"user\",\"content\":\"go on\"}]}",
        &options);
    assert_true(w.ok);
    assert_span(
        buf_span(&w.body),
        "{\"messages\":[{\"role\":\"user\",\"content\":[{\"text\":\"hi\"},{\"cachePoint\":{\"type\":\"default\"}}]},{\"role\":\"assistant\",\"content\":[{\"reasoningContent\":{\"reasoningText\":{\"text\":\"h\",\"signature\":\"s\"}}},{\"reasoningContent\":{\"redactedContent\":\"d\"}},{\"text\":\"t\"}]},{\"role\":\"user\",\"content\":[{\"text\":\"go on\"}]}],\"inferenceConfig\":{\"maxTokens\":100}}");
    written_fini(&w);
}

static void models_that_know_schemas_are_held_to_them(void **state)
{
    (void)state;
    static const struct wire_options options = {.default_max_tokens = 4096,
                                                .facts = PLAIN | FACT_JSON_SCHEMA};
    static const struct {
        const char *more, *wanted;
    } rows[] = {
        {",\"response_format\":{\"type\":\"json_schema\",\"json_schema\":{\"name\":\"n\",\"description\":"
         "\"d\",\"schema\":{\"type\":\"object\"}}}",
         HI
         ",\"inferenceConfig\":{\"maxTokens\":4096},\"outputConfig\":{\"textFormat\":{\"type\":"
         "\"json_schema\",\"structure\":{\"jsonSchema\":{\"schema\":\"{\\\"type\\\":\\\"object\\\"}\","
         "\"name\":\"n\",\"description\":\"d\"}}}}}"},
        {",\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"f\",\"strict\":true,\"parameters\":"
         "{\"type\":\"object\"}}}]",
         HI ",\"toolConfig\":{\"tools\":[{\"toolSpec\":{\"name\":\"f\",\"strict\":true,"
            "\"inputSchema\":{\"json\":{\"type\":\"object\"}}}}]}" CONFIG},
    };
    for (unsigned i = 0; i < ROWS(rows); i++) {
        struct written w;
        char body[600];
        snprintf(body, sizeof body, "{\"model\":\"m\",\"messages\":[" USER "]%s}", rows[i].more);
        write_as_converse(&w, chat_turn_read, body, &options);
        assert_row(i, w.ok && w.notes.n == 0);
        assert_span(buf_span(&w.body), rows[i].wanted);
        written_fini(&w);
    }
}

static void what_cannot_be_said_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *body, *param;
    } rows[] = {
        {CHAT("{\"role\":\"system\",\"content\":\"s\"}", ""), "messages"},
        {CHAT(USER, ",\"n\":2"), "n"},
        {CHAT(USER, ",\"response_format\":{\"type\":\"json_object\"}"), "response_format"},
    };
    static const struct wire_options options = {.default_max_tokens = 4096, .facts = PLAIN};
    for (unsigned i = 0; i < ROWS(rows); i++) {
        struct written w;
        write_as_converse(&w, chat_turn_read, rows[i].body, &options);
        assert_row(i, !w.ok && w.fault.param != NULL);
        assert_string_equal(w.fault.param, rows[i].param);
        written_fini(&w);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(chat_requests_become_messages),
        cmocka_unit_test(reasoning_and_cache_points_are_kept),
        cmocka_unit_test(models_that_know_schemas_are_held_to_them),
        cmocka_unit_test(what_cannot_be_said_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
