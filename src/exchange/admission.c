#include "exchange_priv.h"

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

/* --- may it --------------------------------------------------------------------------------- */

static void on_admitted(void *arg, const struct admit_answer *answer)
{
    struct exchange *x = arg;
    struct admission *m = &x->admission;
    if (m->asked_us != 0)
        metric_observe(x->gateway->instruments.overhead[OVERHEAD_ADMIT],
                       (double)(clock_us() - m->asked_us) * 1e-6);
    m->call = NULL;
    m->answer = *answer;
    m->has_answer = true;
    if (answer->allowed) {
        m->is_granted = true;
        m->done(x);
        return;
    }
    struct fault why = {.kind = FAULT_RATE_LIMIT, .retry_after_ms = answer->retry_after_s * 1000};
    if (answer->quality == STORE_LOST) {
        why = (struct fault){.kind = FAULT_OVERLOADED};
        snprintf(why.message, sizeof why.message,
                 "the store that counts requests cannot be reached, and store.on_error is reject");
    } else {
        metric_add(x->gateway->instruments.ratelimit_rejections, 1);
        snprintf(why.message, sizeof why.message,
                 "this key's limit of %u requests per minute is used up; try again in %u s",
                 answer->limit, answer->retry_after_s);
    }
    exchange_fail(x, &why);
}

void admission_ask(struct exchange *x, void (*done)(struct exchange *x))
{
    struct admit_query q = {.now_unix_ms = x->opened_unix_ms};
    struct admission *m = &x->admission;
    m->done = done;
    if (x->key == NULL || x->kind->explains || x->kind->estimates != ESTIMATES_NOTHING) {
        m->is_granted = true;
        m->done(x);
        return;
    }
    snprintf(q.scope, sizeof q.scope, "key:%s", x->key->id);
    q.rpm = plan_rpm(plan_of_key(x->deployment->snapshot, x->key), x->key->limits.rpm);
    struct admit_answer answer;
    if (store_admit(x->gateway->store, &q, &answer, on_admitted, x, &m->call) == STORE_DONE)
        on_admitted(x, &answer);
    else
        m->asked_us = clock_us();
}

void admission_cancel(struct exchange *x)
{
    if (x->admission.call != NULL)
        store_cancel(x->admission.call);
    x->admission.call = NULL;
}
