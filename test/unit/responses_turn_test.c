#include "unit.h"

#include "sluice/codec/responses_turn.h"

struct read {
    struct arena arena;
    struct turn_request r;
    struct fault why;
    uint8_t *body; /* of just its size */
    bool is_read;
};

static const struct translation_options defaults = {.drops_unknown_tools = false};

static void take(struct read *t, const char *body)
{
    memset(t, 0, sizeof *t);
    arena_init(&t->arena, NULL, 1024);
    t->body = exact_copy(span_text(body));
    t->is_read = responses_turn_read(span_of(t->body, strlen(body)), &defaults, &t->arena, &t->r,
                                     &t->why);
}

static void drop(struct read *t)
{
    arena_fini(&t->arena);
    free(t->body);
}

#define ITEM(members) "{\"input\":[{" members "}]}"
#define USER(part) ITEM("\"role\":\"user\",\"content\":[{" part "}]")
#define WITH(members) "{\"input\":\"q\"," members "}"
#define TOOL(members) WITH("\"tools\":[{" members "}]")
#define FUNCTION "{\"type\":\"function\",\"name\":\"f\",\"parameters\":{}}"

static void what_cannot_be_taken_is_refused_with_its_place(void **state)
{
    (void)state;
    static const struct {
        const char *body, *param;
    } rows[] = {
        {"[]", NULL},
        {"{}", "input"},
        {"{\"input\":null}", "input"},
        {"{\"input\":7}", "input"},
        {"{\"input\":[]}", "input"},
        {"{\"input\":[7]}", "input[0]"},
        {ITEM("\"type\":\"message\""), "input[0].role"},
        {ITEM("\"role\":\"tool\",\"content\":\"x\""), "input[0].role"},
        {ITEM("\"role\":\"user\""), "input[0].content"},
        {ITEM("\"role\":\"user\",\"content\":{}"), "input[0].content"},
        {ITEM("\"type\":\"item_reference\",\"id\":\"msg_1\""), "input[0].type"},
        {ITEM("\"type\":\"compaction\",\"encrypted_content\":\"x\""), "input[0].type"},
        {ITEM("\"type\":\"local_shell_call\",\"call_id\":\"c\""), "input[0].type"},
        {ITEM("\"type\":\"function_call\",\"name\":\"f\",\"arguments\":\"\""), "input[0]"},
        {ITEM("\"type\":\"function_call\",\"call_id\":\"c\",\"arguments\":\"\""), "input[0]"},
        {ITEM("\"type\":\"function_call\",\"call_id\":\"c\",\"name\":\"f\",\"arguments\":{}"),
         "input[0].arguments"},
        {ITEM("\"type\":\"custom_tool_call\",\"call_id\":\"c\",\"name\":\"f\",\"input\":{}"),
         "input[0].input"},
        {ITEM("\"type\":\"function_call_output\",\"output\":\"x\""), "input[0]"},
        {ITEM("\"type\":\"function_call_output\",\"call_id\":\"c\""), "input[0].output"},
        {ITEM("\"type\":\"function_call_output\",\"call_id\":\"c\",\"output\":{}"),
         "input[0].output"},
        {ITEM("\"type\":\"additional_tools\""), "input"},
        {USER("\"type\":\"image\""), "input[0].content[0].type"},
        {USER("\"type\":\"input_text\""), "input[0].content[0].text"},
        {USER("\"type\":\"input_text\",\"text\":1"), "input[0].content[0].text"},
        {USER("\"type\":\"input_image\",\"file_id\":\"file-1\""), "input[0].content[0]"},
        {USER("\"type\":\"input_file\",\"file_id\":\"file-1\""), "input[0].content[0]"},
        {USER("\"type\":\"input_file\",\"file_data\":\"JVBERi0=\""), "input[0].content[0]"},
        {USER("\"type\":\"input_audio\""), "input[0].content[0]"},
        {USER("\"type\":\"input_audio\",\"input_audio\":{\"data\":\"AA==\",\"format\":\"ogg\"}"),
         "input[0].content[0].input_audio.format"},
        {USER("\"type\":\"input_audio\",\"input_audio\":{\"format\":\"wav\"}"),
         "input[0].content[0]"},
        {WITH("\"instructions\":[]"), "instructions"},
        {WITH("\"stream\":1"), "stream"},
        {WITH("\"temperature\":\"1\""), "temperature"},
        {WITH("\"max_output_tokens\":true"), "max_output_tokens"},
        {WITH("\"top_logprobs\":\"2\""), "top_logprobs"},
        {WITH("\"previous_response_id\":\"resp_1\""), "previous_response_id"},
        {WITH("\"conversation\":{\"id\":\"c\"}"), "conversation"},
        {WITH("\"prompt\":{\"id\":\"p\"}"), "prompt"},
        {WITH("\"background\":true"), "background"},
        {WITH("\"reasoning\":7"), "reasoning"},
        {WITH("\"reasoning\":{\"effort\":\"huge\"}"), "reasoning.effort"},
        {WITH("\"text\":7"), "text"},
        {WITH("\"text\":{\"format\":{\"type\":\"json_schema\",\"name\":\"n\"}}"),
         "text.format.schema"},
        {WITH("\"text\":{\"format\":{\"type\":\"json_schema\",\"schema\":{}}}"),
         "text.format.name"},
        {WITH("\"tools\":{}"), "tools"},
        {TOOL("\"type\":\"file_search\""), "tools[0].type"},
        {TOOL("\"type\":\"local_shell\""), "tools[0].type"},
        {TOOL("\"type\":\"function\""), "tools[0].name"},
        {TOOL("\"type\":\"function\",\"name\":\"f\",\"parameters\":7"), "tools[0].parameters"},
        {TOOL("\"type\":\"namespace\",\"name\":\"n\""), "tools[0].tools"},
        {TOOL("\"type\":\"namespace\",\"tools\":[{\"type\":\"function\"}]"),
         "tools[0].tools[0].name"},
        {WITH("\"tool_choice\":\"any\""), "tool_choice"},
        {WITH("\"tool_choice\":{\"type\":\"mcp\"}"), "tool_choice"},
        {WITH("\"tool_choice\":{\"type\":\"allowed_tools\"}"), "tool_choice.tools"},
        {WITH("\"tools\":[" FUNCTION "],\"tool_choice\":{\"type\":\"allowed_tools\",\"tools\":[{"
              "\"type\":\"function\",\"name\":\"g\"}]}"),
         "tool_choice.tools[0]"},
        {WITH("\"tools\":[{\"type\":\"web_search\"}],\"tool_choice\":{\"type\":\"allowed_tools\","
              "\"tools\":[{\"type\":\"function\"}]}"),
         "tool_choice.tools[0]"},
        {"{\"input\":[{\"role\":\"user\",\"content\":\"q\"},{\"type\":\"additional_tools\","
         "\"tools\":[{\"type\":\"mcp\"}]}]}",
         "input[1].tools[0].type"},
    };
    for (unsigned i = 0; i < ROWS(rows); i++) {
        struct read t;
        take(&t, rows[i].body);
        if (t.is_read || (t.why.param == NULL) != (rows[i].param == NULL) ||
            (t.why.param != NULL && strcmp(t.why.param, rows[i].param) != 0))
            print_error("%s: %s\n", rows[i].body, t.is_read ? "read" : t.why.message);
        assert_row(i, !t.is_read);
        assert_row(i, fault_status(&t.why) == 400);
        assert_row(i, (t.why.param == NULL) == (rows[i].param == NULL));
        assert_row(i, rows[i].param == NULL || strcmp(t.why.param, rows[i].param) == 0);
        drop(&t);
    }
}

