#include "config_bed.h"

#include "sluice/config/plans.h"

/* min(key.rate_limit ?? plan.default, plan.ceiling): contract 0.3 */
static void a_key_has_its_limit_or_the_plans_and_never_more_than_the_ceiling(void **state)
{
    (void)state;
    static const struct {
        unsigned usual, ceiling, own, effective;
    } rows[] = {
        {500, 1000, 0, 500}, {500, 1000, 1, 1}, {500, 1000, 1000, 1000}, {500, 1000, 1001, 1000},
        {0, 1000, 0, 1000},  {0, 1000, 7, 7},   {500, 0, 0, 500},        {500, 0, 9999, 9999},
        {0, 0, 0, 0},        {0, 0, 5, 5},
    };
    for (unsigned i = 0; i < ROWS(rows); i++) {
        const struct plan_options plan = {.rpm = rows[i].usual, .rpm_ceiling = rows[i].ceiling};
        assert_row(i, plan_rpm(&plan, rows[i].own) == rows[i].effective);
        assert_row(i, plan_rpm(NULL, rows[i].own) == rows[i].own);
    }
}

static void the_four_plans_of_the_contract_are_there(void **state)
{
    (void)state;
    static const struct plan_options rows[] = {
        {"starter", false, 0, 0, 0},
        {"pro", true, 500, 1000, 10},
        {"team", true, 5000, 10000, 50},
        {"enterprise", true, 50000, 100000, 200},
    };
    struct loaded l = good("demo: true\n");
    for (unsigned i = 0; i < ROWS(rows); i++) {
        const struct plan_options *p = plan_named(l.snap, rows[i].name);
        assert_row(i, p != NULL && p->has_access == rows[i].has_access && p->rpm == rows[i].rpm &&
                          p->rpm_ceiling == rows[i].rpm_ceiling && p->tasks == rows[i].tasks);
    }
    assert_null(plan_named(l.snap, "gold"));
    assert_null(plan_of_key(l.snap, NULL)); /* nobody has a plan unless the file says so */
    loaded_fini(&l);
}

static void a_plan_of_the_file_changes_what_it_says(void **state)
{
    (void)state;
    struct loaded l = good("account: { plan: pro }\n"
                           "plans:\n"
                           "  pro: { ceiling: 2000 }\n"
                           "  gold: { rpm: 9 }\n"
                           "keys:\n"
                           "  - { name: a, secret: one }\n"
                           "  - { name: b, secret: two, plan: gold }\n"
                           "  - { name: c, secret: three, plan: starter }\n");
    const struct plan_options *p = plan_of_key(l.snap, &l.snap->keys[0]);
    assert_string_equal(p->name, "pro");
    assert_int_equal(p->rpm, 500);
    assert_int_equal(p->rpm_ceiling, 2000);
    p = plan_of_key(l.snap, &l.snap->keys[1]);
    assert_int_equal(p->rpm, 9);
    assert_int_equal(p->rpm_ceiling, 0);
    assert_true(p->has_access);
    assert_false(plan_of_key(l.snap, &l.snap->keys[2])->has_access);
    assert_int_equal(strlen(l.snap->keys[0].id), 32);
    assert_string_not_equal(l.snap->keys[0].id, l.snap->keys[1].id);
    assert_string_equal(l.snap->key_prefix, "sl_live_");
    loaded_fini(&l);
}

static void bad_plans_are_refused(void **state)
{
    (void)state;
    static const struct bad_row rows[] = {
        {"account: { plan: gold }",
         ":1:18: error: account.plan: no plan named \"gold\" (starter, pro, team, enterprise, or "
         "add it under plans)"},
        {"keys: [{ name: a, secret: x, plan: gold }]",
         ":1:36: error: keys[0].plan: no plan named \"gold\" (starter, pro, team, enterprise, or "
         "add it under plans)"},
        {"plans: { Gold: {} }",
         ":1:16: error: plans.Gold: not a name for a plan: lowercase letters, digits, - and _"},
        {"plans: { gold: { rpm: 2, ceiling: 1 } }",
         ":1:23: error: plans.gold.rpm: more than the plan's ceiling"},
        {"plans: { gold: { rpm: 0 } }",
         ":1:23: error: plans.gold.rpm: 0 is out of bounds (1 to 4294967295)"},
        {"key_prefix: a",
         ":1:13: error: key_prefix: not a beginning for keys (2 to 24 letters, digits, - and _)"},
        {"key_prefix: \"a b\"",
         ":1:13: error: key_prefix: not a beginning for keys (2 to 24 letters, digits, - and _)"},
    };
    check_bad(rows, ROWS(rows));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_key_has_its_limit_or_the_plans_and_never_more_than_the_ceiling),
        cmocka_unit_test(the_four_plans_of_the_contract_are_there),
        cmocka_unit_test(a_plan_of_the_file_changes_what_it_says),
        cmocka_unit_test(bad_plans_are_refused),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
