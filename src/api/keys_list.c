#include "keys.h"

#include "manage.h"
#include "page.h"

#include "sluice/base/dollars.h"
#include "sluice/base/timestamp.h"
#include "sluice/config/plans.h"

#include <stdio.h>

/* GET /v1/keys and /v1/keys/{id} (contract KEY-2, KEY-3), and the words of their siblings. */

static const char LIST[] = "keys";

/* --- what is shown -------------------------------------------------------------------------------- */

static void write_name(struct json_out *o, const char *name)
{
    json_out_lit(o, ",");
    json_out_bytes(o, span_text(name));
    json_out_lit(o, ":");
}

/* NULL or empty: null. */
static void write_text(struct json_out *o, const char *name, const char *text)
{
    write_name(o, name);
    if (text == NULL || text[0] == '\0')
        json_out_lit(o, "null");
    else
        json_out_bytes(o, span_text(text));
}

/* 0: null, there is none. */
static void write_count(struct json_out *o, const char *name, uint64_t n)
{
    write_name(o, name);
    if (n == 0)
        json_out_lit(o, "null");
    else
        json_out_u64(o, n);
}

static void write_time(struct json_out *o, const char *name, uint64_t unix_ms)
{
    char text[TIMESTAMP_BYTES];
    write_name(o, name);
    if (unix_ms == 0) {
        json_out_lit(o, "null");
        return;
    }
    timestamp_write(unix_ms, text);
    json_out_bytes(o, span_of(text, sizeof text));
}

static void write_models(struct json_out *o, const struct text_list *models)
{
    write_name(o, "models");
    for (unsigned i = 0; i < models->n; i++) {
        json_out_span(o, i > 0 ? SPAN_LIT(",") : SPAN_LIT("["));
        json_out_bytes(o, span_text(models->at[i]));
    }
    json_out_lit(o, "]");
}

static void write_budget(struct json_out *o, const struct budget_options *b)
{
    char amount[DOLLARS_TEXT_BYTES];
    bool has_one = (b->known & BUDGET_USD) != 0;
    write_name(o, "budget_usd");
    if (has_one)
        json_out_span(o, span_of(amount, dollars_write(b->usd_pd, amount)));
    else
        json_out_lit(o, "null");
    write_text(o, "budget_period", has_one ? budget_period_word(b->period) : NULL);
}

static void write_limits(struct json_out *o, const struct snapshot *s, const struct key_options *k)
{
    const struct plan_options *plan = plan_of_key(s, k);
    write_text(o, "plan", plan != NULL ? plan->name : NULL);
    write_count(o, "rate_limit", k->limits.rpm);
    write_count(o, "effective_rate_limit", plan_rpm(plan, k->limits.rpm));
    write_count(o, "tpm", k->limits.tpm);
    write_count(o, "concurrency", k->limits.concurrency);
    write_budget(o, &k->budget);
}

/* Until when a secret works that was replaced; 0: none does. */
static uint64_t last_of_earlier(const struct managed_key *k)
{
    uint64_t last = clock_unix_ms();
    bool has_one = false;
    for (unsigned i = 0; i < k->nearlier; i++) {
        if (k->earlier[i].until_unix_ms > last) {
            last = k->earlier[i].until_unix_ms;
            has_one = true;
        }
    }
    return has_one ? last : 0;
}

/* `k` NULL: of the configuration, where nothing is known of the key's text or its times. */
static void write_key(struct json_out *o, const struct snapshot *s, const struct key_options *p,
                      const struct managed_key *k, const char *secret)
{
    json_out_lit(o, "{\"id\":");
    json_out_bytes(o, span_text(p->id));
    json_out_lit(o, ",\"object\":\"key\"");
    if (secret != NULL)
        write_text(o, "key", secret);
    write_text(o, "name", p->name);
    write_text(o, "source", k != NULL ? "managed" : "config");
    write_text(o, "scope", key_scope_word(p->scope));
    write_text(o, "pipeline_id", p->pipeline);
    write_text(o, "prefix", k != NULL ? k->prefix : NULL);
    write_text(o, "last4", k != NULL ? k->last4 : NULL);
    write_name(o, "enabled");
    json_out_span(o, p->enabled ? SPAN_LIT("true") : SPAN_LIT("false"));
    write_models(o, &p->models);
    write_limits(o, s, p);
    write_time(o, "expires_at", p->expires_unix_ms);
    write_time(o, "created_at", k != NULL ? k->created_unix_ms : 0);
    write_time(o, "last_used_at", k != NULL ? k->last_used_unix_ms : 0);
    write_time(o, "previous_valid_until", k != NULL ? last_of_earlier(k) : 0);
    json_out_lit(o, "}");
}

void keys_write(struct json_out *o, const struct snapshot *s, const struct managed_key *k,
                const char *secret)
{
    write_key(o, s, &k->options, k, secret);
}

