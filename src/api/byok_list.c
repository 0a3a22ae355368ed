#include "byok.h"

#include "manage.h"
#include "page.h"

#include <stdio.h>
#include <time.h>

/* GET /v1/byok (contract BYOK-2), and the words of its siblings. */

static const char LIST[] = "byok";

/* --- what is shown -------------------------------------------------------------------------------- */

static void write_time(struct json_out *o, uint64_t unix_ms)
{
    char text[32];
    struct tm tm;
    time_t t = (time_t)(unix_ms / 1000);
    gmtime_r(&t, &tm);
    size_t n = strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &tm);
    json_out_bytes(o, span_of(text, n));
}

void byok_write_test(struct json_out *o, const struct vault_test *t)
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

const struct provider_options *byok_provider(const struct snapshot *s, const char *name)
{
    for (unsigned i = 0; i < s->nproviders; i++) {
        if (strcmp(s->providers[i].name, name) == 0)
            return &s->providers[i];
    }
    return NULL;
}

static const char *state_of(const struct gateway *g, const struct vault_entry *e)
{
    return byok_provider(g->now->snapshot, e->provider) == NULL ? "unknown_provider"
           : !secret_is_set(&e->credential)                     ? "unreadable"
           : !e->enabled                                        ? "disabled"
                                                                : "ready";
}

void byok_write(struct json_out *o, const struct gateway *g, const struct vault_entry *e)
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
    byok_write_test(o, &e->test);
    json_out_lit(o, "}}");
}

/* --- answers -------------------------------------------------------------------------------------- */

struct fault byok_fault(enum fault_kind kind, const char *param, const char *text)
{
    struct fault why = {.kind = kind, .param = param};
    snprintf(why.message, sizeof why.message, "%s", text);
    return why;
}

bool byok_is_possible(struct exchange *x, struct gateway *g)
{
    struct fault why;
    if (g->vault == NULL || !vault_has_key(g->vault))
        why = byok_fault(FAULT_NO_PROVIDER, NULL,
                         "credentials cannot be kept: set secrets.master_key in the configuration "
                         "(32 bytes, `openssl rand -base64 32`), so that they are encrypted");
    else if (!vault_is_loaded(g->vault))
        why = byok_fault(FAULT_OVERLOADED, NULL,
                         "the store that keeps credentials cannot be reached");
    else
        return true;
    exchange_fail(x, &why);
    return false;
}

/* --- the list ------------------------------------------------------------------------------------- */

/* How many of the oldest come before this id. */
static unsigned older_than(const struct vault *v, struct span id)
{
    unsigned n = vault_count(v);
    if (id.len != VAULT_ID_BYTES)
        return 0;
    while (n > 0 && memcmp(vault_at(v, n - 1)->id, id.at, VAULT_ID_BYTES) >= 0)
        n--;
    return n;
}

static void write_page(struct json_out *o, const struct exchange *x, unsigned behind,
                       unsigned limit)
{
    const struct deployment *d = exchange_deployment(x);
    const struct gateway *g = d->gateway;
    const struct vault *v = g->vault;
    json_out_lit(o, "{\"object\":\"list\",\"data\":[");
    unsigned end = behind > limit ? behind - limit : 0;
    for (unsigned i = behind; i > end; i--) {
        if (i < behind)
            json_out_lit(o, ",");
        byok_write(o, g, vault_at(v, i - 1));
    }
    json_out_lit(o, "]");
    if (end > 0)
        page_write_next(d->snapshot, LIST, span_text(vault_at(v, end)->id), o);
    json_out_lit(o, ",\"total_count\":");
    json_out_u64(o, vault_count(v));
    json_out_lit(o, "}");
}

static void list(struct exchange *x, struct span query, struct arena *a)
{
    struct gateway *g = exchange_deployment(x)->gateway;
    unsigned behind = vault_count(g->vault);
    struct buf out = {0};
    struct json_out o = json_out_to(&out);
    struct page page;
    struct fault why;
    if (!page_read(exchange_deployment(x)->snapshot, LIST, query, a, &page, &why)) {
        exchange_fail(x, &why);
        return;
    }
    if (page.after.at != NULL)
        behind = older_than(g->vault, page.after);
    write_page(&o, x, behind, page.limit);
    exchange_reply_made(x, 200, o.rc, &out);
}

void byok_list(const struct row *row, const struct call *call)
{
    struct exchange *x = exchange_open(call->api->gateway, call->sink, row->kind, call->head);
    struct arena a;
    if (call->fields.len > 0)
        exchange_add_fields(x, call->fields);
    if (!manage_admit(call, x) || !byok_is_possible(x, call->api->gateway))
        return;
    arena_init(&a, NULL, 256);
    list(x, call->query, &a);
    arena_fini(&a);
}
