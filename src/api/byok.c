#include "byok.h"
#include "fields.h"
#include "rows.h"

#include "sluice/config/own_provider.h"
#include "sluice/config/secret_json.h"
#include "sluice/exchange/trial.h"
#include "sluice/format/json_out.h"

#include <stdio.h>
#include <stdlib.h>

/* /v1/byok: credentials that callers bring (contract BYOK-1 to BYOK-5). Who may: manage.h.
 *
 *   what was asked ──▶ a live test, where one is due ──▶ the vault ──▶ the answer */

enum { LABEL_MAX = 200 };

enum job { JOB_ADD, JOB_CHANGE, JOB_REMOVE, JOB_TEST };

/* One request under way. */
struct errand {
    struct exchange_hook hook; /* first */
    struct exchange *x;
    struct gateway *gateway;
    enum job job;
    struct arena arena;
    struct vault_entry entry; /* as it shall be; its credential is ours, if set */
    bool wants_test;
    struct trial *trial;
    struct record_change *change;
};

/* --- an errand ------------------------------------------------------------------------------------ */

static void errand_free(struct errand *e)
{
    exchange_on_end(e->x, NULL);
    if (e->trial != NULL)
        trial_cancel(e->trial);
    if (e->change != NULL)
        record_change_cancel(e->change);
    secret_fini(&e->entry.credential);
    arena_fini(&e->arena);
    free(e);
}

/* The client left: a change that was sent is made all the same. */
static void on_ended(struct exchange_hook *hook)
{
    errand_free((struct errand *)hook);
}

static void end_with(struct errand *e, unsigned status,
                     void (*write)(struct json_out *o, const struct errand *e))
{
    struct buf out = {0};
    struct json_out o = json_out_to(&out);
    struct exchange *x = e->x;
    write(&o, e);
    errand_free(e);
    exchange_reply_made(x, status, o.rc, &out);
}

static void write_stored(struct json_out *o, const struct errand *e)
{
    const struct vault_entry *stored = vault_find(e->gateway->vault, span_text(e->entry.id));
    byok_write(o, e->gateway, stored != NULL ? stored : &e->entry);
}

static void write_removed(struct json_out *o, const struct errand *e)
{
    json_out_lit(o, "{\"id\":");
    json_out_bytes(o, span_text(e->entry.id));
    json_out_lit(o, ",\"object\":\"byok\",\"deleted\":true}");
}

static void write_tested(struct json_out *o, const struct errand *e)
{
    json_out_lit(o, "{");
    byok_write_test(o, &e->entry.test);
    json_out_lit(o, "}");
}

/* --- what went wrong ------------------------------------------------------------------------------ */

static void give_up(struct errand *e, const struct fault *why)
{
    struct exchange *x = e->x;
    errand_free(e);
    exchange_fail(x, why);
}

static void give_up_with(struct errand *e, enum fault_kind kind, const char *param,
                         const char *text)
{
    struct fault why = byok_fault(kind, param, text);
    give_up(e, &why);
}

static void give_up_for(struct errand *e, enum record_outcome outcome)
{
    if (outcome == RECORD_ABSENT)
        give_up_with(e, FAULT_NOT_FOUND, NULL, "no credential has this id");
    else if (outcome == RECORD_FULL)
        give_up_with(e, FAULT_INVALID_REQUEST, NULL,
                     "there are as many credentials as are kept (1000); delete some first");
    else
        give_up_with(e, FAULT_OVERLOADED, NULL,
                     "the store did not answer: whether it was changed is unknown, list to see");
}

/* --- the last step -------------------------------------------------------------------------------- */

static void on_changed(void *arg, enum record_outcome outcome)
{
    struct errand *e = arg;
    e->change = NULL;
    if (e->job == JOB_TEST && e->entry.test.at_unix_ms != 0)
        end_with(e, 200, write_tested); /* it was made, whether or not that was noted */
    else if (outcome != RECORD_DONE)
        give_up_for(e, outcome);
    else
        end_with(e, e->job == JOB_ADD ? 201 : 200,
                 e->job == JOB_REMOVE ? write_removed : write_stored);
}

/* Whoever deleted it meanwhile shall be right. */
static void store_entry(struct errand *e)
{
    bool is_gone = vault_find(e->gateway->vault, span_text(e->entry.id)) == NULL;
    if (e->job != JOB_ADD && is_gone) {
        on_changed(e, RECORD_ABSENT);
        return;
    }
    e->change = vault_put(e->gateway->vault, &e->entry, on_changed, e);
}

/* --- the live test -------------------------------------------------------------------------------- */

