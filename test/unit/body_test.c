#include "unit.h"

#include "sluice/http/body.h"

#include <errno.h>

static void what_is_kept_is_counted_until_it_goes(void **state)
{
    (void)state;
    struct body_budget budget = {.max_bytes = 100};
    struct body a, b;
    body_init(&a, &budget);
    body_init(&b, &budget);
    assert_int_equal(body_add(&a, SPAN_LIT("")), 0);
    assert_int_equal(budget.used_bytes, 0);
    assert_int_equal(body_add(&a, SPAN_LIT("hello")), 0);
    assert_int_equal(body_add(&a, SPAN_LIT(" you")), 0);
    assert_int_equal(budget.used_bytes, 9);
    assert_span(buf_span(&a.bytes), "hello you");
    assert_int_equal(body_reserve(&b, 90), 0);
    assert_int_equal(budget.used_bytes, 99);
    assert_int_equal(body_reserve(&b, 92), -EDQUOT);
    assert_int_equal(body_add(&a, SPAN_LIT("xy")), -EDQUOT);
    assert_int_equal(budget.used_bytes, 99);
    assert_int_equal(body_add(&a, SPAN_LIT("x")), 0);
    body_fini(&a);
    body_fini(&a);
    assert_int_equal(budget.used_bytes, 90);
    body_fini(&b);
    assert_int_equal(budget.used_bytes, 0);
}

static void what_was_reserved_is_not_counted_twice(void **state)
{
    (void)state;
    struct body_budget budget = {.max_bytes = 100};
    struct body b;
    body_init(&b, &budget);
    assert_int_equal(body_reserve(&b, 10), 0);
    assert_int_equal(body_add(&b, SPAN_LIT("0123")), 0);
    /* the rest is read from the socket to where it is kept */
    memcpy(b.bytes.at + b.bytes.tail, "456789", 6);
    assert_int_equal(body_add(&b, span_of(b.bytes.at + b.bytes.tail, 6)), 0);
    assert_span(buf_span(&b.bytes), "0123456789");
    assert_int_equal(budget.used_bytes, 10);
    body_fini(&b);
    assert_int_equal(budget.used_bytes, 0);
}

static void a_body_that_moves_takes_its_share_along(void **state)
{
    (void)state;
    struct body_budget budget = {.max_bytes = 100};
    struct body from, to;
    body_init(&from, &budget);
    body_init(&to, &budget);
    assert_int_equal(body_add(&from, SPAN_LIT("hello")), 0);
    body_move(&to, &from);
    body_fini(&from);
    assert_int_equal(budget.used_bytes, 5);
    assert_span(buf_span(&to.bytes), "hello");
    assert_int_equal(body_add(&from, SPAN_LIT("again")), 0);
    assert_int_equal(budget.used_bytes, 10);
    body_fini(&from);
    body_fini(&to);
    assert_int_equal(budget.used_bytes, 0);
}

/* A reload may set the limit below what is in use. */
static void a_limit_below_what_is_in_use_admits_nothing_more(void **state)
{
    (void)state;
    struct body_budget budget = {.max_bytes = 100};
    struct body b;
    body_init(&b, &budget);
    assert_int_equal(body_add(&b, SPAN_LIT("0123456789")), 0);
    budget.max_bytes = 5;
    assert_int_equal(body_add(&b, SPAN_LIT("x")), -EDQUOT);
    assert_int_equal(body_reserve(&b, 1), -EDQUOT);
    body_fini(&b);
    assert_int_equal(budget.used_bytes, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_kept_is_counted_until_it_goes),
        cmocka_unit_test(what_was_reserved_is_not_counted_twice),
        cmocka_unit_test(a_body_that_moves_takes_its_share_along),
        cmocka_unit_test(a_limit_below_what_is_in_use_admits_nothing_more),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
