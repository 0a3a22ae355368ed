/* Limits and money, the same by every store. Redis makes its decisions in Lua, the others in book.c: the
 * rows here hold both to it. */
#include "store_bed.h"

#include <stdio.h>
#include <stdlib.h>

#define MINUTE_MS UINT64_C(60000)
#define DAY_MS UINT64_C(86400000)
#define START (UINT64_C(29000000) * MINUTE_MS) /* Wednesday, 19 February 2025, 21:20 */
#define USD UINT64_C(1000000000000)

static struct backend {
    const char *name;
    enum store_kind kind;
} backends[] = {{"memory", STORE_MEMORY}, {"sqlite", STORE_SQLITE}, {"redis", STORE_REDIS}};

static const struct backend *backend;
static struct bed bed;
static struct store *store;
static struct store_options options;
static char sqlite_path[128];

static int start(void **state)
{
    backend = *state;
    bed_open(&bed);
    if (backend->kind == STORE_REDIS) {
        bed_redis_start(&bed, false, false);
        options = bed_redis_options(&bed, true);
    } else {
        snprintf(sqlite_path, sizeof(sqlite_path), "%s/store.db", bed.directory);
        options = (struct store_options){
            .kind = backend->kind, .url = "the test's", .path = sqlite_path, .timeout_ms = 1000};
    }
    store = bed_store_open(&bed, &options);
    bed_store_connected(&bed, store);
    return 0;
}

static int stop(void **state)
{
    (void)state;
    store_close(store);
    assert_int_equal((int)bed_errors(&bed), 0);
    bed_close(&bed);
    return 0;
}

static void open_again(void)
{
    store_close(store);
    bed_run_for(&bed, 150);
    store = bed_store_open(&bed, &options);
    bed_store_connected(&bed, store);
}

/* ── one scope ───────────────────────────────────────────────────────────────────────────────── */

