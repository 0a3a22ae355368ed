#include "unit.h"

#include "sluice/codec/chat_turn.h"
#include "sluice/codec/gemini_wire.h"
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

static void write_as_gemini(struct written *w, read_fn read, const char *body,
                            const struct wire_options *o)
{
    *w = (struct written){.ok = false};
    arena_init(&w->arena, NULL, 256);
    if (!read(span_text(body), &o->translation, &w->arena, &w->request, &w->fault))
        fail_msg("%s: %s", body, w->fault.message);
    w->ok = gemini_wire_write(&w->request, o, &w->arena, &w->body, &w->notes, &w->fault);
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
#define HI "{\"contents\":[{\"role\":\"user\",\"parts\":[{\"text\":\"hi\"}]}]"
#define FUNCTION                                                                             \
    ",\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"f\",\"description\":\"d\"," \
    "\"parameters\":{\"type\":\"object\"}}}]"
#define DECLARED                                                                    \
    ",\"tools\":[{\"functionDeclarations\":[{\"name\":\"f\",\"description\":\"d\"," \
    "\"parametersJsonSchema\":{\"type\":\"object\"}}]}]"
#define MODE(m) ",\"toolConfig\":{\"functionCallingConfig\":{\"mode\":\"" m "\"}}}"
#define CALL(id, name, args)                                                  \
    "{\"id\":\"" id "\",\"type\":\"function\",\"function\":{\"name\":\"" name \
    "\",\"arguments\":\"" args "\"}}"

static void chat_requests_become_contents(void **state)
{
    (void)state;
    static const struct {
        const char *body, *wanted, *note;
    } rows[] = {
        {CHAT(USER, ""), HI "}", NULL},
        {CHAT("{\"role\":\"system\",\"content\":\"s\"}," USER, ""),
         HI ",\"systemInstruction\":{\"parts\":[{\"text\":\"s\"}]}}", NULL},
        {CHAT(USER ",{\"role\":\"system\",\"content\":\"s\"}," USER, ""),
         "{\"contents\":[{\"role\":\"user\",\"parts\":[{\"text\":\"hi\"},{\"text\":\"hi\"}]}],"
         "\"systemInstruction\":{\"parts\":[{\"text\":\"s\"}]}}",
         "place of system messages"},
        {CHAT(USER, ",\"max_tokens\":9,\"temperature\":0.5,\"top_p\":1,\"seed\":3,\"stop\":\"x\","
                    "\"presence_penalty\":1,\"frequency_penalty\":-1"),
         HI ",\"generationConfig\":{\"maxOutputTokens\":9,\"seed\":3,\"presencePenalty\":1,"
            "\"frequencyPenalty\":-1,\"temperature\":0.5,\"topP\":1,\"stopSequences\":[\"x\"]}}",
         NULL},
        {CHAT(USER,
              ",\"response_format\":{\"type\":\"json_schema\",\"json_schema\":{\"name\":\"n\","
              "\"schema\":{\"type\":\"object\"}}}"),
         HI ",\"generationConfig\":{\"responseMimeType\":\"application/json\","
            "\"responseJsonSchema\":{\"type\":\"object\"}}}",
         NULL},
        {CHAT(USER, ",\"logprobs\":true,\"top_logprobs\":2"),
         HI ",\"generationConfig\":{\"responseLogprobs\":true,\"logprobs\":2}}", NULL},
        {CHAT(USER, ",\"logprobs\":false"), HI "}", NULL},
        {CHAT(USER, ",\"reasoning_effort\":\"xhigh\""),
         HI ",\"generationConfig\":{\"thinkingConfig\":{\"thinkingLevel\":\"high\","
            "\"includeThoughts\":true}}}",
         NULL},
        {CHAT(USER, FUNCTION), HI DECLARED "}", NULL},
        {CHAT(USER, FUNCTION ",\"tool_choice\":\"auto\""), HI DECLARED MODE("AUTO"), NULL},
        {CHAT(USER, FUNCTION ",\"tool_choice\":\"none\""), HI DECLARED MODE("NONE"), NULL},
        {CHAT(USER, FUNCTION ",\"tool_choice\":\"required\",\"parallel_tool_calls\":false"),
         HI DECLARED MODE("ANY"), "parallel_tool_calls"},
        {CHAT(USER,
              FUNCTION ",\"tool_choice\":{\"type\":\"function\",\"function\":{\"name\":\"f\"}}"),
         HI DECLARED ",\"toolConfig\":{\"functionCallingConfig\":{\"mode\":\"ANY\","
                     "\"allowedFunctionNames\":[\"f\"]}}}",
         NULL},
        {CHAT(USER
              ",{\"role\":\"user\",\"content\":[{\"type\":\"image_url\",\"image_url\":{\"url\":"
              "\"data:image/png;base64,QUJD\"}}]}",
              ""),
         "{\"contents\":[{\"role\":\"user\",\"parts\":[{\"text\":\"hi\"},{\"inlineData\":{"
         "\"mimeType\":\"image/png\",\"data\":\"QUJD\"}}]}]}",
         NULL},
        /* results in the order of the calls; what is no object is wrapped; the dummy once */
        {CHAT(
             USER
             ",{\"role\":\"assistant\",\"content\":null,\"tool_calls\":[" CALL("a", "f", "{\\\"x\\\":1}") "," CALL(
                 "b", "g",
                 "") "]},"
                     "{\"role\":\"tool\",\"tool_call_id\":\"b\",\"content\":\"{\\\"y\\\":2}\"},"
                     "{\"role\":\"tool\",\"tool_call_id\":\"a\",\"content\":\"plain\"}",
             ""),
         "{\"contents\":[{\"role\":\"user\",\"parts\":[{\"text\":\"hi\"}]},{\"role\":\"model\","
         "\"parts\":[{\"functionCall\":{\"name\":\"f\",\"args\":{\"x\":1}},\"thoughtSignature\":"
         "\"skip_thought_signature_validator\"},{\"functionCall\":{\"name\":\"g\",\"args\":{}}}]},"
         "{\"role\":\"user\",\"parts\":[{\"functionResponse\":{\"name\":\"f\",\"response\":{"
         "\"result\":\"plain\"}}},{\"functionResponse\":{\"name\":\"g\",\"response\":{\"y\":2}}}]}]}",
         "thought signature"},
    };
    static const struct wire_options options = {.default_max_tokens = 4096, .facts = PLAIN};
    for (unsigned i = 0; i < ROWS(rows); i++) {
        struct written w;
        write_as_gemini(&w, chat_turn_read, rows[i].body, &options);
        assert_row(i, w.ok);
        assert_span(buf_span(&w.body), rows[i].wanted);
        assert_row(i, is_valid(buf_span(&w.body)));
        assert_row(i, rows[i].note == NULL ? w.notes.n == 0 : has_note(&w.notes, rows[i].note));
        written_fini(&w);
    }
}

#define MESSAGES(content, rest)                                                                  \
    "{\"model\":\"m\",\"max_tokens\":100,\"messages\":[{\"role\":\"user\",\"content\":\"hi\"},{" \
    "\"role\":\"assistant\",\"content\":[" content "]}" rest "]}"
#define THINKING(text, proof) \
    "{\"type\":\"thinking\",\"thinking\":\"" text "\",\"signature\":\"" proof "\"}"
#define USE "{\"type\":\"tool_use\",\"id\":\"a\",\"name\":\"f\",\"input\":{\"x\":1}}"
#define RESULT                                                                                      \
    ",{\"role\":\"user\",\"content\":[{\"type\":\"tool_result\",\"tool_use_id\":\"a\",\"content\":" \
    "\"bad\",\"is_error\":true}]}"

/* A signature returns on the part it came on. */
static void signatures_return(void **state)
{
    (void)state;
    static const struct {
        const char *body, *somewhere;
    } rows[] = {
        {MESSAGES(THINKING("", "s1") "," USE, RESULT),
         "{\"functionCall\":{\"name\":\"f\",\"args\":{\"x\":1}},\"thoughtSignature\":\"s1\"}"},
        {MESSAGES(THINKING("", "s1") ",{\"type\":\"text\",\"text\":\"t\"}", ""),
         "[{\"text\":\"t\",\"thoughtSignature\":\"s1\"}]"},
        {MESSAGES("{\"type\":\"text\",\"text\":\"t\"}," THINKING("", "s1"), ""),
         "[{\"text\":\"t\"},{\"text\":\"\",\"thoughtSignature\":\"s1\"}]"},
        {MESSAGES(THINKING("h", "s1") ",{\"type\":\"text\",\"text\":\"t\"}", ""),
         "[{\"thought\":true,\"text\":\"h\",\"thoughtSignature\":\"s1\"},{\"text\":\"t\"}]"},
        {MESSAGES(THINKING("", "s1") "," USE, RESULT),
         "{\"functionResponse\":{\"name\":\"f\",\"response\":{\"error\":\"bad\"}}}"},
    };
    static const struct wire_options options = {.default_max_tokens = 4096, .facts = PLAIN};
    for (unsigned i = 0; i < ROWS(rows); i++) {
        struct written w;
        write_as_gemini(&w, messages_turn_read, rows[i].body, &options);
        assert_row(i, w.ok && is_valid(buf_span(&w.body)));
        if (span_find(buf_span(&w.body), span_text(rows[i].somewhere)) == SIZE_MAX)
            fail_msg("row %u: %.*s", i, SPAN_FMT(buf_span(&w.body)));
        written_fini(&w);
    }
}

/* Gemini 2.5 thinks by tokens, Gemini 3 by words; not all of either can stop. */
static void thinking_is_said_as_the_model_takes_it(void **state)
{
    (void)state;
    enum { BUDGET = FACT_THINKING_BUDGET, OFF = FACT_THINKING_OFF };
    static const struct {
        unsigned facts;
        const char *effort, *somewhere;
    } rows[] = {
        {PLAIN | BUDGET | OFF, "none", "{\"thinkingBudget\":0}"},
        {PLAIN | BUDGET, "none", "{\"thinkingBudget\":512}"},
        {PLAIN | BUDGET, "low", "{\"thinkingBudget\":512,\"includeThoughts\":true}"},
        {PLAIN | BUDGET, "high", "{\"thinkingBudget\":800,\"includeThoughts\":true}"},
        {PLAIN | BUDGET, "max", "{\"thinkingBudget\":950,\"includeThoughts\":true}"},
        {PLAIN | OFF, "none", "{\"thinkingLevel\":\"minimal\"}"},
        {PLAIN, "none", "{\"thinkingLevel\":\"low\"}"},
        {PLAIN, "minimal", "{\"thinkingLevel\":\"low\",\"includeThoughts\":true}"},
        {PLAIN, "xhigh", "{\"thinkingLevel\":\"high\",\"includeThoughts\":true}"},
        {FACT_SAMPLING, "none", "\"parts\":[{\"text\":\"hi\"}]}]}"},
    };
    for (unsigned i = 0; i < ROWS(rows); i++) {
        struct wire_options options = {.default_max_tokens = 1000, .facts = rows[i].facts};
        char body[200];
        struct written w;
        snprintf(body, sizeof body, CHAT(USER, ",\"reasoning_effort\":\"%s\""), rows[i].effort);
        write_as_gemini(&w, chat_turn_read, body, &options);
        if (span_find(buf_span(&w.body), span_text(rows[i].somewhere)) == SIZE_MAX)
            print_error("%.*s\n", SPAN_FMT(buf_span(&w.body)));
        assert_row(i,
                   w.ok && span_find(buf_span(&w.body), span_text(rows[i].somewhere)) != SIZE_MAX);
        written_fini(&w);
    }
}

static void free_thinking_shows_its_thoughts(void **state)
{
    (void)state;
    static const char body[] =
        "{\"model\":\"m\",\"max_tokens\":100,\"thinking\":{\"type\":"
        "\"adaptive\"},\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]}";
    static const unsigned facts[] = {PLAIN, PLAIN | FACT_THINKING_BUDGET};
    for (unsigned i = 0; i < ROWS(facts); i++) {
        struct wire_options options = {.default_max_tokens = 1000, .facts = facts[i]};
        struct written w;
        write_as_gemini(&w, messages_turn_read, body, &options);
        assert_row(i,
                   w.ok && span_find(buf_span(&w.body),
                                     SPAN_LIT("\"thinkingConfig\":{\"includeThoughts\":true}")) !=
                               SIZE_MAX);
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
        {CHAT(USER, ",\"logit_bias\":{\"1\":2}"), "logit_bias"},
        {CHAT(USER, ",\"stop\":[\"1\",\"2\",\"3\",\"4\",\"5\",\"6\"]"), "stop"},
        {CHAT(USER ",{\"role\":\"assistant\",\"tool_calls\":[" CALL(
                  "a", "f", "[]") "]},{\"role\":\"tool\",\"tool_call_id\":\"a\",\"content\":\"\"}",
              ""),
         "messages[1].tool_calls[0].function.arguments"},
    };
    static const struct wire_options options = {.default_max_tokens = 4096, .facts = PLAIN};
    for (unsigned i = 0; i < ROWS(rows); i++) {
        struct written w;
        write_as_gemini(&w, chat_turn_read, rows[i].body, &options);
        assert_row(i, !w.ok && w.fault.param != NULL);
        assert_string_equal(w.fault.param, rows[i].param);
        written_fini(&w);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(chat_requests_become_contents),
        cmocka_unit_test(signatures_return),
        cmocka_unit_test(thinking_is_said_as_the_model_takes_it),
        cmocka_unit_test(free_thinking_shows_its_thoughts),
        cmocka_unit_test(what_cannot_be_said_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
