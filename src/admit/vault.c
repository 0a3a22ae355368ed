#include "sluice/admit/vault.h"

#include "record_text.h"

#include "sluice/base/log.h"
#include "sluice/base/seal.h"
#include "sluice/config/secret_json.h"
#include "sluice/format/json_out.h"

#include <stdio.h>

enum { PATIENCE_MS = 1000 };

/* An entry as the table holds it. */
struct kept {
    struct record_entry record; /* first */
    struct vault_entry entry;
    struct arena arena;
};

struct vault {
    struct loop *loop;
    struct record_table *table;
    void (*changed)(void *arg);
    void *arg;
    struct seal seal;
    unsigned unreadable;
    uint64_t since_ms; /* on the loop's clock */
};

static struct kept *kept_of(struct record_entry *e)
{
    return (struct kept *)e;
}

static struct kept *kept_at(const struct vault *v, unsigned i)
{
    return kept_of(record_table_at(v->table, i));
}

/* --- an entry as text ----------------------------------------------------------------------------- */

static void read_test(struct arena *a, yyjson_val *test, struct vault_test *out)
{
    *out = (struct vault_test){
        .at_unix_ms = record_number(test, "at"),
        .ok = yyjson_get_bool(yyjson_obj_get(test, "ok")),
        .status = (unsigned)record_number(test, "status"),
        .latency_ms = (unsigned)record_number(test, "latency_ms"),
        .model = record_text(a, test, "model"),
        .error = record_text(a, test, "error"),
    };
}

/* What it is sealed to: another record's secret, put into this one, does not open. */
static struct span seal_name(const struct vault_entry *e, char out[256])
{
    int n = snprintf(out, 256, "%s:%s", e->id, e->provider);
    return span_of(out, n < 256 ? (size_t)n : 255);
}

static void open_secret(const struct vault *v, struct vault_entry *e)
{
    struct buf sealed = {0}, plain = {0};
    char name[256];
    if (digest_unbase64(e->sealed, &sealed) &&
        seal_open(&v->seal, seal_name(e, name), buf_span(&sealed), &plain) &&
        secret_init(&e->credential, buf_span(&plain)) < 0)
        e->credential = (struct secret){0};
    buf_fini(&sealed);
    buf_fini_wiped(&plain);
}

static void kept_free(struct record_entry *e)
{
    struct kept *k = kept_of(e);
    secret_fini(&k->entry.credential);
    arena_fini(&k->arena);
    free(k);
}

static struct record_entry *read_entry(void *owner, const struct store_record *r)
{
    const struct vault *v = owner;
    struct secret_json json = secret_json_read(r->value);
    struct kept *k = xcalloc(1, sizeof *k);
    struct arena *a = &k->arena;
    struct vault_entry *e = &k->entry;
    arena_init(a, NULL, 512);
    e->id = (const char *)arena_keep(a, r->id).at;
    e->provider = record_text(a, json.root, "provider");
    e->label = record_text(a, json.root, "label");
    e->masked = record_text(a, json.root, "masked");
    e->enabled = yyjson_get_bool(yyjson_obj_get(json.root, "enabled"));
    e->created_unix_ms = record_number(json.root, "created");
    e->keys = record_texts(a, json.root, "keys", VAULT_KEYS_MAX);
    read_test(a, yyjson_obj_get(json.root, "test"), &e->test);
    const char *sealed = record_text(a, json.root, "sealed");
    secret_json_fini(&json);
    if (e->provider == NULL || e->masked == NULL || sealed == NULL) {
        kept_free(&k->record);
        return NULL;
    }
    e->label = e->label != NULL ? e->label : "";
    e->sealed = span_text(sealed);
    open_secret(v, e);
    return &k->record;
}

static void write_test(struct json_out *o, const struct vault_test *t)
{
    if (t->at_unix_ms == 0)
        return;
    json_out_span(o,
                  t->ok ? SPAN_LIT(",\"test\":{\"ok\":true") : SPAN_LIT(",\"test\":{\"ok\":false"));
    record_write_number(o, "at", t->at_unix_ms);
    record_write_number(o, "status", t->status);
    record_write_number(o, "latency_ms", t->latency_ms);
    record_write_text(o, "model", t->model);
    record_write_text(o, "error", t->error);
    json_out_lit(o, "}");
}

static bool seal_secret(const struct vault *v, const struct vault_entry *e, struct buf *base64)
{
    struct buf sealed = {0};
    char name[256];
    if (!secret_is_set(&e->credential))
        return buf_add(base64, e->sealed) == 0;
    bool is_sealed = seal_close(&v->seal, seal_name(e, name), secret_reveal(&e->credential),
                                &sealed) == 0 &&
                     digest_base64(buf_span(&sealed), base64) == 0;
    buf_fini(&sealed);
    return is_sealed;
}

