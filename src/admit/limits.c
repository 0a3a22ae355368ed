#include "sluice/admit/limits.h"

const char limits_account_name[] = "account";

static unsigned within(unsigned own, unsigned usual, unsigned ceiling)
{
    unsigned n = own != 0 ? own : usual;
    return ceiling != 0 && (n == 0 || n > ceiling) ? ceiling : n;
}

struct limit_options key_limits_effective(const struct key_options *key,
                                          const struct plan_options *plan)
{
    struct limit_options limits = key->limits;
    if (plan != NULL)
        limits.rpm = within(limits.rpm, plan->rpm, plan->rpm_ceiling);
    return limits;
}

const char *limits_tier(const struct plan_options *plan)
{
    return plan != NULL ? plan->name : "config";
}

/* The digest names the key: two keys of one name count apart, and names may be long. */
void limits_name_key(const struct key_options *key, char out[LEDGER_SCOPE_BYTES])
{
    memcpy(out, "key:", 4);
    digest_hex(key->sha256, SHA256_BYTES / 2, out + 4);
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
    if (plan != NULL)
        limits.tasks = within(limits.tasks, plan->tasks, plan->tasks);
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
