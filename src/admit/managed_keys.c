#include "sluice/admit/managed_keys.h"

#include "sluice/base/map.h"

#include <stdlib.h>

/* As keyring.c: half a digest enters the table, all of it decides. */
enum { ENTRY_BYTES = SHA256_BYTES / 2, PATIENCE_MS = 1000 };

struct kept {
    struct record_entry record; /* first */
    struct managed_key *key;    /* one reference */
};

struct managed_keys {
    struct loop *loop;
    struct record_table *table;
    struct map by_digest; /* earlier secrets, too; one reference each */
    uint64_t generation;
    uint64_t since_ms; /* on the loop's clock */
};

static struct kept *kept_of(struct record_entry *e)
{
    return (struct kept *)e;
}

static struct record_entry *read_entry(void *owner, const struct store_record *r)
{
    (void)owner;
    struct managed_key *key = managed_key_read(r->id, r->value);
    if (key == NULL)
        return NULL;
    struct kept *k = xcalloc(1, sizeof *k);
    k->key = key;
    return &k->record;
}

static void free_entry(struct record_entry *e)
{
    managed_key_unref(kept_of(e)->key);
    free(e);
}

/* --- by digest ------------------------------------------------------------------------------------ */

static struct span entry_of(const uint8_t sha256[SHA256_BYTES])
{
    return span_of(sha256, ENTRY_BYTES);
}

/* When it was used is known of the version before, if of any. */
static void enter(struct managed_keys *m, const struct map *before, struct managed_key *k,
                  const uint8_t sha256[SHA256_BYTES])
{
    const struct managed_key *old = map_get(before, entry_of(sha256));
    if (old != NULL && old->last_used_unix_ms > k->last_used_unix_ms)
        k->last_used_unix_ms = old->last_used_unix_ms;
    if (map_get(&m->by_digest, entry_of(sha256)) != NULL)
        return; /* two records of one secret: nobody makes that here */
    if (map_put(&m->by_digest, entry_of(sha256), managed_key_ref(k)) < 0)
        abort(); /* bounded by RECORDS_MAX */
}

static void let_go(struct map *by_digest)
{
    size_t cursor = 0;
    for (struct managed_key *k; (k = map_next(by_digest, &cursor)) != NULL;)
        managed_key_unref(k);
    map_fini(by_digest);
}

static void on_changed(void *owner)
{
    struct managed_keys *m = owner;
    struct map before = m->by_digest;
    m->by_digest = (struct map){0};
    m->generation++;
    for (unsigned i = 0; i < managed_keys_count(m); i++) {
        struct managed_key *k = managed_keys_at(m, i);
        enter(m, &before, k, k->options.sha256);
        for (unsigned j = 0; j < k->nearlier; j++)
            enter(m, &before, k, k->earlier[j].sha256);
    }
    let_go(&before);
}

static bool is_same(const uint8_t a[SHA256_BYTES], const uint8_t b[SHA256_BYTES])
{
    return span_eq_constant_time(span_of(a, SHA256_BYTES), span_of(b, SHA256_BYTES));
}

struct managed_key *managed_keys_known(const struct managed_keys *m,
                                       const uint8_t sha256[SHA256_BYTES], uint64_t *until_unix_ms)
{
    struct managed_key *k = map_get(&m->by_digest, entry_of(sha256));
    *until_unix_ms = 0;
    if (k == NULL || is_same(k->options.sha256, sha256))
        return k;
    for (unsigned i = 0; i < k->nearlier; i++) {
        if (!is_same(k->earlier[i].sha256, sha256))
            continue;
        *until_unix_ms = k->earlier[i].until_unix_ms;
        return k;
    }
    return NULL;
}

/* --- the table ------------------------------------------------------------------------------------ */

static const struct record_reader reader = {
    .kind = "keys",
    .max = RECORDS_MAX,
    .read = read_entry,
    .free = free_entry,
    .changed = on_changed,
};

bool managed_keys_are_loaded(const struct managed_keys *m)
{
    return record_table_is_loaded(m->table);
}

bool managed_keys_are_settled(const struct managed_keys *m)
{
    return managed_keys_are_loaded(m) || loop_now_ms(m->loop) - m->since_ms > PATIENCE_MS;
}

uint64_t managed_keys_generation(const struct managed_keys *m)
{
    return m->generation;
}

unsigned managed_keys_count(const struct managed_keys *m)
{
    return record_table_count(m->table);
}

struct managed_key *managed_keys_at(const struct managed_keys *m, unsigned i)
{
    return kept_of(record_table_at(m->table, i))->key;
}

struct managed_key *managed_keys_find(const struct managed_keys *m, struct span id)
{
    struct record_entry *e = record_table_find(m->table, id);
    return e == NULL ? NULL : kept_of(e)->key;
}

struct record_change *managed_keys_put(struct managed_keys *m, const struct managed_key *k,
                                       record_change_fn done, void *arg)
{
    struct buf text = {0};
    int rc = managed_key_write(k, &text);
    struct record_change *c = record_table_put(m->table, span_text(k->options.id),
                                               rc == 0 ? &text : NULL, done, arg);
    buf_fini(&text);
    return c;
}

struct record_change *managed_keys_delete(struct managed_keys *m, const char *id,
                                          record_change_fn done, void *arg)
{
    return record_table_delete(m->table, span_text(id), done, arg);
}

/* --- life ----------------------------------------------------------------------------------------- */

struct managed_keys *managed_keys_new(struct loop *l, struct records *r)
{
    struct managed_keys *m = xcalloc(1, sizeof *m);
    m->loop = l;
    m->since_ms = loop_now_ms(l);
    m->table = record_table_new(l, r, &reader, m);
    record_table_follow(m->table, true);
    return m;
}

void managed_keys_free(struct managed_keys *m)
{
    if (m == NULL)
        return;
    record_table_free(m->table);
    let_go(&m->by_digest);
    free(m);
}