static bool write_entry(const struct vault *v, const struct vault_entry *e, struct buf *out)
{
    struct buf sealed = {0};
    struct json_out o = json_out_to(out);
    bool is_sealed = seal_secret(v, e, &sealed);
    json_out_span(&o, e->enabled ? SPAN_LIT("{\"enabled\":true") : SPAN_LIT("{\"enabled\":false"));
    record_write_text(&o, "provider", e->provider);
    record_write_text(&o, "label", e->label);
    record_write_text(&o, "masked", e->masked);
    record_write_number(&o, "created", e->created_unix_ms);
    record_write_texts(&o, "keys", &e->keys);
    write_test(&o, &e->test);
    json_out_lit(&o, ",\"sealed\":\"");
    json_out_span(&o, buf_span(&sealed));
    json_out_lit(&o, "\"}");
    buf_fini(&sealed);
    return is_sealed && o.rc == 0;
}

/* --- the table ------------------------------------------------------------------------------------ */

/* One line a change. */
static void note_unreadable(struct vault *v)
{
    unsigned n = 0, of = vault_count(v);
    for (unsigned i = 0; i < of; i++)
        n += !secret_is_set(&kept_at(v, i)->entry.credential);
    if (n > 0 && n != v->unreadable)
        log_warn("credentials unreadable",
                 "count=%u of=%u problem=\"secrets.master_key does not "
                 "open them: was it changed? keep the old one behind the new in a list\"",
                 n, of);
    else if (n == 0 && v->unreadable > 0)
        log_info("credentials readable again", "of=%u", of);
    v->unreadable = n;
}

static void on_changed(void *owner)
{
    struct vault *v = owner;
    note_unreadable(v);
    v->changed(v->arg);
}

static const struct record_reader reader = {
    .kind = "byok",
    .max = VAULT_RECORDS_MAX,
    .read = read_entry,
    .free = kept_free,
    .changed = on_changed,
};

struct record_change *vault_put(struct vault *v, const struct vault_entry *e, record_change_fn done,
                                void *arg)
{
    struct buf text = {0};
    bool is_sealed = write_entry(v, e, &text);
    struct record_change *c = record_table_put(v->table, span_text(e->id), is_sealed ? &text : NULL,
                                               done, arg);
    buf_fini(&text);
    return c;
}

struct record_change *vault_delete(struct vault *v, const char *id, record_change_fn done,
                                   void *arg)
{
    return record_table_delete(v->table, span_text(id), done, arg);
}

/* --- looking -------------------------------------------------------------------------------------- */

bool vault_has_key(const struct vault *v)
{
    return v->seal.n > 0;
}

bool vault_is_loaded(const struct vault *v)
{
    return record_table_is_loaded(v->table);
}

bool vault_is_settled(const struct vault *v)
{
    return vault_is_loaded(v) || !vault_has_key(v) ||
           loop_now_ms(v->loop) - v->since_ms > PATIENCE_MS;
}

unsigned vault_count(const struct vault *v)
{
    return record_table_count(v->table);
}

const struct vault_entry *vault_at(const struct vault *v, unsigned i)
{
    return &kept_at(v, i)->entry;
}

const struct vault_entry *vault_find(const struct vault *v, struct span id)
{
    struct record_entry *e = record_table_find(v->table, id);
    return e == NULL ? NULL : &kept_of(e)->entry;
}

/* --- life ----------------------------------------------------------------------------------------- */

static bool is_same(const struct seal *a, const struct seal *b)
{
    return a->n == b->n && memcmp(a->keys, b->keys, sizeof a->keys) == 0;
}

void vault_use(struct vault *v, const struct master_keys *keys)
{
    struct seal seal = {.n = 0};
    for (unsigned i = 0; i < keys->n; i++) {
        if (!secret_is_set(&keys->at[i]))
            continue;
        seal_add(&seal, secret_reveal(&keys->at[i]).at, "byok");
    }
    bool is_new = !is_same(&seal, &v->seal);
    v->seal = seal;
    record_table_follow(v->table, seal.n > 0); /* without a key nobody manages anything */
    explicit_bzero(&seal, sizeof seal);
    for (unsigned i = 0; is_new && i < vault_count(v); i++) {
        secret_fini(&kept_at(v, i)->entry.credential);
        open_secret(v, &kept_at(v, i)->entry);
    }
    if (is_new && vault_is_loaded(v))
        note_unreadable(v);
}

struct vault *vault_new(struct loop *l, struct records *r, void (*changed)(void *arg), void *arg)
{
    struct vault *v = xcalloc(1, sizeof *v);
    v->loop = l;
    v->since_ms = loop_now_ms(l);
    v->table = record_table_new(l, r, &reader, v);
    v->changed = changed;
    v->arg = arg;
    return v;
}

void vault_free(struct vault *v)
{
    if (v == NULL)
        return;
    record_table_free(v->table);
    seal_fini(&v->seal);
    free(v);
}
