#include "unit.h"

#include "sluice/base/rng.h"
#include "sluice/codec/custom_tool.h"
#include "sluice/format/json_out.h"
#include "sluice/format/json_scan.h"

static const struct span names[] = {{(const uint8_t *)"apply_patch", 11}};

/* What came out of the filter. */
struct seen {
    struct buf text[4]; /* by slot */
    unsigned customs, functions, ends, others;
    int answers; /* how many events are taken before one is refused; -1: all */
};

static bool see(void *arg, const struct turn_event *e)
{
    struct seen *s = arg;
    if (s->answers == 0)
        return false;
    s->answers -= s->answers > 0;
    if (e->kind == TURN_CALL)
        e->is_custom ? s->customs++ : s->functions++;
    else if (e->kind == TURN_ARGUMENTS)
        assert_int_equal(buf_add(&s->text[e->slot], e->text), 0);
    else if (e->kind == TURN_CALL_END)
        s->ends++;
    else
        s->others++;
    return true;
}

static void seen_fini(struct seen *s)
{
    for (unsigned i = 0; i < ROWS(s->text); i++)
        buf_fini(&s->text[i]);
}

static bool call(struct custom_tool *c, struct seen *s, unsigned slot, const char *name)
{
    struct turn_event e = {
        .kind = TURN_CALL, .slot = slot, .id = SPAN_LIT("c1"), .name = span_text(name)};
    return custom_tool_event(c, &e, see, s);
}

/* The piece lies in memory of just its size. */
static bool argue(struct custom_tool *c, struct seen *s, unsigned slot, struct span piece)
{
    uint8_t *copy = exact_copy(piece);
    struct turn_event e = {.kind = TURN_ARGUMENTS, .slot = slot, .text = span_of(copy, piece.len)};
    bool goes_on = custom_tool_event(c, &e, see, s);
    free(copy);
    return goes_on;
}

static bool say(struct custom_tool *c, struct seen *s, unsigned slot, enum turn_event_kind kind)
{
    return custom_tool_event(c, &(struct turn_event){.kind = kind, .slot = slot}, see, s);
}

/* Whole arguments through a filter, cut at two places. */
static struct buf unwrap(struct span raw, size_t first, size_t second)
{
    struct custom_tool c;
    struct seen s = {.answers = -1};
    custom_tool_init(&c, names, 1);
    assert_true(call(&c, &s, 0, "apply_patch"));
    assert_true(argue(&c, &s, 0, span_sub(raw, 0, first)));
    assert_true(argue(&c, &s, 0, span_sub(raw, first, second - first)));
    assert_true(argue(&c, &s, 0, span_skip(raw, second)));
    assert_true(say(&c, &s, 0, TURN_CALL_END));
    assert_int_equal(s.customs, 1);
    assert_int_equal(s.ends, 1);
    custom_tool_fini(&c);
    return s.text[0];
}

/* --- rows ----------------------------------------------------------------------------------------- */

/* Raw insides of strings as they stand on the wire: \" is one escape of the event's own string. */
#define TEN_BLANKS "          "
#define MANY_BLANKS                                                                         \
    TEN_BLANKS TEN_BLANKS TEN_BLANKS TEN_BLANKS TEN_BLANKS TEN_BLANKS TEN_BLANKS TEN_BLANKS \
        TEN_BLANKS TEN_BLANKS

