/* What passes through in the Messages and the Responses protocol, and what the meter sees of it.
 * Chat has a test of its own: openai_stream_test.c. */
#include "unit.h"

#include "sluice/codec/passing.h"
#include "sluice/format/sse.h"

#include <fts.h>

struct row {
    const char *data;
    enum passing_kind kind;
    bool has_content, brings_token;
    const char *finish, *usage;
};

static void check_rows(enum api_protocol api, const struct row *rows, unsigned n)
{
    const struct passing *p = passing_for(api);
    for (unsigned i = 0; i < n; i++) {
        struct span s = span_text(rows[i].data);
        uint8_t *memory = exact_copy(s);
        struct passing_event e = p->look(NULL, span_of(memory, s.len));
        assert_row(i, e.kind == rows[i].kind);
        assert_row(i, e.has_content == rows[i].has_content);
        assert_row(i, !e.has_content || p->brings_token(e.content) == rows[i].brings_token);
        assert_row(i, span_eq(e.finish, span_text(rows[i].finish)));
        assert_row(i, span_eq(e.usage, span_text(rows[i].usage)));
        free(memory);
    }
}

static void messages_are_understood(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"{\"type\":\"ping\"}", EVENT_CHUNK, false, false, "", ""},
        {"{\"type\":\"message_start\",\"message\":{\"id\":\"m\",\"stop_reason\":null,"
         "\"usage\":{\"input_tokens\":3}}}",
         EVENT_CHUNK, false, false, "", "{\"input_tokens\":3}"},
        {"{\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":\"text\","
         "\"text\":\"\"}}",
         EVENT_CHUNK, true, false, "", ""},
        {"{\"type\":\"content_block_start\",\"index\":1,\"content_block\":{\"type\":\"tool_use\","
         "\"id\":\"t\",\"name\":\"n\",\"input\":{}}}",
         EVENT_CHUNK, true, true, "", ""},
        {"{\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\","
         "\"text\":\"\\\"stop_reason\\\":\\\"x\\\"\"}}",
         EVENT_CHUNK, true, true, "", ""},
        {"{\"type\":\"content_block_stop\",\"index\":0}", EVENT_CHUNK, false, false, "", ""},
        {"{\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\",\"stop_sequence\":"
         "null},\"usage\":{\"output_tokens\":7}   }",
         EVENT_CHUNK, false, false, "end_turn", "{\"output_tokens\":7}"},
        {"{\"type\":\"message_stop\"}", EVENT_DONE, false, false, "", ""},
        {"{\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"m\"}}",
         EVENT_ERROR, false, false, "", ""},
        {"{\"type\":\"something_new\",\"delta\":1}", EVENT_CHUNK, false, false, "", ""},
        {"{\"type\":\"message\",\"content\":[{\"type\":\"text\"}],\"stop_reason\":\"tool_use\","
         "\"usage\":{\"input_tokens\":1,\"output_tokens\":2}}",
         EVENT_CHUNK, false, false, "tool_use", "{\"input_tokens\":1,\"output_tokens\":2}"},
        {"{\"type\":\"message_stop\"", EVENT_MALFORMED, false, false, "", ""},
        {"[1]", EVENT_MALFORMED, false, false, "", ""},
        {"", EVENT_MALFORMED, false, false, "", ""},
    };
    check_rows(API_MESSAGES, rows, ROWS(rows));
}

