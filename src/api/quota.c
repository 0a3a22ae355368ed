#include "manage.h"
#include "rows.h"

#include "sluice/config/key_words.h"
#include "sluice/admit/limits.h"
#include "sluice/base/dollars.h"
#include "sluice/format/json_out.h"

#include <stdlib.h>

/* GET /v1/balance and GET /v1/quota (contract ACCT-1, QUOTA-1): what the ledger knows of the account and of
 * the key that asks. Who may: manage.h.
 *
 *   the names of their counters ──▶ one look at the ledger ──▶ the answer */

enum { WINDOW_S = 60, ASSETS_MAX = 1000 };

/* One request under way. */
struct inquiry {
    struct exchange_hook hook; /* first */
    struct exchange *x;
    struct look_call *call;
    void (*write)(struct json_out *o, const struct exchange *x, const struct look_answer *a);
};

static void inquiry_free(struct inquiry *i)
{
    exchange_on_end(i->x, NULL);
    if (i->call != NULL)
        store_look_cancel(i->call);
    free(i);
}

static void on_ended(struct exchange_hook *hook)
{
    inquiry_free((struct inquiry *)hook);
}

static void on_looked(void *arg, const struct look_answer *a)
{
    struct inquiry *i = arg;
    struct exchange *x = i->x;
    struct buf out = {0};
    struct json_out o = json_out_to(&out);
    i->call = NULL;
    i->write(&o, x, a);
    inquiry_free(i);
    exchange_reply_made(x, 200, o.rc, &out);
}

/* The account's counters first, then those of the key, if there is one. */
static void inquire(struct exchange *x, void (*write)(struct json_out *o, const struct exchange *x,
                                                      const struct look_answer *a))
{
    struct look_answer answer;
    char key[LEDGER_SCOPE_BYTES];
    const char *names[] = {limits_account_name, key};
    unsigned n = exchange_key(x) != NULL ? 2 : 1;
    struct inquiry *i = xcalloc(1, sizeof *i);
    if (n > 1)
        limits_name_key(exchange_key(x), key);
    i->hook.ended = on_ended;
    i->x = x;
    i->write = write;
    exchange_on_end(x, &i->hook);
    if (store_look(exchange_deployment(x)->gateway->store, names, n, clock_unix_ms(), &answer,
                   on_looked, i, &i->call) == STORE_DONE)
        on_looked(i, &answer);
}

/* --- pieces ---------------------------------------------------------------------------------------- */

static void put_bool(struct json_out *o, bool is_so)
{
    json_out_span(o, is_so ? SPAN_LIT("true") : SPAN_LIT("false"));
}

static uint64_t left_of(uint64_t limit, uint64_t used)
{
    return limit > used ? limit - used : 0;
}

/* null: there is no such limit. */
static void put_limit(struct json_out *o, uint64_t limit)
{
    if (limit != 0)
        json_out_u64(o, limit);
    else
        json_out_lit(o, "null");
}

static void put_left(struct json_out *o, uint64_t limit, uint64_t used)
{
    if (limit != 0)
        json_out_u64(o, left_of(limit, used));
    else
        json_out_lit(o, "null");
}

/* `"limit":…,"remaining":…` of what is counted by the minute. */
static void put_minute(struct json_out *o, uint64_t limit, uint64_t used)
{
    json_out_lit(o, "{\"limit\":");
    put_limit(o, limit);
    json_out_lit(o, ",\"remaining\":");
    put_left(o, limit, used);
}

static void put_live(struct json_out *o, uint64_t limit, uint64_t used)
{
    json_out_lit(o, "{\"limit\":");
    put_limit(o, limit);
    json_out_lit(o, ",\"used\":");
    json_out_u64(o, used);
    json_out_lit(o, "}");
}

static void put_budget(struct json_out *o, const struct ledger_scope *s,
                       const struct ledger_counts *c)
{
    if (!s->has_budget)
        return;
    uint64_t spent = c->spent_pd[s->period];
    json_out_lit(o, ",\"budget\":{\"usd\":");
    json_out_dollars(o, (int64_t)s->budget_pd);
    json_out_lit(o, ",\"period\":");
    json_out_bytes(o, span_text(budget_period_word(s->period)));
    json_out_lit(o, ",\"spent\":");
    json_out_dollars(o, (int64_t)spent);
    json_out_lit(o, ",\"reserved\":");
    json_out_dollars(o, (int64_t)c->reserved_pd);
    json_out_lit(o, ",\"remaining\":");
    json_out_dollars(o, (int64_t)left_of(s->budget_pd, spent + c->reserved_pd));
    json_out_lit(o, "}");
}

