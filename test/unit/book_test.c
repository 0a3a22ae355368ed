/* The arithmetic of limits and money: whatever happens in whatever order, no limit is passed, nothing is
 * lost, and shares of a limit never add up to more than it. */
#include "unit.h"

#include "sluice/base/rng.h"

#include "../../src/store/book.h"

#define START UINT64_C(1740000000000)
#define USD UINT64_C(1000000000000)
#define HUGE_PD (UINT64_MAX - 5)

static struct rng dice;

static uint64_t roll(uint64_t below)
{
    return rng_below(&dice, below);
}

/* ── sums ────────────────────────────────────────────────────────────────────────────────────── */

static void sums_stop_at_their_largest_value(void **state)
{
    struct sums s = {0};

    (void)state;
    sums_spend(&s, HUGE_PD, START);
    sums_spend(&s, HUGE_PD, START);
    assert_true(s.spent_pd == UINT64_MAX);
    assert_true(sums_spent(&s, PERIOD_DAY, START) == UINT64_MAX);
    assert_true(sums_balance_pd(&s) == -INT64_MAX);
    sums_credit(&s, INT64_MIN);
    assert_true(s.withdrawn_pd == UINT64_C(1) << 63);
    assert_true(sums_balance_pd(&s) == -INT64_MAX);
}

static void a_clock_behind_opens_no_old_period(void **state)
{
    const uint64_t yesterday = START - UINT64_C(86400000);
    struct sums s = {0};

    (void)state;
    sums_spend(&s, 5, START);
    sums_spend(&s, 7, yesterday);
    assert_true(sums_spent(&s, PERIOD_DAY, START) == 12);
    assert_true(sums_spent(&s, PERIOD_DAY, yesterday) == 12);
    assert_true(sums_spent(&s, PERIOD_DAY, START + UINT64_C(86400000)) == 0);
    assert_true(sums_spent(&s, PERIOD_TOTAL, START) == 12);
}

/* Whoever merges whom, and however often: the result is one. */
static void the_larger_of_two_histories_is_the_same_in_any_order(void **state)
{
    (void)state;
    for (unsigned round = 0; round < 2000; round++) {
        struct sums a = {0}, b = {0}, ab, ba;

        for (unsigned i = 0; i < 10; i++)
            sums_spend(roll(2) ? &a : &b, roll(USD), START + roll(UINT64_C(40) * 86400000));
        ab = a;
        sums_keep_larger(&ab, &b);
        ba = b;
        sums_keep_larger(&ba, &a);
        assert_memory_equal(&ab, &ba, sizeof(ab));
        sums_keep_larger(&ab, &a);
        assert_memory_equal(&ab, &ba, sizeof(ab));
    }
}

/* ── requests ────────────────────────────────────────────────────────────────────────────────── */

static struct admit_query random_query(uint64_t now)
{
    struct admit_query q = {.nscopes = 1,
                            .now_unix_ms = now,
                            .tokens = roll(50),
                            .cost_pd = roll(USD),
                            .is_task = roll(2) == 0};

    q.scopes[0] = (struct ledger_scope){.rpm = 30,
                                        .tpm = 600,
                                        .concurrency = 8,
                                        .tasks = 3,
                                        .has_budget = true,
                                        .budget_pd = 20 * USD,
                                        .period = PERIOD_TOTAL};
    return q;
}

enum { RUNNING_MAX = 8 };

/* Admits and settles at random, with less, as much and more than was reserved. */
static void no_limit_is_passed_and_nothing_is_lost(void **state)
{
    (void)state;
    for (unsigned round = 0; round < 300; round++) {
        struct book b = {0};
        struct ledger_hold running[RUNNING_MAX];
        unsigned n = 0;
        uint64_t now = START + roll(60000), spent = 0;

        for (unsigned step = 0; step < 400; step++) {
            struct admit_query q = random_query(now += roll(3000));
            book_move(&b, now);
            if (roll(2) && book_refuses(&b, &q.scopes[0], &q) == LIMIT_NONE) {
                running[n] = hold_of(&q);
                book_admit(&b, &running[n++]);
                assert_true(window_used(&b.requests, now) <= 30);
                assert_true(window_used(&b.tokens, now) <= 600);
            } else if (n > 0) {
                struct settle_query s = {running[--n], now, roll(running[n].tokens + 1), 0};
                s.cost_pd = roll(running[n].cost_pd + 1);
                spent += s.cost_pd;
                book_settle(&b, &s);
                window_at_least_nothing(&b.tokens);
            }
            assert_int_equal(b.held.live, n);
            assert_in_range(b.held.tasks, 0, 3);
            assert_true(b.sums.spent_pd == spent);
            assert_true(spent + (uint64_t)b.held.reserved_pd <= 20 * USD);
        }
        while (n > 0)
            book_settle(&b, &(struct settle_query){running[--n], now, 0, 0});
        assert_true(held_is_nothing(&b.held));
    }
}

