#include "manage.h"
#include "query.h"
#include "rows.h"

#include "sluice/base/log.h"
#include "sluice/config/own_provider.h"
#include "sluice/config/secret_json.h"
#include "sluice/exchange/trial.h"
#include "sluice/format/json_out.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <time.h>

/* /v1/byok: credentials that callers bring (contract BYOK-1 to BYOK-5). Who may: manage.h.
 *
 *   what was asked ──▶ a live test, where one is due ──▶ the vault ──▶ the answer */

enum { LABEL_MAX = 200, PAGE = 20, PAGE_MAX = 100 };

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
    struct vault_change *change;
};

/* --- answers -------------------------------------------------------------------------------------- */

static struct fault fault_of(enum fault_kind kind, const char *param, const char *text)
{
    struct fault why = {.kind = kind, .param = param};
    snprintf(why.message, sizeof why.message, "%s", text);
    return why;
}

static void write_time(struct json_out *o, uint64_t unix_ms)
{
    char text[32];
    struct tm tm;
    time_t t = (time_t)(unix_ms / 1000);
    gmtime_r(&t, &tm);
    size_t n = strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &tm);
    json_out_bytes(o, span_of(text, n));
}

static void write_test(struct json_out *o, const struct vault_test *t)
{
    json_out_span(o, t->ok ? SPAN_LIT("\"ok\":true") : SPAN_LIT("\"ok\":false"));
    json_out_lit(o, ",\"latency_ms\":");
    json_out_u64(o, t->latency_ms);
    json_out_lit(o, ",\"model\":");
    if (t->model != NULL)
        json_out_bytes(o, span_text(t->model));
    else
        json_out_lit(o, "null");
    if (t->status != 0) {
        json_out_lit(o, ",\"status\":");
        json_out_u64(o, t->status);
    }
    if (t->error != NULL) {
        json_out_lit(o, ",\"error\":");
        json_out_bytes(o, span_text(t->error));
    }
}

static void write_keys(struct json_out *o, const struct text_list *keys)
{
    if (keys->n == 0) {
        json_out_lit(o, "null");
        return;
    }
    for (unsigned i = 0; i < keys->n; i++) {
        json_out_span(o, i > 0 ? SPAN_LIT(",") : SPAN_LIT("["));
        json_out_bytes(o, span_text(keys->at[i]));
    }
    json_out_lit(o, "]");
}

static const struct provider_options *provider_named(const struct snapshot *s, const char *name)
{
    for (unsigned i = 0; i < s->nproviders; i++) {
        if (strcmp(s->providers[i].name, name) == 0)
            return &s->providers[i];
    }
    return NULL;
}

static const char *state_of(const struct gateway *g, const struct vault_entry *e)
{
    return provider_named(g->now->snapshot, e->provider) == NULL ? "unknown_provider"
           : !secret_is_set(&e->credential)                      ? "unreadable"
           : !e->enabled                                         ? "disabled"
                                                                 : "ready";
}

static void write_entry(struct json_out *o, const struct gateway *g, const struct vault_entry *e)
{
    json_out_lit(o, "{\"id\":");
    json_out_bytes(o, span_text(e->id));
    json_out_lit(o, ",\"object\":\"byok\",\"provider\":");
    json_out_bytes(o, span_text(e->provider));
    json_out_lit(o, ",\"label\":");
    json_out_bytes(o, span_text(e->label));
    json_out_span(o, e->enabled ? SPAN_LIT(",\"enabled\":true") : SPAN_LIT(",\"enabled\":false"));
    json_out_lit(o, ",\"credential\":");
    json_out_bytes(o, span_text(e->masked));
    json_out_lit(o, ",\"keys\":");
    write_keys(o, &e->keys);
    json_out_lit(o, ",\"state\":");
    json_out_bytes(o, span_text(state_of(g, e)));
    json_out_lit(o, ",\"created_at\":");
    write_time(o, e->created_unix_ms);
    json_out_lit(o, ",\"last_test\":");
    if (e->test.at_unix_ms == 0) {
        json_out_lit(o, "null}");
        return;
    }
    json_out_lit(o, "{\"at\":");
    write_time(o, e->test.at_unix_ms);
    json_out_lit(o, ",");
    write_test(o, &e->test);
    json_out_lit(o, "}}");
}

static void reply_json(struct exchange *x, unsigned status, struct json_out *o)
{
    struct fault why = {.kind = FAULT_OVERLOADED, .message = "out of memory"};
    if (o->rc < 0)
        exchange_fail(x, &why);
    else
        exchange_reply(x, status, "application/json", buf_span(o->buf));
    buf_fini(o->buf);
}