static void pictures_and_sound_are_understood(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"", EVENT_MALFORMED, false, false, "", ""},
        {"[]", EVENT_MALFORMED, false, false, "", ""},
        {"{\"type\":\"speech.audio.done\"", EVENT_MALFORMED, false, false, "", ""},
        {"{\"type\":\"error\",\"message\":\"m\"}", EVENT_ERROR, false, false, "", ""},
        {"{\"type\":\"speech.audio.done\",\"error\":{\"message\":\"m\"}}", EVENT_ERROR, false,
         false, "", ""},
        {"[DONE]", EVENT_DONE, false, false, "", ""},
        {"{\"type\":\"speech.audio.delta\",\"audio\":\"AA==\"}", EVENT_CHUNK, true, true, "", ""},
        {"{\"type\":\"speech.audio.done\",\"usage\":{\"input_tokens\":1}}", EVENT_CHUNK, true, true,
         "stop", "{\"input_tokens\":1}"},
        {"{\"type\":\"image_generation.partial_image\",\"error\":null}", EVENT_CHUNK, true, true,
         "", ""},
        {"{\"type\":\"image_generation.completed\",\"usage\":null}", EVENT_CHUNK, true, true,
         "stop", ""},
        {"{\"type\":\".done.\"}", EVENT_CHUNK, true, true, "", ""},
        {"{\"type\":\"done\"}", EVENT_CHUNK, true, true, "", ""},
        {"{\"type\":5,\"object\":\"chunk\"}", EVENT_CHUNK, true, true, "", ""},
        {"{}", EVENT_CHUNK, true, true, "", ""},
    };
    check_rows(API_IMAGES, rows, ROWS(rows));
    check_rows(API_SPEECH, rows, ROWS(rows));
}

static void usage_of_pictures_has_either_name(void **state)
{
    (void)state;
    static const struct {
        const char *object;
        bool is_stated;
        uint64_t prompt, completion;
    } rows[] = {
        {"{}", false, 0, 0},
        {"{\"type\":\"duration\",\"seconds\":12}", true, 0, 0},
        {"{\"input_tokens\":3,\"output_tokens\":9,\"total_tokens\":12}", true, 3, 9},
        {"{\"prompt_tokens\":3,\"completion_tokens\":9}", true, 3, 9},
    };
    for (unsigned i = 0; i < ROWS(rows); i++) {
        struct usage u = {.source = USAGE_NONE};
        assert_row(i, passing_for(API_IMAGES)->read_usage(&u, span_text(rows[i].object)) ==
                          rows[i].is_stated);
        assert_row(i, u.prompt == rows[i].prompt && u.completion == rows[i].completion);
    }
}

static void responses_are_understood(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"{\"type\":\"response.created\",\"sequence_number\":0,\"response\":{\"status\":"
         "\"in_progress\",\"usage\":null}}",
         EVENT_CHUNK, false, false, "", ""},
        {"{\"type\":\"response.output_item.added\",\"item\":{\"type\":\"message\"}}", EVENT_CHUNK,
         true, false, "", ""},
        {"{\"type\":\"response.output_text.delta\",\"delta\":\"x\"}", EVENT_CHUNK, true, true, "",
         ""},
        {"{\"type\":\"response.completed\",\"response\":{\"status\":\"completed\","
         "\"incomplete_details\":null,\"error\":null,\"usage\":{\"input_tokens\":1}}}",
         EVENT_DONE, false, false, "completed", "{\"input_tokens\":1}"},
        {"{\"type\":\"response.incomplete\",\"response\":{\"status\":\"incomplete\","
         "\"incomplete_details\":{\"reason\":\"max_output_tokens\"},\"usage\":{}}}",
         EVENT_DONE, false, false, "max_output_tokens", "{}"},
        {"{\"type\":\"response.failed\",\"response\":{\"status\":\"failed\",\"error\":{\"code\":"
         "\"server_error\",\"message\":\"m\"}}}",
         EVENT_ERROR, false, false, "failed", ""},
        {"{\"type\":\"error\",\"code\":\"x\",\"message\":\"m\"}", EVENT_ERROR, false, false, "",
         ""},
        {"{\"object\":\"response\",\"status\":\"completed\",\"error\":null,\"incomplete_details\":"
         "null,\"usage\":{\"output_tokens\":9}}",
         EVENT_CHUNK, false, false, "completed", "{\"output_tokens\":9}"},
        {"[DONE]", EVENT_DONE, false, false, "", ""},
        {"{}x", EVENT_MALFORMED, false, false, "", ""},
    };
    check_rows(API_RESPONSES, rows, ROWS(rows));
    struct passing_event e =
        passing_for(API_RESPONSES)->look(NULL, SPAN_LIT("{\"type\":\"x\",\"sequence_number\":41}"));
    assert_int_equal(e.sequence, 41);
}

