/* The liberties upstreams take with Chat, Messages and Responses (protocols.md §3.4, §4.3, §5.3), one row
 * each: events in, a line an event. Gemini and Converse have tests of their own. */
#include "event_log.h"

#include "sluice/codec/turn_codec.h"

struct row {
    const char *what, *events; /* one event's data a line */
    const char *log;
};

/* `whole`: the line is an answer that was not streamed. */
static void check(enum upstream_api api, const struct row *row, bool whole)
{
    const struct upstream_codec *up = upstream_codec_for(api);
    struct event_log log = {.most = 0};
    struct span rest = span_text(row->events);
    void *reader = calloc(1, up->reader_size);
    assert_non_null(reader);
    up->init(reader, SPAN_LIT("u"), event_log_add, &log);
    while (rest.len > 0) {
        struct span line = span_cut(&rest, '\n');
        uint8_t *copy = exact_copy(line);
        if (whole)
            up->whole(reader, span_of(copy, line.len));
        else
            up->event(reader, SPAN_NONE, span_of(copy, line.len));
        free(copy);
    }
    if (!whole)
        up->end(reader);
    if (!span_eq(buf_span(&log.text), span_text(row->log)))
        fail_msg("%s:\n%.*s--- expected:\n%s", row->what, SPAN_FMT(buf_span(&log.text)), row->log);
    up->fini(reader);
    free(reader);
    event_log_fini(&log);
}

#define C(delta) \
    "{\"id\":\"i\",\"model\":\"m\",\"choices\":[{\"index\":0,\"delta\":{" delta "}}]}\n"
#define FIN(word) "{\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"" word "\"}]}\n"
#define DONE "[DONE]\n"
#define CALLS(items) C("\"tool_calls\":[" items "]")
#define ARGS(text) "\"function\":{\"arguments\":\"" text "\"}"
#define NAMED(name, text) "\"function\":{\"name\":\"" name "\",\"arguments\":\"" text "\"}"

