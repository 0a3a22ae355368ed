#include "exchange_priv.h"
#include "refusal.h"
#include "reservation.h"

#include "sluice/admit/limits.h"

#include "sluice/config/plans.h"

#include <stdio.h>

/* --- who is it ------------------------------------------------------------------------------- */

static void fail_key(struct exchange *x, enum key_verdict verdict)
{
    static const char *const messages[] = {
        [KEY_MISSING] = "no API key: send \"Authorization: Bearer <key>\" or \"x-api-key: <key>\"",
        [KEY_UNKNOWN] = "this API key is not known here",
        [KEY_EXPIRED] = "this API key has expired",
        [KEY_DISABLED] = "this API key is disabled",
        [KEY_UNSURE] = "which keys there are is not known yet: the store has not answered",
    };
    struct fault why = {.kind = verdict == KEY_UNSURE ? FAULT_OVERLOADED : FAULT_INVALID_API_KEY};
    snprintf(why.message, sizeof why.message, "%s", messages[verdict]);
    exchange_fail(x, &why);
}

/* Looked at anew with every request: another plan counts at once (contract 0.3). */
static bool check_plan(struct exchange *x)
{
    const struct plan_options *plan = plan_of_key(x->deployment->snapshot, x->key);
    struct fault why = {.kind = FAULT_PLAN_REQUIRED};
    if (plan == NULL || plan->has_access)
        return true;
    snprintf(why.message, sizeof why.message,
             "the plan %s does not include the API: another plan is needed", plan->name);
    exchange_fail(x, &why);
    return false;
}

bool exchange_authenticate(struct exchange *x, const struct http_head *head)
{
    if (!x->deployment->snapshot->auth_required)
        return true;
    struct span presented = key_from_authorization(head_get(head, FIELD_AUTHORIZATION));
    if (presented.len == 0)
        presented = head_get(head, FIELD_X_API_KEY);
    struct known_key found;
    enum key_verdict verdict = keyring_find(x->deployment->keyring, presented, x->opened_unix_ms,
                                            &found);
    x->key = found.key;
    x->managed_key = found.managed;
    if (verdict == KEY_ACCEPTED)
        return check_plan(x);
    fail_key(x, verdict);
    return false;
}

/* --- whom it is asked of ------------------------------------------------------------------------- */

const struct plan_options *exchange_plan(const struct exchange *x)
{
    return plan_of_key(x->deployment->snapshot, x->key);
}

struct rate_told admission_rate(const struct exchange *x)
{
    const struct admission *m = &x->admission;
    const struct plan_options *plan = exchange_plan(x);
    struct rate_told told = {
        .limit = m->limit, .remaining = m->remaining, .tier = limits_tier(plan)};
    if (m->has_answer)
        return told;
    const struct ledger_scope key = limits_of_key(x->key, plan);
    struct ledger_counts seen;
    store_glance(x->gateway->store, key.name, clock_unix_ms(), &seen);
    told.limit = key.rpm;
    told.remaining = seen.requests < key.rpm ? key.rpm - (unsigned)seen.requests : 0;
    return told;
}

/* Told and estimated without asking anybody; or with a caller's own credential, to see whether it works. */
static bool is_nobodys_business(const struct exchange *x)
{
    return x->kind->explains || x->kind->estimates != ESTIMATES_NOTHING || x->trial != NULL;
}

/* Providers count tokens for nothing. */
static bool costs_nothing(const struct exchange *x)
{
    return x->kind->api == API_COUNT_TOKENS || x->admission.is_only_own;
}

static void add_scope(struct admit_query *q, const struct ledger_scope *s, bool is_gratis)
{
    struct ledger_scope *added = &q->scopes[q->nscopes++];
    *added = *s;
    if (is_gratis)
        added->has_budget = added->is_prepaid = false;
}

/* Without a key nobody but the account is left, where there is anything to ask of it. */
static void make_query(const struct exchange *x, struct admit_query *q)
{
    const struct plan_options *plan = exchange_plan(x);
    const struct ledger_scope account = limits_of_account(&x->deployment->snapshot->account, plan);
    const bool is_gratis = costs_nothing(x);
    *q = (struct admit_query){
        .now_unix_ms = x->opened_unix_ms,
        .tokens = x->admission.tokens,
        .cost_pd = is_gratis ? 0 : x->admission.cost_pd,
        .is_task = api_is_media(x->kind->api),
    };
    if (x->key != NULL) {
        const struct ledger_scope key = limits_of_key(x->key, plan);
        add_scope(q, &key, is_gratis);
    }
    if (x->key != NULL || limits_bind(&account))
        add_scope(q, &account, is_gratis);
}

/* A guess is no reason to refuse for ever: it takes all of a minute at most. */
static uint64_t fitting(const struct admit_query *q, const struct reservation *r)
{
    uint64_t tokens = r->tokens;
    for (unsigned i = 0; i < q->nscopes; i++) {
        if (q->scopes[i].tpm != 0 && tokens > q->scopes[i].tpm)
            tokens = q->scopes[i].tpm;
    }
    return tokens > r->least_tokens ? tokens : r->least_tokens;
}