static const struct {
    const char *raw, *text;
} rows[] = {
    /* no wrapper: as it is, byte for byte */
    {"{}", "{}"},
    {"[1]", "[1]"},
    {"null", "null"},
    {"{\\\"input\\\":5}", "{\\\"input\\\":5}"},
    {"{\\\"input\\\":null}", "{\\\"input\\\":null}"},
    {"{\\\"in put\\\":\\\"x\\\"}", "{\\\"in put\\\":\\\"x\\\"}"},
    {"{\\\"inputs\\\":\\\"x\\\"}", "{\\\"inputs\\\":\\\"x\\\"}"},
    {"{\\\"patch\\\":\\\"x\\\",\\\"input\\\":\\\"y\\\"}",
     "{\\\"patch\\\":\\\"x\\\",\\\"input\\\":\\\"y\\\"}"},
    {"\\u00e9{", "\\u00e9{"},
    {"{\\b\\u0001\\f", "{\\b\\u0001\\f"},
    {"{\\u0022input\\u0022\\u003A\\t7", "{\\u0022input\\u0022\\u003A\\t7"},
    {"{\\/", "{\\/"},
    {"*** Begin Patch\\n+\\\"x\\\"", "*** Begin Patch\\n+\\\"x\\\""},
    /* blanks without end are none */
    {"{" MANY_BLANKS "\\\"input\\\":\\\"x\\\"}", "{" MANY_BLANKS "\\\"input\\\":\\\"x\\\"}"},
    /* broken off before the text began */
    {"{\\\"inp", "{\\\"inp"},
    {"", ""},

    /* wrappers */
    {"{\\\"input\\\":\\\"\\\"}", ""},
    {"{\\\"input\\\":\\\"hello\\\"}", "hello"},
    {" \\n{ \\t\\\"input\\\" :\\r\\\"x\\\" } ", "x"},
    {"{\\u0022input\\u0022:\\u0022x\\u0022}", "x"},
    {"{\\\"input\\\":\\\"a\\\\nb\\\"}", "a\\nb"},
    {"{\\\"input\\\":\\\"say \\\\\\\"x\\\\\\\"\\\"}", "say \\\"x\\\""},
    {"{\\\"input\\\":\\\"a\\\\\\\\b\\\"}", "a\\\\b"},
    {"{\\\"input\\\":\\\"\\\\u00e9\\\\ud83d\\\\ude00\\\"}", "\\u00e9\\ud83d\\ude00"},
    {"{\\\"input\\\":\\\"\\u00e9\\ud83d\\ude00\\\"}", "\\u00e9\\ud83d\\ude00"},
    {"{\\\"input\\\":\\\"\xc3\xa9\\\"}", "\xc3\xa9"},
    {"{\\\"input\\\":\\\"a\\u005cnb\\\"}", "a\\nb"},
    {"{\\\"input\\\":\\\"a\\\\/b\\/c\\\"}", "a\\/b\\/c"},
    /* what comes behind the text was said by nobody */
    {"{\\\"input\\\":\\\"x\\\",\\\"why\\\":\\\"y\\\"}", "x"},
    {"{\\\"input\\\":\\\"x\\\"}}\\b\\u00e9", "x"},
    /* bare control characters, as models write them */
    {"{\\\"input\\\":\\\"a\\nb\\tc\\u0000\\\"}", "a\\nb\\tc\\u0000"},
    /* a backslash that escapes nothing is one */
    {"{\\\"input\\\":\\\"\\\\d+\\\"}", "\\\\d+"},
    {"{\\\"input\\\":\\\"\\\\u12\\\"}", "\\\\u12"},
    {"{\\\"input\\\":\\\"\\\\u00\\\\n\\\"}", "\\\\u00\\n"},
    {"{\\\"input\\\":\\\"\\\\\\n\\\"}", "\\\\\\n"},
    {"{\\\"input\\\":\\\"\\\\\\u00e9\\\"}", "\\\\\\u00e9"},
    {"{\\\"input\\\":\\\"\\\\\xc3\xa9\\\"}", "\\\\\xc3\xa9"},
    /* broken off within the text */
    {"{\\\"input\\\":\\\"half", "half"},
    {"{\\\"input\\\":\\\"half\\\\", "half"},
    {"{\\\"input\\\":\\\"half\\\\u00", "half"},
};

static void text_is_unwrapped_however_it_is_cut(void **state)
{
    (void)state;
    for (unsigned i = 0; i < ROWS(rows); i++) {
        struct span raw = span_text(rows[i].raw);
        for (size_t first = 0; first <= raw.len; first++) {
            for (size_t second = first; second <= raw.len; second++) {
                struct buf text = unwrap(raw, first, second);
                if (!span_eq(buf_span(&text), span_text(rows[i].text)))
                    print_error("%s: \"%.*s\"\n", rows[i].raw, SPAN_FMT(buf_span(&text)));
                assert_row(i, span_eq(buf_span(&text), span_text(rows[i].text)));
                buf_fini(&text);
            }
        }
    }
}

/* --- any text, in any spelling ---------------------------------------------------------------------- */

/* The inside of a JSON string for `text`, each byte spelled one of the ways there are. */
static struct buf spell(struct rng *r, struct span text)
{
    struct buf raw = {0};
    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = text.at[i];
        bool must = c < 0x20 || c == '"' || c == '\\';
        if (c < 0x80 && (rng_below(r, 8) == 0 || (must && c < 0x20)))
            assert_int_equal(buf_addf(&raw, rng_below(r, 2) ? "\\u%04x" : "\\u%04X", c), 0);
        else if (must)
            assert_int_equal(buf_addf(&raw, "\\%c", c), 0);
        else
            assert_int_equal(buf_add_byte(&raw, c), 0);
    }
    return raw;
}