/* --- an errand ------------------------------------------------------------------------------------ */

static void errand_free(struct errand *e)
{
    exchange_on_end(e->x, NULL);
    if (e->trial != NULL)
        trial_cancel(e->trial);
    if (e->change != NULL)
        vault_change_cancel(e->change);
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
    reply_json(x, status, &o);
}

static void write_stored(struct json_out *o, const struct errand *e)
{
    const struct vault_entry *stored = vault_find(e->gateway->vault, span_text(e->entry.id));
    write_entry(o, e->gateway, stored != NULL ? stored : &e->entry);
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
    write_test(o, &e->entry.test);
    json_out_lit(o, "}");
}

/* --- what went wrong ------------------------------------------------------------------------------ */

static void give_up(struct errand *e, enum fault_kind kind, const char *param, const char *text)
{
    struct fault why = fault_of(kind, param, text);
    struct exchange *x = e->x;
    errand_free(e);
    exchange_fail(x, &why);
}

static void give_up_for(struct errand *e, enum record_outcome outcome)
{
    if (outcome == RECORD_ABSENT)
        give_up(e, FAULT_NOT_FOUND, NULL, "no credential has this id");
    else if (outcome == RECORD_FULL)
        give_up(e, FAULT_INVALID_REQUEST, NULL,
                "there are as many credentials as are kept (1000); delete some first");
    else
        give_up(e, FAULT_OVERLOADED, NULL,
                "the store did not answer: whether it was changed is unknown, list to see");
}

/* False: the errand is over. */
static bool is_possible(struct exchange *x, struct gateway *g)
{
    struct fault why;
    if (g->vault == NULL || !vault_has_key(g->vault))
        why = fault_of(FAULT_NO_PROVIDER, NULL,
                       "credentials cannot be kept: set secrets.master_key in the configuration "
                       "(32 bytes, `openssl rand -base64 32`), so that they are encrypted");
    else if (!vault_is_loaded(g->vault))
        why = fault_of(FAULT_OVERLOADED, NULL,
                       "the store that keeps credentials cannot be reached");
    else
        return true;
    exchange_fail(x, &why);
    return false;
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
    give_up(e, FAULT_INVALID_REQUEST, "credential", text);
}

static void try_entry(struct errand *e)
{
    e->trial = trial_start(e->gateway, e->entry.provider, secret_reveal(&e->entry.credential),
                           on_tried, e);
}

/* --- what is asked -------------------------------------------------------------------------------- */

struct problem {
    const char *param;
    char text[300];
};

static bool refuse(struct problem *p, const char *param, const char *text)
{
    p->param = param;
    snprintf(p->text, sizeof p->text, "%s", text);
    return false;
}

static const char *keep(struct errand *e, yyjson_val *text)
{
    return (const char *)arena_keep(&e->arena, span_of(yyjson_get_str(text), yyjson_get_len(text)))
        .at;
}

static bool take_bool(yyjson_val *root, const char *name, bool *out, struct problem *p)
{
    yyjson_val *v = yyjson_obj_get(root, name);
    if (v == NULL)
        return true;
    if (!yyjson_is_bool(v))
        return refuse(p, name, "true or false was expected");
    *out = yyjson_get_bool(v);
    return true;
}

static bool take_label(struct errand *e, yyjson_val *root, struct problem *p)
{
    yyjson_val *v = yyjson_obj_get(root, "label");
    if (v == NULL)
        return true;
    if (!yyjson_is_str(v) || yyjson_get_len(v) > LABEL_MAX ||
        strlen(yyjson_get_str(v)) != yyjson_get_len(v))
        return refuse(p, "label", "text of at most 200 bytes was expected");
    e->entry.label = keep(e, v);
    return true;
}

static bool is_key(const struct snapshot *s, const char *name)
{
    for (unsigned i = 0; i < s->nkeys; i++) {
        if (strcmp(s->keys[i].name, name) == 0)
            return true;
    }
    return false;
}

static bool take_keys(struct errand *e, yyjson_val *root, struct problem *p)
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
        return refuse(p, "keys", "1 to 64 names of keys were expected, or null for everybody");
    e->entry.keys.at = ARENA_ARRAY(&e->arena, const char *, yyjson_arr_size(list));
    yyjson_arr_foreach(list, i, max, v)
    {
        if (!yyjson_is_str(v) || !is_key(e->gateway->now->snapshot, yyjson_get_str(v)))
            return refuse(p, "keys", "there is no key of this name in the configuration");
        e->entry.keys.at[e->entry.keys.n++] = keep(e, v);
    }
    return true;
}