static void on_tried(void *arg, const struct trial_result *r)
{
    struct errand *e = arg;
    char text[400];
    e->trial = NULL;
    e->entry.test = (struct vault_test){
        .at_unix_ms = clock_unix_ms(),
        .ok = r->ok,
        .status = r->status,
        .latency_ms = r->latency_ms,
        .model = r->model == NULL ? NULL
                                  : (const char *)arena_keep(&e->arena, span_text(r->model)).at,
        .error = r->error == NULL ? NULL
                                  : (const char *)arena_keep(&e->arena, span_text(r->error)).at,
    };
    if (r->ok || e->job == JOB_TEST) {
        store_entry(e);
        return;
    }
    snprintf(text, sizeof text,
             "its test failed, so nothing was stored: %s (\"test\": false skips it)", r->error);
    give_up_with(e, FAULT_INVALID_REQUEST, "credential", text);
}

static void try_entry(struct errand *e)
{
    e->trial = trial_start(e->gateway, e->entry.provider, secret_reveal(&e->entry.credential),
                           on_tried, e);
}

/* --- what is asked -------------------------------------------------------------------------------- */

static const char *keep(struct errand *e, yyjson_val *text)
{
    return (const char *)arena_keep(&e->arena, span_of(yyjson_get_str(text), yyjson_get_len(text)))
        .at;
}

static bool is_key(const struct gateway *g, const char *name)
{
    const struct snapshot *s = g->now->snapshot;
    for (unsigned i = 0; i < s->nkeys; i++) {
        if (strcmp(s->keys[i].name, name) == 0)
            return true;
    }
    return managed_keys_find(g->keys, span_text(name)) != NULL;
}

static bool take_keys(struct errand *e, yyjson_val *root, struct fault *why)
{
    yyjson_val *list = yyjson_obj_get(root, "keys"), *v;
    size_t i, max;
    if (list == NULL)
        return true;
    e->entry.keys = (struct text_list){0};
    if (yyjson_is_null(list))
        return true;
    if (!yyjson_is_arr(list) || yyjson_arr_size(list) == 0 ||
        yyjson_arr_size(list) > VAULT_KEYS_MAX)
        return field_refuse(why, "keys",
                            "1 to 64 names of keys were expected, or null for everybody");
    e->entry.keys.at = ARENA_ARRAY(&e->arena, const char *, yyjson_arr_size(list));
    yyjson_arr_foreach(list, i, max, v)
    {
        if (!yyjson_is_str(v) || !is_key(e->gateway, yyjson_get_str(v)))
            return field_refuse(
                why, "keys",
                "neither the name of a key of the configuration nor the id of another");
        e->entry.keys.at[e->entry.keys.n++] = keep(e, v);
    }
    return true;
}

static bool take_provider(struct errand *e, yyjson_val *root, struct fault *why)
{
    yyjson_val *v = yyjson_obj_get(root, "provider");
    if (!yyjson_is_str(v))
        return field_refuse(why, "provider", "is missing: the name of a configured provider");
    e->entry.provider = keep(e, v);
    if (byok_provider(e->gateway->now->snapshot, e->entry.provider) != NULL)
        return true;
    return field_refuse(why, "provider", "no provider named \"%.80s\" is configured",
                        e->entry.provider);
}

/* Does the provider take it in this form? */
static bool check_credential(struct errand *e, struct fault *why)
{
    const struct provider_options *o = byok_provider(e->gateway->now->snapshot, e->entry.provider);
    struct own_provider made;
    char masked[16];
    if (o == NULL)
        return field_refuse(why, "provider", "its provider is not configured any more");
    struct span credential = secret_reveal(&e->entry.credential);
    const char *problem = own_provider_init(&made, o, credential, OWN_MANAGED);
    own_provider_fini(&made);
    if (problem != NULL)
        return field_refuse(why, "credential", "%s", problem);
    own_credential_mask(credential, masked);
    e->entry.masked = (const char *)arena_keep(&e->arena, span_text(masked)).at;
    e->entry.test = (struct vault_test){0}; /* that was of another one */
    return true;
}

static bool take_credential(struct errand *e, yyjson_val *root, struct fault *why)
{
    yyjson_val *v = yyjson_obj_get(root, "credential");
    size_t len = yyjson_get_len(v);
    char *written = NULL;
    int rc;
    if (v == NULL && e->job == JOB_CHANGE)
        return true;
    if (!yyjson_is_str(v) && !yyjson_is_obj(v))
        return field_refuse(why, "credential", "a string or an object was expected");
    if (yyjson_is_obj(v))
        written = yyjson_val_write(v, YYJSON_WRITE_NOFLAG, &len);
    secret_fini(&e->entry.credential);
    rc = secret_init(&e->entry.credential,
                     span_of(written != NULL ? written : yyjson_get_str(v), len));
    if (written != NULL)
        explicit_bzero(written, len);
    free(written);
    e->wants_test = true;
    return rc < 0 ? field_refuse(why, "credential", "out of memory") : check_credential(e, why);
}

