#include "unit.h"

#include "sluice/base/rng.h"

static void a_number_is_digits_that_fit_and_nothing_else(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool ok;
        uint64_t value;
    } rows[] = {
        {"", false, 0},
        {"+1", false, 0},
        {"-1", false, 0},
        {" 1", false, 0},
        {"1 ", false, 0},
        {"0x10", false, 0},
        {"1.0", false, 0},
        {"18446744073709551616", false, 0},
        {"99999999999999999999", false, 0},
        {"0", true, 0},
        {"007", true, 7},
        {"18446744073709551615", true, UINT64_MAX},
    };
    for (unsigned i = 0; i < ROWS(rows); i++) {
        uint64_t value = 42;
        assert_row(i, span_to_u64(span_text(rows[i].text), &value) == rows[i].ok);
        assert_row(i, value == (rows[i].ok ? rows[i].value : 42));
    }
}

static void sub_never_leaves_the_span(void **state)
{
    (void)state;
    struct span s = SPAN_LIT("abc");
    assert_span(span_sub(s, 1, 1), "b");
    assert_span(span_sub(s, 1, 100), "bc");
    assert_span(span_sub(s, 100, 1), "");
    assert_span(span_sub(s, SIZE_MAX, SIZE_MAX), "");
    assert_span(span_skip(SPAN_NONE, 3), "");
}

static void trim_takes_blanks_off_both_ends_only(void **state)
{
    (void)state;
    assert_span(span_trim(SPAN_LIT(" \t a b\t ")), "a b");
    assert_span(span_trim(SPAN_LIT(" \t ")), "");
    assert_span(span_trim(SPAN_LIT("\na\n")), "\na\n");
    assert_span(span_trim(SPAN_NONE), "");
}

static void case_is_ignored_for_letters_only(void **state)
{
    (void)state;
    assert_true(span_ieq(SPAN_LIT("Content-Length"), SPAN_LIT("cONTENT-lENGTH")));
    assert_false(span_ieq(SPAN_LIT("a@"), SPAN_LIT("a`"))); /* they differ by the case bit */
    assert_false(span_ieq(SPAN_LIT("a"), SPAN_LIT("ab")));
}

static void find_knows_first_absent_and_empty(void **state)
{
    (void)state;
    assert_int_equal(span_find(SPAN_LIT("aXbXc"), SPAN_LIT("X")), 1);
    assert_true(span_find(SPAN_LIT("abc"), SPAN_LIT("abcd")) == SIZE_MAX);
    assert_true(span_find(SPAN_NONE, SPAN_LIT("a")) == SIZE_MAX);
    assert_int_equal(span_find(SPAN_NONE, SPAN_NONE), 0);
}

static size_t first_place(struct span s, struct span needle)
{
    for (size_t i = 0; i + needle.len <= s.len; i++) {
        if (memcmp(s.at + i, needle.at, needle.len) == 0)
            return i;
    }
    return SIZE_MAX;
}

/* Of two letters, so that nearly everything nearly fits. */
static void find_is_right_at_every_length_and_place(void **state)
{
    (void)state;
    struct rng rng;
    rng_seed(&rng, 7);
    for (unsigned round = 0; round < 40000; round++) {
        uint8_t text[300], needle[40];
        size_t len = rng_next(&rng) % sizeof text, n = 1 + rng_next(&rng) % sizeof needle;
        unsigned rare = 2 + (unsigned)(rng_next(&rng) % 12);
        for (size_t i = 0; i < sizeof text; i++)
            text[i] = rng_next(&rng) % rare == 0 ? 'b' : 'a';
        for (size_t i = 0; i < n; i++)
            needle[i] = rng_next(&rng) % rare == 0 ? 'b' : 'a';
        if (round % 2 == 0 && n <= len) /* it is there, for once */
            memcpy(text + rng_next(&rng) % (len - n + 1), needle, n);
        uint8_t *copy = exact_copy(span_of(text, len));
        struct span s = span_of(copy, len), what = span_of(needle, n);
        assert_row(round, span_find(s, what) == first_place(s, what));
        free(copy);
    }
}

static void cut_walks_through_a_list(void **state)
{
    (void)state;
    struct span rest = SPAN_LIT("a,,b");
    assert_span(span_cut(&rest, ','), "a");
    assert_span(span_cut(&rest, ','), "");
    assert_span(span_cut(&rest, ','), "b");
    assert_null(rest.at);
    rest = SPAN_LIT("a,"); /* an empty last element is there, and has a pointer */
    assert_span(span_cut(&rest, ','), "a");
    assert_non_null(rest.at);
    assert_span(span_cut(&rest, ','), "");
    assert_null(rest.at);
}

static void constant_time_equality_is_equality(void **state)
{
    (void)state;
    assert_true(span_eq_constant_time(SPAN_LIT("abc"), SPAN_LIT("abc")));
    assert_false(span_eq_constant_time(SPAN_LIT("abc"), SPAN_LIT("abd")));
    assert_false(span_eq_constant_time(SPAN_LIT("Xbc"), SPAN_LIT("abc")));
    assert_false(span_eq_constant_time(SPAN_LIT("abc"), SPAN_LIT("ab")));
    assert_true(span_eq_constant_time(SPAN_NONE, SPAN_NONE));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_number_is_digits_that_fit_and_nothing_else),
        cmocka_unit_test(sub_never_leaves_the_span),
        cmocka_unit_test(trim_takes_blanks_off_both_ends_only),
        cmocka_unit_test(case_is_ignored_for_letters_only),
        cmocka_unit_test(find_knows_first_absent_and_empty),
        cmocka_unit_test(find_is_right_at_every_length_and_place),
        cmocka_unit_test(cut_walks_through_a_list),
        cmocka_unit_test(constant_time_equality_is_equality),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
