/* Whose trace a request belongs to: bad rows first. */
#include "unit.h"

#include "sluice/format/trace_context.h"

#define TRACE "4bf92f3577b34da6a3ce929d0e0e4736"
#define PARENT "00f067aa0ba902b7"

static bool parse(const char *text, struct trace_context *out)
{
    struct span s = span_text(text);
    uint8_t *copy = exact_copy(s);
    bool is_one = traceparent_parse(span_of(copy, s.len), out);
    free(copy);
    return is_one;
}

static void what_is_malformed_is_no_traceparent(void **state)
{
    (void)state;
    static const char *const rows[] = {
        "",
        "00",
        "00-" TRACE "-" PARENT,
        "00-" TRACE "-" PARENT "-",
        "00-" TRACE "-" PARENT "-0",
        "00-" TRACE "-" PARENT "-0g",
        "00-" TRACE "-" PARENT "-01-",
        "00-" TRACE "-" PARENT "-01 ",
        "00-" TRACE "-" PARENT "-01-more",
        "01-" TRACE "-" PARENT "-01.more",
        "ff-" TRACE "-" PARENT "-01",
        "0G-" TRACE "-" PARENT "-01",
        "00_" TRACE "-" PARENT "-01",
        "00-" TRACE "_" PARENT "-01",
        "00-" TRACE "-" PARENT "_01",
        "00-00000000000000000000000000000000-" PARENT "-01",
        "00-" TRACE "-0000000000000000-01",
        "00-4BF92F3577B34DA6A3CE929D0E0E4736-" PARENT "-01",
        "00-" TRACE "-00F067AA0BA902B7-01",
    };
    for (size_t i = 0; i < ROWS(rows); i++) {
        struct trace_context c = {.flags = 77};
        assert_row(i, !parse(rows[i], &c) && c.flags == 77);
    }
}

static void a_traceparent_comes_apart_and_goes_on(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        unsigned flags;
        const char *goes_on;
    } rows[] = {
        {"00-" TRACE "-" PARENT "-00", 0, "00-" TRACE "-00000000000000ab-00"},
        {"00-" TRACE "-" PARENT "-01", TRACE_SAMPLED, "00-" TRACE "-00000000000000ab-01"},
        {"00-" TRACE "-" PARENT "-03", TRACE_SAMPLED | TRACE_RANDOM,
         "00-" TRACE "-00000000000000ab-03"},
        {"00-" TRACE "-" PARENT "-ff", TRACE_SAMPLED | TRACE_RANDOM, /* what it knows of them */
         "00-" TRACE "-00000000000000ab-03"},
        {"cc-" TRACE "-" PARENT "-01", TRACE_SAMPLED, "00-" TRACE "-00000000000000ab-01"},
        {"cc-" TRACE "-" PARENT "-01-what-comes-later", TRACE_SAMPLED,
         "00-" TRACE "-00000000000000ab-01"},
    };
    for (size_t i = 0; i < ROWS(rows); i++) {
        struct trace_context c;
        char out[TRACEPARENT_LEN];
        assert_row(i, parse(rows[i].text, &c) && c.flags == rows[i].flags);
        assert_span(span_of(c.trace, TRACE_ID_LEN), TRACE);
        assert_span(span_of(c.parent, TRACE_SPAN_LEN), PARENT);
        traceparent_write(&c, 0xab, out);
        assert_span(span_of(out, sizeof out), rows[i].goes_on);
    }
}

static void tracestates_are_lists_of_members(void **state)
{
    (void)state;
    static char many[33 * 4 + 1], longest[TRACESTATE_MAX + 2];
    static const char *const bad[] = {"",     ",",     " , ",    "a",      "a=",    "=1", "A=1",
                                      "_a=1", "a=1=2", "a=\x7f", "a=\x1f", "a b=1", many, longest};
    static const char *const good[] = {"a=1",      "a=1,b=2",          " a=1 , b=2\t",
                                       "a=1,,b=2", "1a@b-c_d*e/f=x y", "a= 1"};
    for (unsigned i = 0; i < 33; i++)
        memcpy(many + i * 4, "a=1,", 4);
    memset(longest, 'x', sizeof longest - 1);
    memcpy(longest, "a=1,b=", 6);
    for (size_t i = 0; i < ROWS(bad); i++)
        assert_row(i, !tracestate_is_good(span_text(bad[i])));
    for (size_t i = 0; i < ROWS(good); i++)
        assert_row(i, tracestate_is_good(span_text(good[i])));
}

static void a_share_is_one_of_the_ids_and_the_same_everywhere(void **state)
{
    (void)state;
    static const struct {
        const char *trace;
        unsigned ppm;
        bool is_in;
    } rows[] = {
        {"4bf92f3577b34da6a300000000000000", 0, false},
        {"4bf92f3577b34da6a300000000000000", 1, true},
        {"4bf92f3577b34da6a3ffffffffffffff", 999999, false},
        {"4bf92f3577b34da6a3ffffffffffffff", 1000000, true},
        {"4bf92f3577b34da6a380000000000000", 500000, false},
        {"4bf92f3577b34da6a37fffffffffffff", 500000, true},
    };
    for (size_t i = 0; i < ROWS(rows); i++) {
        struct trace_context c;
        memcpy(c.trace, rows[i].trace, TRACE_ID_LEN);
        assert_row(i, trace_is_in_share(&c, rows[i].ppm) == rows[i].is_in);
    }
    struct rng r;
    unsigned in = 0;
    rng_seed(&r, 7);
    for (unsigned i = 0; i < 10000; i++) {
        struct trace_context c;
        trace_begin(&c, &r);
        in += trace_is_in_share(&c, 100000);
    }
    assert_in_range(in, 900, 1100);
}

static void every_digit_is_written(void **state)
{
    (void)state;
    char out[TRACE_SPAN_LEN];
    trace_span_write(0x0123456789abcdef, out);
    assert_span(span_of(out, sizeof out), "0123456789abcdef");
    trace_span_write(0xfedcba9876543210, out);
    assert_span(span_of(out, sizeof out), "fedcba9876543210");
}

static void a_new_trace_has_ids_that_are_traceparents(void **state)
{
    (void)state;
    struct rng r;
    struct trace_context c, again;
    char out[TRACEPARENT_LEN + 1] = "";
    rng_seed(&r, 1);
    trace_begin(&c, &r);
    traceparent_write(&c, trace_span_new(&r), out);
    assert_true(parse(out, &again));
    assert_int_equal(again.flags, TRACE_RANDOM);
    assert_memory_equal(again.trace, c.trace, TRACE_ID_LEN);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_malformed_is_no_traceparent),
        cmocka_unit_test(a_traceparent_comes_apart_and_goes_on),
        cmocka_unit_test(tracestates_are_lists_of_members),
        cmocka_unit_test(a_share_is_one_of_the_ids_and_the_same_everywhere),
        cmocka_unit_test(every_digit_is_written),
        cmocka_unit_test(a_new_trace_has_ids_that_are_traceparents),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