static bool take_body(struct errand *e, struct span body, struct fault *why)
{
    struct secret_json json = secret_json_read(body);
    bool is_taken = yyjson_is_obj(json.root) ||
                    field_refuse(why, NULL, "a JSON object was expected");
    if (is_taken && e->job == JOB_ADD)
        is_taken = take_provider(e, json.root, why);
    is_taken = is_taken && take_credential(e, json.root, why) &&
               field_text(&e->arena, json.root, "label", LABEL_MAX, &e->entry.label, why) &&
               field_bool(json.root, "enabled", &e->entry.enabled, why) &&
               take_keys(e, json.root, why);
    bool is_new = e->wants_test;
    is_taken = is_taken && field_bool(json.root, "test", &e->wants_test, why);
    e->wants_test = e->wants_test && is_new;
    secret_json_fini(&json);
    return is_taken;
}

/* --- the rows ------------------------------------------------------------------------------------- */

static struct errand *errand_new(struct exchange *x, enum job job)
{
    struct errand *e = xcalloc(1, sizeof *e);
    e->hook.ended = on_ended;
    e->x = x;
    e->gateway = exchange_deployment(x)->gateway;
    e->job = job;
    arena_init(&e->arena, NULL, 1024);
    exchange_on_end(x, &e->hook);
    return e;
}

static void take_and_store(struct errand *e, struct span body)
{
    struct fault why;
    if (!take_body(e, body, &why))
        give_up(e, &why);
    else if (e->wants_test)
        try_entry(e);
    else
        store_entry(e);
}

static void add(struct exchange *x, struct span body)
{
    struct gateway *g = exchange_deployment(x)->gateway;
    char id[VAULT_ID_BYTES + 1];
    if (!byok_is_possible(x, g))
        return;
    struct errand *e = errand_new(x, JOB_ADD);
    e->entry.created_unix_ms = clock_unix_ms();
    rng_request_id(&g->rng, e->entry.created_unix_ms, id);
    e->entry.id = (const char *)arena_keep(&e->arena, span_text(id)).at;
    e->entry.label = "";
    e->entry.enabled = true;
    take_and_store(e, body);
}

static const char *keep_text(struct arena *a, const char *text)
{
    return text == NULL ? NULL : (const char *)arena_keep(a, span_text(text)).at;
}

/* For the vault's own may be replaced while a test goes on. */
static void copy_entry(struct errand *e, const struct vault_entry *from)
{
    struct arena *a = &e->arena;
    struct vault_entry *to = &e->entry;
    secret_fini(&to->credential);
    *to = *from;
    to->id = keep_text(a, from->id);
    to->provider = keep_text(a, from->provider);
    to->label = keep_text(a, from->label);
    to->masked = keep_text(a, from->masked);
    to->test.model = keep_text(a, from->test.model);
    to->test.error = keep_text(a, from->test.error);
    to->sealed = arena_keep(a, from->sealed);
    to->keys.at = ARENA_ARRAY(a, const char *, from->keys.n + 1);
    for (unsigned i = 0; i < from->keys.n; i++)
        to->keys.at[i] = keep_text(a, from->keys.at[i]);
    if (secret_init(&to->credential, secret_reveal(&from->credential)) < 0)
        to->credential = (struct secret){0}; /* what is sealed stays */
}

/* With what the path names; NULL: there is none, and the exchange has failed. */
static struct errand *errand_for(struct exchange *x, enum job job)
{
    struct gateway *g = exchange_deployment(x)->gateway;
    if (!byok_is_possible(x, g))
        return NULL;
    const struct vault_entry *found = vault_find(g->vault, exchange_subject(x));
    struct errand *e = errand_new(x, job);
    if (found != NULL) {
        copy_entry(e, found);
        return e;
    }
    give_up_for(e, RECORD_ABSENT);
    return NULL;
}

static void change(struct exchange *x, struct span body)
{
    struct errand *e = errand_for(x, JOB_CHANGE);
    if (e != NULL)
        take_and_store(e, body);
}

static void remove_one(struct exchange *x, struct span body)
{
    (void)body;
    struct errand *e = errand_for(x, JOB_REMOVE);
    if (e != NULL)
        e->change = vault_delete(e->gateway->vault, e->entry.id, on_changed, e);
}

static void test(struct exchange *x, struct span body)
{
    (void)body;
    struct errand *e = errand_for(x, JOB_TEST);
    if (e == NULL)
        return;
    e->entry.test = (struct vault_test){0};
    if (secret_is_set(&e->entry.credential))
        try_entry(e);
    else
        give_up_with(
            e, FAULT_INVALID_REQUEST, NULL,
            "secrets.master_key does not open this credential: replace it, or bring the key back");
}

const struct exchange_kind byok_add = {.api = API_OTHER, .label = "byok", .take = add};
const struct exchange_kind byok_change = {.api = API_OTHER, .label = "byok", .take = change};
const struct exchange_kind byok_remove = {.api = API_OTHER, .label = "byok", .take = remove_one};
const struct exchange_kind byok_test = {.api = API_OTHER, .label = "byok", .take = test};
