#include "event_log.h"

#include "sluice/codec/converse_reader.h"
#include "sluice/format/event_stream.h"

/* Lines "type payload". */
static void run(struct event_log *log, const char *lines)
{
    struct converse_reader r;
    struct span rest = span_text(lines);
    converse_reader_init(&r, event_log_add, log);
    while (rest.len > 0) {
        struct span payload = span_cut(&rest, '\n'), type = span_cut(&payload, ' ');
        uint8_t *copy = exact_copy(payload);
        converse_reader_event(&r, type, span_of(copy, payload.len));
        free(copy);
    }
    converse_reader_end(&r);
    assert_true(converse_reader_is_over(&r));
    converse_reader_fini(&r);
}

#define START "messageStart {\"role\":\"assistant\",\"p\":\"abc\"}\n"
#define DELTA(i, delta) \
    "contentBlockDelta {\"contentBlockIndex\":" i ",\"delta\":{" delta "},\"p\":\"a\"}\n"
#define CLOSE(i) "contentBlockStop {\"contentBlockIndex\":" i "}\n"
#define STOPS(reason) "messageStop {\"stopReason\":\"" reason "\"}\n"
#define TOOL(i, id, name)                                                                        \
    "contentBlockStart {\"contentBlockIndex\":" i ",\"start\":{\"toolUse\":{\"toolUseId\":\"" id \
    "\",\"name\":\"" name "\"}}}\n"

static void streams_become_events(void **state)
{
    (void)state;
    static const struct {
        const char *lines, *events;
    } rows[] = {
        {START DELTA("0", "\"text\":\"a\\n\"") DELTA("0", "\"text\":\"b\"") CLOSE("0")
             STOPS("end_turn") "metadata {\"usage\":{\"inputTokens\":5,\"outputTokens\":2,"
                               "\"cacheReadInputTokens\":3,\"cacheWriteInputTokens\":4}}\n",
         "start  \ntext 0 a\\n\ntext 0 b\nstop 1 end_turn\nusage 12/3/4/2/0\nend\n"},
        /* no metadata: the bytes' end will do */
        {START STOPS("max_tokens"), "start  \nstop 3 max_tokens\nend\n"},
        {START DELTA("0", "\"reasoningContent\":{\"text\":\"h\"}")
             DELTA("0", "\"reasoningContent\":{\"signature\":\"s\"}") CLOSE("0")
                 DELTA("1", "\"reasoningContent\":{\"redactedContent\":\"d\"}")
                     DELTA("2", "\"text\":\"a\"") STOPS("guardrail_intervened"),
         "start  \nreasoning 0 h\nproof 0 s\nredacted 1 d\ntext 2 a\nstop 6 guardrail_intervened\n"
         "end\n"},
        {START TOOL("0", "t1", "f") DELTA("0", "\"toolUse\":{\"input\":\"{\\\"a\"}")
             DELTA("0", "\"toolUse\":{\"input\":\"\\\":1}\"}") CLOSE("0") TOOL("1", "t2", "g")
                 STOPS("tool_use"),
         "start  \ncall 0 t1 f\narguments 0 {\\\"a\narguments 0 \\\":1}\ncall_end 0\ncall 1 t2 g\n"
         "call_end 1\nstop 5 tool_use\nend\n"},
        /* what nobody knows is passed over */
        {START
         "news {\"x\":1}\ncontentBlockStart {\"contentBlockIndex\":0,\"start\":{\"image\":{}}}"
         "\n" DELTA("0", "\"image\":{}") STOPS("new_reason"),
         "start  \nstop 1 new_reason\nend\n"},
    };
    for (unsigned i = 0; i < ROWS(rows); i++) {
        struct event_log log = {0};
        run(&log, rows[i].lines);
        assert_span(buf_span(&log.text), rows[i].events);
        event_log_fini(&log);
    }
}

static void what_breaks_a_stream_is_a_fault(void **state)
{
    (void)state;
    static const struct {
        const char *lines;
        enum fault_kind kind;
    } rows[] = {
        {"", FAULT_UPSTREAM},
        {START DELTA("0", "\"text\":\"a\""), FAULT_UPSTREAM},
        {"messageStart nonsense\n", FAULT_UPSTREAM},
        {START DELTA("0", "\"toolUse\":{\"input\":\"x\"}"), FAULT_UPSTREAM},
        {START TOOL("0", "", "f"), FAULT_UPSTREAM},
        {START STOPS("malformed_tool_use"), FAULT_UPSTREAM},
        {START "throttlingException {\"message\":\"slow\"}\n", FAULT_UPSTREAM_RATE_LIMITED},
        {"serviceUnavailableException {\"message\":\"m\"}\n", FAULT_UPSTREAM_UNAVAILABLE},
        {"validationException {\"message\":\"m\"}\n", FAULT_INVALID_REQUEST},
        {"modelTimeoutException {\"message\":\"m\"}\n", FAULT_UPSTREAM_TIMEOUT},
        {"internalServerException not even JSON\n", FAULT_UPSTREAM},
    };
    for (unsigned i = 0; i < ROWS(rows); i++) {
        struct event_log log = {0};
        run(&log, rows[i].lines);
        assert_row(i, log.is_over && log.fault.message[0] != '\0');
        assert_row(i, log.fault.kind == rows[i].kind);
        event_log_fini(&log);
    }
}

