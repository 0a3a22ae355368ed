/* Money and limits when Redis dies, hangs, forgets, or loses its callers: nothing that was settled is lost
 * or counted twice, and a fleet without Redis stays within the limits it has in common. */
#include "store_bed.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define MINUTE_MS UINT64_C(60000)
#define START (UINT64_C(29000000) * MINUTE_MS)
#define USD UINT64_C(1000000000000)
enum { BEAT_MS = 2000 };

static struct bed bed;
static struct store_options options;
static struct store *stores[3];

static int start(void **state)
{
    (void)state;
    bed_open(&bed);
    bed_redis_start(&bed, false, false);
    options = bed_redis_options(&bed, true);
    memset(stores, 0, sizeof(stores));
    return 0;
}

static int stop(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 3; i++)
        store_close(stores[i]);
    bed_close(&bed);
    return 0;
}

static bool is_away(void *arg)
{
    const char *detail = "";

    store_usable(arg, &detail);
    return strncmp(detail, "lost", 4) == 0;
}

/* Each knows of the others. */
static void open_stores(unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        stores[i] = bed_store_open(&bed, &options);
        bed_store_connected(&bed, stores[i]);
    }
    if (n > 1)
        bed_run_for(&bed, BEAT_MS + 200);
}

static void wait_until_away(unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        assert_true(bed_run_until(&bed, is_away, stores[i], 3000));
}

static void restart_empty(unsigned n)
{
    bed_redis_kill(&bed);
    wait_until_away(n);
    bed_redis_start_again(&bed);
    for (unsigned i = 0; i < n; i++)
        bed_store_connected(&bed, stores[i]);
}

static struct ledger_counts look(unsigned i, const char *scope)
{
    return bed_look(&bed, stores[i], scope, START);
}

static struct admit_query query(const char *scope, uint64_t cost_pd)
{
    struct admit_query q = bed_query(scope, 0, START);

    q.cost_pd = cost_pd;
    return q;
}

static void spend(unsigned i, const char *scope, uint64_t pd)
{
    const struct admit_query q = query(scope, 0);
    const struct admit_answer a = bed_ask(&bed, stores[i], &q);

    assert_true(a.allowed);
    bed_settle(stores[i], &a, START, 0, pd);
}

/* ── what was settled ────────────────────────────────────────────────────────────────────────── */

static void what_was_settled_while_redis_was_away_is_told_once(void **state)
{
    struct ledger_counts c;

    (void)state;
    open_stores(2);
    spend(0, "account", 10000 * USD);
    spend(1, "account", 5);
    bed_all_told(&bed);
    bed_redis_kill(&bed);
    wait_until_away(2);
    for (unsigned i = 0; i < 20; i++)
        spend(i % 2, "account", USD + i);
    c = look(0, "account"); /* what this one knows: its own, and what it saw of the other's */
    assert_true(c.spent_pd[PERIOD_DAY] >= 10010 * USD);
    bed_redis_start_again(&bed); /* empty */
    bed_store_connected(&bed, stores[0]);
    bed_store_connected(&bed, stores[1]);
    bed_all_told(&bed);
    for (unsigned i = 0; i < 2; i++) {
        c = look(i, "account");
        assert_true(c.spent_pd[PERIOD_TOTAL] == 10020 * USD + 5 + 190);
        assert_true(c.spent_pd[PERIOD_MONTH] == c.spent_pd[PERIOD_TOTAL]);
        assert_int_equal(c.live, 0);
    }
}

