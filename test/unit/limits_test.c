/* What a key and the account may, under a plan and without. */
#include "unit.h"

#include "sluice/admit/limits.h"

static void a_key_has_its_own_rpm_or_its_plans_and_never_more_than_the_ceiling(void **state)
{
    (void)state;
    static const struct plan_options pro = {.name = "pro", .rpm = 500, .rpm_ceiling = 1000},
                                     open = {.name = "open"}, no_usual = {.rpm_ceiling = 1000},
                                     no_ceiling = {.rpm = 500};
    static const struct {
        unsigned own;
        const struct plan_options *plan;
        unsigned rpm;
    } rows[] = {
        {0, NULL, 0},
        {7, NULL, 7},
        {0, &pro, 500},
        {7, &pro, 7},
        {1000, &pro, 1000},
        {1001, &pro, 1000},
        {0, &open, 0},
        {7, &open, 7},
        {0, &no_usual, 1000},
        {0, &no_ceiling, 500},
        {9999, &no_ceiling, 9999},
    };
    for (unsigned i = 0; i < ROWS(rows); i++) {
        struct key_options key = {.limits = {.rpm = rows[i].own, .tpm = 5, .concurrency = 3}};
        struct limit_options limits = key_limits_effective(&key, rows[i].plan);
        assert_row(i, limits.rpm == rows[i].rpm);
        assert_row(i, limits.tpm == 5 && limits.concurrency == 3 && limits.tasks == 0);
    }
    assert_string_equal(limits_tier(NULL), "config");
    assert_string_equal(limits_tier(&pro), "pro");
}

static void a_plans_tasks_are_the_accounts(void **state)
{
    (void)state;
    static const struct plan_options pro = {.name = "pro", .rpm = 500, .tasks = 10};
    static const struct {
        unsigned own;
        const struct plan_options *plan;
        unsigned tasks;
    } rows[] = {{0, NULL, 0}, {4, NULL, 4}, {0, &pro, 10}, {4, &pro, 4}, {40, &pro, 10}};
    for (unsigned i = 0; i < ROWS(rows); i++) {
        struct account_options a = {.limits = {.tasks = rows[i].own, .rpm = 3}};
        struct ledger_scope s = limits_of_account(&a, rows[i].plan);
        assert_row(i, s.tasks == rows[i].tasks);
        assert_row(i, s.rpm == 3); /* a plan's is of each key */
    }
}

static void scopes_have_names_that_say_whose_they_are(void **state)
{
    (void)state;
    struct key_options one = {.name = "same", .id = "one"}, two = {.name = "same", .id = "two"};
    struct account_options a = {.name = "key:x", .is_prepaid = true};
    struct ledger_scope s = limits_of_key(&one, NULL), t = limits_of_key(&two, NULL),
                        account = limits_of_account(&a, NULL);
    assert_string_equal(s.name, "key:one");
    assert_string_not_equal(s.name, t.name);
    assert_string_equal(account.name, "account");
    assert_true(account.is_prepaid);
    assert_false(s.is_prepaid);
}

static void what_binds_is_told_from_what_only_counts(void **state)
{
    (void)state;
    static const struct {
        struct account_options account;
        bool binds, binds_money;
    } rows[] = {
        {{.name = "x"}, false, false},
        {{.discount_ppm = 900000, .reserve_output = 5}, false, false},
        {{.budget = {.usd_pd = 5, .period = PERIOD_DAY}}, false, false}, /* none was given */
        {{.budget = {.usd_pd = 0, .known = BUDGET_USD}}, true, true},
        {{.is_prepaid = true}, true, true},
        {{.limits = {.rpm = 1}}, true, false},
        {{.limits = {.tpm = 1}}, true, false},
        {{.limits = {.concurrency = 1}}, true, false},
        {{.limits = {.tasks = 1}}, true, false},
    };
    for (unsigned i = 0; i < ROWS(rows); i++) {
        struct ledger_scope s = limits_of_account(&rows[i].account, NULL);
        assert_row(i, limits_bind(&s) == rows[i].binds);
        assert_row(i, limits_bind_money(&s) == rows[i].binds_money);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_key_has_its_own_rpm_or_its_plans_and_never_more_than_the_ceiling),
        cmocka_unit_test(a_plans_tasks_are_the_accounts),
        cmocka_unit_test(scopes_have_names_that_say_whose_they_are),
        cmocka_unit_test(what_binds_is_told_from_what_only_counts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
