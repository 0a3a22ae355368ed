#include "exchange_priv.h"

#include <stdio.h>

/* --- who is it ------------------------------------------------------------------------------- */

static void fail_key(struct exchange *x, enum key_verdict verdict)
{
    static const char *const messages[] = {
        [KEY_MISSING] = "no API key: send \"Authorization: Bearer <key>\" or \"x-api-key: <key>\"",
        [KEY_UNKNOWN] = "this API key is not known here",
        [KEY_EXPIRED] = "this API key has expired",
        [KEY_DISABLED] = "this API key is disabled",
    };
    struct fault why = {.kind = FAULT_INVALID_API_KEY};
    snprintf(why.message, sizeof why.message, "%s", messages[verdict]);
    exchange_fail(x, &why);
}

bool exchange_authenticate(struct exchange *x, const struct http_head *head)
{
    if (!x->deployment->snapshot->auth_required)
        return true;
    struct span presented = key_from_authorization(head_get(head, FIELD_AUTHORIZATION));
    if (presented.len == 0)
        presented = head_get(head, FIELD_X_API_KEY);
    const struct key_options *key;
    enum key_verdict verdict = keyring_find(x->deployment->keyring, presented, x->opened_unix_ms,
                                            &key);
    x->key = key;
    if (verdict == KEY_ACCEPTED)
        return true;
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
    /* The digest names the key: two keys of one name count apart, and names may be long. */
    struct ledger_scope *scope = &q.scopes[0];
    memcpy(scope->name, "key:", 4);
    digest_hex(x->key->sha256, 16, scope->name + 4);
    scope->rpm = x->key->rpm;
    q.nscopes = 1;
    struct admit_answer answer;
    if (store_admit(x->gateway->store, &q, &answer, on_admitted, x, &m->call) == STORE_DONE)
        on_admitted(x, &answer);
    else
        m->asked_us = clock_us();
}

void admission_cancel(struct exchange *x)
{
    struct admission *m = &x->admission;
    if (m->call != NULL)
        store_cancel(m->call);
    m->call = NULL;
    store_settle(x->gateway->store,
                 &(struct settle_query){.hold = m->answer.hold, .now_unix_ms = clock_unix_ms()});
    m->answer.hold.nscopes = 0;
}