static void chat_upstreams_may(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"begin without a choice, id or model (Azure)",
         "{\"id\":\"\",\"choices\":[],\"prompt_filter_results\":[]}\n" C("\"content\":\"a\"")
             FIN("stop") DONE,
         "start i m\ntext 0 a\nstop 1 stop\nend\n"},
        {"leave [DONE] out", C("\"content\":\"a\"") FIN("stop"),
         "start i m\ntext 0 a\nstop 1 stop\nend\n"},
        {"leave the finish out", C("\"content\":\"a\"") DONE,
         "start i m\ntext 0 a\nstop 1 stop\nend\n"},
        {"not leave both out", C("\"content\":\"a\""),
         "start i m\ntext 0 a\nfault 13 the provider's answer ended before it was complete\n"},
        {"say stop when they mean tools",
         CALLS("{\"index\":0,\"id\":\"x\"," NAMED("f", "{}") "}") FIN("stop") DONE,
         "start i m\ncall 0 x f\narguments 0 {}\ncall_end 0\nstop 5 stop\nend\n"},
        {"leave out the index: a new id begins a call",
         CALLS("{\"id\":\"x\"," NAMED("f", "{") "}") CALLS("{" ARGS("}") "}")
             CALLS("{\"id\":\"y\"," NAMED("g", "{}") "}") FIN("tool_calls") DONE,
         "start i m\ncall 0 x f\narguments 0 {\narguments 0 }\ncall 1 y g\narguments 1 {}\n"
         "call_end 0\ncall_end 1\nstop 5 tool_calls\nend\n"},
        {"leave out index and id: a new name begins a call",
         CALLS("{" NAMED("f", "{}") "}") CALLS("{" NAMED("g", "{}") "}") FIN("tool_calls") DONE,
         "start i m\ncall 0 call_0 f\narguments 0 {}\ncall 1 call_1 g\narguments 1 {}\n"
         "call_end 0\ncall_end 1\nstop 5 tool_calls\nend\n"},
        {"leave out index and id of several in one delta",
         CALLS("{" NAMED("f", "{}") "},{" NAMED("g", "{}") "}") FIN("tool_calls") DONE,
         "start i m\ncall 0 call_0 f\narguments 0 {}\ncall 1 call_1 g\narguments 1 {}\n"
         "call_end 0\ncall_end 1\nstop 5 tool_calls\nend\n"},
        {"number calls from one, with gaps",
         CALLS("{\"index\":1,\"id\":\"x\"," NAMED("f", "") "}")
             CALLS("{\"index\":4,\"id\":\"y\"," NAMED("g", "") "}")
                 CALLS("{\"index\":1," ARGS("{}") "}") FIN("tool_calls") DONE,
         "start i m\ncall 0 x f\ncall 1 y g\narguments 0 {}\ncall_end 0\ncall_end 1\n"
         "stop 5 tool_calls\nend\n"},
        {"repeat id and name as empty strings",
         CALLS("{\"index\":0,\"id\":\"x\"," NAMED("f", "") "}")
             CALLS("{\"index\":0,\"id\":\"\"," NAMED("", "{}") "}") FIN("tool_calls") DONE,
         "start i m\ncall 0 x f\narguments 0 {}\ncall_end 0\nstop 5 tool_calls\nend\n"},
        {"send the name after the arguments",
         CALLS("{\"index\":0,\"id\":\"x\"," ARGS("{\\\"a\\\"") "}")
             CALLS("{\"index\":0," NAMED("f", ":1}") "}") FIN("tool_calls") DONE,
         "start i m\ncall 0 x f\narguments 0 {\\\"a\\\"\narguments 0 :1}\ncall_end 0\n"
         "stop 5 tool_calls\nend\n"},
        {"send the id after the name",
         CALLS("{\"index\":0," NAMED("f", "") "}")
             CALLS("{\"index\":0,\"id\":\"x\"," ARGS("{}") "}") FIN("tool_calls") DONE,
         "start i m\ncall 0 call_0 f\narguments 0 {}\ncall_end 0\nstop 5 tool_calls\nend\n"},
        {"send arguments as an object",
         CALLS("{\"index\":0,\"id\":\"x\",\"function\":{\"name\":\"f\",\"arguments\":{\"a\":1}}}")
             FIN("tool_calls") DONE,
         "start i m\ncall 0 x f\narguments 0 {\\\"a\\\":1}\ncall_end 0\nstop 5 tool_calls\nend\n"},
        {"never name a function",
         CALLS("{\"index\":0,\"id\":\"x\"," ARGS("{}") "}") FIN("tool_calls") DONE,
         "start i m\nfault 13 a tool call has no name\n"},
        {"think in content parts (Mistral)",
         C("\"content\":[{\"type\":\"thinking\",\"thinking\":[{\"type\":\"text\",\"text\":\"h\"}]}]")
             C("\"content\":\"a\"") FIN("stop") DONE,
         "start i m\nreasoning 0 h\ntext 1 a\nstop 1 stop\nend\n"},
        {"name the same reasoning twice",
         C("\"reasoning\":\"h\",\"reasoning_content\":\"h\"") FIN("stop") DONE,
         "start i m\nreasoning 0 h\nstop 1 stop\nend\n"},
        {"bring reasoning with its signature",
         C("\"reasoning\":\"h\",\"reasoning_details\":[{\"type\":\"reasoning.text\",\"text\":\"h\"}]")
             C("\"reasoning_details\":[{\"type\":\"reasoning.text\",\"signature\":\"s\"}]")
                 FIN("stop") DONE,
         "start i m\nreasoning 0 h\nproof 0 s\nstop 1 stop\nend\n"},
        {"encrypt reasoning beside its text",
         C("\"reasoning\":\"h\",\"reasoning_details\":[{\"type\":\"reasoning.encrypted\","
           "\"data\":\"e\",\"id\":\"rs\"}]") FIN("stop") DONE,
         "start i m\nreasoning 0 h\nproof 0 e\nstop 1 stop\nend\n"},
        {"lay Gemini's signature on a call",
         CALLS(
             "{\"index\":0,\"id\":\"x\",\"extra_content\":{\"google\":{\"thought_signature\":\"s\"}}," NAMED(
                 "f", "{}") "}") CALLS("{\"index\":1,\"id\":\"y\"," NAMED("g", "{}") "}")
             FIN("tool_calls") DONE,
         "start i m\nproof 0 s of call gemini\ncall 1 x f\narguments 1 {}\ncall 2 y g\n"
         "arguments 2 {}\ncall_end 1\ncall_end 2\nstop 5 tool_calls\nend\n"},
        {"weigh tokens, some of which are no text yet",
         "{\"id\":\"i\",\"model\":\"m\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"\"},"
         "\"logprobs\":{\"content\":[{\"token\":\"x\"}],\"refusal\":null}}]}\n"
         "{\"choices\":[{\"logprobs\":{\"content\":[7]},\"delta\":{\"content\":\"a\"}}]}\n"
         "{\"choices\":[{\"logprobs\":null,\"delta\":{\"content\":\"b\"}}]}\n" FIN("stop") DONE,
         "start i m\ntext 0  [{\"token\":\"x\"}]\ntext 0 a [7]\ntext 0 b\nstop 1 stop\nend\n"},
        {"count on every chunk",
         "{\"id\":\"i\",\"model\":\"m\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"a\"},"
         "\"finish_reason\":\"stop\"}],\"usage\":{\"prompt_tokens\":5,\"completion_tokens\":1}}\n"
         "{\"choices\":[],\"usage\":{\"prompt_tokens\":5,\"completion_tokens\":2}}\n" DONE,
         "start i m\ntext 0 a\nstop 1 stop\nusage 5/0/0/1/0\nusage 5/0/0/2/0\nend\n"},
        {"say what went wrong",
         C("\"content\":\"a\"") "{\"error\":{\"message\":\"slow\\ndown\",\"code\":429}}\n",
         "start i m\ntext 0 a\nfault 11 slow down\n"},
        {"stop with an error", C("\"content\":\"a\"") FIN("error"),
         "start i m\ntext 0 a\nfault 13 the provider stopped with an error\n"},
        {"send garbage", C("\"content\":\"a\"") "<html>\n",
         "start i m\ntext 0 a\nfault 13 the provider's stream holds an event that is not a JSON "
         "object\n"},
    };
    for (unsigned i = 0; i < ROWS(rows); i++)
        check(UPSTREAM_CHAT, &rows[i], false);
    static const struct row whole = {
        "give two calls one id",
        "{\"id\":\"i\",\"model\":\"m\",\"choices\":[{\"index\":0,\"message\":{\"content\":null,"
        "\"tool_calls\":[{\"id\":\"x\"," NAMED("f", "{}") "},{\"id\":\"x\"," NAMED(
            "g", "{}") "}]},\"finish_reason\":\"tool_calls\"}]}",
        "start i m\ncall 0 x f\narguments 0 {}\ncall 1 x g\narguments 1 {}\ncall_end 0\n"
        "call_end 1\nstop 5 tool_calls\nend\n"};
    check(UPSTREAM_CHAT, &whole, true);
}