/* Two requests settled and two that still run, then one more. */
static const struct row {
    const char *what;
    struct ledger_scope limits;
    struct {
        uint64_t tokens, cost_pd; /* reserved */
        uint64_t really, cost_really_pd;
    } settled[2], running[2];
    int64_t credited_pd;
    uint64_t after_ms; /* when the one more asks */
    uint64_t tokens, cost_pd;
    bool is_task;
    enum ledger_limit refused_by;
    unsigned retry_after_s;
} rows[] = {
    /* refused */
    {"requests", {.rpm = 4}, .refused_by = LIMIT_REQUESTS, .retry_after_s = 61},
    {"more tokens than there are",
     {.tpm = 1000},
     .tokens = 1001,
     .refused_by = LIMIT_TOKENS,
     .retry_after_s = 60},
    {"tokens of those that run",
     {.tpm = 1000},
     .running = {{400}, {400}},
     .tokens = 201,
     .refused_by = LIMIT_TOKENS,
     .retry_after_s = 61},
    {"tokens that were more than reserved",
     {.tpm = 1000},
     .settled = {{.tokens = 1, .really = 900}},
     .tokens = 101,
     .refused_by = LIMIT_TOKENS,
     .retry_after_s = 61},
    {"tokens half of which have left",
     {.tpm = 1000},
     .settled = {{.tokens = 1000, .really = 1000}},
     .after_ms = MINUTE_MS + 30000,
     .tokens = 502,
     .refused_by = LIMIT_TOKENS,
     .retry_after_s = 1},
    {"places", {.concurrency = 2}, .refused_by = LIMIT_CONCURRENCY, .retry_after_s = 1},
    {"places of tasks",
     {.tasks = 2},
     .is_task = true,
     .refused_by = LIMIT_TASKS,
     .retry_after_s = 1},
    {"a budget of nothing",
     {.has_budget = true, .period = PERIOD_TOTAL},
     .refused_by = LIMIT_BUDGET},
    {"a budget that is spent",
     {.has_budget = true, .budget_pd = 10000 * USD, .period = PERIOD_TOTAL},
     .settled = {{.cost_pd = 1, .cost_really_pd = 9000 * USD},
                 {.cost_pd = 1, .cost_really_pd = 1000 * USD}},
     .refused_by = LIMIT_BUDGET},
    {"a budget that is spent to the last pico-dollar but one",
     {.has_budget = true, .budget_pd = 10000 * USD, .period = PERIOD_TOTAL},
     .settled = {{.cost_really_pd = 9000 * USD}, {.cost_really_pd = 1000 * USD - 1}},
     .cost_pd = 2,
     .refused_by = LIMIT_BUDGET},
    {"a budget that is reserved",
     {.has_budget = true, .budget_pd = 3 * USD, .period = PERIOD_DAY},
     .running = {{.cost_pd = USD + 1}, {.cost_pd = USD}},
     .cost_pd = USD,
     .refused_by = LIMIT_BUDGET,
     .retry_after_s = 9600},
    {"a budget of the week, the next day",
     {.has_budget = true, .budget_pd = USD, .period = PERIOD_WEEK},
     .settled = {{.cost_really_pd = USD}},
     .after_ms = DAY_MS,
     .refused_by = LIMIT_BUDGET,
     .retry_after_s = 3 * 86400 + 9600},
    {"a budget of the month, the next week",
     {.has_budget = true, .budget_pd = USD, .period = PERIOD_MONTH},
     .settled = {{.cost_really_pd = USD}},
     .after_ms = 7 * DAY_MS,
     .refused_by = LIMIT_BUDGET,
     .retry_after_s = 2 * 86400 + 9600},
    {"no balance", {.is_prepaid = true}, .refused_by = LIMIT_BALANCE},
    {"a balance that others reserved",
     {.is_prepaid = true},
     .running = {{.cost_pd = USD / 2}, {.cost_pd = USD / 2}},
     .credited_pd = 2 * USD,
     .cost_pd = USD + 1,
     .refused_by = LIMIT_BALANCE},
    {"a balance below 0",
     {.is_prepaid = true},
     .settled = {{.cost_really_pd = 20001 * USD}},
     .credited_pd = 20000 * USD,
     .refused_by = LIMIT_BALANCE},

    /* allowed */
    {"no limits", {.rpm = 0}, .tokens = 1 << 30, .cost_pd = 1000000 * USD},
    {"the last request", {.rpm = 5}},
    {"the last tokens", {.tpm = 1000}, .running = {{400}, {400}}, .tokens = 200},
    {"tokens that were given back",
     {.tpm = 1000},
     .settled = {{.tokens = 500}, {.tokens = 500, .really = 1}},
     .tokens = 999},
    {"tokens given back when half of them have left",
     {.tpm = 1000},
     .settled = {{.tokens = 1000, .really = 1000}},
     .after_ms = MINUTE_MS + 30000,
     .tokens = 500},
    {"the last place", {.concurrency = 3}},
    {"no task", {.tasks = 2}},
    {"the last pico-dollar",
     {.has_budget = true, .budget_pd = 10000 * USD, .period = PERIOD_TOTAL},
     .settled = {{.cost_really_pd = 9000 * USD}, {.cost_really_pd = 1000 * USD - 1}},
     .cost_pd = 1},
    {"what was reserved and not needed",
     {.has_budget = true, .budget_pd = USD, .period = PERIOD_TOTAL},
     .settled = {{.cost_pd = USD, .cost_really_pd = 1}},
     .cost_pd = USD - 1},
    {"a budget of the day, the next day",
     {.has_budget = true, .budget_pd = USD, .period = PERIOD_DAY},
     .settled = {{.cost_really_pd = USD}},
     .after_ms = DAY_MS,
     .cost_pd = USD},
    {"a budget of the week, the next week",
     {.has_budget = true, .budget_pd = USD, .period = PERIOD_WEEK},
     .settled = {{.cost_really_pd = USD}},
     .after_ms = 5 * DAY_MS,
     .cost_pd = USD},
    {"a budget of the month, the next month",
     {.has_budget = true, .budget_pd = USD, .period = PERIOD_MONTH},
     .settled = {{.cost_really_pd = USD}},
     .after_ms = 10 * DAY_MS,
     .cost_pd = USD},
    {"all of a balance",
     {.is_prepaid = true},
     .settled = {{.cost_really_pd = 12345 * USD + 1}},
     .credited_pd = 20000 * USD,
     .cost_pd = 7655 * USD - 1},
};

static struct admit_query query_of(const struct row *r, const char *name)
{
    struct admit_query q = {.scopes = {r->limits}, .nscopes = 1, .now_unix_ms = START};