/* The first to be back tells what it spent meanwhile before the second says what it saw. */
static void who_comes_back_later_takes_nothing_from_who_was_there(void **state)
{
    (void)state;
    open_stores(2);
    spend(0, "account", 100 * USD);
    bed_all_told(&bed);
    spend(1, "account", 7);
    bed_all_told(&bed); /* only the second has seen these */
    bed_redis_kill(&bed);
    wait_until_away(2);
    spend(0, "account", 50 * USD);
    bed_redis_start_again(&bed);
    stores[2] = bed_store_open(&bed, &options); /* who knows nothing, and spends at once */
    bed_store_connected(&bed, stores[2]);
    spend(2, "account", 900);
    for (unsigned i = 0; i < 2; i++)
        bed_store_connected(&bed, stores[i]);
    bed_all_told(&bed);
    for (unsigned i = 0; i < 3; i++) {
        const struct ledger_counts c = look(i, "account");
        assert_true(c.spent_pd[PERIOD_TOTAL] == 150 * USD + 907);
        assert_true(c.spent_pd[PERIOD_DAY] == 150 * USD + 907);
    }
}

static void an_emptied_redis_gets_the_sums_of_who_saw_most(void **state)
{
    (void)state;
    open_stores(2);
    bed_credit(&bed, stores[0], "account", "a", (int64_t)(30000 * USD));
    for (unsigned i = 0; i < 4; i++) { /* one after the other: the last one has seen them all */
        spend(i % 2, "account", 9999 * USD / 4);
        bed_all_told(&bed);
    }
    restart_empty(2);
    bed_all_told(&bed);
    for (unsigned i = 0; i < 2; i++) {
        struct ledger_counts c = look(i, "account");
        assert_true(c.spent_pd[PERIOD_TOTAL] == 9999 * USD);
        assert_true(c.credited_pd == (int64_t)(30000 * USD));
        assert_int_equal(c.last_used_unix_ms, START);
    }
    restart_empty(2);
    restart_empty(2);
    assert_true(look(0, "account").spent_pd[PERIOD_TOTAL] == 9999 * USD);
}

/* 60 + 40 as one saw them, 50 + 55 as the other did: the largest sum is 105, the truth is 115. */
static void what_each_saw_of_the_other_is_put_together_again(void **state)
{
    (void)state;
    open_stores(2);
    spend(0, "account", 50);
    bed_all_told(&bed);
    spend(1, "account", 40);
    bed_all_told(&bed); /* the second has seen 50 + 40 */
    spend(0, "account", 10);
    bed_all_told(&bed); /* the first 60 + 40 */
    bed_redis_kill(&bed);
    wait_until_away(2);
    spend(1, "account", 15);
    for (unsigned i = 0; i < 3; i++) {
        bed_redis_start_again(&bed);
        bed_store_connected(&bed, stores[i % 2]); /* the other may be late */
        bed_redis_kill(&bed);
        wait_until_away(2);
    }
    bed_redis_start_again(&bed);
    bed_store_connected(&bed, stores[0]);
    bed_store_connected(&bed, stores[1]);
    bed_all_told(&bed);
    for (unsigned i = 0; i < 2; i++) {
        const struct ledger_counts c = look(i, "account");
        for (unsigned p = 0; p <= PERIOD_TOTAL; p++)
            assert_int_equal(c.spent_pd[p], 115);
    }
}

static void what_a_dead_process_spent_is_remembered_by_who_saw_it(void **state)
{
    (void)state;
    open_stores(2);
    spend(0, "account", 70);
    bed_all_told(&bed);
    spend(1, "account", 5);
    bed_all_told(&bed);
    store_close(stores[0]);
    stores[0] = NULL;
    bed_run_for(&bed, 20);
    for (unsigned i = 0; i < 3; i++) {
        bed_redis_kill(&bed);
        assert_true(bed_run_until(&bed, is_away, stores[1], 3000));
        bed_redis_start_again(&bed);
        bed_store_connected(&bed, stores[1]);
        bed_all_told(&bed);
        assert_int_equal(look(1, "account").spent_pd[PERIOD_TOTAL], 75);
    }
}

