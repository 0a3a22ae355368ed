#include "sluice/admit/limits.h"

#include "sluice/config/plans.h"

const char limits_account_name[] = "account";

struct limit_options key_limits_effective(const struct key_options *key,
                                          const struct plan_options *plan)
{
    struct limit_options limits = key->limits;
    limits.rpm = plan_rpm(plan, limits.rpm);
    return limits;
}

const char *limits_tier(const struct plan_options *plan)
{
    return plan != NULL ? plan->name : "config";
}

/* By its id: two keys of one name count apart, and names may be long. */
void limits_name_key(const struct key_options *key, char out[LEDGER_SCOPE_BYTES])
{
    static const char kind[] = "key:";
    _Static_assert(sizeof kind - 1 + KEY_ID_SIZE <= LEDGER_SCOPE_BYTES, "an id fits");
    memcpy(out, kind, sizeof kind - 1);
    memcpy(out + sizeof kind - 1, key->id, KEY_ID_SIZE);
}

static struct ledger_scope scope_with(const struct limit_options *limits,
                                      const struct budget_options *budget)
{
    return (struct ledger_scope){
        .rpm = limits->rpm,
        .tpm = limits->tpm,
        .concurrency = limits->concurrency,
        .tasks = limits->tasks,
        .has_budget = (budget->known & BUDGET_USD) != 0,
        .budget_pd = budget->usd_pd,
        .period = budget->period,
    };
}

struct ledger_scope limits_of_key(const struct key_options *key, const struct plan_options *plan)
{
    const struct limit_options limits = key_limits_effective(key, plan);
    struct ledger_scope s = scope_with(&limits, &key->budget);
    limits_name_key(key, s.name);
    return s;
}

struct ledger_scope limits_of_account(const struct account_options *a,
                                      const struct plan_options *plan)
{
    struct limit_options limits = a->limits;
    if (plan != NULL && plan->tasks != 0 && (limits.tasks == 0 || limits.tasks > plan->tasks))
        limits.tasks = plan->tasks;
    struct ledger_scope s = scope_with(&limits, &a->budget);
    memcpy(s.name, limits_account_name, sizeof limits_account_name);
    s.is_prepaid = a->is_prepaid;
    return s;
}

bool limits_bind_money(const struct ledger_scope *s)
{
    return s->has_budget || s->is_prepaid;
}

bool limits_bind(const struct ledger_scope *s)
{
    return s->rpm != 0 || s->tpm != 0 || s->concurrency != 0 || s->tasks != 0 ||
           limits_bind_money(s);
}
