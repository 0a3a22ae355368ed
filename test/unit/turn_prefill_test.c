/* Which requests can be gone on with, and what is written for who does. */
#include "unit.h"

#include "sluice/codec/turn_codec.h"
#include "sluice/codec/turn_prefill.h"

#define CHAT(more) "{\"model\":\"m\",\"stream\":true,\"messages\":[{\"role\":\"user\"}]" more "}"
#define MESSAGES(more) \
    "{\"model\":\"m\",\"max_tokens\":9,\"messages\":[{\"role\":\"user\"}]" more "}"
#define RESPONSES(more) "{\"model\":\"m\",\"input\":\"hi\"" more "}"

static void requests_for_more_than_text_do_not_suit(void **state)
{
    (void)state;
    static const struct {
        enum api_protocol api;
        const char *body;
        bool suits;
    } rows[] = {
        {API_EMBEDDINGS, "{\"model\":\"m\",\"input\":\"hi\"}", false},
        {API_COMPLETIONS, "{\"model\":\"m\",\"prompt\":\"hi\"}", false},
        {API_CHAT, CHAT(",\"n\":2"), false},
        {API_CHAT, CHAT(",\"logprobs\":true"), false},
        {API_CHAT, CHAT(",\"stop\":\"x\""), false},
        {API_CHAT, CHAT(",\"reasoning_effort\":\"none\""), false},
        {API_CHAT, CHAT(",\"audio\":{}"), false},
        {API_CHAT, CHAT(",\"a member of next year\":1"), false},
        {API_CHAT, CHAT(",\"response_format\":{\"type\":\"json_object\"}"), false},
        {API_CHAT, CHAT(",\"tools\":[{\"type\":\"function\"},{\"type\":\"web_search\"}]"), false},
        {API_CHAT, CHAT(",\"tools\":[],\"tool_choice\":\"required\""), false},
        {API_CHAT, CHAT(",\"thinking\":{\"type\":\"disabled\"}"), false},
        {API_MESSAGES, MESSAGES(",\"thinking\":{\"type\":\"adaptive\"}"), false},
        {API_MESSAGES, MESSAGES(",\"container\":\"c\""), false},
        {API_MESSAGES, MESSAGES(",\"mcp_servers\":[]"), false},
        {API_MESSAGES, MESSAGES(",\"stop_sequences\":[\"x\"]"), false},
        {API_MESSAGES, MESSAGES(",\"tools\":[{\"type\":\"bash_20250124\"}]"), false},
        {API_MESSAGES, MESSAGES(",\"system\":[{\"citations\":{\"enabled\":true}}]"), false},
        {API_RESPONSES, RESPONSES(",\"previous_response_id\":\"r\""), false},
        {API_RESPONSES, RESPONSES(",\"background\":true"), false},
        {API_RESPONSES, RESPONSES(",\"store\":true"), false},
        {API_CHAT, CHAT(",\"usage\":{\"include\":true}"), false},
        {API_RESPONSES, RESPONSES(",\"reasoning\":{}"), false},
        {API_RESPONSES, RESPONSES(",\"tools\":[{\"type\":\"image_generation\"}]"), false},
        {API_CHAT, CHAT(""), true},
        {API_CHAT, CHAT(",\"n\":1,\"logprobs\":false,\"temperature\":1,\"seed\":2"), true},
        {API_CHAT, CHAT(",\"audio\":null,\"stop\":null"), true},
        {API_CHAT, CHAT(",\"response_format\":{\"type\":\"text\"}"), true},
        {API_CHAT, CHAT(",\"tools\":[{\"type\":\"function\"},{\"type\":\"custom\"}]"), true},
        {API_MESSAGES, MESSAGES(",\"system\":\"s\",\"top_k\":1,\"tools\":[{\"name\":\"f\"}]"),
         true},
        {API_MESSAGES, MESSAGES(",\"thinking\":{\"type\":\"disabled\"}"), true},
        {API_RESPONSES, RESPONSES(",\"instructions\":\"s\",\"store\":false"), true},
        {API_RESPONSES, RESPONSES(",\"text\":{\"format\":{\"type\":\"text\"}}"), true},
    };
    for (unsigned i = 0; i < ROWS(rows); i++) {
        struct openai_request r;
        struct arena a;
        struct fault why;
        arena_init(&a, NULL, 512);
        assert_row(i, openai_request_read(span_text(rows[i].body), rows[i].api, &a, &r, &why));
        assert_row(i,
                   turn_prefill_suits(&r, span_text(rows[i].body), rows[i].api) == rows[i].suits);
        arena_fini(&a);
    }
}

