/* So many of one thing for so many of another. */
#include "unit.h"

#include "sluice/base/allowance.h"

static unsigned take_all(struct allowance *a, const struct allowance_terms *t, uint64_t now_ms)
{
    unsigned n = 0;
    while (n < 10000 && allowance_take(a, t, now_ms))
        n++;
    return n;
}

static void nothing_is_given_before_it_was_earned(void **state)
{
    (void)state;
    struct allowance a = {0};
    const struct allowance_terms t = {.each_earns_ppm = 200000, .most = 100};
    assert_false(allowance_take(&a, &t, 5));
    for (unsigned i = 0; i < 4; i++)
        allowance_earn(&a, &t);
    assert_false(allowance_take(&a, &t, 6));
    allowance_earn(&a, &t);
    assert_true(allowance_take(&a, &t, 7));
    assert_false(allowance_take(&a, &t, 1000000));
}

static void share_is_kept_in_the_long_run(void **state)
{
    (void)state;
    struct allowance a = {0};
    const struct allowance_terms t = {.each_earns_ppm = 50000, .most = 10};
    unsigned taken = 0;
    for (unsigned i = 0; i < 1000; i++) {
        allowance_earn(&a, &t);
        taken += allowance_take(&a, &t, i);
    }
    assert_int_equal(taken, 50);
}

static void time_earns_too(void **state)
{
    (void)state;
    struct allowance a = {0};
    const struct allowance_terms t = {.per_second = 10, .most = 100};
    assert_int_equal(take_all(&a, &t, 3600000), 100); /* all the time before */
    assert_int_equal(take_all(&a, &t, 3600050), 0);
    assert_int_equal(take_all(&a, &t, 3600100), 1);
    assert_int_equal(take_all(&a, &t, 3601100), 10);
    assert_int_equal(take_all(&a, &t, 3601000), 0); /* a clock that went back */
}

static void no_more_is_kept_than_may_be(void **state)
{
    (void)state;
    struct allowance a = {0};
    const struct allowance_terms t = {
        .each_earns_ppm = 1000000, .per_second = UINT32_MAX, .most = 7};
    for (unsigned i = 0; i < 1000; i++)
        allowance_earn(&a, &t);
    assert_int_equal(take_all(&a, &t, 0), 7);
    assert_true(allowance_take(&a, &t, UINT64_MAX / 2));
    const struct allowance_terms none = {.each_earns_ppm = 1000000, .per_second = 10, .most = 0};
    allowance_earn(&a, &none);
    assert_false(allowance_take(&a, &none, UINT64_MAX));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_given_before_it_was_earned),
        cmocka_unit_test(share_is_kept_in_the_long_run),
        cmocka_unit_test(time_earns_too),
        cmocka_unit_test(no_more_is_kept_than_may_be),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