static bool take_provider(struct errand *e, yyjson_val *root, struct problem *p)
{
    yyjson_val *v = yyjson_obj_get(root, "provider");
    if (!yyjson_is_str(v))
        return refuse(p, "provider", "is missing: the name of a configured provider");
    e->entry.provider = keep(e, v);
    if (provider_named(e->gateway->now->snapshot, e->entry.provider) != NULL)
        return true;
    p->param = "provider";
    snprintf(p->text, sizeof p->text, "no provider named \"%.80s\" is configured",
             e->entry.provider);
    return false;
}

/* Does the provider take it in this form? */
static bool check_credential(struct errand *e, struct problem *p)
{
    const struct provider_options *o = provider_named(e->gateway->now->snapshot, e->entry.provider);
    struct own_provider made;
    char masked[16];
    if (o == NULL)
        return refuse(p, "provider", "its provider is not configured any more");
    struct span credential = secret_reveal(&e->entry.credential);
    const char *problem = own_provider_init(&made, o, credential, OWN_MANAGED);
    own_provider_fini(&made);
    if (problem != NULL)
        return refuse(p, "credential", problem);
    own_credential_mask(credential, masked);
    e->entry.masked = (const char *)arena_keep(&e->arena, span_text(masked)).at;
    e->entry.test = (struct vault_test){0}; /* that was of another one */
    return true;
}

static bool take_credential(struct errand *e, yyjson_val *root, struct problem *p)
{
    yyjson_val *v = yyjson_obj_get(root, "credential");
    size_t len = yyjson_get_len(v);
    char *written = NULL;
    int rc;
    if (v == NULL && e->job == JOB_CHANGE)
        return true;
    if (!yyjson_is_str(v) && !yyjson_is_obj(v))
        return refuse(p, "credential", "a string or an object was expected");
    if (yyjson_is_obj(v))
        written = yyjson_val_write(v, YYJSON_WRITE_NOFLAG, &len);
    secret_fini(&e->entry.credential);
    rc = secret_init(&e->entry.credential,
                     span_of(written != NULL ? written : yyjson_get_str(v), len));
    if (written != NULL)
        explicit_bzero(written, len);
    free(written);
    e->wants_test = true;
    return rc < 0 ? refuse(p, "credential", "out of memory") : check_credential(e, p);
}

static bool take_body(struct errand *e, struct span body, struct problem *p)
{
    struct secret_json json = secret_json_read(body);
    bool is_taken = yyjson_is_obj(json.root) || refuse(p, NULL, "a JSON object was expected");
    if (is_taken && e->job == JOB_ADD)
        is_taken = take_provider(e, json.root, p);
    is_taken = is_taken && take_credential(e, json.root, p) && take_label(e, json.root, p) &&
               take_bool(json.root, "enabled", &e->entry.enabled, p) && take_keys(e, json.root, p);
    bool is_new = e->wants_test;
    is_taken = is_taken && take_bool(json.root, "test", &e->wants_test, p);
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
    struct problem p = {0};
    if (!take_body(e, body, &p))
        give_up(e, FAULT_INVALID_REQUEST, p.param, p.text);
    else if (e->wants_test)
        try_entry(e);
    else
        store_entry(e);
}

static void add(struct exchange *x, struct span body)
{
    struct gateway *g = exchange_deployment(x)->gateway;
    char id[VAULT_ID_BYTES + 1];
    if (!is_possible(x, g))
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
    if (!is_possible(x, g))
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
        give_up(
            e, FAULT_INVALID_REQUEST, NULL,
            "secrets.master_key does not open this credential: replace it, or bring the key back");
}

const struct exchange_kind byok_add = {.api = API_OTHER, .label = "byok", .take = add};
const struct exchange_kind byok_change = {.api = API_OTHER, .label = "byok", .take = change};
const struct exchange_kind byok_remove = {.api = API_OTHER, .label = "byok", .take = remove_one};
const struct exchange_kind byok_test = {.api = API_OTHER, .label = "byok", .take = test};

/* --- the list ------------------------------------------------------------------------------------- */