static void what_changes_nothing_here_is_passed_over(void **state)
{
    (void)state;
    static const char *const bodies[] = {
        WITH("\"previous_response_id\":null,\"conversation\":null,\"prompt\":null"),
        WITH("\"background\":false,\"store\":true,\"truncation\":\"auto\""),
        WITH("\"client_metadata\":{\"x\":\"y\"},\"include\":[\"reasoning.encrypted_content\"]"),
        WITH("\"instructions\":null,\"tools\":null,\"text\":null,\"reasoning\":null"),
        WITH("\"tool_choice\":null,\"top_logprobs\":0,\"max_output_tokens\":null"),
        WITH("\"text\":{\"format\":{\"type\":\"text\"}},\"reasoning\":{\"effort\":null}"),
    };
    for (unsigned i = 0; i < ROWS(bodies); i++) {
        struct read t;
        take(&t, bodies[i]);
        assert_row(i, t.is_read);
        assert_row(i, t.r.messages == t.r.last_message);
        assert_row(i, t.r.messages->role == ROLE_USER);
        assert_row(i, span_eq(t.r.messages->parts->text, SPAN_LIT("q")));
        assert_row(i, t.r.tools == NULL && t.r.top_logprobs.len == 0 && t.r.logprobs.len == 0);
        assert_row(i, t.r.effort == EFFORT_UNSAID && t.r.max_tokens.len == 0);
        drop(&t);
    }
}