    snprintf(q.scopes[0].name, sizeof(q.scopes[0].name), "%s", name);
    return q;
}

/* Those before the one more are under no limits of their own. */
static struct admit_answer admit_before(const char *name, uint64_t tokens, uint64_t cost_pd)
{
    struct admit_query q = {
        .nscopes = 1, .now_unix_ms = START, .tokens = tokens, .cost_pd = cost_pd, .is_task = true};
    struct admit_answer a;

    snprintf(q.scopes[0].name, sizeof(q.scopes[0].name), "%s", name);
    a = bed_ask(&bed, store, &q);
    assert_true(a.allowed);
    assert_int_equal(a.hold.nscopes, 1);
    return a;
}

static void decisions_are_as_listed(void **state)
{
    (void)state;
    for (unsigned i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        const struct row *r = &rows[i];
        struct admit_query q;
        struct admit_answer a;
        char name[32];
        bool is_right;

        snprintf(name, sizeof(name), "key:row-%u", i);
        if (r->credited_pd != 0)
            assert_int_equal(bed_credit(&bed, store, name, name, r->credited_pd).outcome,
                             CREDIT_DONE);
        for (unsigned n = 0; n < 2; n++) {
            a = admit_before(name, r->settled[n].tokens, r->settled[n].cost_pd);
            bed_settle(store, &a, START, r->settled[n].really, r->settled[n].cost_really_pd);
            admit_before(name, r->running[n].tokens, r->running[n].cost_pd);
        }
        bed_all_told(&bed);
        q = query_of(r, name);
        q.now_unix_ms += r->after_ms;
        q.tokens = r->tokens;
        q.cost_pd = r->cost_pd;
        q.is_task = r->is_task;
        a = bed_ask(&bed, store, &q);
        is_right = a.allowed == (r->refused_by == LIMIT_NONE) && a.refused_by == r->refused_by &&
                   a.retry_after_s == r->retry_after_s && a.quality == STORE_EXACT &&
                   a.hold.nscopes == (a.allowed ? 1u : 0u);
        if (!is_right)
            fail_msg("%s: refused by %u (not %u), retry after %u s", r->what, a.refused_by,
                     r->refused_by, a.retry_after_s);
    }
}

/* ── two scopes ──────────────────────────────────────────────────────────────────────────────── */

static struct admit_query both(unsigned key_rpm, unsigned account_rpm)
{
    struct admit_query q = bed_query("key:a", key_rpm, START);

    snprintf(q.scopes[1].name, sizeof(q.scopes[1].name), "account");
    q.scopes[1].rpm = account_rpm;
    q.nscopes = 2;
    return q;
}

static void a_request_counts_in_all_scopes_or_in_none(void **state)
{
    struct admit_query q = both(5, 3);
    struct admit_answer a;
    struct ledger_counts key;

    (void)state;
    q.tokens = 10;
    q.cost_pd = 7;
    for (unsigned i = 0; i < 3; i++) {
        a = bed_ask(&bed, store, &q);
        assert_true(a.allowed);
        assert_int_equal(a.limit, 3); /* of the scope with the fewest left */
        assert_int_equal(a.remaining, 2 - i);
        assert_int_equal(a.hold.nscopes, 2);
    }
    for (unsigned i = 0; i < 5; i++) {
        a = bed_ask(&bed, store, &q);
        assert_false(a.allowed);
        assert_int_equal(a.refused_by, LIMIT_REQUESTS);
        assert_int_equal(a.refused_scope, 1);
        assert_int_equal(a.limit, 3);
        assert_int_equal(a.remaining, 0);
    }
    key = bed_look(&bed, store, "key:a", START);
    assert_int_equal(key.requests, 3);
    assert_int_equal(key.tokens, 30);
    assert_int_equal(key.live, 3);
    assert_int_equal(key.reserved_pd, 21);
}