/* Whatever the replicas saw and in which order they come back, each of them counts once. */
static void credits_are_restored_once(void **state)
{
    const int64_t usd = (int64_t)USD;

    (void)state;
    open_stores(2);
    bed_credit(&bed, stores[0], "account", "a", 10000 * usd);
    bed_credit(&bed, stores[1], "account", "b", 7 * usd);
    spend(1, "account", 1);
    bed_all_told(&bed);
    bed_credit(&bed, stores[0], "account", "c", -2 * usd); /* only the first knows */
    restart_empty(2);
    bed_all_told(&bed);
    assert_int_equal(bed_credit(&bed, stores[0], "account", "a", 10000 * usd).outcome,
                     CREDIT_REPEATED);
    assert_int_equal(bed_credit(&bed, stores[1], "account", "c", -2 * usd).outcome,
                     CREDIT_REPEATED);
    bed_credit(&bed, stores[1], "account", "d", 30 * usd);
    restart_empty(2);
    restart_empty(2);
    bed_all_told(&bed);
    for (unsigned i = 0; i < 2; i++)
        assert_true(look(i, "account").credited_pd == 10035 * usd);
}

static void a_flushed_redis_gets_everything_back(void **state)
{
    char out[64];

    (void)state;
    open_stores(1);
    bed_credit(&bed, stores[0], "account", "a", 100);
    spend(0, "account", 5);
    bed_all_told(&bed);
    bed_redis_cli(&bed, "DEL test:sum:account", out, sizeof(out));
    spend(0, "account", 6);
    bed_all_told(&bed);
    assert_int_equal(look(0, "account").spent_pd[PERIOD_TOTAL], 11);
    assert_int_equal(look(0, "account").credited_pd, 100);
}

/* One part of the account that Redis has, as text; "" when it has not. */
static bool has_part(const char *name)
{
    char words[96], out[16];

    snprintf(words, sizeof(words), "HEXISTS test:sum:account %s", name);
    bed_redis_cli(&bed, words, out, sizeof(out));
    return strcmp(out, "1\n") == 0;
}

/* What a process left there that died long ago. */
static void leave_an_old_part(void)
{
    static const char part[] = "0 70 20100 0 70 2871 0 70 24299 0 70 0 100 0 0 5";
    char words[256], out[16];

    snprintf(words, sizeof(words), "HSET test:sum:account v '1 1' pold.0 '1 20100 %s' s '%s'", part,
             part);
    bed_redis_cli(&bed, words, out, sizeof(out));
}

/* As if everybody had been connected to this run of Redis for days. */
static void make_the_run_old(void)
{
    static const char script[] =
        "EVAL \"return redis.call('HSET', KEYS[1], 'run', "
        "string.match(redis.call('HGET', KEYS[1], 'run'), '^%d+') .. ' 5')\" 1 test:sum:account";
    char out[64];

    bed_redis_cli(&bed, script, out, sizeof(out));
}

/* One still remembers what the other has as part of the base; whichever of them comes first. */
static void fold_and_forget(unsigned first)
{
    leave_an_old_part();
    open_stores(2);
    spend(0, "account", 5);
    bed_all_told(&bed); /* it has seen the old one */
    assert_true(has_part("pold.0"));
    make_the_run_old();
    spend(1, "account", 8);
    bed_all_told(&bed);
    assert_false(has_part("pold.0"));
    assert_true(has_part("base"));
    for (unsigned round = 0; round < 3; round++) {
        assert_int_equal(look(1, "account").spent_pd[PERIOD_TOTAL], 83);
        assert_int_equal(look(1, "account").spent_pd[PERIOD_DAY], 13);
        assert_int_equal(look(1, "account").credited_pd, 100);
        bed_redis_kill(&bed);
        wait_until_away(2);
        bed_redis_start_again(&bed);
        bed_store_connected(&bed, stores[first]);
        bed_store_connected(&bed, stores[1 - first]);
        bed_all_told(&bed);
        assert_false(has_part("pold.0"));
    }
}

static void old_parts_become_one_and_nobody_adds_them_again(void **state)
{
    (void)state;
    fold_and_forget(0);
}

static void who_has_not_heard_of_it_adds_them_not_either(void **state)
{
    (void)state;
    fold_and_forget(1);
}