/* A conversation with all that takes part in one. */
static const char conversation[] =
    "{\"model\":\"m\",\"instructions\":\"be \\\"brief\\\"\",\"input\":["
    "{\"role\":\"developer\",\"content\":\"d\"},"
    "{\"type\":\"message\",\"role\":\"user\",\"content\":[{\"type\":\"input_text\",\"text\":\"q\"},"
    "{\"type\":\"input_image\",\"image_url\":\"data:image/png;base64,iVBO\",\"detail\":\"low\"},"
    "{\"type\":\"input_image\",\"image_url\":\"https://x/y\"},"
    "{\"type\":\"input_file\",\"filename\":\"a.pdf\","
    "\"file_data\":\"data:application/pdf;base64,JVBE\"},"
    "{\"type\":\"input_audio\",\"input_audio\":{\"data\":\"AAAA\",\"format\":\"mp3\"}}]},"
    "{\"type\":\"reasoning\",\"id\":\"rs_1\",\"encrypted_content\":\"gAAA\",\"summary\":["
    "{\"type\":\"summary_text\",\"text\":\"one\"},{\"type\":\"summary_text\",\"text\":\"two\"}]},"
    "{\"type\":\"message\",\"role\":\"assistant\",\"phase\":\"commentary\",\"content\":["
    "{\"type\":\"output_text\",\"text\":\"t\",\"annotations\":[]},"
    "{\"type\":\"refusal\",\"refusal\":\"no\"}]},"
    "{\"type\":\"function_call\",\"id\":\"fc_1\",\"call_id\":\"c1\",\"name\":\"f\","
    "\"arguments\":\"{\\\"a\\\":1}\"},"
    "{\"type\":\"custom_tool_call\",\"call_id\":\"c2\",\"name\":\"p\",\"input\":\"***\\n\"},"
    "{\"type\":\"web_search_call\",\"id\":\"ws_1\",\"status\":\"completed\"},"
    "{\"type\":\"function_call_output\",\"call_id\":\"c1\",\"output\":["
    "{\"type\":\"input_text\",\"text\":\"r\"}]},"
    "{\"type\":\"custom_tool_call_output\",\"call_id\":\"c2\",\"output\":\"ok\"}]}";

static void items_become_messages_in_their_order(void **state)
{
    (void)state;
    static const enum turn_role roles[] = {ROLE_SYSTEM,    ROLE_DEVELOPER, ROLE_USER,
                                           ROLE_ASSISTANT, ROLE_ASSISTANT, ROLE_ASSISTANT,
                                           ROLE_ASSISTANT, ROLE_TOOL,      ROLE_TOOL};
    const struct turn_message *at[ROWS(roles)];
    struct read t;
    take(&t, conversation);
    assert_true(t.is_read);
    unsigned n = 0;
    for (const struct turn_message *m = t.r.messages; m != NULL; m = m->next) {
        assert_true(n < ROWS(roles));
        assert_row(n, m->role == roles[n]);
        at[n++] = m;
    }
    assert_int_equal(n, ROWS(roles));
    assert_span(at[0]->parts->text, "be \\\"brief\\\"");
    assert_span(at[1]->parts->text, "d");
    assert_span(at[8]->path, "input[8]");

    const struct turn_part *p = at[2]->parts;
    assert_span(p->text, "q");
    assert_span((p = p->next)->media_type, "image/png");
    assert_span(p->data, "iVBO");
    assert_span(p->detail, "low");
    assert_span((p = p->next)->url, "https://x/y");
    assert_span((p = p->next)->name, "a.pdf");
    assert_span(p->data, "JVBE");
    assert_span((p = p->next)->media_type, "audio/mpeg");
    assert_span(p->path, "input[1].content[4]");
    assert_null(p->next);

    assert_int_equal(at[3]->parts->kind, PART_REASONING);
    assert_span(at[3]->parts->text, "one\\n\\ntwo");
    assert_span(at[3]->parts->proof, "gAAA");
    assert_span(at[3]->parts->id, "rs_1");
    assert_span(at[4]->parts->text, "t");
    assert_int_equal(at[4]->parts->next->kind, PART_REFUSAL);
    assert_span(at[5]->parts->id, "c1");
    assert_span(at[5]->parts->arguments_text, "{\\\"a\\\":1}");
    assert_false(at[5]->parts->is_custom);
    assert_span(at[6]->parts->arguments_text, "***\\n");
    assert_true(at[6]->parts->is_custom);
    assert_int_equal(at[7]->parts->kind, PART_RESULT);
    assert_span(at[7]->parts->id, "c1");
    assert_span(at[7]->parts->inside->text, "r");
    assert_span(at[8]->parts->inside->text, "ok");
    drop(&t);
}