static void the_scope_with_the_fewest_left_is_shown(void **state)
{
    struct admit_query q = both(0, 0);
    struct admit_answer a;

    (void)state;
    a = bed_ask(&bed, store, &q);
    assert_int_equal(a.limit, 0);
    assert_int_equal(a.tokens_limit, 0);
    q.scopes[0].rpm = 50;
    q.scopes[1].rpm = 100;
    q.scopes[0].tpm = 1000000000000;
    q.scopes[1].tpm = 5000;
    q.tokens = 1000;
    a = bed_ask(&bed, store, &q);
    assert_int_equal(a.limit, 50);
    assert_int_equal(a.remaining, 48);
    assert_int_equal(a.tokens_limit, 5000);
    assert_int_equal(a.tokens_remaining, 4000);
}

/* ── showing and settling ────────────────────────────────────────────────────────────────────── */

static void everything_is_shown(void **state)
{
    struct admit_query q = both(0, 0);
    struct admit_answer a, b;
    struct ledger_counts c;

    (void)state;
    q.tokens = 100;
    q.cost_pd = 20 * USD + 5;
    q.is_task = true;
    a = bed_ask(&bed, store, &q);
    q.is_task = false;
    b = bed_ask(&bed, store, &q);
    bed_settle(store, &a, START + 1234, 40, 12345 * USD + 678);
    bed_all_told(&bed);
    c = bed_look(&bed, store, "account", START + 2000);
    assert_int_equal(c.requests, 2);
    assert_int_equal(c.tokens, 140);
    assert_int_equal(c.live, 1);
    assert_int_equal(c.tasks, 0);
    assert_true(c.reserved_pd == 20 * USD + 5);
    for (unsigned p = PERIOD_DAY; p <= PERIOD_TOTAL; p++)
        assert_true(c.spent_pd[p] == 12345 * USD + 678);
    assert_int_equal(c.credited_pd, 0);
    assert_int_equal(c.last_used_unix_ms, START + 1234);
    bed_settle(store, &b, START + 7 * DAY_MS, 0, 1);
    bed_all_told(&bed);
    c = bed_look(&bed, store, "account", START + 7 * DAY_MS);
    assert_int_equal(c.live, 0);
    assert_int_equal(c.reserved_pd, 0);
    assert_int_equal(c.spent_pd[PERIOD_DAY], 1);
    assert_int_equal(c.spent_pd[PERIOD_WEEK], 1);
    assert_true(c.spent_pd[PERIOD_MONTH] == 12345 * USD + 679);
    c = bed_look(&bed, store, "key:nobody", START);
    assert_int_equal(c.requests + c.live + c.spent_pd[PERIOD_TOTAL] + c.last_used_unix_ms, 0);
}

static void an_empty_hold_settles_nothing(void **state)
{
    const struct admit_answer refused = {.allowed = false};

    (void)state;
    bed_settle(store, &refused, START, 100, 100);
    assert_int_equal(bed_look(&bed, store, "", START).last_used_unix_ms, 0);
}

static void many_are_looked_at_in_their_order(void **state)
{
    static char names[LEDGER_LOOK_MAX][16];
    const char *list[LEDGER_LOOK_MAX];

    (void)state;
    for (unsigned i = 0; i < LEDGER_LOOK_MAX; i++) {
        snprintf(names[i], sizeof(names[i]), "key:%u", i);
        list[i] = names[i];
        for (unsigned n = 0; n < i % 5; n++)
            bed_admit(&bed, store, names[i], 0, START);
    }
    for (unsigned i = 0; i < LEDGER_LOOK_MAX; i++)
        assert_int_equal(bed_look(&bed, store, list[i], START).requests, i % 5);
}

/* ── credit ──────────────────────────────────────────────────────────────────────────────────── */

static void credit_counts_once_for_an_id(void **state)
{
    struct credit_answer a;

    (void)state;
    a = bed_credit(&bed, store, "account", "one", (int64_t)(9000 * USD));
    assert_int_equal(a.outcome, CREDIT_DONE);
    assert_true(a.balance_pd == (int64_t)(9000 * USD));
    a = bed_credit(&bed, store, "account", "one", (int64_t)(9000 * USD));
    assert_int_equal(a.outcome, CREDIT_REPEATED);
    assert_true(a.balance_pd == (int64_t)(9000 * USD));
    a = bed_credit(&bed, store, "account", "two", -(int64_t)(9001 * USD) - 3);
    assert_int_equal(a.outcome, CREDIT_DONE);
    assert_true(a.balance_pd == -(int64_t)USD - 3);
    assert_true(bed_look(&bed, store, "account", START).credited_pd == -(int64_t)USD - 3);
}