static void what_runs_is_known_to_an_emptied_redis(void **state)
{
    struct admit_query q = query("account", 7);
    struct admit_answer a[3];

    (void)state;
    open_stores(2);
    for (unsigned i = 0; i < 3; i++)
        a[i] = bed_ask(&bed, stores[i % 2], &q);
    restart_empty(2);
    bed_all_told(&bed);
    assert_int_equal(look(0, "account").live, 3);
    assert_int_equal(look(0, "account").reserved_pd, 21);
    q.scopes[0].concurrency = 3;
    assert_int_equal(bed_ask(&bed, stores[1], &q).refused_by, LIMIT_CONCURRENCY);
    for (unsigned i = 0; i < 3; i++)
        bed_settle(stores[i % 2], &a[i], START, 0, 0);
    bed_all_told(&bed);
    assert_int_equal(look(1, "account").live, 0);
    assert_int_equal(look(1, "account").reserved_pd, 0);
}

static void counts_of_the_minute_are_known_to_an_emptied_redis(void **state)
{
    const uint64_t now = clock_unix_ms();

    (void)state;
    open_stores(1);
    for (unsigned i = 0; i < 6; i++)
        bed_admit(&bed, stores[0], "key:a", 10, now);
    restart_empty(1);
    assert_int_equal(bed_admit(&bed, stores[0], "key:a", 10, now).remaining, 3);
}

enum { KEYS = 40 };

/* Each store spends something for each of the keys, and for the account. What it was. */
static uint64_t spend_everywhere(unsigned round)
{
    uint64_t sum = 0;

    for (unsigned i = 0; i < KEYS; i++) {
        struct settle_query q = {{.nscopes = 2}, START, 0, round * 1000 + i + 1};
        snprintf(q.hold.scopes[0], sizeof(q.hold.scopes[0]), "key:%u", i);
        snprintf(q.hold.scopes[1], sizeof(q.hold.scopes[1]), "account");
        for (unsigned s = 0; s < 2; s++)
            store_settle(stores[s], &q);
        sum += 2 * q.cost_pd;
        if (i % 10 == round % 10)
            bed_run_for(&bed, 1);
    }
    return sum;
}

static void assert_spent(uint64_t sum)
{
    uint64_t keys = 0;

    for (unsigned s = 0; s < 2; s++)
        bed_store_connected(&bed, stores[s]);
    bed_all_told(&bed);
    assert_true(look(0, "account").spent_pd[PERIOD_TOTAL] == sum);
    assert_true(look(1, "account").spent_pd[PERIOD_WEEK] == sum);
    for (unsigned i = 0; i < KEYS; i++) {
        char key[16];
        snprintf(key, sizeof(key), "key:%u", i);
        keys += look(1, key).spent_pd[PERIOD_TOTAL];
    }
    assert_true(keys == sum);
}

/* Connections break in the middle, again and again: what was told and not heard is told again. */
static void a_lost_answer_is_no_lost_money_and_no_double(void **state)
{
    char out[64];
    uint64_t sum = 0;

    (void)state;
    open_stores(2);
    for (unsigned round = 0; round < 25; round++) {
        sum += spend_everywhere(round);
        bed_redis_cli(&bed, "CLIENT KILL TYPE normal", out, sizeof(out));
        bed_run_for(&bed, round % 5);
    }
    assert_spent(sum);
}

static void a_redis_that_is_killed_and_forgets_loses_no_money(void **state)
{
    uint64_t sum = 0;

    (void)state;
    open_stores(2);
    for (unsigned round = 0; round < 20; round++) {
        sum += spend_everywhere(round);
        if (round % 3 == 0)
            bed_all_told(&bed);
        else
            bed_run_for(&bed, round % 5); /* in the middle of it */
        bed_redis_kill(&bed);
        sum += spend_everywhere(round);
        bed_redis_start_again(&bed);
        for (unsigned i = 0; i < 1 + round % 2; i++) /* one of them may not be back in time */
            bed_store_connected(&bed, stores[(round / 2 + i) % 2]);
    }
    assert_spent(sum);
}

