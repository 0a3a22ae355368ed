#include "unit.h"

#include "sluice/codec/completions.h"

#define BODY(members) "{\"model\":\"m\"" members "}"
#define PROMPT ",\"prompt\":\"hi\""

static const struct translation_options defaults;

static void what_only_completing_models_can_do_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *body, *param;
        enum fault_kind kind; /* unsupported: another endpoint may complete */
    } rows[] = {
        {BODY(""), "prompt", FAULT_INVALID_REQUEST},
        {BODY(",\"prompt\":null"), "prompt", FAULT_INVALID_REQUEST},
        {BODY(",\"prompt\":7"), "prompt", FAULT_INVALID_REQUEST},
        {BODY(",\"prompt\":[]"), "prompt", FAULT_INVALID_REQUEST},
        {BODY(",\"prompt\":[1,2]"), "prompt", FAULT_UNSUPPORTED_PARAMETER},
        {BODY(",\"prompt\":[[1,2]]"), "prompt", FAULT_UNSUPPORTED_PARAMETER},
        {BODY(",\"prompt\":[\"a\",\"b\"]"), "prompt", FAULT_UNSUPPORTED_PARAMETER},
        {BODY(PROMPT ",\"suffix\":\"x\""), "suffix", FAULT_UNSUPPORTED_PARAMETER},
        {BODY(PROMPT ",\"echo\":true"), "echo", FAULT_UNSUPPORTED_PARAMETER},
        {BODY(PROMPT ",\"logprobs\":0"), "logprobs", FAULT_UNSUPPORTED_PARAMETER},
        {BODY(PROMPT ",\"temperature\":\"x\""), "temperature", FAULT_INVALID_REQUEST},
    };
    for (unsigned i = 0; i < ROWS(rows); i++) {
        struct arena arena;
        struct turn_request r;
        struct fault why;
        arena_init(&arena, NULL, 256);
        assert_row(i, !completions_turn_read(span_text(rows[i].body), &defaults, &arena, &r, &why));
        assert_string_equal(why.param, rows[i].param);
        assert_row(i, why.kind == rows[i].kind);
        arena_fini(&arena);
    }
}

static void members_are_noted_unless_they_say_nothing(void **state)
{
    (void)state;
    static const struct {
        const char *body, *note;
    } rows[] = {
        {BODY(PROMPT), NULL},
        {BODY(",\"prompt\":[\"hi\"]"), NULL},
        {BODY(PROMPT ",\"best_of\":1,\"echo\":false,\"suffix\":\"\",\"logprobs\":null"), NULL},
        {BODY(PROMPT ",\"best_of\":null,\"suffix\":null"), NULL},
        {BODY(PROMPT ",\"best_of\":3"), "best_of"},
        {BODY(PROMPT ",\"frobnicate\":3"), "frobnicate"},
    };
    for (unsigned i = 0; i < ROWS(rows); i++) {
        struct arena arena;
        struct turn_request r;
        struct fault why;
        arena_init(&arena, NULL, 256);
        assert_row(i, completions_turn_read(span_text(rows[i].body), &defaults, &arena, &r, &why));
        assert_span(r.messages->parts->text, "hi");
        assert_row(i, r.unread.n == (rows[i].note != NULL));
        assert_row(i, rows[i].note == NULL || turn_is_noted(&r.unread, rows[i].note));
        assert_row(i, r.logprobs.len == 0);
        arena_fini(&arena);
    }
}

#define HEAD                                                                                \
    "data: {\"id\":\"gen-i\",\"object\":\"text_completion\",\"created\":0,\"model\":\"m\"," \
    "\"provider\":\"p\",\"choices\":["
#define USAGE                                                                                    \
    "\"usage\":{\"prompt_tokens\":2,\"completion_tokens\":1,\"total_tokens\":3,"                 \
    "\"prompt_tokens_details\":{\"cached_tokens\":0,\"cache_write_tokens\":0,\"text_tokens\":2," \
    "\"audio_tokens\":0,\"image_tokens\":0,\"video_tokens\":0},\"completion_tokens_details\":{"  \
    "\"reasoning_tokens\":0,\"audio_tokens\":0,\"image_tokens\":0}}"

static void answers_say_who_served_them_and_why_they_stopped(void **state)
{
    (void)state;
    static const struct answer_identity who = {.id = {(const uint8_t *)"i", 1},
                                               .model = {(const uint8_t *)"m", 1},
                                               .provider = {(const uint8_t *)"p", 1},
                                               .wants_usage = true};
    const struct turn_event events[] = {
        {.kind = TURN_START},
        {.kind = TURN_REASONING, .text = SPAN_LIT("hm")},
        {.kind = TURN_TEXT, .slot = 1, .text = SPAN_LIT("a\\n")},
        {.kind = TURN_TEXT, .slot = 1, .logprobs = SPAN_LIT("[7]")},
        {.kind = TURN_USAGE, .usage = &(struct usage){.prompt = 2, .completion = 1}},
        {.kind = TURN_STOP, .stop = STOP_LENGTH, .native = SPAN_LIT("MAX_TOKENS")},
        {.kind = TURN_END},
    };
    struct completions_writer w;
    struct turn_answer a;
    struct buf out = {0}, whole = {0};
    completions_writer_init(&w, &who);
    turn_answer_init(&a, 1000);
    for (unsigned i = 0; i < ROWS(events); i++) {
        assert_int_equal(completions_writer_event(&w, &events[i], &out), 0);
        assert_int_equal(turn_answer_add(&a, &events[i]), 0);
    }
    assert_span(
        buf_span(&out),
        HEAD "{\"index\":0,\"text\":\"a\\n\",\"logprobs\":null,\"finish_reason\":null}]}\n\n" HEAD
             "{\"index\":0,\"text\":\"\",\"logprobs\":null,\"finish_reason\":\"length\","
             "\"native_finish_reason\":\"MAX_TOKENS\"}]}\n\n" HEAD "]," USAGE
             ",\"request_id\":\"i\"}\n\ndata: [DONE]\n\n");
    assert_int_equal(completions_write_whole(&a, &who, &whole), 0);
    assert_span(buf_span(&whole),
                "{\"id\":\"gen-i\",\"object\":\"text_completion\",\"created\":0,\"model\":\"m\","
                "\"choices\":[{\"index\":0,\"text\":\"a\\n\",\"logprobs\":null,\"finish_reason\":"
                "\"length\",\"native_finish_reason\":\"MAX_TOKENS\"}]," USAGE "}");
    completions_writer_fini(&w);
    turn_answer_fini(&a);
    buf_fini(&out);
    buf_fini(&whole);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_only_completing_models_can_do_is_refused),
        cmocka_unit_test(members_are_noted_unless_they_say_nothing),
        cmocka_unit_test(answers_say_who_served_them_and_why_they_stopped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