/* "id mark" in base64url: nobody but us makes one (contract 0.7). */
static void write_cursor(struct json_out *o, const struct vault *v, const char *id)
{
    uint8_t both[VAULT_ID_BYTES + VAULT_MARK_BYTES];
    struct buf text = {0};
    memcpy(both, id, VAULT_ID_BYTES);
    vault_mark(v, span_of(both, VAULT_ID_BYTES), both + VAULT_ID_BYTES);
    if (digest_base64url(span_of(both, sizeof both), &text) < 0)
        o->rc = -ENOMEM;
    json_out_lit(o, ",\"next_cursor\":");
    json_out_bytes(o, buf_span(&text));
    buf_fini(&text);
}

/* False: not one of ours. */
static bool read_cursor(const struct vault *v, struct span cursor, uint8_t id[VAULT_ID_BYTES])
{
    uint8_t mark[VAULT_MARK_BYTES];
    struct buf both = {0};
    struct buf standard = {0};
    bool is_ours = cursor.len == (VAULT_ID_BYTES + VAULT_MARK_BYTES) / 3 * 4 &&
                   buf_add(&standard, cursor) == 0;
    for (size_t i = 0; is_ours && i < cursor.len; i++) {
        uint8_t *c = &standard.at[standard.head + i];
        *c = *c == '-' ? '+' : *c == '_' ? '/' : *c;
    }
    is_ours = is_ours && digest_unbase64(buf_span(&standard), &both) &&
              buf_len(&both) == VAULT_ID_BYTES + VAULT_MARK_BYTES;
    if (is_ours) {
        struct span whole = buf_span(&both);
        vault_mark(v, span_sub(whole, 0, VAULT_ID_BYTES), mark);
        is_ours = span_eq_constant_time(span_of(mark, sizeof mark),
                                        span_skip(whole, VAULT_ID_BYTES));
        memcpy(id, whole.at, VAULT_ID_BYTES);
    }
    buf_fini(&standard);
    buf_fini(&both);
    return is_ours;
}

/* How many of the oldest come before this id. */
static unsigned older_than(const struct vault *v, const uint8_t id[VAULT_ID_BYTES])
{
    unsigned n = vault_count(v);
    while (n > 0 && memcmp(vault_at(v, n - 1)->id, id, VAULT_ID_BYTES) >= 0)
        n--;
    return n;
}

static void write_page(struct json_out *o, const struct gateway *g, unsigned behind, unsigned limit)
{
    const struct vault *v = g->vault;
    json_out_lit(o, "{\"object\":\"list\",\"data\":[");
    unsigned end = behind > limit ? behind - limit : 0;
    for (unsigned i = behind; i > end; i--) {
        if (i < behind)
            json_out_lit(o, ",");
        write_entry(o, g, vault_at(v, i - 1));
    }
    json_out_lit(o, "]");
    if (end > 0)
        write_cursor(o, v, vault_at(v, end)->id);
    json_out_lit(o, ",\"total_count\":");
    json_out_u64(o, vault_count(v));
    json_out_lit(o, "}");
}

static bool read_limit(struct span text, unsigned *out)
{
    uint64_t n;
    if (text.at == NULL)
        return true;
    if (!span_to_u64(text, &n) || n == 0)
        return false;
    *out = n < PAGE_MAX ? (unsigned)n : PAGE_MAX;
    return true;
}

static void list(struct exchange *x, struct span query, struct arena *a)
{
    struct gateway *g = exchange_deployment(x)->gateway;
    struct span cursor = query_get(query, "cursor", a);
    uint8_t id[VAULT_ID_BYTES];
    unsigned limit = PAGE, behind = vault_count(g->vault);
    struct fault why;
    if (!read_limit(query_get(query, "limit", a), &limit)) {
        why = fault_of(FAULT_INVALID_REQUEST, "limit", "a number from 1 to 100 was expected");
    } else if (cursor.at != NULL && !read_cursor(g->vault, cursor, id)) {
        why = fault_of(FAULT_INVALID_CURSOR, "cursor",
                       "not a cursor of this list: send next_cursor as it came");
    } else {
        struct buf out = {0};
        struct json_out o = json_out_to(&out);
        if (cursor.at != NULL)
            behind = older_than(g->vault, id);
        write_page(&o, g, behind, limit);
        reply_json(x, 200, &o);
        return;
    }
    exchange_fail(x, &why);
}

void byok_list(const struct row *row, const struct call *call)
{
    struct exchange *x = exchange_open(call->api->gateway, call->sink, row->kind, call->head);
    struct arena a;
    if (call->fields.len > 0)
        exchange_add_fields(x, call->fields);
    if (!manage_admit(call, x) || !is_possible(x, call->api->gateway))
        return;
    arena_init(&a, NULL, 256);
    list(x, call->query, &a);
    arena_fini(&a);
}