static void closing_tells_what_waits(void **state)
{
    (void)state;
    open_stores(1);
    for (unsigned i = 0; i < 100; i++) {
        char key[16];
        snprintf(key, sizeof(key), "key:%u", i);
        spend(0, key, 3);
        spend(0, "account", 3);
    }
    store_close(stores[0]);
    bed_run_for(&bed, 200);
    open_stores(1);
    assert_int_equal(look(0, "account").spent_pd[PERIOD_TOTAL], 300);
    assert_int_equal(look(0, "key:99").spent_pd[PERIOD_TOTAL], 3);
}

/* ── shares ──────────────────────────────────────────────────────────────────────────────────── */

static unsigned admitted_by(unsigned n, const struct admit_query *q)
{
    unsigned allowed = 0, refused = 0;

    for (unsigned i = 0; refused < 20 * n; i++) {
        const struct admit_answer a = bed_ask(&bed, stores[i % n], q);
        assert_int_equal(a.quality, STORE_LOCAL);
        allowed += a.allowed;
        refused += !a.allowed;
    }
    return allowed;
}

/* Some are taken while Redis is there, the rest by three who cannot hear each other. */
static void a_fleet_without_redis_keeps_to_its_common_limits(void **state)
{
    struct admit_query requests = query("key:r", 0), tokens = query("key:t", 0),
                       places = query("key:c", 0), budget = query("key:b", USD);

    (void)state;
    requests.scopes[0].rpm = 20;
    tokens.scopes[0].tpm = 20 * 100;
    tokens.tokens = 100;
    places.scopes[0].concurrency = 20;
    budget.scopes[0].has_budget = true;
    budget.scopes[0].budget_pd = 20 * USD;
    budget.scopes[0].period = PERIOD_MONTH;
    open_stores(3);
    for (unsigned i = 0; i < 6; i++) {
        assert_true(bed_ask(&bed, stores[i % 3], &requests).allowed);
        assert_true(bed_ask(&bed, stores[i % 3], &tokens).allowed);
        assert_true(bed_ask(&bed, stores[i % 3], &places).allowed);
        assert_true(bed_ask(&bed, stores[i % 3], &budget).allowed);
    }
    for (unsigned i = 0; i < 3; i++) { /* all have seen all of it */
        struct admit_query seen[4] = {requests, tokens, places, budget};
        for (unsigned n = 0; n < 4; n++) {
            seen[n].scopes[0].rpm = 1;
            assert_int_equal(bed_ask(&bed, stores[i], &seen[n]).refused_by, LIMIT_REQUESTS);
        }
    }
    bed_redis_kill(&bed);
    wait_until_away(3);
    assert_int_equal(admitted_by(3, &requests), 14); /* what does not divide evenly is somebody's */
    assert_in_range(admitted_by(3, &tokens), 12, 14);
    assert_int_equal(admitted_by(3, &places), 14);
    assert_in_range(admitted_by(3, &budget), 12, 14);
}

static void a_limit_of_one_is_one_without_redis(void **state)
{
    struct admit_query q = bed_query("key:one", 1, START);

    (void)state;
    open_stores(3);
    bed_redis_kill(&bed);
    wait_until_away(3);
    assert_int_equal(admitted_by(3, &q), 1);
}