/* Only where somebody minds: it takes a plan. */
static void reserve(struct exchange *x, struct admit_query *q)
{
    struct admission *m = &x->admission;
    bool minds = false;
    for (unsigned i = 0; i < q->nscopes; i++)
        minds |= q->scopes[i].tpm != 0 || limits_bind_money(&q->scopes[i]);
    if (!minds || x->kind->api == API_COUNT_TOKENS)
        return;
    const struct reservation r = reservation_make(x);
    q->tokens = m->tokens = fitting(q, &r);
    q->cost_pd = m->cost_pd = r.cost_pd;
    m->has_own = r.has_own;
}

/* --- may it --------------------------------------------------------------------------------- */

static void fail_refused(struct exchange *x, enum ledger_limit limit, unsigned scope,
                         unsigned retry_after_s)
{
    struct admit_query q;
    struct fault why;
    make_query(x, &q);
    refusal_tell(&(struct refusal){.limit = limit,
                                   .scope = &q.scopes[scope],
                                   .tokens = x->admission.tokens,
                                   .cost_pd = x->admission.cost_pd,
                                   .retry_after_s = retry_after_s,
                                   .now_unix_ms = x->opened_unix_ms},
                 &why);
    if (limit != LIMIT_NONE)
        metric_add(x->gateway->instruments.ratelimit_rejections[limit], 1);
    exchange_fail(x, &why);
}

static bool is_money(enum ledger_limit limit)
{
    return limit == LIMIT_BUDGET || limit == LIMIT_BALANCE;
}

static void ask(struct exchange *x, const struct admit_query *q);

static void on_refused(struct exchange *x, const struct admit_answer *answer)
{
    struct admission *m = &x->admission;
    struct admit_query q;
    if (!is_money(answer->refused_by) || !m->has_own || m->is_only_own) {
        fail_refused(x, answer->refused_by, answer->refused_scope, answer->retry_after_s);
        return;
    }
    m->is_only_own = true;
    m->lacks = answer->refused_by;
    m->lacking_scope = answer->refused_scope;
    m->renews_s = answer->retry_after_s;
    make_query(x, &q);
    ask(x, &q);
}

static void on_admitted(void *arg, const struct admit_answer *answer)
{
    struct exchange *x = arg;
    struct admission *m = &x->admission;
    if (m->asked_us != 0)
        metric_observe(x->gateway->instruments.overhead[OVERHEAD_ADMIT],
                       (double)(clock_us() - m->asked_us) * 1e-6);
    m->call = NULL;
    m->asked_us = 0;
    m->limit = answer->limit;
    m->remaining = answer->remaining;
    m->has_answer = true;
    if (!answer->allowed) {
        on_refused(x, answer);
        return;
    }
    m->hold = answer->hold;
    m->is_granted = true;
    m->done(x);
}

static void ask(struct exchange *x, const struct admit_query *q)
{
    struct admission *m = &x->admission;
    struct admit_answer answer;
    if (store_admit(x->gateway->store, q, &answer, on_admitted, x, &m->call) == STORE_DONE)
        on_admitted(x, &answer);
    else
        m->asked_us = clock_us();
}

void admission_ask(struct exchange *x, void (*done)(struct exchange *x))
{
    struct admission *m = &x->admission;
    struct admit_query q = {.nscopes = 0};
    m->done = done;
    if (!is_nobodys_business(x))
        make_query(x, &q);
    if (q.nscopes == 0) {
        m->is_granted = true;
        m->done(x);
        return;
    }
    reserve(x, &q);
    ask(x, &q);
}

bool admission_fits_plan(struct exchange *x)
{
    struct admission *m = &x->admission;
    struct plan *p = &x->plan;
    unsigned n = 0;
    if (!m->is_only_own)
        return true;
    for (unsigned i = 0; i < p->n; i++) {
        if (p->attempts[i].with_own_key)
            p->attempts[n++] = p->attempts[i];
    }
    p->n = n;
    if (n == 0)
        fail_refused(x, m->lacks, m->lacking_scope, m->renews_s);
    return n > 0;
}

/* --- afterwards --------------------------------------------------------------------------------- */

void admission_cancel(struct exchange *x)
{
    if (x->admission.call != NULL)
        store_cancel(x->admission.call);
    x->admission.call = NULL;
}

void admission_settle(struct exchange *x)
{
    struct admission *m = &x->admission;
    const struct usage *used = &x->attempt->usage;
    bool has_come = x->outcome == OUTCOME_OK || x->outcome == OUTCOME_CLIENT_GONE ||
                    used->completion > 0;
    if (m->hold.nscopes == 0)
        return;
    store_settle(x->gateway->store, &(struct settle_query){
                                        .hold = m->hold,
                                        .now_unix_ms = clock_unix_ms(),
                                        .tokens = has_come ? used->prompt + used->completion : 0,
                                        .cost_pd = x->cost.total_pd,
                                    });
    m->hold.nscopes = 0;
}
