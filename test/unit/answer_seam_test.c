/* An answer that broke off and was gone on with: what a client sees of the events of both. */
#include "unit.h"

#include "event_log.h"

#include "sluice/codec/answer_seam.h"

#define SPAN_OF(text) {(const uint8_t *)(text), sizeof(text) - 1}
#define STARTED {.kind = TURN_START, .id = SPAN_OF("i"), .name = SPAN_OF("m")}
#define TEXT(at, words) {.kind = TURN_TEXT, .slot = (at), .text = SPAN_OF(words)}
#define SAID(what, at) {.kind = (what), .slot = (at), .text = SPAN_OF("x")}
#define CALL(at) {.kind = TURN_CALL, .slot = (at), .id = SPAN_OF("c"), .name = SPAN_OF("t")}
#define STOPPED {.kind = TURN_STOP, .stop = STOP_END, .native = SPAN_OF("word")}
#define OVER {.kind = TURN_END}
#define NOTHING {.kind = TURN_USAGE}

enum { EVENTS_MAX = 6 };

static void play(struct answer_seam *s, const struct turn_event *events, struct event_log *log)
{
    bool goes_on = true;
    for (unsigned n = 0; goes_on && n < EVENTS_MAX && !log->is_over; n++) {
        if (events[n].kind != TURN_USAGE)
            goes_on = answer_seam_event(s, &events[n], event_log_add, log);
    }
}

/* Whether somebody may go on is known from what was delivered. */
static void only_one_text_can_be_gone_on_with(void **state)
{
    (void)state;
    static const struct {
        struct turn_event events[EVENTS_MAX];
        bool is_good, is_empty;
    } rows[] = {
        {{STARTED, SAID(TURN_REASONING, 0), TEXT(1, "a"), NOTHING, NOTHING, NOTHING}, false, false},
        {{TEXT(0, "a"), SAID(TURN_PROOF, 1), NOTHING, NOTHING, NOTHING, NOTHING}, false, false},
        {{SAID(TURN_REDACTED, 0), NOTHING, NOTHING, NOTHING, NOTHING, NOTHING}, false, false},
        {{TEXT(0, "a"), CALL(1), NOTHING, NOTHING, NOTHING, NOTHING}, false, false},
        {{TEXT(0, "a"), SAID(TURN_REFUSAL, 1), NOTHING, NOTHING, NOTHING, NOTHING}, false, false},
        {{TEXT(0, "a"), SAID(TURN_CITATION, 0), NOTHING, NOTHING, NOTHING, NOTHING}, false, false},
        {{TEXT(0, "a"), TEXT(1, "b"), NOTHING, NOTHING, NOTHING, NOTHING}, false, false},
        {{TEXT(0, "a"), STOPPED, NOTHING, NOTHING, NOTHING, NOTHING}, false, false},
        {{TEXT(0, "a\\ud83d"), NOTHING, NOTHING, NOTHING, NOTHING, NOTHING}, false, false},
        {{{.kind = TURN_TEXT, .text = SPAN_OF("a"), .logprobs = SPAN_OF("[1]")},
          NOTHING,
          NOTHING,
          NOTHING,
          NOTHING,
          NOTHING},
         false,
         false},
        {{STARTED, NOTHING, NOTHING, NOTHING, NOTHING, NOTHING}, true, true},
        {{STARTED, TEXT(0, "a"), TEXT(0, "b\\ud83d"), TEXT(0, "\\ude00"), NOTHING, NOTHING},
         true,
         false},
    };
    for (unsigned i = 0; i < ROWS(rows); i++) {
        struct answer_seam s;
        struct event_log log = {.events = 0};
        answer_seam_init(&s);
        play(&s, rows[i].events, &log);
        assert_row(i, answer_seam_is_good(&s) == rows[i].is_good);
        assert_row(i, answer_seam_is_empty(&s) == rows[i].is_empty);
        event_log_fini(&log);
        answer_seam_fini(&s);
    }
}

