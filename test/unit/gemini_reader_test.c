#include "event_log.h"

#include "sluice/codec/gemini_reader.h"
#include "sluice/format/sse.h"

#define CHUNK(parts) "{\"candidates\":[{\"content\":{\"role\":\"model\",\"parts\":[" parts "]}}]}"
#define LAST(parts, reason) \
    "{\"candidates\":[{\"content\":{\"parts\":[" parts "]},\"finishReason\":\"" reason "\"}]}"

static void run(struct event_log *log, const char *const *chunks, unsigned n)
{
    struct gemini_reader r;
    gemini_reader_init(&r, SPAN_LIT("u"), event_log_add, log);
    for (unsigned i = 0; i < n && chunks[i] != NULL; i++) {
        uint8_t *copy = exact_copy(span_text(chunks[i]));
        gemini_reader_event(&r, span_of(copy, strlen(chunks[i])));
        free(copy);
    }
    gemini_reader_end(&r);
    assert_true(gemini_reader_is_over(&r));
    gemini_reader_fini(&r);
}

static void streams_become_events(void **state)
{
    (void)state;
    static const struct {
        const char *chunks[4], *events;
    } rows[] = {
        {{CHUNK("{\"text\":\"a\\u00e9\"}"), LAST("{\"text\":\"b\"}", "STOP")},
         "start  \ntext 0 a\\u00e9\ntext 0 b\nstop 1 STOP\nend\n"},
        {{"{\"responseId\":\"r\",\"modelVersion\":\"m\",\"candidates\":[{\"finishReason\":\"MAX_"
          "TOKENS\"}],\"usageMetadata\":{\"promptTokenCount\":7,\"cachedContentTokenCount\":3,"
          "\"toolUsePromptTokenCount\":2,\"candidatesTokenCount\":4,\"thoughtsTokenCount\":5}}"},
         "usage 9/3/0/9/5\nstart r m\nstop 3 MAX_TOKENS\nend\n"},
        /* older versions finish on every chunk */
        {{LAST("{\"text\":\"a\"}", "STOP"), LAST("{\"text\":\"b\"}", "STOP")},
         "start  \ntext 0 a\ntext 0 b\nstop 1 STOP\nend\n"},
        /* thoughts, and a signature on an empty text */
        {{CHUNK("{\"text\":\"h\",\"thought\":true}"), CHUNK("{\"text\":\"a\"}"),
          LAST("{\"text\":\"\",\"thoughtSignature\":\"c2ln\"}", "STOP")},
         "start  \nreasoning 0 h\ntext 1 a\nproof 2 c2ln\nstop 1 STOP\nend\n"},
        /* a signature on a call is told before it; ids are minted where there are none */
        {{CHUNK("{\"functionCall\":{\"name\":\"f\",\"args\":{\"a\": \"\\n\"}},\"thoughtSignature\":"
                "\"s\"},{\"functionCall\":{\"name\":\"g\",\"args\":{},\"id\":\"own\"}}"),
          LAST("{\"functionCall\":{\"name\":\"h\"}}", "STOP")},
         "start  \nproof 0 s of call \ncall 1 call_u0 f\narguments 1 {\\\"a\\\": \\\"\\\\n\\\"}\ncall_end 1\n"
         "call 2 own g\ncall_end 2\ncall 3 call_u2 h\ncall_end 3\nstop 5 STOP\nend\n"},
        /* a call does not win over a limit */
        {{LAST("{\"functionCall\":{\"name\":\"h\"}}", "MAX_TOKENS")},
         "start  \ncall 0 call_u0 h\ncall_end 0\nstop 3 MAX_TOKENS\nend\n"},
        {{"{\"promptFeedback\":{\"blockReason\":\"SAFETY\"}}"}, "start  \nstop 6 SAFETY\nend\n"},
        {{LAST("", "OTHER")}, "start  \nstop 1 OTHER\nend\n"},
        {{LAST("{\"text\":\"a\"}", "RECITATION")}, "start  \ntext 0 a\nstop 6 RECITATION\nend\n"},
        /* of two candidates the first */
        {{"{\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"1\"}]},\"finishReason\":\"STOP\"},"
          "{\"content\":{\"parts\":[{\"text\":\"2\"}]}}]}"},
         "start  \ntext 0 1\nstop 1 STOP\nend\n"},
        {{CHUNK("{\"text\":\"a\"}"),
          "{\"candidates\":[{\"finishReason\":\"STOP\",\"groundingMetadata\":{\"groundingChunks\":[{"
          "\"web\":{\"uri\":\"https://e.x\",\"title\":\"t\"}},{\"retrievedContext\":{}}]}}]}"},
         "start  \ntext 0 a\ncitation 0 https://e.x t\nstop 1 STOP\nend\n"},
        /* how probable its tokens were is told behind the parts, and goes with the first text */
        {{"{\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"a\"},{\"text\":\"b\"}]},"
          "\"logprobsResult\":{\"chosenCandidates\":[{\"token\":\"ab\",\"logProbability\":-1}]}}]}",
          LAST("{\"text\":\"c\"}", "STOP")},
         "start  \ntext 0 a [{\"token\":\"ab\",\"logprob\":-1,\"bytes\":[97,98],"
         "\"top_logprobs\":[]}]\ntext 0 b\ntext 0 c\nstop 1 STOP\nend\n"},
        /* what is unknown is passed over */
        {{CHUNK("{\"executableCode\":{\"code\":\"1\"}},7,{\"text\":3}"), LAST("", "STOP")},
         "start  \nstop 1 STOP\nend\n"},
    };
    for (unsigned i = 0; i < ROWS(rows); i++) {
        struct event_log log = {0};
        run(&log, rows[i].chunks, ROWS(rows[i].chunks));
        assert_span(buf_span(&log.text), rows[i].events);
        event_log_fini(&log);
    }
}

