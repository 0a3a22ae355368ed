#include "keys.h"

#include "manage.h"
#include "page.h"

#include "sluice/config/key_words.h"
#include "sluice/base/dollars.h"
#include "sluice/base/timestamp.h"
#include "sluice/config/plans.h"

#include <stdio.h>
#include <stdlib.h>

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

static void write_usd(struct json_out *o, const char *name, bool has_one, uint64_t pd)
{
    char amount[DOLLARS_TEXT_BYTES];
    write_name(o, name);
    if (has_one)
        json_out_span(o, span_of(amount, dollars_write(pd, amount)));
    else
        json_out_lit(o, "null");
}

static void write_budget(struct json_out *o, const struct budget_options *b, uint64_t spent_pd)
{
    bool has_one = (b->known & BUDGET_USD) != 0;
    write_usd(o, "budget_usd", has_one, b->usd_pd);
    write_text(o, "budget_period", has_one ? budget_period_word(b->period) : NULL);
    write_usd(o, "spent_usd", has_one, spent_pd);
}

static void write_limits(struct json_out *o, const struct snapshot *s, const struct key_options *k,
                         const struct key_use *use)
{
    const struct plan_options *plan = plan_of_key(s, k);
    write_text(o, "plan", plan != NULL ? plan->name : NULL);
    write_count(o, "rate_limit", k->limits.rpm);
    write_count(o, "effective_rate_limit", plan_rpm(plan, k->limits.rpm));
    write_count(o, "tpm", k->limits.tpm);
    write_count(o, "concurrency", k->limits.concurrency);
    write_budget(o, &k->budget, use->spent_pd);
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

/* What the ledger knows is of calls that ended; this process knows also of others, and of those that run. */
static uint64_t last_used(const struct managed_key *k, const struct key_use *use)
{
    uint64_t here = k != NULL ? k->last_used_unix_ms : 0;
    return here > use->last_used_unix_ms ? here : use->last_used_unix_ms;
}

/* `k` NULL: of the configuration, where nothing is known of the key's text or its times. */
static void write_key(struct json_out *o, const struct snapshot *s, const struct key_options *p,
                      const struct managed_key *k, const struct key_use *use, const char *secret)
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
    write_limits(o, s, p, use);
    write_time(o, "expires_at", p->expires_unix_ms);
    write_time(o, "created_at", k != NULL ? k->created_unix_ms : 0);
    write_time(o, "last_used_at", last_used(k, use));
    write_time(o, "previous_valid_until", k != NULL ? last_of_earlier(k) : 0);
    json_out_lit(o, "}");
}

void keys_write(struct json_out *o, const struct snapshot *s, const struct managed_key *k,
                const struct key_use *use, const char *secret)
{
    write_key(o, s, &k->options, k, use, secret);
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

/* --- showing: some keys are chosen, the ledger is asked for them, all is written ------------------- */

/* One request under way. */
struct showing {
    struct exchange_hook hook; /* first */
    struct exchange *x;
    struct managed_key *managed[PAGE_LIMIT_MAX]; /* NULL: of the configuration */
    struct key_uses uses;
    bool is_list, has_more;
    unsigned total;
};

static void showing_free(struct showing *w)
{
    exchange_on_end(w->x, NULL);
    key_uses_cancel(&w->uses);
    for (unsigned i = 0; i < w->uses.n; i++)
        managed_key_unref(w->managed[i]);
    free(w);
}

static void on_ended(struct exchange_hook *hook)
{
    showing_free((struct showing *)hook);
}

static void write_shown(struct json_out *o, const struct showing *w, unsigned i)
{
    write_key(o, exchange_deployment(w->x)->snapshot, w->uses.keys[i], w->managed[i],
              &w->uses.at[i], NULL);
}

static void write_page(struct json_out *o, const struct showing *w)
{
    json_out_lit(o, "{\"object\":\"list\",\"data\":[");
    for (unsigned i = 0; i < w->uses.n; i++) {
        json_out_span(o, i > 0 ? SPAN_LIT(",") : SPAN_NONE);
        write_shown(o, w, i);
    }
    json_out_lit(o, "]");
    if (w->has_more)
        page_write_next(exchange_deployment(w->x)->snapshot, LIST,
                        span_text(w->uses.keys[w->uses.n - 1]->id), o);
    json_out_lit(o, ",\"total_count\":");
    json_out_u64(o, w->total);
    json_out_lit(o, "}");
}

static void on_known(void *arg)
{
    struct showing *w = arg;
    struct exchange *x = w->x;
    struct buf out = {0};
    struct json_out o = json_out_to(&out);
    if (w->is_list)
        write_page(&o, w);
    else
        write_shown(&o, w, 0);
    showing_free(w);
    exchange_reply_made(x, 200, o.rc, &out);
}

static struct showing *showing_new(struct exchange *x)
{
    struct showing *w = xcalloc(1, sizeof *w);
    w->hook.ended = on_ended;
    w->x = x;
    w->uses.done = on_known;
    w->uses.arg = w;
    exchange_on_end(x, &w->hook);
    return w;
}

/* `k` NULL: `p` is the configuration's. */
static void choose(struct showing *w, const struct key_options *p, struct managed_key *k)
{
    w->managed[w->uses.n] = k != NULL ? managed_key_ref(k) : NULL;
    w->uses.keys[w->uses.n++] = k != NULL ? &k->options : p;
}

static void show(struct showing *w)
{
    key_uses_look(&w->uses, exchange_deployment(w->x)->gateway->store);
}

/* --- the list: managed ones, the newest first, and then the configuration's ----------------------- */

static void choose_item(struct showing *w, const struct deployment *d, unsigned i)
{
    const struct managed_keys *m = d->gateway->keys;
    unsigned managed = managed_keys_count(m);
    if (i < managed)
        choose(w, NULL, managed_keys_at(m, managed - 1 - i));
    else
        choose(w, &d->snapshot->keys[i - managed], NULL);
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

static void list(struct exchange *x, struct span query, struct arena *a)
{
    const struct deployment *d = exchange_deployment(x);
    struct page page;
    struct fault why;
    if (!page_read(d->snapshot, LIST, query, a, &page, &why)) {
        exchange_fail(x, &why);
        return;
    }
    struct showing *w = showing_new(x);
    unsigned i = page.after.at != NULL ? behind(d, page.after) : 0;
    w->is_list = true;
    w->total = managed_keys_count(d->gateway->keys) + d->snapshot->nkeys;
    for (; i < w->total && w->uses.n < page.limit; i++)
        choose_item(w, d, i);
    w->has_more = i < w->total;
    show(w);
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
    if (x == NULL)
        return;
    struct managed_key *k = managed_keys_find(call->api->gateway->keys, call->rest);
    const struct key_options *p = keys_configured(exchange_deployment(x)->snapshot, call->rest);
    if (k == NULL && p == NULL) {
        exchange_fail(x, &unknown);
        return;
    }
    struct showing *w = showing_new(x);
    choose(w, p, k);
    show(w);
}