/* What waits for content, so that another endpoint can still give all of the answer. */
static void what_only_opens_an_answer_is_known(void **state)
{
    (void)state;
    static const struct {
        enum api_protocol api;
        const char *data;
        bool opens;
    } rows[] = {
        {API_CHAT, "{\"choices\":[{\"delta\":{\"role\":\"assistant\",\"content\":\"\"}}]}", true},
        {API_CHAT,
         "{\"choices\":[{\"delta\":{\"role\":\"assistant\",\"content\":null,\"tool_calls\":[],"
         "\"reasoning_content\":\"\"}}]}",
         true},
        {API_CHAT, "{\"choices\":[],\"prompt_filter_results\":[{}]}", true},
        {API_CHAT, "{\"choices\":[{\"delta\":{\"role\":\"assistant\",\"content\":\"x\"}}]}", false},
        {API_CHAT, "{\"choices\":[{\"delta\":{\"content\":\"\\\"role\\\"\"}}]}", false},
        {API_CHAT, "{\"choices\":[{\"delta\":{\"reasoning\":\"hm\"}}]}", false},
        {API_CHAT, "{\"choices\":[{\"delta\":{}},{\"delta\":{\"content\":\"x\"}}]}", false},
        {API_CHAT, "{\"choices\":[{\"delta\":{\"tool_calls\":[{\"index\":0}]}}]}", false},
        {API_COMPLETIONS, "{\"choices\":[{\"text\":\"x\"}]}", false},
        {API_MESSAGES, "{\"type\":\"message_start\",\"message\":{\"usage\":{}}}", true},
        {API_MESSAGES, "{\"type\":\"ping\"}", true},
        {API_MESSAGES,
         "{\"type\":\"content_block_start\",\"content_block\":{\"type\":\"thinking\",\"thinking\":"
         "\"\",\"signature\":\"\"}}",
         true},
        {API_MESSAGES,
         "{\"type\":\"content_block_start\",\"content_block\":{\"type\":\"redacted_thinking\","
         "\"data\":\"x\"}}",
         false},
        {API_MESSAGES,
         "{\"type\":\"content_block_start\",\"content_block\":{\"type\":\"tool_use\",\"id\":\"t\"}}",
         false},
        {API_MESSAGES, "{\"type\":\"something_new\"}", false},
        {API_RESPONSES, "{\"type\":\"response.created\",\"response\":{}}", true},
        {API_RESPONSES, "{\"type\":\"response.output_item.added\",\"item\":{}}", true},
        {API_RESPONSES, "{\"type\":\"response.output_text.delta\",\"delta\":\"x\"}", false},
        {API_RESPONSES, "{\"type\":\"response.output_item.done\",\"item\":{}}", false},
        {API_RESPONSES, "{\"type\":\"response.web_search_call.searching\"}", false},
    };
    for (unsigned i = 0; i < ROWS(rows); i++) {
        const struct passing *p = passing_for(rows[i].api);
        struct passing_event e = p->look(NULL, span_text(rows[i].data));
        bool brings = e.has_content && p->brings_token(e.content);
        assert_row(i, e.kind == EVENT_CHUNK);
        assert_row(i,
                   rows[i].opens == (!brings && (p->only_opens == NULL || p->only_opens(e.type))));
    }
}

