#include "byok.h"

#include "manage.h"
#include "query.h"

#include <errno.h>
#include <stdio.h>
#include <time.h>

/* GET /v1/byok (contract BYOK-2), and the words of its siblings. */

enum { PAGE = 20, PAGE_MAX = 100 };

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

void byok_reply(struct exchange *x, unsigned status, struct json_out *o)
{
    struct fault why = {.kind = FAULT_OVERLOADED, .message = "out of memory"};
    if (o->rc < 0)
        exchange_fail(x, &why);
    else
        exchange_reply(x, status, "application/json", buf_span(o->buf));
    buf_fini(o->buf);
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
        byok_write(o, g, vault_at(v, i - 1));
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
        why = byok_fault(FAULT_INVALID_REQUEST, "limit", "a number from 1 to 100 was expected");
    } else if (cursor.at != NULL && !read_cursor(g->vault, cursor, id)) {
        why = byok_fault(FAULT_INVALID_CURSOR, "cursor",
                         "not a cursor of this list: send next_cursor as it came");
    } else {
        struct buf out = {0};
        struct json_out o = json_out_to(&out);
        if (cursor.at != NULL)
            behind = older_than(g->vault, id);
        write_page(&o, g, behind, limit);
        byok_reply(x, 200, &o);
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
    if (!manage_admit(call, x) || !byok_is_possible(x, call->api->gateway))
        return;
    arena_init(&a, NULL, 256);
    list(x, call->query, &a);
    arena_fini(&a);
}