static void reasoning_without_a_summary_is_read_unabridged(void **state)
{
    (void)state;
    struct read t;
    take(&t, ITEM("\"type\":\"reasoning\",\"summary\":[],\"content\":[{\"type\":\"reasoning_text\","
                  "\"text\":\"long\"}]"));
    assert_true(t.is_read);
    assert_span(t.r.messages->parts->text, "long");
    drop(&t);
}

static void options_are_read(void **state)
{
    (void)state;
    struct read t;
    take(&t, WITH("\"stream\":true,\"max_output_tokens\":100,\"temperature\":0.5,\"top_p\":1,"
                  "\"top_logprobs\":3,\"parallel_tool_calls\":false,\"prompt_cache_key\":\"k\","
                  "\"user\":\"\",\"safety_identifier\":\"u\",\"metadata\":{\"a\":\"b\"},"
                  "\"reasoning\":{\"effort\":\"xhigh\",\"summary\":\"auto\"},\"text\":{"
                  "\"verbosity\":\"low\",\"format\":{\"type\":\"json_schema\",\"name\":\"n\","
                  "\"strict\":true,\"schema\":{\"type\":\"object\"}}}"));
    assert_true(t.is_read);
    assert_true(t.r.stream);
    assert_span(t.r.max_tokens, "100");
    assert_span(t.r.temperature, "0.5");
    assert_span(t.r.top_logprobs, "3");
    assert_span(t.r.logprobs, "true");
    assert_int_equal(t.r.parallel, PARALLEL_NO);
    assert_span(t.r.cache_key, "k");
    assert_span(t.r.user, "u");
    assert_span(t.r.metadata, "{\"a\":\"b\"}");
    assert_int_equal(t.r.effort, EFFORT_XHIGH);
    assert_false(t.r.thinking_is_hidden);
    assert_span(t.r.verbosity, "\"low\"");
    assert_int_equal(t.r.format, FORMAT_SCHEMA);
    assert_true(t.r.format_strict);
    assert_span(t.r.format_schema, "{\"type\":\"object\"}");
    drop(&t);
}

static void assert_names(const struct turn_tool *t, const char *const *names, unsigned n)
{
    for (unsigned i = 0; i < n; i++, t = t->next) {
        assert_non_null(t);
        assert_span(t->name, names[i]);
    }
    assert_null(t);
}

