#include "sluice/admit/vault.h"

#include "sluice/base/log.h"
#include "sluice/base/seal.h"
#include "sluice/config/secret_json.h"
#include "sluice/format/json_out.h"
#include "sluice/net/timer.h"

#include <stddef.h>
#include <stdio.h>

/*   a change ──▶ the store ──▶ the list anew ──▶ whoever made the change is told
 *   another replica's ──watch──▲ */

static const char kind[] = "byok";
enum { RETRY_MS = 1000, PATIENCE_MS = 1000 };

/* An entry with what it was read from. */
struct kept {
    struct vault_entry entry; /* first: an entry is what it is part of */
    struct arena arena;
    struct span stored; /* as the store has it: the same text is the same entry */
};

struct vault {
    struct loop *loop;
    struct records *records;
    void (*changed)(void *arg);
    void *arg;
    struct seal seal;
    struct record_watch watch;
    struct record_call *listing;
    struct deadline retry;
    bool is_stale, is_loaded; /* the list under way may be older than the last change */
    struct kept **at;
    unsigned n, unreadable;
    uint64_t since_ms; /* on the loop's clock */
    struct vault_change *changes;
};

struct vault_change {
    struct vault_change *next;
    struct vault *vault;
    struct record_call *call; /* NULL: made, and waiting for the list */
    enum record_outcome outcome;
    vault_fn done;
    void *arg;
};

/* --- an entry as text ----------------------------------------------------------------------------- */

static const char *text_of(struct arena *a, yyjson_val *object, const char *name)
{
    yyjson_val *v = yyjson_obj_get(object, name);
    if (!yyjson_is_str(v))
        return NULL;
    return (const char *)arena_keep(a, span_of(yyjson_get_str(v), yyjson_get_len(v))).at;
}

static uint64_t number_of(yyjson_val *object, const char *name)
{
    return yyjson_get_uint(yyjson_obj_get(object, name));
}

static void read_keys(struct arena *a, yyjson_val *list, struct text_list *out)
{
    size_t i, max;
    yyjson_val *v;
    out->at = ARENA_ARRAY(a, const char *, VAULT_KEYS_MAX);
    yyjson_arr_foreach(list, i, max, v)
    {
        if (yyjson_is_str(v) && out->n < VAULT_KEYS_MAX)
            out->at[out->n++] =
                (const char *)arena_keep(a, span_of(yyjson_get_str(v), yyjson_get_len(v))).at;
    }
}