static int64_t balance_of(const struct ledger_counts *account)
{
    return account->credited_pd - (int64_t)account->spent_pd[PERIOD_TOTAL];
}

/* --- the balance ----------------------------------------------------------------------------------- */

static void write_balance(struct json_out *o, const struct exchange *x, const struct look_answer *a)
{
    const struct account_options *account = &exchange_deployment(x)->snapshot->account;
    json_out_lit(o, "{\"account_name\":");
    json_out_bytes(o, span_text(account->name));
    json_out_lit(o, ",\"credit_balance\":");
    json_out_dollars(o, balance_of(&a->counts[0]));
    json_out_lit(o, ",\"currency\":\"USD\",\"reserved\":");
    json_out_dollars(o, (int64_t)a->counts[0].reserved_pd);
    json_out_lit(o, ",\"spent\":");
    json_out_dollars(o, (int64_t)a->counts[0].spent_pd[PERIOD_TOTAL]);
    json_out_lit(o, ",\"prepaid\":");
    put_bool(o, account->is_prepaid);
    json_out_lit(o, "}");
}

static void take_balance(struct exchange *x, struct span body)
{
    (void)body;
    inquire(x, write_balance);
}

/* --- the quota ------------------------------------------------------------------------------------- */

/* Of one scope: what it may, and what it does. */
static void put_scope(struct json_out *o, const struct ledger_scope *s,
                      const struct ledger_counts *c, unsigned ceiling)
{
    json_out_lit(o, "\"rate_limit\":");
    put_minute(o, s->rpm, c->requests);
    json_out_lit(o, ",\"ceiling\":");
    put_limit(o, ceiling);
    json_out_lit(o, ",\"window_s\":");
    json_out_u64(o, WINDOW_S);
    json_out_lit(o, "},\"tokens\":");
    put_minute(o, s->tpm, c->tokens);
    json_out_lit(o, ",\"window_s\":");
    json_out_u64(o, WINDOW_S);
    json_out_lit(o, "},\"concurrency\":");
    put_live(o, s->concurrency, c->live);
    put_budget(o, s, c);
}

/* Tasks are the account's to limit; a key may have a limit of its own below that. */
static void put_tasks(struct json_out *o, const struct ledger_scope *key,
                      const struct ledger_counts *of_key, const struct ledger_scope *account,
                      const struct ledger_counts *of_account)
{
    bool is_keys = key->tasks != 0 &&
                   (account->tasks == 0 || left_of(key->tasks, of_key->tasks) <
                                               left_of(account->tasks, of_account->tasks));
    json_out_lit(o, ",\"concurrent_tasks\":");
    if (is_keys)
        put_live(o, key->tasks, of_key->tasks);
    else
        put_live(o, account->tasks, of_account->tasks);
}

static void write_quota(struct json_out *o, const struct exchange *x, const struct look_answer *a)
{
    const struct plan_options *plan = exchange_plan(x);
    const struct ledger_counts *of_account = &a->counts[0], *own = &a->counts[a->n - 1];
    const struct ledger_scope account =
        limits_of_account(&exchange_deployment(x)->snapshot->account, plan);
    const struct ledger_scope mine = exchange_key(x) != NULL ? limits_of_key(exchange_key(x), plan)
                                                             : account;
    json_out_lit(o, "{\"plan\":");
    if (plan != NULL)
        json_out_bytes(o, span_text(plan->name));
    else
        json_out_lit(o, "null");
    json_out_lit(o, ",");
    put_scope(o, &mine, own, plan != NULL ? plan->rpm_ceiling : 0);
    put_tasks(o, &mine, own, &account, of_account);
    json_out_lit(o, ",\"assets\":{\"limit\":");
    json_out_u64(o, ASSETS_MAX);
    json_out_lit(o, ",\"used\":0},\"balance\":"); /* nothing keeps any yet */
    json_out_dollars(o, balance_of(of_account));
    json_out_lit(o, ",\"account\":{");
    put_scope(o, &account, of_account, 0);
    json_out_lit(o, "}}");
}

static void take_quota(struct exchange *x, struct span body)
{
    (void)body;
    inquire(x, write_quota);
}

const struct exchange_kind account_balance = {
    .api = API_OTHER, .label = "account", .take = take_balance};
const struct exchange_kind account_quota = {
    .api = API_OTHER, .label = "account", .take = take_quota};