/* --- finding -------------------------------------------------------------------------------------- */

const struct key_options *keys_configured(const struct snapshot *s, struct span id)
{
    for (unsigned i = 0; i < s->nkeys; i++) {
        if (span_eq(span_text(s->keys[i].id), id))
            return &s->keys[i];
    }
    return NULL;
}

bool keys_are_known(struct exchange *x, const struct gateway *g)
{
    static const struct fault why = {.kind = FAULT_OVERLOADED,
                                     .message = "the store that keeps keys cannot be reached"};
    if (managed_keys_are_loaded(g->keys))
        return true;
    exchange_fail(x, &why);
    return false;
}

/* --- the list: managed ones, the newest first, and then the configuration's ----------------------- */

static void write_item(struct json_out *o, const struct deployment *d, unsigned i)
{
    const struct managed_keys *m = d->gateway->keys;
    unsigned managed = managed_keys_count(m);
    if (i < managed)
        keys_write(o, d->snapshot, managed_keys_at(m, managed - 1 - i), NULL);
    else
        write_key(o, d->snapshot, &d->snapshot->keys[i - managed], NULL, NULL);
}

static struct span id_of_item(const struct deployment *d, unsigned i)
{
    const struct managed_keys *m = d->gateway->keys;
    unsigned managed = managed_keys_count(m);
    return span_text(i < managed ? managed_keys_at(m, managed - 1 - i)->options.id
                                 : d->snapshot->keys[i - managed].id);
}

/* Where the page behind this one begins. A managed key may be gone meanwhile: ids are in order. */
static unsigned behind(const struct deployment *d, struct span id)
{
    const struct managed_keys *m = d->gateway->keys;
    const struct key_options *configured = keys_configured(d->snapshot, id);
    unsigned managed = managed_keys_count(m), i = 0;
    char text[PAGE_POSITION_MAX + 1];
    if (configured != NULL)
        return managed + (unsigned)(configured - d->snapshot->keys) + 1;
    snprintf(text, sizeof text, "%.*s", SPAN_FMT(id));
    while (i < managed && strcmp(managed_keys_at(m, managed - 1 - i)->options.id, text) >= 0)
        i++;
    return i;
}

static void write_page(struct json_out *o, const struct deployment *d, unsigned from,
                       unsigned limit)
{
    unsigned total = managed_keys_count(d->gateway->keys) + d->snapshot->nkeys, i = from;
    json_out_lit(o, "{\"object\":\"list\",\"data\":[");
    for (; i < total && i - from < limit; i++) {
        if (i > from)
            json_out_lit(o, ",");
        write_item(o, d, i);
    }
    json_out_lit(o, "]");
    if (i < total)
        page_write_next(d->snapshot, LIST, id_of_item(d, i - 1), o);
    json_out_lit(o, ",\"total_count\":");
    json_out_u64(o, total);
    json_out_lit(o, "}");
}

static void list(struct exchange *x, struct span query, struct arena *a)
{
    const struct deployment *d = exchange_deployment(x);
    struct buf out = {0};
    struct json_out o = json_out_to(&out);
    struct page page;
    struct fault why;
    if (!page_read(d->snapshot, LIST, query, a, &page, &why)) {
        exchange_fail(x, &why);
        return;
    }
    write_page(&o, d, page.after.at != NULL ? behind(d, page.after) : 0, page.limit);
    exchange_reply_made(x, 200, o.rc, &out);
}

/* NULL: it may not, or nothing can be told; the exchange has ended. */
static struct exchange *open_for(const struct row *row, const struct call *call)
{
    struct exchange *x = exchange_open(call->api->gateway, call->sink, row->kind, call->head);
    if (call->fields.len > 0)
        exchange_add_fields(x, call->fields);
    return manage_admit(call, x) && keys_are_known(x, call->api->gateway) ? x : NULL;
}

void keys_list(const struct row *row, const struct call *call)
{
    struct exchange *x = open_for(row, call);
    struct arena a;
    if (x == NULL)
        return;
    arena_init(&a, NULL, 256);
    list(x, call->query, &a);
    arena_fini(&a);
}

void keys_one(const struct row *row, const struct call *call)
{
    static const struct fault unknown = {.kind = FAULT_NOT_FOUND, .message = "no key has this id"};
    struct exchange *x = open_for(row, call);
    struct buf out = {0};
    struct json_out o = json_out_to(&out);
    if (x == NULL)
        return;
    const struct snapshot *s = exchange_deployment(x)->snapshot;
    const struct managed_key *k = managed_keys_find(call->api->gateway->keys, call->rest);
    const struct key_options *p = k != NULL ? &k->options : keys_configured(s, call->rest);
    if (p == NULL) {
        exchange_fail(x, &unknown);
        return;
    }
    write_key(&o, s, p, k, NULL);
    exchange_reply_made(x, 200, o.rc, &out);
}