static struct buf random_text(struct rng *r)
{
    static const char *const words[] = {"a", "\"",       "\\",   "\n", "{",
                                        "}", "\xc3\xa9", "\x01", "u",  " "};
    struct buf text = {0};
    for (uint64_t n = rng_below(r, 12); n > 0; n--)
        assert_int_equal(buf_add_text(&text, words[rng_below(r, ROWS(words))]), 0);
    return text;
}

static struct buf unwrap_anywhere(struct rng *r, struct span raw)
{
    size_t first = rng_below(r, raw.len + 1);
    return unwrap(raw, first, first + rng_below(r, raw.len - first + 1));
}

static void any_text_comes_out_as_it_went_in(void **state)
{
    (void)state;
    struct rng r;
    rng_seed(&r, 7);
    for (unsigned i = 0; i < 20000; i++) {
        struct buf text = random_text(&r), inner = spell(&r, buf_span(&text)), object = {0};
        assert_int_equal(buf_addf(&object, "{\"input\":\"%.*s\"}", SPAN_FMT(buf_span(&inner))), 0);
        struct buf outer = spell(&r, buf_span(&object));
        struct buf out = unwrap_anywhere(&r, buf_span(&outer)), plain = {0};
        struct json_out o = json_out_to(&plain);
        assert_true(json_out_unescaped(&o, buf_span(&out)));
        assert_row(i, span_eq(buf_span(&plain), buf_span(&text)));
        struct buf *all[] = {&text, &inner, &object, &outer, &out, &plain};
        for (unsigned b = 0; b < ROWS(all); b++)
            buf_fini(all[b]);
    }
}

/* Whatever a model writes: the client's string stays one string. */
static void garbage_never_breaks_the_string_it_is_put_into(void **state)
{
    (void)state;
    static const char *const units[] = {"{\\\"input\\\":\\\"",
                                        "\\\"",
                                        "\\\\",
                                        "\\n",
                                        "\\u00e9",
                                        "\\u0001",
                                        "\\ud83d",
                                        "u",
                                        "12",
                                        "q",
                                        "{",
                                        "}",
                                        " ",
                                        "\\b",
                                        "\\/",
                                        "\\u0022",
                                        "\\u005c",
                                        "\xc3\xa9"};
    struct rng r;
    rng_seed(&r, 8);
    for (unsigned i = 0; i < 20000; i++) {
        struct buf raw = {0}, quoted = {0};
        if (rng_below(&r, 4) > 0)
            assert_int_equal(buf_add_text(&raw, units[0]), 0);
        for (uint64_t n = rng_below(&r, 10); n > 0; n--)
            assert_int_equal(buf_add_text(&raw, units[rng_below(&r, ROWS(units))]), 0);
        struct buf whole = unwrap(buf_span(&raw), 0, 0);
        struct buf cut = unwrap_anywhere(&r, buf_span(&raw));
        assert_row(i, span_eq(buf_span(&whole), buf_span(&cut)));
        assert_int_equal(buf_addf(&quoted, "{\"x\":\"%.*s\"}", SPAN_FMT(buf_span(&whole))), 0);
        struct json_member m;
        if (!json_get(buf_span(&quoted), "x", &m))
            print_error("%.*s -> %.*s\n", SPAN_FMT(buf_span(&raw)), SPAN_FMT(buf_span(&whole)));
        assert_row(i, json_get(buf_span(&quoted), "x", &m));
        buf_fini(&raw);
        buf_fini(&quoted);
        buf_fini(&whole);
        buf_fini(&cut);
    }
}

/* --- calls ------------------------------------------------------------------------------------------ */

