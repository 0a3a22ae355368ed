/* A tool's arguments as the answer: what a client sees of the events. */
#include "unit.h"

#include "event_log.h"

#include "sluice/codec/structured_output.h"

#define TEXT(at, words) {.kind = TURN_TEXT, .slot = (at), .text = SPAN_OF(words)}
#define CALL(at, tool) {.kind = TURN_CALL, .slot = (at), .id = SPAN_OF("c"), .name = SPAN_OF(tool)}
#define ARGUE(at, piece) {.kind = TURN_ARGUMENTS, .slot = (at), .text = SPAN_OF(piece)}
#define CALL_OVER(at) {.kind = TURN_CALL_END, .slot = (at)}
#define STOPPED(why) {.kind = TURN_STOP, .stop = (why), .native = SPAN_OF("word")}
#define OVER {.kind = TURN_END}
#define SPAN_OF(text) {(const uint8_t *)(text), sizeof(text) - 1}

enum { EVENTS_MAX = 10 };

struct row {
    struct turn_event events[EVENTS_MAX]; /* to the first TURN_END or TURN_FAULT */
    const char *log;
};

static void check_row(size_t i, const struct row *row, const char *tool)
{
    struct structured_output s;
    struct event_log log = {.events = 0};
    structured_output_init(&s, span_text(tool));
    for (unsigned n = 0; n < EVENTS_MAX && !log.is_over; n++)
        assert_true(structured_output_event(&s, &row->events[n], event_log_add, &log));
    if (!span_eq(buf_span(&log.text), span_text(row->log)))
        fail_msg("row %zu:\n%.*s", i, SPAN_FMT(buf_span(&log.text)));
    event_log_fini(&log);
    structured_output_fini(&s);
}

static void arguments_of_the_tool_are_the_answer(void **state)
{
    (void)state;
    static const struct fault fault = {.kind = FAULT_UPSTREAM, .message = "gone"};
    static const struct row rows[] = {
        /* a model that would not call, and one that cannot say why it stopped */
        {{TEXT(0, "I would"), TEXT(0, " rather not"), STOPPED(STOP_END), OVER},
         "text 0 I would rather not\nstop 1 word\nend\n"},
        {{TEXT(0, "no"), OVER}, "text 0 no\nend\n"},
        {{TEXT(0, "no"), {.kind = TURN_FAULT, .fault = &fault}}, "fault 13 gone\n"},
        {{STOPPED(STOP_REFUSAL), OVER}, "stop 6 word\nend\n"},
        /* cut off: what there is is not mended */
        {{CALL(0, "t"), ARGUE(0, "{\\\"a\\\":"), STOPPED(STOP_LENGTH), OVER},
         "text 0 {\\\"a\\\":\nstop 3 word\nend\n"},
        {{CALL(0, "t"), STOPPED(STOP_LENGTH), OVER}, "stop 3 word\nend\n"},
        /* words around it, other calls, another of the same */
        {{TEXT(0, "Here: "),
          CALL(1, "t"),
          ARGUE(1, "{}"),
          CALL_OVER(1),
          TEXT(2, "Done."),
          {.kind = TURN_CITATION, .slot = 2},
          STOPPED(STOP_CALLS),
          OVER},
         "text 1 {}\nstop 1 \nend\n"},
        {{CALL(0, "t"), ARGUE(0, "{"), CALL(1, "t"), ARGUE(1, "x"), ARGUE(0, "}"), CALL_OVER(1),
          STOPPED(STOP_CALLS), OVER},
         "text 0 {\ntext 0 }\nstop 1 \nend\n"},
        {{CALL(0, "other"), ARGUE(0, "x"), CALL_OVER(0), CALL(1, "t"), ARGUE(1, "{}"),
          STOPPED(STOP_CALLS), OVER},
         "text 1 {}\nstop 1 \nend\n"},
        /* as it should be */
        {{CALL(3, "t"), ARGUE(3, ""), ARGUE(3, "{\\\"a\\\":"), ARGUE(3, "1}"), CALL_OVER(3),
          STOPPED(STOP_CALLS), OVER},
         "text 3 {\\\"a\\\":\ntext 3 1}\nstop 1 \nend\n"},
        {{CALL(0, "t"), ARGUE(0, "{}"), STOPPED(STOP_END), OVER}, "text 0 {}\nstop 1 word\nend\n"},
        /* an object with nothing in it is not always written */
        {{CALL(0, "t"), CALL_OVER(0), STOPPED(STOP_CALLS), OVER}, "text 0 {}\nstop 1 \nend\n"},
        {{CALL(0, "t"), STOPPED(STOP_CALLS), OVER}, "text 0 {}\nstop 1 \nend\n"},
    };
    for (size_t i = 0; i < ROWS(rows); i++)
        check_row(i, &rows[i], "t");
}

static void without_such_a_tool_nothing_changes(void **state)
{
    (void)state;
    static const struct row row = {
        {TEXT(0, "a"), CALL(1, "t"), ARGUE(1, "{}"), CALL_OVER(1), STOPPED(STOP_CALLS), OVER},
        "text 0 a\ncall 1 c t\narguments 1 {}\ncall_end 1\nstop 5 word\nend\n"};
    check_row(0, &row, "");
}

static void words_before_the_call_are_held_up_to_a_bound(void **state)
{
    (void)state;
    enum { PIECE = 1000 };
    static uint8_t words[PIECE];
    struct structured_output s;
    struct event_log log = {.events = 0};
    struct turn_event e = {.kind = TURN_TEXT, .text = {words, PIECE}};
    memset(words, 'x', sizeof words);
    structured_output_init(&s, SPAN_LIT("t"));
    unsigned n = 0;
    for (; log.events == 0; n++) {
        assert_true(n <= STRUCTURED_HELD_MAX / PIECE);
        assert_true(structured_output_event(&s, &e, event_log_add, &log));
    }
    assert_int_equal(log.events, 2); /* what was held, and the piece for which there was no room */
    assert_in_range(buf_len(&log.text), n * PIECE, n * PIECE + 40);
    assert_true(structured_output_event(&s, &e, event_log_add, &log));
    assert_int_equal(log.events, 3);
    event_log_fini(&log);
    structured_output_fini(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(arguments_of_the_tool_are_the_answer),
        cmocka_unit_test(without_such_a_tool_nothing_changes),
        cmocka_unit_test(words_before_the_call_are_held_up_to_a_bound),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