static void counts_of_messages_overwrite_what_they_state(void **state)
{
    (void)state;
    struct usage u = {0};
    const struct passing *p = passing_for(API_MESSAGES);
    assert_true(
        p->read_usage(&u, SPAN_LIT("{\"input_tokens\":10,\"cache_read_input_tokens\":5,"
                                   "\"cache_creation_input_tokens\":2,\"cache_creation\":{"
                                   "\"ephemeral_5m_input_tokens\":2},\"output_tokens\":1}")));
    assert_int_equal(u.prompt, 17);
    assert_int_equal(u.cached, 5);
    assert_int_equal(u.cache_write, 2);
    assert_int_equal(u.completion, 1);
    assert_true(p->read_usage(&u, SPAN_LIT("{\"output_tokens\":40}")));
    assert_int_equal(u.prompt, 17);
    assert_int_equal(u.completion, 40);
    assert_true(p->read_usage(&u, SPAN_LIT("{\"input_tokens\":11,\"output_tokens\":41,"
                                           "\"iterations\":[{\"input_tokens\":99}]}")));
    assert_int_equal(u.prompt, 106); /* every pass is billed */
    assert_false(p->read_usage(&u, SPAN_LIT("{\"service_tier\":\"standard\"}")));
    assert_int_equal(u.completion, 41);
}

/* --- recorded streams: not in the repository; SLUICE_FIXTURES says where they are ------------------ */

static struct buf read_file(const char *path)
{
    struct buf text = {0};
    FILE *f = fopen(path, "rb");
    assert_non_null(f);
    size_t got;
    do {
        assert_int_equal(buf_reserve(&text, 65536), 0);
        got = fread(text.at + text.tail, 1, 65536, f);
        text.tail += got;
    } while (got > 0);
    (void)fclose(f);
    return text;
}

/* A whole stream says its usage, why it stopped, and that it is over; nothing in it is garbage. */
static void replay(const char *path, const struct passing *p)
{
    struct buf text = read_file(path);
    struct span input = buf_span(&text);
    struct usage u = {0};
    struct sse s;
    bool finished = false, done = false, failed = false, has_usage = false;
    sse_init(&s, 1u << 24);
    while (sse_next(&s, &input) == SSE_EVENT || sse_finish(&s)) {
        struct passing_event e = p->look(NULL, s.data);
        if (e.kind == EVENT_MALFORMED)
            fail_msg("%s: %.*s", path, SPAN_FMT(span_sub(s.data, 0, 200)));
        finished |= e.finish.len > 0;
        failed |= e.kind == EVENT_ERROR;
        done |= e.kind == EVENT_DONE;
        has_usage |= e.usage.len > 0 && p->read_usage(&u, e.usage);
    }
    if (!failed && !(finished && done && has_usage))
        fail_msg("%s: finished %d, done %d, usage %d", path, finished, done, has_usage);
    sse_fini(&s);
    buf_fini(&text);
}

static void recorded_streams_are_understood(void **state)
{
    (void)state;
    char *root = getenv("SLUICE_FIXTURES");
    if (root == NULL)
        skip();
    FTS *tree = fts_open((char *[]){root, NULL}, FTS_LOGICAL | FTS_NOCHDIR, NULL);
    assert_non_null(tree);
    unsigned messages = 0, responses = 0;
    for (FTSENT *entry; (entry = fts_read(tree)) != NULL;) {
        if (entry->fts_info != FTS_F || strcmp(entry->fts_name, "stream.sse") != 0)
            continue;
        if (strstr(entry->fts_path, "/anthropic/") != NULL) {
            replay(entry->fts_path, passing_for(API_MESSAGES));
            messages++;
        } else if (strstr(entry->fts_path, "/openai-responses/") != NULL) {
            replay(entry->fts_path, passing_for(API_RESPONSES));
            responses++;
        }
    }
    (void)fts_close(tree);
    assert_true(messages > 5 && responses > 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(messages_are_understood),
        cmocka_unit_test(pictures_and_sound_are_understood),
        cmocka_unit_test(usage_of_pictures_has_either_name),
        cmocka_unit_test(responses_are_understood),
        cmocka_unit_test(what_only_opens_an_answer_is_known),
        cmocka_unit_test(counts_of_messages_overwrite_what_they_state),
        cmocka_unit_test(recorded_streams_are_understood),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