/* Told with whoever comes next, however long the next telling takes. */
static void a_place_is_free_for_the_next_of_the_same_process(void **state)
{
    enum { PLACES = 20 };
    struct admit_query q = query("key:c", 3);
    struct admit_answer a[PLACES];

    (void)state;
    q.scopes[0].concurrency = PLACES;
    open_stores(1);
    for (unsigned i = 0; i < PLACES; i++)
        a[i] = bed_ask(&bed, stores[0], &q);
    for (unsigned round = 0; round < 20; round++) {
        for (unsigned i = 0; i < PLACES; i++) {
            assert_true(a[i].allowed);
            bed_settle(stores[0], &a[i], START, 0, 1);
            a[i] = bed_ask(&bed, stores[0], &q);
        }
        assert_int_equal(bed_ask(&bed, stores[0], &q).refused_by, LIMIT_CONCURRENCY);
    }
    bed_all_told(&bed);
    assert_int_equal(look(0, "key:c").live, PLACES);
    assert_int_equal(look(0, "key:c").spent_pd[PERIOD_TOTAL], 20 * PLACES);
    for (unsigned i = 0; i < PLACES; i++)
        bed_settle(stores[0], &a[i], START, 0, 1);
    bed_all_told(&bed);
    assert_int_equal(look(0, "key:c").live, 0);
    assert_int_equal(look(0, "key:c").reserved_pd, 0);
}

/* Between the place being free and the cost being told nobody has money twice. */
static void what_was_reserved_stays_so_until_what_was_spent_is_told(void **state)
{
    struct admit_query q = query("key:b", 10);

    (void)state;
    q.scopes[0].has_budget = true;
    q.scopes[0].budget_pd = 100;
    q.scopes[0].period = PERIOD_MONTH;
    open_stores(1);
    for (unsigned i = 0; i < 10; i++) {
        const struct admit_answer a = bed_ask(&bed, stores[0], &q);
        assert_true(a.allowed);
        bed_settle(stores[0], &a, START, 0, 10);
    }
    assert_int_equal(bed_ask(&bed, stores[0], &q).refused_by, LIMIT_BUDGET);
    bed_all_told(&bed);
    assert_int_equal(bed_ask(&bed, stores[0], &q).refused_by, LIMIT_BUDGET);
    assert_int_equal(look(0, "key:b").reserved_pd, 0);
}

static void what_ends_without_redis_makes_room(void **state)
{
    struct admit_query q = query("key:c", 0);
    struct admit_answer a;

    (void)state;
    q.scopes[0].concurrency = 1;
    open_stores(1);
    a = bed_ask(&bed, stores[0], &q);
    bed_redis_kill(&bed);
    wait_until_away(1);
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(bed_ask(&bed, stores[0], &q).refused_by, LIMIT_CONCURRENCY);
        bed_settle(stores[0], &a, START, 0, 0);
        a = bed_ask(&bed, stores[0], &q);
        assert_true(a.allowed);
    }
}

static void without_redis_nobody_is_credited(void **state)
{
    (void)state;
    open_stores(1);
    bed_redis_kill(&bed);
    wait_until_away(1);
    assert_int_equal(bed_credit(&bed, stores[0], "account", "a", 5).outcome, CREDIT_LOST);
    bed_redis_start_again(&bed);
    bed_store_connected(&bed, stores[0]);
    assert_int_equal(bed_credit(&bed, stores[0], "account", "a", 5).balance_pd, 5);
}

/* ── calls that are left ─────────────────────────────────────────────────────────────────────── */

static void on_never(void *arg, const struct admit_answer *a)
{
    (void)arg;
    (void)a;
    fail_msg("a cancelled call was answered");
}

static void what_is_admitted_after_the_cancel_is_given_back(void **state)
{
    struct admit_query q = query("key:x", 50);
    struct admit_answer out;
    struct admit_call *call;
    struct ledger_counts c;

    (void)state;
    q.tokens = 70;
    open_stores(1);
    for (unsigned i = 0; i < 20; i++) {
        assert_int_equal(store_admit(stores[0], &q, &out, on_never, NULL, &call), STORE_PENDING);
        store_cancel(call);
    }
    bed_run_for(&bed, 50);
    bed_all_told(&bed);
    c = look(0, "key:x");
    assert_int_equal(c.requests, 20);
    assert_int_equal(c.live + c.tokens + c.reserved_pd, 0);
}