static void tokens_given_back_leave_their_own_minute(void **state)
{
    static const struct row {
        uint64_t later_ms; /* when it is settled */
        uint64_t really;   /* of 100 that were reserved at the first millisecond of a minute */
        int64_t now, before;
    } rows[] = {
        {0, 0, 0, 0},         {59999, 40, 40, 0},     {60000, 0, 0, 0},
        {60000, 40, 0, 40},   {119999, 150, 50, 100}, {120000, 0, 0, 0},
        {120000, 150, 50, 0}, {3600000, 150, 50, 0}, /* more than was reserved counts when it is known */
    };

    (void)state;
    for (size_t i = 0; i < ROWS(rows); i++) {
        const uint64_t start = START - START % WINDOW_MS;
        const struct admit_query q = {.nscopes = 1, .now_unix_ms = start, .tokens = 100};
        struct settle_query s = {hold_of(&q), start + rows[i].later_ms, rows[i].really, 0};
        struct book b = {0};

        book_move(&b, start);
        book_admit(&b, &s.hold);
        book_move(&b, s.now_unix_ms);
        book_settle(&b, &s);
        assert_row(i, b.tokens.now == rows[i].now);
        assert_row(i, b.tokens.before == rows[i].before);
    }
}

/* ── shares ──────────────────────────────────────────────────────────────────────────────────── */

/* Several that start from the same counts and never hear of each other again. */
static void shares_never_add_up_to_more_than_the_limit(void **state)
{
    (void)state;
    for (unsigned round = 0; round < 400; round++) {
        struct book common = {0}, mine[6] = {0};
        struct ledger_scope s = {.rpm = 1 + (unsigned)roll(40),
                                 .tpm = 1 + roll(2000),
                                 .concurrency = 1 + (unsigned)roll(40),
                                 .has_budget = true,
                                 .budget_pd = 1 + roll(20 * USD),
                                 .period = PERIOD_DAY};
        struct peers p = {.n = 1 + (unsigned)roll(6)};
        uint64_t tokens = 0, money;
        unsigned live = 0;

        book_move(&common, START);
        window_count(&common.requests, (int64_t)roll(s.rpm + 1));
        window_count(&common.tokens, (int64_t)roll(s.tpm + 1));
        common.held.live = (int64_t)roll(s.concurrency + 1);
        sums_spend(&common.sums, roll(s.budget_pd + 1), START);
        live = (unsigned)common.held.live;
        tokens = window_used(&common.tokens, START);
        money = common.sums.spent_pd;
        for (unsigned i = 0; i < 400; i++) {
            struct admit_query q = {
                .nscopes = 1, .now_unix_ms = START, .tokens = roll(60), .cost_pd = roll(USD)};
            struct admit_query all;
            struct book share;

            p.rank = (unsigned)roll(p.n);
            book_move(&mine[p.rank], START);
            share = book_of_share(&common, &mine[p.rank], &p, START);
            all = query_of_share(&q, &p);
            if (book_refuses(&share, &s, &all) != LIMIT_NONE)
                continue;
            const struct ledger_hold h = hold_of(&q);
            book_admit(&mine[p.rank], &h);
            live++;
            tokens += q.tokens;
            money += q.cost_pd;
        }
        uint64_t requests = window_used(&common.requests, START) +
                            (live - (unsigned)common.held.live);
        assert_true(requests <= s.rpm);
        assert_true(tokens <= s.tpm);
        assert_true(live <= s.concurrency);
        assert_true(money <= s.budget_pd);
    }
}

static void a_share_is_used_up_to_the_last_place(void **state)
{
    (void)state;
    for (unsigned n = 1; n <= 7; n++) {
        for (unsigned limit = 1; limit < 30; limit++) {
            const struct ledger_scope s = {.rpm = limit};
            const struct admit_query q = {.nscopes = 1, .now_unix_ms = START};
            unsigned allowed = 0;

            for (unsigned rank = 0; rank < n; rank++) {
                const struct peers p = {n, rank};
                struct book common = {0}, mine = {0};
                book_move(&mine, START);
                for (;;) {
                    const struct book share = book_of_share(&common, &mine, &p, START);
                    const struct ledger_hold h = hold_of(&q);
                    if (book_refuses(&share, &s, &q) != LIMIT_NONE)
                        break;
                    book_admit(&mine, &h);
                    allowed++;
                }
            }
            assert_int_equal(allowed, limit);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sums_stop_at_their_largest_value),
        cmocka_unit_test(a_clock_behind_opens_no_old_period),
        cmocka_unit_test(the_larger_of_two_histories_is_the_same_in_any_order),
        cmocka_unit_test(no_limit_is_passed_and_nothing_is_lost),
        cmocka_unit_test(tokens_given_back_leave_their_own_minute),
        cmocka_unit_test(shares_never_add_up_to_more_than_the_limit),
        cmocka_unit_test(a_share_is_used_up_to_the_last_place),
    };
    rng_seed(&dice, 20250219);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