#define ASKED "{\"role\":\"user\",\"content\":\"hi\"}"
#define ANSWERED "{\"role\":\"assistant\",\"content\":\"yes\"}"
#define OF(messages, more) "{\"model\":\"m\",\"messages\":[" messages "]" more "}"

struct row {
    enum upstream_api upstream;
    unsigned facts;
    const char *body, *text;
    const char *has; /* what is written; NULL: it cannot be gone on with */
    const char *lacks;
};

static void check(unsigned i, const struct row *row)
{
    struct wire_options o = {
        .model = SPAN_LIT("m"), .default_max_tokens = 4000, .facts = row->facts};
    struct turn_notes notes = {.n = 0};
    struct turn_request r;
    struct arena a;
    struct fault why;
    struct buf out = {0};
    arena_init(&a, NULL, 512);
    assert_row(
        i, client_codec_for(API_CHAT)->read(span_text(row->body), &o.translation, &a, &r, &why));
    bool can = turn_prefill_add(&r, &a, span_text(row->text), 10, &why);
    assert_row(i, can == (row->has != NULL));
    if (can) {
        assert_row(i, upstream_codec_for(row->upstream)->write(&r, &o, &a, &out, &notes, &why));
        bool fits = span_find(buf_span(&out), span_text(row->has)) != SIZE_MAX &&
                    (row->lacks == NULL ||
                     span_find(buf_span(&out), span_text(row->lacks)) == SIZE_MAX);
        if (!fits)
            fail_msg("row %u: %.*s", i, SPAN_FMT(buf_span(&out)));
    }
    buf_fini(&out);
    arena_fini(&a);
}

static void the_answer_begins_with_what_was_delivered(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {UPSTREAM_CHAT, 0, OF(ASKED "," ANSWERED, ""), "a", NULL, NULL},
        {UPSTREAM_CHAT, 0, OF(ASKED "," ANSWERED ",{\"role\":\"system\",\"content\":\"s\"}", ""),
         "a", NULL, NULL},
        {UPSTREAM_CHAT, 0, OF("{\"role\":\"system\",\"content\":\"s\"}", ""), "a", NULL, NULL},
        {UPSTREAM_CHAT, 0, OF(ASKED, ",\"stop\":\"x\""), "a", NULL, NULL},
        {UPSTREAM_CHAT, 0, OF(ASKED, ",\"reasoning_effort\":\"low\""), "a", NULL, NULL},
        {UPSTREAM_CHAT, 0, OF(ASKED, ",\"response_format\":{\"type\":\"json_object\"}"), "a", NULL,
         NULL},
        {UPSTREAM_CHAT, 0, OF(ASKED, ""), "a\\n \\u00e9",
         ASKED ",{\"role\":\"assistant\",\"content\":\"a\\n \\u00e9\"}]", "prefix"},
        {UPSTREAM_CHAT, FACT_PREFILL_MARK, OF(ASKED, ""), "a",
         ASKED ",{\"role\":\"assistant\",\"content\":\"a\",\"prefix\":true}]", "continue_final"},
        {UPSTREAM_CHAT, FACT_PREFILL_MARK, OF(ASKED "," ANSWERED "," ASKED, ""), "a",
         ANSWERED "," ASKED ",{\"role\":\"assistant\",\"content\":\"a\",\"prefix\":true}]", NULL},
        {UPSTREAM_CHAT, FACT_PREFILL_SWITCH, OF(ASKED, ""), "a",
         "\"continue_final_message\":true,\"add_generation_prompt\":false", "prefix"},
        {UPSTREAM_CHAT, FACT_PREFILL_SWITCH | FACT_PREFILL_MARK, OF(ASKED, ""), "", ASKED "]",
         "continue_final"},
        {UPSTREAM_MESSAGES, 0, OF(ASKED, ""), "a b",
         "{\"role\":\"assistant\",\"content\":[{\"type\":\"text\",\"text\":\"a b\"}]}]", NULL},
        {UPSTREAM_CHAT, 0, OF(ASKED, ",\"max_tokens\":100"), "a", "\"max_tokens\":90", NULL},
        {UPSTREAM_MESSAGES, 0, OF(ASKED, ",\"max_tokens\":10"), "a", "\"max_tokens\":1,", NULL},
        {UPSTREAM_MESSAGES, 0, OF(ASKED, ",\"max_tokens\":3"), "a", "\"max_tokens\":1,", NULL},
    };
    for (unsigned i = 0; i < ROWS(rows); i++)
        check(i, &rows[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(requests_for_more_than_text_do_not_suit),
        cmocka_unit_test(the_answer_begins_with_what_was_delivered),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