static void a_request_decided_here_because_redis_was_late_counts_once(void **state)
{
    struct admit_query q = query("key:late", 50);
    struct admit_answer a;
    struct ledger_counts c;

    (void)state;
    q.tokens = 70;
    options.timeout_ms = 50;
    open_stores(1);
    bed_redis_signal(&bed, SIGSTOP);
    a = bed_ask(&bed, stores[0], &q);
    bed_redis_signal(&bed, SIGCONT);
    assert_true(a.allowed);
    assert_int_equal(a.quality, STORE_LOCAL);
    bed_run_for(&bed, 50);
    bed_store_connected(&bed, stores[0]);
    bed_all_told(&bed);
    c = look(0, "key:late");
    assert_int_equal(c.requests, 1);
    assert_int_equal(c.live, 1);
    assert_int_equal(c.tokens, 70);
    assert_int_equal(c.reserved_pd, 50);
    bed_settle(stores[0], &a, START, 70, 50);
    bed_all_told(&bed);
    assert_int_equal(look(0, "key:late").live, 0);
}

/* ── processes that died ─────────────────────────────────────────────────────────────────────── */

static void what_a_dead_process_held_is_free_again(void **state)
{
    struct admit_query q = query("key:c", USD);
    char out[64];

    (void)state;
    q.scopes[0].concurrency = 2;
    open_stores(2);
    assert_true(bed_ask(&bed, stores[1], &q).allowed);
    assert_true(bed_ask(&bed, stores[1], &q).allowed);
    assert_int_equal(bed_ask(&bed, stores[0], &q).refused_by, LIMIT_CONCURRENCY);
    store_close(stores[1]); /* with two requests running */
    stores[1] = NULL;
    bed_run_for(&bed, 20);
    assert_int_equal(bed_ask(&bed, stores[0], &q).refused_by, LIMIT_CONCURRENCY);
    bed_redis_cli(&bed, "DEL test:alive", out, sizeof(out)); /* as after 15 s of silence */
    assert_true(bed_ask(&bed, stores[0], &q).allowed);
    assert_int_equal(look(0, "key:c").live, 1);
    assert_true(look(0, "key:c").reserved_pd == USD);
    /* The one that lives hears that it was taken for dead, comes back, and holds what it held. */
    assert_true(bed_run_until(&bed, is_away, stores[0], BEAT_MS + 1000));
    bed_store_connected(&bed, stores[0]);
    bed_all_told(&bed);
    assert_int_equal(look(0, "key:c").live, 1);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, start, stop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(what_was_settled_while_redis_was_away_is_told_once),
        CASE(who_comes_back_later_takes_nothing_from_who_was_there),
        CASE(an_emptied_redis_gets_the_sums_of_who_saw_most),
        CASE(what_each_saw_of_the_other_is_put_together_again),
        CASE(what_a_dead_process_spent_is_remembered_by_who_saw_it),
        CASE(credits_are_restored_once),
        CASE(a_flushed_redis_gets_everything_back),
        CASE(old_parts_become_one_and_nobody_adds_them_again),
        CASE(who_has_not_heard_of_it_adds_them_not_either),
        CASE(what_runs_is_known_to_an_emptied_redis),
        CASE(counts_of_the_minute_are_known_to_an_emptied_redis),
        CASE(a_lost_answer_is_no_lost_money_and_no_double),
        CASE(a_redis_that_is_killed_and_forgets_loses_no_money),
        CASE(closing_tells_what_waits),
        CASE(a_fleet_without_redis_keeps_to_its_common_limits),
        CASE(a_limit_of_one_is_one_without_redis),
        CASE(a_place_is_free_for_the_next_of_the_same_process),
        CASE(what_was_reserved_stays_so_until_what_was_spent_is_told),
        CASE(what_ends_without_redis_makes_room),
        CASE(without_redis_nobody_is_credited),
        CASE(what_is_admitted_after_the_cancel_is_given_back),
        CASE(a_request_decided_here_because_redis_was_late_counts_once),
        CASE(what_a_dead_process_held_is_free_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