static void a_text_that_is_too_long_is_not_kept(void **state)
{
    (void)state;
    static char words[SEAM_TEXT_MAX];
    memset(words, 'x', sizeof words);
    struct answer_seam s;
    struct event_log log = {.events = 0};
    struct turn_event e = {.kind = TURN_TEXT, .text = span_of(words, sizeof words)};
    answer_seam_init(&s);
    assert_true(answer_seam_event(&s, &e, event_log_add, &log));
    assert_true(answer_seam_is_good(&s));
    e.text.len = 1;
    assert_true(answer_seam_event(&s, &e, event_log_add, &log));
    assert_false(answer_seam_is_good(&s));
    assert_null(s.text.at);
    event_log_fini(&log);
    answer_seam_fini(&s);
}

#define ASTRAY "fault 13 it does not go on where the answer broke off\n"

static void nothing_comes_twice_and_nothing_is_lost(void **state)
{
    (void)state;
    static const struct {
        struct turn_event before[EVENTS_MAX], behind[EVENTS_MAX];
        bool echoes;
        const char *shown, *log; /* of what is behind */
    } rows[] = {
        /* white space that is owed: something else, another block, an end, too little of it */
        {{TEXT(0, "a \\n"), NOTHING, NOTHING, NOTHING, NOTHING, NOTHING},
         {TEXT(0, " b"), OVER, NOTHING, NOTHING, NOTHING, NOTHING},
         false,
         "a",
         ASTRAY},
        {{TEXT(0, "a "), NOTHING, NOTHING, NOTHING, NOTHING, NOTHING},
         {CALL(0), OVER, NOTHING, NOTHING, NOTHING, NOTHING},
         false,
         "a",
         ASTRAY},
        {{TEXT(0, "a\\n\\n"), NOTHING, NOTHING, NOTHING, NOTHING, NOTHING},
         {TEXT(0, "\\n"), STOPPED, OVER, NOTHING, NOTHING, NOTHING},
         false,
         "a",
         ASTRAY},
        /* an echo that is none */
        {{TEXT(0, "abc"), NOTHING, NOTHING, NOTHING, NOTHING, NOTHING},
         {TEXT(0, "ab"), TEXT(0, "d"), OVER, NOTHING, NOTHING, NOTHING},
         true,
         "abc",
         ASTRAY},
        /* thinking anew */
        {{TEXT(0, "abc"), NOTHING, NOTHING, NOTHING, NOTHING, NOTHING},
         {SAID(TURN_REASONING, 0), TEXT(1, "d"), OVER, NOTHING, NOTHING, NOTHING},
         false,
         "abc",
         "fault 13 it thinks anew instead of going on with the answer\n"},
        /* plainly */
        {{STARTED, TEXT(3, "a "), NOTHING, NOTHING, NOTHING, NOTHING},
         {STARTED, TEXT(0, " b"), TEXT(0, "c"), STOPPED, OVER, NOTHING},
         false,
         "a",
         "text 3 b\ntext 3 c\nstop 1 word\nend\n"},
        {{TEXT(0, "ab"), NOTHING, NOTHING, NOTHING, NOTHING, NOTHING},
         {STARTED, STOPPED, OVER, NOTHING, NOTHING, NOTHING},
         false,
         "ab",
         "stop 1 word\nend\n"},
        /* with what was owed, in pieces, and written otherwise */
        {{TEXT(0, "a \\n"), NOTHING, NOTHING, NOTHING, NOTHING, NOTHING},
         {TEXT(0, ""), TEXT(0, " "), TEXT(0, "\\u000ab"), STOPPED, OVER, NOTHING},
         false,
         "a",
         "text 0 b\nstop 1 word\nend\n"},
        {{TEXT(0, "\\n"), NOTHING, NOTHING, NOTHING, NOTHING, NOTHING},
         {TEXT(0, "\\nb"), OVER, NOTHING, NOTHING, NOTHING, NOTHING},
         false,
         "",
         "text 0 b\nend\n"},
        {{TEXT(0, "\\u00e9\\ud83d\\ude00/"), NOTHING, NOTHING, NOTHING, NOTHING, NOTHING},
         {TEXT(0, "é"), TEXT(0, "😀\\/"), TEXT(0, "b"), OVER, NOTHING, NOTHING},
         true,
         "\\u00e9\\ud83d\\ude00/",
         "text 0 b\nend\n"},
        /* other blocks get slots nobody had */
        {{TEXT(2, "a"), NOTHING, NOTHING, NOTHING, NOTHING, NOTHING},
         {TEXT(0, "b"), CALL(1), SAID(TURN_ARGUMENTS, 1), TEXT(2, "c"), STOPPED, OVER},
         false,
         "a",
         "text 2 b\ncall 4 c t\narguments 4 x\ntext 5 c\nstop 1 word\nend\n"},
        {{TEXT(0, "a"), NOTHING, NOTHING, NOTHING, NOTHING, NOTHING},
         {CALL(0), STOPPED, OVER, NOTHING, NOTHING, NOTHING},
         false,
         "a",
         "call 1 c t\nstop 1 word\nend\n"},
        /* from the start: whatever it is */
        {{STARTED, NOTHING, NOTHING, NOTHING, NOTHING, NOTHING},
         {STARTED, SAID(TURN_REASONING, 0), TEXT(1, "b"), OVER, NOTHING, NOTHING},
         false,
         "",
         "reasoning 0 x\ntext 1 b\nend\n"},
    };
    for (unsigned i = 0; i < ROWS(rows); i++) {
        struct answer_seam s;
        struct event_log before = {.events = 0}, log = {.events = 0};
        answer_seam_init(&s);
        play(&s, rows[i].before, &before);
        assert_row(i, answer_seam_is_good(&s));
        assert_row(i, span_eq(answer_seam_shown(&s), span_text(rows[i].shown)));
        answer_seam_cut(&s, rows[i].echoes);
        play(&s, rows[i].behind, &log);
        if (!span_eq(buf_span(&log.text), span_text(rows[i].log)))
            fail_msg("row %u:\n%.*s", i, SPAN_FMT(buf_span(&log.text)));
        event_log_fini(&before);
        event_log_fini(&log);
        answer_seam_fini(&s);
    }
}