static void calls_are_unwrapped_each_for_itself(void **state)
{
    (void)state;
    struct custom_tool c;
    struct seen s = {.answers = -1};
    custom_tool_init(&c, names, 1);
    assert_true(say(&c, &s, 0, TURN_START));
    assert_true(argue(&c, &s, 3, SPAN_LIT("{\\\"input\\\":")));
    assert_true(call(&c, &s, 0, "apply_patch"));
    assert_true(call(&c, &s, 1, "apply"));
    assert_true(call(&c, &s, 2, "apply_patch"));
    assert_true(argue(&c, &s, 0, SPAN_LIT("{\\\"input\\\":\\\"a\\")));
    assert_true(argue(&c, &s, 1, SPAN_LIT("{\\\"input\\\":\\\"b")));
    assert_true(argue(&c, &s, 2, SPAN_LIT("{\\\"input\\\":\\\"c")));
    assert_true(argue(&c, &s, 0, SPAN_LIT("\\n\\\"}")));
    assert_true(say(&c, &s, 0, TURN_CALL_END));
    assert_true(say(&c, &s, 1, TURN_CALL_END));
    assert_true(say(&c, &s, 2, TURN_CALL_END));
    assert_true(say(&c, &s, 0, TURN_END));
    assert_span(buf_span(&s.text[0]), "a\\n");
    assert_span(buf_span(&s.text[1]), "{\\\"input\\\":\\\"b");
    assert_span(buf_span(&s.text[2]), "c");
    assert_span(buf_span(&s.text[3]), "{\\\"input\\\":");
    assert_int_equal(s.customs, 2);
    assert_int_equal(s.functions, 1);
    assert_int_equal(s.ends, 3);
    assert_int_equal(s.others, 2);
    custom_tool_fini(&c);
    seen_fini(&s);
}

/* Readers say that a call ended only when the upstream did; what was held must not be lost. */
static void what_is_held_of_a_call_leaves_before_the_answer_stops(void **state)
{
    (void)state;
    struct custom_tool c;
    struct seen s = {.answers = -1};
    custom_tool_init(&c, names, 1);
    assert_true(call(&c, &s, 0, "apply_patch"));
    assert_true(argue(&c, &s, 0, SPAN_LIT("{\\\"in")));
    assert_int_equal(buf_len(&s.text[0]), 0);
    assert_true(say(&c, &s, 0, TURN_STOP));
    assert_span(buf_span(&s.text[0]), "{\\\"in");
    assert_true(say(&c, &s, 0, TURN_END));
    assert_span(buf_span(&s.text[0]), "{\\\"in");
    custom_tool_fini(&c);
    seen_fini(&s);
}

static void a_call_that_is_custom_already_is_left_alone(void **state)
{
    (void)state;
    struct custom_tool c;
    struct seen s = {.answers = -1};
    custom_tool_init(&c, names, 1);
    struct turn_event e = {.kind = TURN_CALL, .name = names[0], .is_custom = true};
    assert_true(custom_tool_event(&c, &e, see, &s));
    assert_true(argue(&c, &s, 0, SPAN_LIT("{\\\"input\\\":\\\"x\\\"}")));
    assert_span(buf_span(&s.text[0]), "{\\\"input\\\":\\\"x\\\"}");
    custom_tool_fini(&c);
    seen_fini(&s);
}

static void it_stops_when_the_next_one_does(void **state)
{
    (void)state;
    for (int answers = 0; answers < 2; answers++) {
        struct custom_tool c;
        struct seen s = {.answers = answers};
        custom_tool_init(&c, names, 1);
        assert_int_equal(call(&c, &s, 0, "apply_patch"), answers > 0);
        assert_false(argue(&c, &s, 0, SPAN_LIT("{}")));
        assert_false(say(&c, &s, 0, TURN_CALL_END));
        custom_tool_fini(&c);
        seen_fini(&s);
    }
}

/* Unwrapping some and not the others would hand the client calls of a kind it never offered. */
static void more_calls_than_are_kept_apart_are_a_fault(void **state)
{
    (void)state;
    struct custom_tool c;
    struct seen s = {.answers = -1};
    custom_tool_init(&c, names, 1);
    for (unsigned i = 0; i < CUSTOM_CALLS_MAX; i++)
        assert_true(call(&c, &s, i, "apply_patch"));
    assert_int_equal(s.customs, CUSTOM_CALLS_MAX);
    assert_false(call(&c, &s, CUSTOM_CALLS_MAX, "apply_patch"));
    assert_int_equal(s.others, 1); /* the fault */
    custom_tool_fini(&c);
    seen_fini(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_is_unwrapped_however_it_is_cut),
        cmocka_unit_test(any_text_comes_out_as_it_went_in),
        cmocka_unit_test(garbage_never_breaks_the_string_it_is_put_into),
        cmocka_unit_test(calls_are_unwrapped_each_for_itself),
        cmocka_unit_test(what_is_held_of_a_call_leaves_before_the_answer_stops),
        cmocka_unit_test(a_call_that_is_custom_already_is_left_alone),
        cmocka_unit_test(it_stops_when_the_next_one_does),
        cmocka_unit_test(more_calls_than_are_kept_apart_are_a_fault),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
