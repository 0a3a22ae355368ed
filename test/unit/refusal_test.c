/* What a client is told that a limit refused: every limit, of a key and of the account. */
#include "unit.h"

#include "../../src/exchange/refusal.h"

enum { FRIDAY_NOON = 1764331200 }; /* 2025-11-28T12:00:00Z, seconds */

static void every_limit_says_which_it_is_and_whose(void **state)
{
    (void)state;
    static const struct ledger_scope key = {.name = "key:00",
                                            .rpm = 5,
                                            .tpm = 1000,
                                            .concurrency = 2,
                                            .tasks = 1,
                                            .has_budget = true,
                                            .budget_pd = 2500000000000,
                                            .period = PERIOD_DAY},
                                     account = {.name = "account",
                                                .rpm = 50,
                                                .tpm = 9000,
                                                .concurrency = 20,
                                                .tasks = 10,
                                                .has_budget = true,
                                                .budget_pd = 1000000000000,
                                                .period = PERIOD_TOTAL};
    static const struct {
        enum ledger_limit limit;
        const struct ledger_scope *scope;
        uint64_t tokens;
        unsigned retry_after_s;
        unsigned status, wait_ms;
        const char *type, *says;
    } rows[] = {
        {LIMIT_NONE, &key, 0, 0, 503, 1000, "overloaded",
         "the store that counts requests cannot be reached, and store.on_error is reject"},
        {LIMIT_REQUESTS, &key, 0, 7, 429, 7000, "rate_limit_exceeded",
         "this key's limit of 5 requests per minute is used up; try again in 7 s"},
        {LIMIT_REQUESTS, &account, 0, 1, 429, 1000, "rate_limit_exceeded",
         "the account's limit of 50 requests per minute is used up; try again in 1 s"},
        {LIMIT_TOKENS, &key, 1000, 9, 429, 9000, "rate_limit_exceeded",
         "this key's limit of 1000 tokens per minute is used up, or leaves too few for this "
         "request, which may take 1000; try again in 9 s"},
        {LIMIT_TOKENS, &key, 1001, 60, 429, 60000, "rate_limit_exceeded",
         "this request may take 1001 tokens, which is more than this key's limit of 1000 tokens "
         "per minute: ask for a shorter answer (max_tokens), or send a shorter prompt"},
        {LIMIT_CONCURRENCY, &account, 0, 1, 429, 1000, "rate_limit_exceeded",
         "the account may have 20 requests under way at the same time, and has "
         "(limits.concurrency); try again when one of them has ended"},
        {LIMIT_CONCURRENCY, &key, 0, 0, 429, 1000, "rate_limit_exceeded", "this key may have 2 "},
        {LIMIT_TASKS, &key, 0, 1, 429, 1000, "concurrent_tasks",
         "this key may have 1 tasks (pictures and sound) under way at the same time, and has; try "
         "again when one of them has ended"},
        {LIMIT_BUDGET, &key, 0, 43200, 402, 0, "budget_exceeded",
         "this key's budget of $2.5 a day is used up, or leaves too little for this request, which "
         "may cost $0.0125; it renews on 2025-11-29 (UTC), and POST /v1/account/topup does not "
         "raise it"},
        {LIMIT_BUDGET, &account, 0, 0, 402, 0, "budget_exceeded",
         "the account's budget of $1 in total is used up, or leaves too little for this request, "
         "which may cost $0.0125; it does not renew, and POST /v1/account/topup does not raise it"},
        {LIMIT_BALANCE, &account, 0, 0, 402, 0, "insufficient_credit",
         "the account's credit is used up, or is too little for this request, which may cost "
         "$0.0125; add some with POST /v1/account/topup"},
    };
    for (unsigned i = 0; i < ROWS(rows); i++) {
        struct fault f;
        refusal_tell(&(struct refusal){.limit = rows[i].limit,
                                       .scope = rows[i].scope,
                                       .tokens = rows[i].tokens,
                                       .cost_pd = 12500000000,
                                       .retry_after_s = rows[i].retry_after_s,
                                       .now_unix_ms = (uint64_t)FRIDAY_NOON * 1000},
                     &f);
        assert_row(i, fault_status(&f) == rows[i].status);
        assert_row(i, strcmp(fault_type(&f), rows[i].type) == 0);
        assert_row(i, fault_retry_after_ms(&f) == rows[i].wait_ms);
        assert_row(i, fault_is_lasting(&f) == (rows[i].status == 402));
        if (strncmp(f.message, rows[i].says, strlen(rows[i].says)) != 0)
            fail_msg("row %u: %s", i, f.message);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_limit_says_which_it_is_and_whose)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