static void money_outlives_the_store(void **state)
{
    struct admit_query q = both(0, 0);
    struct admit_answer a = bed_ask(&bed, store, &q);
    struct ledger_counts c;
    bool forgets = backend->kind == STORE_MEMORY;

    (void)state;
    bed_credit(&bed, store, "account", "one", (int64_t)(5 * USD));
    bed_settle(store, &a, START, 0, 3 * USD);
    open_again();
    c = bed_look(&bed, store, "account", START);
    assert_true(c.spent_pd[PERIOD_TOTAL] == (forgets ? 0 : 3 * USD));
    assert_true(c.spent_pd[PERIOD_WEEK] == (forgets ? 0 : 3 * USD));
    assert_true(c.credited_pd == (forgets ? 0 : (int64_t)(5 * USD)));
    assert_int_equal(c.last_used_unix_ms, forgets ? 0 : START);
    assert_int_equal(c.live, 0);
    assert_int_equal(bed_credit(&bed, store, "account", "one", 1).outcome,
                     forgets ? CREDIT_DONE : CREDIT_REPEATED);
}

/* ── many at once ────────────────────────────────────────────────────────────────────────────── */

enum { MANY = 400 };
struct crowd {
    unsigned answered, allowed, refused_by[LIMIT_BALANCE + 1];
};

static void on_crowd(void *arg, const struct admit_answer *a)
{
    struct crowd *c = arg;

    assert_int_equal(a->quality, STORE_EXACT);
    c->answered++;
    c->allowed += a->allowed;
    c->refused_by[a->refused_by]++;
}

static bool crowd_answered(void *arg)
{
    return ((struct crowd *)arg)->answered == MANY;
}

static struct crowd race(struct store *one, struct store *two, const struct admit_query *q)
{
    struct crowd crowd = {0};

    for (unsigned i = 0; i < MANY; i++) {
        struct admit_answer out;
        struct admit_call *call;
        if (store_admit(i % 2 ? one : two, q, &out, on_crowd, &crowd, &call) == STORE_DONE)
            on_crowd(&crowd, &out);
    }
    assert_true(bed_run_until(&bed, crowd_answered, &crowd, 5000));
    return crowd;
}

static void two_that_race_never_pass_a_limit(void **state)
{
    struct store *other = store;
    struct admit_query q = both(0, 0);
    struct crowd c;

    (void)state;
    if (backend->kind == STORE_REDIS) {
        other = bed_store_open(&bed, &options);
        bed_store_connected(&bed, other);
    }
    q.scopes[1].concurrency = 37;
    c = race(store, other, &q);
    assert_int_equal(c.allowed, 37);
    assert_int_equal(c.refused_by[LIMIT_CONCURRENCY], MANY - 37);

    q.scopes[1].concurrency = 0;
    snprintf(q.scopes[0].name, sizeof(q.scopes[0].name), "key:b");
    q.scopes[0].has_budget = true;
    q.scopes[0].budget_pd = 100 * USD;
    q.scopes[0].period = PERIOD_MONTH;
    q.cost_pd = USD - 1;
    c = race(store, other, &q);
    assert_int_equal(c.allowed, 100);
    assert_int_equal(c.refused_by[LIMIT_BUDGET], MANY - 100);
    if (other != store)
        store_close(other);
}

static const struct bed_case cases[] = {
    BED_CASE(decisions_are_as_listed),
    BED_CASE(a_request_counts_in_all_scopes_or_in_none),
    BED_CASE(the_scope_with_the_fewest_left_is_shown),
    BED_CASE(everything_is_shown),
    BED_CASE(an_empty_hold_settles_nothing),
    BED_CASE(many_are_looked_at_in_their_order),
    BED_CASE(credit_counts_once_for_an_id),
    BED_CASE(money_outlives_the_store),
    BED_CASE(two_that_race_never_pass_a_limit),
};

int main(void)
{
    int failed = 0;

    for (unsigned b = 0; b < sizeof(backends) / sizeof(*backends); b++)
        failed += bed_run_cases(backends[b].name, &backends[b], cases,
                                sizeof(cases) / sizeof(*cases), start, stop);
    return failed;
}