/* As Codex tells them: some in namespaces, some in items, and those again later on. */
static void tools_are_read_wherever_they_are_told(void **state)
{
    (void)state;
    static const char *const names[] = {"f", "p", "", "n1", "n2", "late"};
    struct read t;
    take(
        &t,
        "{\"tools\":[{\"type\":\"function\",\"name\":\"f\",\"description\":\"d\",\"strict\":"
        "false,\"parameters\":{\"type\":\"object\"}},"
        "{\"type\":\"custom\",\"name\":\"p\",\"format\":{\"type\":\"grammar\",\"syntax\":\"lark\",\"definition\":\"start: X\"}},"
        "{\"type\":\"web_search\",\"external_web_access\":true},"
        "{\"type\":\"namespace\",\"name\":\"n\",\"tools\":[{\"type\":\"function\",\"name\":"
        "\"n1\"},{\"type\":\"custom\",\"name\":\"n2\"}]}],"
        "\"input\":[{\"role\":\"user\",\"content\":\"q\"},"
        "{\"type\":\"additional_tools\",\"role\":\"developer\",\"tools\":["
        "{\"type\":\"web_search\"},{\"type\":\"namespace\",\"name\":\"n\",\"tools\":["
        "{\"type\":\"function\",\"name\":\"n1\"},{\"type\":\"function\",\"name\":\"late\"}]}]},"
        "{\"type\":\"additional_tools\",\"tools\":[{\"type\":\"function\",\"name\":\"late\"}]}]}");
    assert_true(t.is_read);
    assert_names(t.r.tools, names, ROWS(names));
    const struct turn_tool *tool = t.r.tools;
    assert_span(tool->schema, "{\"type\":\"object\"}");
    assert_int_equal(tool->strict, STRICT_NO);
    tool = tool->next;
    assert_true(tool->is_custom);
    assert_span(tool->grammar, "start: X");
    tool = tool->next;
    assert_non_null(tool->web);
    assert_int_equal(tool->next->strict, STRICT_UNSAID);
    assert_true(tool->next->next->is_custom);
    assert_ptr_equal(t.r.messages, t.r.last_message);
    drop(&t);
}

static void a_choice_is_read_in_all_its_forms(void **state)
{
    (void)state;
    static const struct {
        const char *choice;
        enum turn_choice is;
        const char *name, *allowed;
    } rows[] = {
        {"\"auto\"", CHOICE_AUTO, "", NULL},
        {"\"none\"", CHOICE_NONE, "", NULL},
        {"\"required\"", CHOICE_REQUIRED, "", NULL},
        {"{\"type\":\"function\",\"name\":\"f\"}", CHOICE_NAMED, "f", NULL},
        {"{\"type\":\"custom\",\"name\":\"p\"}", CHOICE_NAMED, "p", NULL},
        {"{\"type\":\"allowed_tools\",\"mode\":\"auto\",\"tools\":[{\"type\":\"function\","
         "\"name\":\"f\"}]}",
         CHOICE_AUTO, "", "f"},
        {"{\"type\":\"allowed_tools\",\"mode\":\"required\",\"tools\":[{\"type\":\"web_search\"}]}",
         CHOICE_REQUIRED, "", ""},
    };
    for (unsigned i = 0; i < ROWS(rows); i++) {
        char body[512];
        struct read t;
        (void)snprintf(
            body, sizeof body,
            WITH("\"tool_choice\":%s,\"tools\":[" FUNCTION ",{\"type\":\"web_search\"}]"),
            rows[i].choice);
        take(&t, body);
        assert_row(i, t.is_read);
        assert_row(i, t.r.choice == rows[i].is);
        assert_row(i, span_eq(t.r.choice_name, span_text(rows[i].name)));
        assert_row(i, (t.r.allowed != NULL) == (rows[i].allowed != NULL));
        assert_row(i,
                   t.r.allowed == NULL || span_eq(t.r.allowed->name, span_text(rows[i].allowed)));
        drop(&t);
    }
}

/* Cut anywhere it is no JSON any more, and must still be read or refused without a fall. */
static void a_body_that_is_cut_is_refused(void **state)
{
    (void)state;
    for (size_t n = 0; n < sizeof conversation - 1; n++) {
        char *cut = strndup(conversation, n);
        struct read t;
        take(&t, cut);
        assert_row(n, !t.is_read);
        drop(&t);
        free(cut);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_cannot_be_taken_is_refused_with_its_place),
        cmocka_unit_test(what_changes_nothing_here_is_passed_over),
        cmocka_unit_test(items_become_messages_in_their_order),
        cmocka_unit_test(reasoning_without_a_summary_is_read_unabridged),
        cmocka_unit_test(options_are_read),
        cmocka_unit_test(tools_are_read_wherever_they_are_told),
        cmocka_unit_test(a_choice_is_read_in_all_its_forms),
        cmocka_unit_test(a_body_that_is_cut_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