#define M_START \
    "{\"type\":\"message_start\",\"message\":{\"id\":\"i\",\"model\":\"m\",\"usage\":{}}}\n"
#define B_START(i, block) \
    "{\"type\":\"content_block_start\",\"index\":" i ",\"content_block\":{" block "}}\n"
#define B_DELTA(i, delta) \
    "{\"type\":\"content_block_delta\",\"index\":" i ",\"delta\":{" delta "}}\n"
#define B_STOP(i) "{\"type\":\"content_block_stop\",\"index\":" i "}\n"
#define TEXT_DELTA(t) "\"type\":\"text_delta\",\"text\":\"" t "\""
#define JSON_DELTA(t) "\"type\":\"input_json_delta\",\"partial_json\":\"" t "\""
#define TOOL(id) "\"type\":\"tool_use\",\"id\":\"" id "\",\"name\":\"f\",\"input\":{}"
#define M_DELTA(reason)                                                                  \
    "{\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"" reason "\"},\"usage\":{" \
    "\"output_tokens\":2}}\n"
#define M_STOP "{\"type\":\"message_stop\"}\n"

static void messages_upstreams_may(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"do it by the book",
         M_START B_START("0", "\"type\":\"text\",\"text\":\"\"") B_DELTA("0", TEXT_DELTA("a"))
             B_STOP("0") M_DELTA("end_turn") M_STOP,
         "start i m\ntext 0 a\nusage 0/0/0/2/0\nstop 1 end_turn\nend\n"},
        {"start twice before they say anything",
         M_START M_START B_START("0", "\"type\":\"text\"") B_DELTA("0", TEXT_DELTA("a")) B_STOP("0")
             M_DELTA("end_turn") M_STOP,
         "start i m\ntext 0 a\nusage 0/0/0/2/0\nstop 1 end_turn\nend\n"},
        {"not start twice after that", M_START B_START("0", "\"type\":\"text\"") M_START,
         "start i m\nfault 13 the provider began its answer anew in the middle\n"},
        {"forget to open a block", M_START B_DELTA("0", TEXT_DELTA("a")) M_DELTA("end_turn") M_STOP,
         "start i m\ntext 0 a\nusage 0/0/0/2/0\nstop 1 end_turn\nend\n"},
        {"forget to close one, and do it late",
         M_START B_START("0", "\"type\":\"text\"") B_DELTA("0", TEXT_DELTA("a"))
             B_START("1", TOOL("t")) B_STOP("0") B_DELTA("1", JSON_DELTA("{}")) B_STOP("1")
                 M_DELTA("tool_use") M_STOP,
         "start i m\ntext 0 a\ncall 1 t f\narguments 1 {}\ncall_end 1\nusage 0/0/0/2/0\n"
         "stop 5 tool_use\nend\n"},
        {"bring the input whole",
         M_START B_START("0",
                         "\"type\":\"tool_use\",\"id\":\"t\",\"name\":\"f\",\"input\":{\"a\":1}")
             B_STOP("0") M_DELTA("tool_use") M_STOP,
         "start i m\ncall 0 t f\narguments 0 {\\\"a\\\":1}\ncall_end 0\nusage 0/0/0/2/0\n"
         "stop 5 tool_use\nend\n"},
        {"run tools of their own",
         M_START B_START("0", "\"type\":\"server_tool_use\",\"id\":\"s\",\"name\":\"web_search\"")
             B_DELTA("0", JSON_DELTA("{}")) B_STOP("0") B_START("1", "\"type\":\"text\"")
                 B_DELTA("1", TEXT_DELTA("a")) B_STOP("1") M_DELTA("pause_turn") M_STOP,
         "start i m\ntext 1 a\nusage 0/0/0/2/0\nstop 7 pause_turn\nend\n"},
        {"explain a refusal",
         M_START
         "{\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"refusal\","
         "\"stop_details\":{\"explanation\":\"no\"}},\"usage\":{\"output_tokens\":2}}\n" M_STOP,
         "start i m\nusage 0/0/0/2/0\nrefusal 0 no\nstop 6 refusal\nend\n"},
        {"break off", M_START B_DELTA("0", TEXT_DELTA("a")),
         "start i m\ntext 0 a\nfault 13 the provider's answer ended before it was complete\n"},
        {"be overloaded",
         M_START
         "{\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"o\"}}\n",
         "start i m\nfault 15 o\n"},
    };
    for (unsigned i = 0; i < ROWS(rows); i++)
        check(UPSTREAM_MESSAGES, &rows[i], false);
}