static void what_breaks_a_stream_is_a_fault(void **state)
{
    (void)state;
    static const struct {
        const char *chunks[2];
        enum fault_kind kind;
    } rows[] = {
        {{NULL}, FAULT_UPSTREAM},
        {{CHUNK("{\"text\":\"a\"}")}, FAULT_UPSTREAM},
        {{"{\"candidates\":"}, FAULT_UPSTREAM},
        {{"7"}, FAULT_UPSTREAM},
        {{"[7]"}, FAULT_UPSTREAM},
        {{"[]"}, FAULT_UPSTREAM},
        {{LAST("", "MALFORMED_FUNCTION_CALL")}, FAULT_UPSTREAM},
        {{CHUNK("{\"functionCall\":{\"args\":{}}}")}, FAULT_UPSTREAM},
        {{CHUNK("{\"functionCall\":{\"name\":\"f\",\"willContinue\":true}}")}, FAULT_UPSTREAM},
        {{CHUNK("{\"text\":\"a\"}"),
          "{\"error\":{\"code\":429,\"message\":\"slow\",\"status\":\"RESOURCE_EXHAUSTED\"}}"},
         FAULT_UPSTREAM_RATE_LIMITED},
        {{"[{\"error\":{\"code\":503,\"message\":\"m\",\"status\":\"UNAVAILABLE\"}}]"},
         FAULT_UPSTREAM_UNAVAILABLE},
        {{"{\"error\":{\"code\":400,\"message\":\"m\",\"status\":\"INVALID_ARGUMENT\"}}"},
         FAULT_INVALID_REQUEST},
    };
    for (unsigned i = 0; i < ROWS(rows); i++) {
        struct event_log log = {0};
        run(&log, rows[i].chunks, ROWS(rows[i].chunks));
        assert_row(i, log.is_over && log.fault.message[0] != '\0');
        assert_row(i, log.fault.kind == rows[i].kind);
        event_log_fini(&log);
    }
}

static void nothing_follows_a_no(void **state)
{
    (void)state;
    static const char *const chunks[] = {
        CHUNK("{\"text\":\"a\"},{\"functionCall\":{\"name\":\"f\",\"args\":{\"a\":1}}}"),
        LAST("{\"text\":\"b\"}", "STOP")};
    for (unsigned most = 1; most < 8; most++) {
        struct event_log log = {.most = most};
        run(&log, chunks, ROWS(chunks));
        assert_row(most, log.events == most);
        event_log_fini(&log);
    }
}

static void a_stream_without_sse_is_an_array(void **state)
{
    (void)state;
    struct event_log log = {0};
    struct gemini_reader r;
    gemini_reader_init(&r, SPAN_LIT("u"), event_log_add, &log);
    gemini_reader_whole(
        &r, SPAN_LIT(" [" CHUNK("{\"text\":\"a\"}") ",\n" LAST("{\"text\":\"b\"}", "STOP") "]"));
    assert_span(buf_span(&log.text), "start  \ntext 0 a\ntext 0 b\nstop 1 STOP\nend\n");
    gemini_reader_fini(&r);
    event_log_fini(&log);
}

/* --- recorded answers ------------------------------------------------------------------------------ */

static void replay(const char *path, struct event_log *log)
{
    struct buf bytes = read_recording(path);
    struct span input = buf_span(&bytes);
    struct gemini_reader r;
    struct sse s;
    gemini_reader_init(&r, SPAN_LIT("u"), event_log_add, log);
    if (strstr(path, ".sse") != NULL) {
        sse_init(&s, 1u << 24);
        while (sse_next(&s, &input) == SSE_EVENT)
            gemini_reader_event(&r, s.data);
        sse_fini(&s);
        gemini_reader_end(&r);
    } else {
        gemini_reader_whole(&r, input);
    }
    gemini_reader_fini(&r);
    buf_fini(&bytes);
}

static bool ends_with(struct span text, const char *tail)
{
    size_t n = strlen(tail);
    return text.len >= n && memcmp(text.at + text.len - n, tail, n) == 0;
}

static void recorded_answers_are_read(void **state)
{
    (void)state;
    static const struct {
        const char *path, *somewhere, *end;
    } rows[] = {
        {"gemini/text-stream/stream.sse", "text 0  capital of France\n",
         "usage 13/0/0/8/0\ntext 0  is Paris.\\n\nstop 1 STOP\nend\n"},
        {"gemini/thinking-stream/stream.sse", "reasoning 0 **Pondering", "stop 1 STOP\nend\n"},
        {"gemini/tool-result-turn-stream/stream.sse", "text 0 ", "stop 1 STOP\nend\n"},
        {"gemini/schema/response.json", "text 1 ", "end\n"},
        {"gemini/prompt-blocked/response.json", "start ", "stop 6 MODEL_ARMOR\nend\n"},
    };
    for (unsigned i = 0; i < ROWS(rows); i++) {
        struct event_log log = {0};
        replay(rows[i].path, &log);
        struct span text = buf_span(&log.text);
        if (span_find(text, span_text(rows[i].somewhere)) == SIZE_MAX ||
            !ends_with(text, rows[i].end))
            fail_msg("%s:\n%.*s", rows[i].path, SPAN_FMT(text));
        event_log_fini(&log);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(streams_become_events),
        cmocka_unit_test(what_breaks_a_stream_is_a_fault),
        cmocka_unit_test(nothing_follows_a_no),
        cmocka_unit_test(a_stream_without_sse_is_an_array),
        cmocka_unit_test(recorded_answers_are_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
