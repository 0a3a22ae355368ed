#include "refusal.h"

#include "sluice/admit/limits.h"
#include "sluice/base/dollars.h"

#include <stdio.h>
#include <time.h>

static bool is_accounts(const struct ledger_scope *s)
{
    return strcmp(s->name, limits_account_name) == 0;
}

static const char *whose(const struct refusal *r)
{
    return is_accounts(r->scope) ? "the account's" : "this key's";
}

static const char *who(const struct refusal *r)
{
    return is_accounts(r->scope) ? "the account" : "this key";
}

static void tell_requests(const struct refusal *r, struct fault *out)
{
    snprintf(out->message, sizeof out->message,
             "%s limit of %u requests per minute is used up; try again in %u s", whose(r),
             r->scope->rpm, r->retry_after_s);
}

static void tell_tokens(const struct refusal *r, struct fault *out)
{
    if (r->tokens > r->scope->tpm)
        snprintf(
            out->message, sizeof out->message,
            "this request may take %llu tokens, which is more than %s limit of %llu tokens per "
            "minute: ask for a shorter answer (max_tokens), or send a shorter prompt",
            (unsigned long long)r->tokens, whose(r), (unsigned long long)r->scope->tpm);
    else
        snprintf(out->message, sizeof out->message,
                 "%s limit of %llu tokens per minute is used up, or leaves too few for this "
                 "request, which may take %llu; try again in %u s",
                 whose(r), (unsigned long long)r->scope->tpm, (unsigned long long)r->tokens,
                 r->retry_after_s);
}

static void tell_concurrency(const struct refusal *r, struct fault *out)
{
    snprintf(out->message, sizeof out->message,
             "%s may have %u requests under way at the same time, and has (limits.concurrency); "
             "try again when one of them has ended",
             who(r), r->scope->concurrency);
}

static void tell_tasks(const struct refusal *r, struct fault *out)
{
    out->kind = FAULT_CONCURRENT_TASKS;
    snprintf(out->message, sizeof out->message,
             "%s may have %u tasks (pictures and sound) under way at the same time, and has; try "
             "again when one of them has ended",
             who(r), r->scope->tasks);
}

static void tell_budget(const struct refusal *r, struct fault *out)
{
    static const char *const periods[] = {
        [PERIOD_DAY] = "a day",
        [PERIOD_WEEK] = "a week",
        [PERIOD_MONTH] = "a month",
        [PERIOD_TOTAL] = "in total",
    };
    char usd[DOLLARS_TEXT_BYTES], need[DOLLARS_TEXT_BYTES], renewal[64] = "it does not renew";
    dollars_write(r->scope->budget_pd, usd);
    dollars_write(r->cost_pd, need);
    if (r->scope->period != PERIOD_TOTAL && r->retry_after_s > 0) {
        /* In whole seconds, and rounded up: the moment itself lies a fraction of one before. */
        time_t at = (time_t)(r->now_unix_ms / 1000 + r->retry_after_s);
        struct tm tm;
        gmtime_r(&at, &tm);
        strftime(renewal, sizeof renewal, "it renews on %Y-%m-%d (UTC)", &tm);
    }
    *out = (struct fault){.kind = FAULT_BUDGET_EXCEEDED};
    snprintf(
        out->message, sizeof out->message,
        "%s budget of $%s %s is used up, or leaves too little for this request, which may cost "
        "$%s; %s, and POST /v1/account/topup does not raise it",
        whose(r), usd, periods[r->scope->period], need, renewal);
}

static void tell_balance(const struct refusal *r, struct fault *out)
{
    char need[DOLLARS_TEXT_BYTES];
    dollars_write(r->cost_pd, need);
    *out = (struct fault){.kind = FAULT_INSUFFICIENT_CREDIT};
    snprintf(out->message, sizeof out->message,
             "the account's credit is used up, or is too little for this request, which may cost "
             "$%s; add some with POST /v1/account/topup",
             need);
}

void refusal_tell(const struct refusal *r, struct fault *out)
{
    *out = (struct fault){.kind = FAULT_RATE_LIMIT, .retry_after_ms = r->retry_after_s * 1000};
    switch (r->limit) {
    case LIMIT_NONE: /* nobody could decide */
        *out = (struct fault){.kind = FAULT_OVERLOADED};
        snprintf(out->message, sizeof out->message,
                 "the store that counts requests cannot be reached, and store.on_error is reject");
        break;
    case LIMIT_REQUESTS:
        tell_requests(r, out);
        break;
    case LIMIT_TOKENS:
        tell_tokens(r, out);
        break;
    case LIMIT_CONCURRENCY:
        tell_concurrency(r, out);
        break;
    case LIMIT_TASKS:
        tell_tasks(r, out);
        break;
    case LIMIT_BUDGET:
        tell_budget(r, out);
        break;
    case LIMIT_BALANCE:
        tell_balance(r, out);
        break;
    }
}