#define R(type, members) "{\"type\":\"response." type "\"," members "}\n"
#define CREATED R("created", "\"response\":{\"id\":\"i\",\"model\":\"m\"}")
#define ADDED(i, item) R("output_item.added", "\"output_index\":" i ",\"item\":{" item "}")
#define ITEM_DONE(i, item) R("output_item.done", "\"output_index\":" i ",\"item\":{" item "}")
#define OUT(i, c, text) \
    R("output_text.delta", "\"output_index\":" i ",\"content_index\":" c ",\"delta\":\"" text "\"")
#define CALL_ITEM "\"type\":\"function_call\",\"call_id\":\"c\",\"name\":\"f\",\"arguments\":\""
#define COMPLETED R("completed", "\"response\":{\"status\":\"completed\",\"output\":[]}")

static void responses_upstreams_may(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"repeat all parts when an item is done",
         CREATED OUT("0", "0", "one") OUT("0", "1", "two") ITEM_DONE(
             "0", "\"type\":\"message\",\"content\":[{\"text\":\"one\"},{\"text\":\"two\"}]")
             COMPLETED,
         "start i m\ntext 0 one\ntext 1 two\nstop 1 completed\nend\n"},
        {"bring a text only when its item is done",
         CREATED ITEM_DONE("0", "\"type\":\"message\",\"content\":[{\"text\":\"one\"}]") COMPLETED,
         "start i m\ntext 0 one\nstop 1 completed\nend\n"},
        {"bring everything at the end only",
         R("completed",
           "\"response\":{\"id\":\"i\",\"model\":\"m\",\"status\":\"completed\","
           "\"output\":[{\"type\":\"message\",\"content\":[{\"text\":\"a\"}]},{" CALL_ITEM
           "{}\"}],\"usage\":{\"input_tokens\":3,\"output_tokens\":2}}"),
         "start i m\nusage 3/0/0/2/0\ntext 0 a\ncall 1 c f\narguments 1 {}\ncall_end 1\n"
         "stop 5 completed\nend\n"},
        {"spell the arguments differently when they are done",
         CREATED ADDED("0", CALL_ITEM "\"")
             R("function_call_arguments.delta", "\"output_index\":0,\"delta\":\"<b>\"")
                 R("function_call_arguments.done",
                   "\"output_index\":0,\"arguments\":\"\\u003cb\\u003e\"")
                     ITEM_DONE("0", CALL_ITEM "\\u003cb\\u003e\"") COMPLETED,
         "start i m\ncall 0 c f\narguments 0 <b>\ncall_end 0\nstop 5 completed\nend\n"},
        {"not announce a call",
         CREATED R("function_call_arguments.delta", "\"output_index\":0,\"delta\":\"{}\"")
             ITEM_DONE("0", CALL_ITEM "{}\"") COMPLETED,
         "start i m\ncall 0 c f\narguments 0 {}\ncall_end 0\nstop 5 completed\nend\n"},
        {"count items from one, and list them again at the end",
         CREATED ITEM_DONE("1", CALL_ITEM "{}\"")
             R("completed",
               "\"response\":{\"status\":\"completed\",\"output\":[{" CALL_ITEM "{}\"}]}"),
         "start i m\ncall 0 c f\narguments 0 {}\ncall_end 0\nstop 5 completed\nend\n"},
        {"think in several parts",
         CREATED R("reasoning_summary_text.delta",
                   "\"output_index\":0,\"summary_index\":0,\"delta\":\"a\"")
             R("reasoning_summary_text.delta",
               "\"output_index\":0,\"summary_index\":1,\"delta\":\"b\"")
                 ITEM_DONE("0",
                           "\"type\":\"reasoning\",\"id\":\"rs\",\"summary\":[{\"text\":\"a\"},"
                           "{\"text\":\"b\"}],\"encrypted_content\":\"e\"") COMPLETED,
         "start i m\nreasoning 0 a\nreasoning 0 \\n\\n\nreasoning 0 b\nproof 0 e\n"
         "stop 1 completed\nend\n"},
        {"think without a word",
         CREATED ITEM_DONE("0", "\"type\":\"reasoning\",\"id\":\"rs\",\"summary\":[],"
                                "\"encrypted_content\":\"e\"") COMPLETED,
         "start i m\nproof 0 e\nstop 1 completed\nend\n"},
        {"weigh their tokens",
         CREATED R("output_text.delta", "\"output_index\":0,\"content_index\":0,\"delta\":\"a\","
                                        "\"logprobs\":[{\"token\":\"a\"}]") OUT("0", "0", "b")
             ITEM_DONE("0", "\"type\":\"message\",\"content\":[{\"text\":\"ab\","
                            "\"logprobs\":[1,2]}]") COMPLETED,
         "start i m\ntext 0 a [{\"token\":\"a\"}]\ntext 0 b\nstop 1 completed\nend\n"},
        {"weigh them when all is said",
         CREATED ITEM_DONE("0", "\"type\":\"message\",\"content\":[{\"text\":\"ab\","
                                "\"logprobs\":[1,2]}]") COMPLETED,
         "start i m\ntext 0 ab [1,2]\nstop 1 completed\nend\n"},
        {"send events nobody knows",
         CREATED "{\"type\":\"keepalive\"}\n{\"type\":\"codex.rate_limits\"}\n" OUT("0", "0", "a")
             COMPLETED DONE,
         "start i m\ntext 0 a\nstop 1 completed\nend\n"},
        {"be cut",
         CREATED OUT("0", "0", "a")
             R("incomplete", "\"response\":{\"status\":\"incomplete\",\"incomplete_details\":"
                             "{\"reason\":\"max_output_tokens\"}}"),
         "start i m\ntext 0 a\nstop 3 max_output_tokens\nend\n"},
        {"fail",
         CREATED R("failed", "\"response\":{\"status\":\"failed\",\"error\":{\"code\":"
                             "\"rate_limit_exceeded\",\"message\":\"later\"}}"),
         "start i m\nfault 11 later\n"},
        {"fail at once",
         R("failed", "\"response\":{\"status\":\"failed\",\"error\":{\"code\":"
                     "\"rate_limit_exceeded\",\"message\":\"later\"}}"),
         "fault 11 later\n"},
        {"fail without a word", CREATED R("failed", "\"response\":{\"id\":\"i\"}"),
         "start i m\nfault 13 the provider's response has neither an end nor an error\n"},
        {"name an error flatly",
         CREATED "{\"type\":\"error\",\"code\":\"server_error\","
                 "\"message\":\"flat\"}\n",
         "start i m\nfault 13 flat\n"},
        {"break off", CREATED OUT("0", "0", "a"),
         "start i m\ntext 0 a\nfault 13 the provider's stream ended before the response was "
         "complete\n"},
    };
    for (unsigned i = 0; i < ROWS(rows); i++)
        check(UPSTREAM_RESPONSES, &rows[i], false);
    static const struct row whole[] = {
        {"answer nothing", "{}",
         "fault 13 the provider's response has neither an end nor an error\n"},
        {"answer something else", "{\"detail\":\"Not Found\"}",
         "fault 13 the provider's response has neither an end nor an error\n"},
        {"fail in a 200", "{\"error\":{\"code\":\"rate_limit_exceeded\",\"message\":\"later\"}}",
         "fault 11 later\n"},
    };
    for (unsigned i = 0; i < ROWS(whole); i++)
        check(UPSTREAM_RESPONSES, &whole[i], true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(chat_upstreams_may),
        cmocka_unit_test(messages_upstreams_may),
        cmocka_unit_test(responses_upstreams_may),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