static void errors_of_the_framing_are_faults(void **state)
{
    (void)state;
    struct event_log log = {0};
    struct converse_reader r;
    converse_reader_init(&r, event_log_add, &log);
    converse_reader_error(&r, SPAN_LIT("InternalError"), SPAN_LIT("broken"));
    assert_string_equal(log.fault.message, "InternalError: broken");
    converse_reader_end(&r);
    assert_int_equal(log.events, 1);
    converse_reader_fini(&r);
    event_log_fini(&log);
}

static void whole_answers_become_events(void **state)
{
    (void)state;
    static const struct {
        const char *body, *events;
    } rows[] = {
        {"{\"output\":{\"message\":{\"role\":\"assistant\",\"content\":[{\"reasoningContent\":{"
         "\"reasoningText\":{\"text\":\"h\",\"signature\":\"s\"}}},{\"text\":\"a\"},{\"toolUse\":{"
         "\"toolUseId\":\"t\",\"name\":\"f\",\"input\":{\"x\":\"y\"}}}]}},\"stopReason\":"
         "\"tool_use\",\"usage\":{\"inputTokens\":1,\"outputTokens\":2}}",
         "start  \nreasoning 0 h\nproof 0 s\ntext 1 a\ncall 2 t f\narguments 2 {\\\"x\\\":\\\"y\\\"}"
         "\ncall_end 2\nstop 5 tool_use\nusage 1/0/0/2/0\nend\n"},
        {"{\"message\":\"no such model\"}", "fault 13 no such model\n"},
        {"[]", "fault 13 the provider's answer is not a JSON object\n"},
        {"{}", "start  \nfault 13 the provider's answer ended before it was complete\n"},
    };
    for (unsigned i = 0; i < ROWS(rows); i++) {
        struct event_log log = {0};
        struct converse_reader r;
        converse_reader_init(&r, event_log_add, &log);
        converse_reader_whole(&r, span_text(rows[i].body));
        assert_span(buf_span(&log.text), rows[i].events);
        converse_reader_fini(&r);
        event_log_fini(&log);
    }
}

/* --- recorded streams ------------------------------------------------------------------------------ */

static void replay(const char *path, struct event_log *log)
{
    struct buf bytes = read_recording(path);
    struct span input = buf_span(&bytes);
    struct converse_reader r;
    struct event_stream s;
    converse_reader_init(&r, event_log_add, log);
    event_stream_init(&s, EVENT_STREAM_MESSAGE_MAX);
    while (event_stream_next(&s, &input) == EVENT_STREAM_MESSAGE)
        converse_reader_event(&r, s.event_type, s.payload);
    converse_reader_end(&r);
    event_stream_fini(&s);
    converse_reader_fini(&r);
    buf_fini(&bytes);
}

static void recorded_streams_are_read(void **state)
{
    (void)state;
    static const struct {
        const char *path, *somewhere, *stop;
    } rows[] = {
        {"bedrock/text-stream/stream.bin", "text 0 ", "stop 1 end_turn\nusage "},
        {"bedrock/tool-stream/stream.bin",
         " get_temperature\narguments 1 {\\\"city\\\":", "call_end 1\nstop 5 tool_use\nusage "},
        {"bedrock/thinking-stream/stream.bin", "reasoning 0 The\n", "stop 1 end_turn\nusage "},
    };
    for (unsigned i = 0; i < ROWS(rows); i++) {
        struct event_log log = {0};
        replay(rows[i].path, &log);
        struct span text = buf_span(&log.text);
        if (span_find(text, span_text(rows[i].somewhere)) == SIZE_MAX ||
            span_find(text, span_text(rows[i].stop)) == SIZE_MAX || log.fault.message[0] != '\0')
            fail_msg("%s:\n%.*s", rows[i].path, SPAN_FMT(text));
        event_log_fini(&log);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(streams_become_events),
        cmocka_unit_test(what_breaks_a_stream_is_a_fault),
        cmocka_unit_test(errors_of_the_framing_are_faults),
        cmocka_unit_test(whole_answers_become_events),
        cmocka_unit_test(recorded_streams_are_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