static void it_can_be_cut_again(void **state)
{
    (void)state;
    static const struct turn_event first[EVENTS_MAX] = {TEXT(0, "a "), NOTHING, NOTHING,
                                                        NOTHING,       NOTHING, NOTHING};
    static const struct turn_event astray[EVENTS_MAX] = {STARTED, TEXT(0, "x"), NOTHING,
                                                         NOTHING, NOTHING,      NOTHING};
    static const struct turn_event second[EVENTS_MAX] = {STARTED, TEXT(0, " b"), TEXT(0, "c"),
                                                         NOTHING, NOTHING,       NOTHING};
    static const struct turn_event third[EVENTS_MAX] = {STARTED, TEXT(5, "d"), CALL(6),
                                                        OVER,    NOTHING,      NOTHING};
    struct answer_seam s;
    struct event_log log = {.events = 0}, lost = {.events = 0};
    answer_seam_init(&s);
    play(&s, first, &log);
    answer_seam_cut(&s, false);
    play(&s, astray, &lost);
    assert_span(buf_span(&lost.text), ASTRAY);
    answer_seam_cut(&s, false);
    play(&s, second, &log);
    assert_true(answer_seam_is_good(&s));
    assert_span(answer_seam_shown(&s), "a bc");
    answer_seam_cut(&s, false);
    play(&s, third, &log);
    assert_span(buf_span(&log.text), "text 0 a \ntext 0 b\ntext 0 c\ntext 0 d\ncall 7 c t\nend\n");
    assert_false(answer_seam_is_good(&s));
    event_log_fini(&log);
    event_log_fini(&lost);
    answer_seam_fini(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_one_text_can_be_gone_on_with),
        cmocka_unit_test(a_text_that_is_too_long_is_not_kept),
        cmocka_unit_test(nothing_comes_twice_and_nothing_is_lost),
        cmocka_unit_test(it_can_be_cut_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
