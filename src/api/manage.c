#include "manage.h"

#include <stdio.h>

bool manage_is_operator(const struct call *call)
{
    const struct snapshot *s = call->api->gateway->now->snapshot;
    if (!secret_is_set(&s->admin_token))
        return call->api->is_local;
    uint8_t wanted[SHA256_BYTES], given[SHA256_BYTES];
    struct span token = key_from_authorization(head_get(call->head, FIELD_AUTHORIZATION));
    digest_sha256(secret_reveal(&s->admin_token), wanted);
    digest_sha256(token, given); /* equal lengths, so the comparison tells nothing of the token's */
    return span_eq_constant_time(span_of(wanted, sizeof wanted), span_of(given, sizeof given));
}

static bool refuse(struct exchange *x, enum fault_kind kind, const char *text)
{
    struct fault why = {.kind = kind};
    snprintf(why.message, sizeof why.message, "%s", text);
    exchange_fail(x, &why);
    return false;
}

static bool is_at_the_door(const struct call *call, const struct exchange *x)
{
    bool asks_for_keys = exchange_deployment(x)->snapshot->auth_required;
    bool has_door = (call->api->serves & SERVES_ADMIN) != 0 || !asks_for_keys;
    return has_door && manage_is_operator(call);
}

bool manage_admit_reader(const struct call *call, struct exchange *x)
{
    if (is_at_the_door(call, x))
        return true;
    if ((call->api->serves & SERVES_API) == 0)
        return refuse(x, FAULT_INVALID_API_KEY,
                      "the admin token is needed: send Authorization: Bearer <token>");
    if (!exchange_authenticate(x, call->head))
        return false;
    const struct key_options *key = exchange_key(x);
    return key == NULL || key->scope != SCOPE_PIPELINE ||
           refuse(x, FAULT_KEY_SCOPE,
                  "this key is for one pipeline; the account is the business of the workspace's");
}

bool manage_admit(const struct call *call, struct exchange *x)
{
    bool asks_for_keys = exchange_deployment(x)->snapshot->auth_required;
    if (is_at_the_door(call, x))
        return true;
    if ((call->api->serves & SERVES_API) == 0 || !asks_for_keys)
        return refuse(x, FAULT_INVALID_API_KEY,
                      "the admin token is needed: send Authorization: Bearer <token>");
    if (!exchange_authenticate(x, call->head))
        return false;
    return exchange_key(x)->scope == SCOPE_ADMIN ||
           refuse(x, FAULT_KEY_SCOPE,
                  "this key calls models and may not manage: that takes one with scope: admin");
}