static void read_test(struct arena *a, yyjson_val *test, struct vault_test *out)
{
    *out = (struct vault_test){
        .at_unix_ms = number_of(test, "at"),
        .ok = yyjson_get_bool(yyjson_obj_get(test, "ok")),
        .status = (unsigned)number_of(test, "status"),
        .latency_ms = (unsigned)number_of(test, "latency_ms"),
        .model = text_of(a, test, "model"),
        .error = text_of(a, test, "error"),
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

static void kept_free(struct kept *k)
{
    if (k == NULL)
        return;
    secret_fini(&k->entry.credential);
    arena_fini(&k->arena);
    free(k);
}

/* NULL: not one of ours. */
static struct kept *read_entry(const struct vault *v, const struct store_record *r)
{
    struct secret_json json = secret_json_read(r->value);
    struct kept *k = xcalloc(1, sizeof *k);
    struct arena *a = &k->arena;
    struct vault_entry *e = &k->entry;
    arena_init(a, NULL, 512);
    k->stored = arena_keep(a, r->value);
    e->id = (const char *)arena_keep(a, r->id).at;
    e->provider = text_of(a, json.root, "provider");
    e->label = text_of(a, json.root, "label");
    e->masked = text_of(a, json.root, "masked");
    e->enabled = yyjson_get_bool(yyjson_obj_get(json.root, "enabled"));
    e->created_unix_ms = number_of(json.root, "created");
    read_keys(a, yyjson_obj_get(json.root, "keys"), &e->keys);
    read_test(a, yyjson_obj_get(json.root, "test"), &e->test);
    const char *sealed = text_of(a, json.root, "sealed");
    secret_json_fini(&json);
    if (e->provider == NULL || e->masked == NULL || sealed == NULL) {
        kept_free(k);
        return NULL;
    }
    e->label = e->label != NULL ? e->label : "";
    e->sealed = span_text(sealed);
    open_secret(v, e);
    return k;
}

static void write_member(struct json_out *o, const char *name, const char *text)
{
    if (text == NULL)
        return;
    json_out_lit(o, ",");
    json_out_bytes(o, span_text(name));
    json_out_lit(o, ":");
    json_out_bytes(o, span_text(text));
}

static void write_number(struct json_out *o, const char *name, uint64_t n)
{
    json_out_lit(o, ",");
    json_out_bytes(o, span_text(name));
    json_out_lit(o, ":");
    json_out_u64(o, n);
}

static void write_test(struct json_out *o, const struct vault_test *t)
{
    if (t->at_unix_ms == 0)
        return;
    json_out_span(o,
                  t->ok ? SPAN_LIT(",\"test\":{\"ok\":true") : SPAN_LIT(",\"test\":{\"ok\":false"));
    write_number(o, "at", t->at_unix_ms);
    write_number(o, "status", t->status);
    write_number(o, "latency_ms", t->latency_ms);
    write_member(o, "model", t->model);
    write_member(o, "error", t->error);
    json_out_lit(o, "}");
}

static void write_keys(struct json_out *o, const struct text_list *keys)
{
    json_out_lit(o, ",\"keys\":[");
    for (unsigned i = 0; i < keys->n; i++) {
        if (i > 0)
            json_out_lit(o, ",");
        json_out_bytes(o, span_text(keys->at[i]));
    }
    json_out_lit(o, "]");
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
    write_member(&o, "provider", e->provider);
    write_member(&o, "label", e->label);
    write_member(&o, "masked", e->masked);
    write_number(&o, "created", e->created_unix_ms);
    write_keys(&o, &e->keys);
    write_test(&o, &e->test);
    json_out_lit(&o, ",\"sealed\":\"");
    json_out_span(&o, buf_span(&sealed));
    json_out_lit(&o, "\"}");
    buf_fini(&sealed);
    return is_sealed && o.rc == 0;
}

/* --- changes that wait ---------------------------------------------------------------------------- */

static void change_free(struct vault_change *c)
{
    struct vault_change **at = &c->vault->changes;
    while (*at != c)
        at = &(*at)->next;
    *at = c->next;
    free(c);
}

static void end_change(struct vault_change *c)
{
    vault_fn done = c->done;
    void *arg = c->arg;
    enum record_outcome outcome = c->outcome;
    change_free(c);
    done(arg, outcome);
}

static struct vault_change *first_made(const struct vault *v)
{
    struct vault_change *c = v->changes;
    while (c != NULL && c->call != NULL)
        c = c->next;
    return c;
}

/* Whoever is told may make another change: the store has still to answer that. */
static void end_changes(struct vault *v)
{
    struct vault_change *c;
    while ((c = first_made(v)) != NULL)
        end_change(c);
}

/* --- the list ------------------------------------------------------------------------------------- */

static void list_anew(struct vault *v);

/* One line a change. */
static void note_unreadable(struct vault *v)
{
    unsigned n = 0;
    for (unsigned i = 0; i < v->n; i++)
        n += !secret_is_set(&v->at[i]->entry.credential);
    if (n > 0 && n != v->unreadable)
        log_warn("credentials unreadable",
                 "count=%u of=%u problem=\"secrets.master_key does not "
                 "open them: was it changed? keep the old one behind the new in a list\"",
                 n, v->n);
    else if (n == 0 && v->unreadable > 0)
        log_info("credentials readable again", "of=%u", v->n);
    v->unreadable = n;
}

/* Both lists are in the order of their ids: what has not changed is found on the way. */
static struct kept *take_old(struct vault *v, unsigned *from, const struct store_record *r)
{
    while (*from < v->n) {
        struct kept *k = v->at[*from];
        struct span id = k != NULL ? span_text(k->entry.id) : SPAN_NONE;
        size_t len = id.len < r->id.len ? id.len : r->id.len;
        int c = len > 0 ? memcmp(id.at, r->id.at, len) : 0;
        if (c > 0 || (c == 0 && id.len > r->id.len))
            return NULL;
        (*from)++;
        if (k == NULL || !span_eq(id, r->id) || !span_eq(k->stored, r->value))
            continue;
        v->at[*from - 1] = NULL;
        return k;
    }
    return NULL;
}

static void take_list(struct vault *v, const struct record_answer *a)
{
    struct kept **at = xcalloc(a->n + 1, sizeof(struct kept *));
    unsigned n = 0, from = 0;
    for (unsigned i = 0; i < a->n && n < VAULT_RECORDS_MAX; i++) {
        struct kept *k = take_old(v, &from, &a->at[i]);
        if (k == NULL)
            k = read_entry(v, &a->at[i]);
        if (k != NULL)
            at[n++] = k;
    }
    for (unsigned i = 0; i < v->n; i++)
        kept_free(v->at[i]);
    free(v->at);
    v->at = at;
    v->n = n;
    v->is_loaded = true;
    note_unreadable(v);
}

static void on_listed(void *arg, const struct record_answer *a)
{
    struct vault *v = arg;
    v->listing = NULL;
    if (v->is_stale) {
        list_anew(v);
        return;
    }
    if (a->outcome == RECORD_DONE) {
        take_list(v, a);
        v->changed(v->arg);
    } else {
        deadline_set(&v->retry, RETRY_MS);
    }
    end_changes(v);
}

static void list_anew(struct vault *v)
{
    v->is_stale = v->listing != NULL;
    if (v->listing == NULL)
        v->listing = records_list(v->records, kind, on_listed, v);
}

static void on_retry(struct deadline *d)
{
    list_anew((struct vault *)((char *)d - offsetof(struct vault, retry)));
}

static void on_watch(struct record_watch *w)
{
    list_anew((struct vault *)((char *)w - offsetof(struct vault, watch)));
}

/* --- changing ------------------------------------------------------------------------------------- */

/* The watch was told before us, so the list is under way. */
static void on_made(void *arg, const struct record_answer *a)
{
    struct vault_change *c = arg;
    c->call = NULL;
    c->outcome = a->outcome;
    if (a->outcome != RECORD_DONE || c->vault->listing == NULL)
        end_change(c);
}

static struct vault_change *change_new(struct vault *v, vault_fn done, void *arg)
{
    struct vault_change *c = xcalloc(1, sizeof *c);
    c->vault = v;
    c->done = done;
    c->arg = arg;
    c->next = v->changes;
    v->changes = c;
    return c;
}

struct vault_change *vault_put(struct vault *v, const struct vault_entry *e, vault_fn done,
                               void *arg)
{
    struct vault_change *c = change_new(v, done, arg);
    struct buf text = {0};
    bool is_new = vault_find(v, span_text(e->id)) == NULL;
    bool fits = (!is_new || v->n < VAULT_RECORDS_MAX) && write_entry(v, e, &text);
    /* An empty id is refused by the store, from the loop. */
    c->call = records_put(v->records, kind, fits ? span_text(e->id) : SPAN_NONE, buf_span(&text),
                          on_made, c);
    buf_fini(&text);
    return c;
}

struct vault_change *vault_delete(struct vault *v, const char *id, vault_fn done, void *arg)
{
    struct vault_change *c = change_new(v, done, arg);
    c->call = records_delete(v->records, kind, span_text(id), on_made, c);
    return c;
}

void vault_change_cancel(struct vault_change *c)
{
    if (c->call != NULL)
        record_call_cancel(c->call);
    change_free(c);
}

/* --- looking -------------------------------------------------------------------------------------- */

bool vault_has_key(const struct vault *v)
{
    return v->seal.n > 0;
}

bool vault_is_loaded(const struct vault *v)
{
    return v->is_loaded;
}

bool vault_is_settled(const struct vault *v)
{
    return v->is_loaded || !vault_has_key(v) || loop_now_ms(v->loop) - v->since_ms > PATIENCE_MS;
}

unsigned vault_count(const struct vault *v)
{
    return v->n;
}

const struct vault_entry *vault_at(const struct vault *v, unsigned i)
{
    return &v->at[i]->entry;
}

const struct vault_entry *vault_find(const struct vault *v, struct span id)
{
    for (unsigned i = 0; i < v->n; i++) {
        if (span_eq(span_text(v->at[i]->entry.id), id))
            return &v->at[i]->entry;
    }
    return NULL;
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
    if (seal.n > 0 && v->watch.from == NULL) /* without a key nobody manages anything */
        records_watch(v->records, &v->watch);
    else if (seal.n == 0)
        record_watch_stop(&v->watch);
    explicit_bzero(&seal, sizeof seal);
    for (unsigned i = 0; is_new && i < v->n; i++) {
        secret_fini(&v->at[i]->entry.credential);
        open_secret(v, &v->at[i]->entry);
    }
    if (is_new && v->is_loaded)
        note_unreadable(v);
}

struct vault *vault_new(struct loop *l, struct records *r, void (*changed)(void *arg), void *arg)
{
    struct vault *v = xcalloc(1, sizeof *v);
    v->loop = l;
    v->since_ms = loop_now_ms(l);
    v->records = r;
    v->changed = changed;
    v->arg = arg;
    v->watch = (struct record_watch){.kind = kind, .changed = on_watch};
    deadline_init(&v->retry, l, on_retry);
    return v;
}

void vault_free(struct vault *v)
{
    if (v == NULL)
        return;
    record_watch_stop(&v->watch);
    deadline_clear(&v->retry);
    for (struct vault_change *c = v->changes, *next; c != NULL; c = next) {
        next = c->next;
        if (c->call != NULL)
            record_call_cancel(c->call);
        free(c);
    }
    if (v->listing != NULL)
        record_call_cancel(v->listing);
    for (unsigned i = 0; i < v->n; i++)
        kept_free(v->at[i]);
    free(v->at);
    seal_fini(&v->seal);
    free(v);
}
