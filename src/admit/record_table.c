#include "sluice/admit/record_table.h"

#include "sluice/base/arena.h"
#include "sluice/base/log.h"
#include "sluice/net/timer.h"

#include <stddef.h>
#include <stdlib.h>

enum { RETRY_MS = 1000 };

struct record_table {
    struct records *records;
    const struct record_reader *reader;
    void *owner;
    struct record_watch watch;
    struct record_call *listing;
    struct deadline retry;
    bool is_stale, is_loaded; /* the list under way may be older than the last change */
    long long version;        /* of what the watch told last */
    bool is_newer;            /* than the store, which has forgotten */
    unsigned restoring;       /* records on their way back there */
    bool has_failed;          /* some of those did not arrive */
    struct record_entry **at;
    unsigned n, skipped;
    struct record_change *changes;
};

struct record_change {
    struct record_change *next;
    struct record_table *table;
    struct record_call *call;
    bool is_put;
    bool is_shown;         /* as it is */
    record_change_fn done; /* NULL: nobody waits for it any more */
    void *arg;
    size_t id_len, value_len;
    uint8_t bytes[]; /* the id, then the value */
};

/* --- entries -------------------------------------------------------------------------------------- */

static void entry_free(const struct record_table *t, struct record_entry *e)
{
    if (e == NULL)
        return;
    void *bytes = (void *)(uintptr_t)e->id.at; /* one piece with `stored` */
    t->reader->free(e);
    free(bytes);
}

static struct record_entry *read_entry(const struct record_table *t, const struct store_record *r)
{
    struct record_entry *e = t->reader->read(t->owner, r);
    if (e == NULL)
        return NULL;
    uint8_t *bytes = xcalloc(1, r->id.len + r->value.len);
    memcpy(bytes, r->id.at, r->id.len);
    memcpy(bytes + r->id.len, r->value.at, r->value.len);
    e->id = span_of(bytes, r->id.len);
    e->stored = span_of(bytes + r->id.len, r->value.len);
    return e;
}

static int compare(struct span a, struct span b)
{
    size_t len = a.len < b.len ? a.len : b.len;
    int c = len == 0 ? 0 : memcmp(a.at, b.at, len);
    return c != 0 ? c : (a.len > b.len) - (a.len < b.len);
}

/* The first that is not before this id. */
static unsigned place_of(const struct record_table *t, struct span id)
{
    unsigned low = 0, high = t->n;
    while (low < high) {
        unsigned middle = low + (high - low) / 2;
        if (compare(t->at[middle]->id, id) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static bool is_at(const struct record_table *t, unsigned i, struct span id)
{
    return i < t->n && span_eq(t->at[i]->id, id);
}

/* --- the list ------------------------------------------------------------------------------------- */

static void list_anew(struct record_table *t);
static unsigned restore(struct record_table *t, const struct record_answer *a);

/* One line a change of how many there are. */
static void note_skipped(struct record_table *t, unsigned skipped)
{
    if (skipped > 0 && skipped != t->skipped)
        log_warn("records damaged", "kind=%s skipped=%u read=%u", t->reader->kind, skipped, t->n);
    t->skipped = skipped;
}

/* Both lists are in the order of their ids: what has not changed is found on the way, and taken out. */
static struct record_entry *take_old(struct record_table *t, unsigned *from,
                                     const struct store_record *r)
{
    while (*from < t->n && compare(t->at[*from]->id, r->id) < 0)
        (*from)++;
    if (!is_at(t, *from, r->id) || !span_eq(t->at[*from]->stored, r->value))
        return NULL;
    return t->at[(*from)++];
}

static void take_list(struct record_table *t, const struct record_answer *a)
{
    struct record_entry **at = xcalloc(a->n + 1, sizeof(struct record_entry *));
    unsigned n = 0, kept = 0, from = 0, skipped = 0;
    for (unsigned i = 0; i < a->n && n < t->reader->max; i++) {
        unsigned before = from;
        struct record_entry *e = take_old(t, &from, &a->at[i]);
        for (unsigned j = before; j < from; j++) { /* those that are gone are passed by */
            if (t->at[j] != e)
                entry_free(t, t->at[j]);
        }
        kept += e != NULL;
        if (e == NULL)
            e = read_entry(t, &a->at[i]);
        if (e != NULL)
            at[n++] = e;
        else
            skipped++;
    }
    for (; from < t->n; from++)
        entry_free(t, t->at[from]);
    bool is_same = t->is_loaded && n == t->n && kept == n;
    free(t->at);
    t->at = at;
    t->n = n;
    t->is_loaded = true;
    note_skipped(t, skipped);
    if (!is_same)
        t->reader->changed(t->owner);
}

/* The watch is told again when what goes back has arrived. */
static void take_or_restore(struct record_table *t, const struct record_answer *a)
{
    if (t->restoring > 0 || (t->is_newer && restore(t, a) > 0))
        return;
    t->is_newer = false;
    take_list(t, a);
}

static void on_listed(void *arg, const struct record_answer *a)
{
    struct record_table *t = arg;
    t->listing = NULL;
    if (t->is_stale)
        list_anew(t);
    else if (a->outcome == RECORD_DONE)
        take_or_restore(t, a);
    else
        deadline_set(&t->retry, RETRY_MS);
}

static void list_anew(struct record_table *t)
{
    t->is_stale = t->listing != NULL;
    if (t->listing == NULL)
        t->listing = records_list(t->records, t->reader->kind, on_listed, t);
}

static void on_retry(struct deadline *d)
{
    list_anew((struct record_table *)((char *)d - offsetof(struct record_table, retry)));
}

/* Versions only grow, but in a Redis that came back without what it had. */
static void on_watch(struct record_watch *w)
{
    struct record_table *t =
        (struct record_table *)((char *)w - offsetof(struct record_table, watch));
    if (w->seen < t->version && t->n > 0 && !t->is_newer) {
        t->is_newer = true;
        log_warn("store has forgotten", "kind=%s known=%u action=\"what it lost is given back\"",
                 t->reader->kind, t->n);
    }
    t->version = w->seen;
    list_anew(t);
}

/* --- changing ------------------------------------------------------------------------------------- */

static void remove_at(struct record_table *t, unsigned i)
{
    entry_free(t, t->at[i]);
    memmove(&t->at[i], &t->at[i + 1], (--t->n - i) * sizeof(struct record_entry *));
}

static void insert_at(struct record_table *t, unsigned i, struct record_entry *e)
{
    struct record_entry **at = xcalloc(t->n + 1, sizeof(struct record_entry *));
    memcpy(at, t->at, i * sizeof(struct record_entry *));
    at[i] = e;
    memcpy(at + i + 1, t->at + i, (t->n++ - i) * sizeof(struct record_entry *));
    free(t->at);
    t->at = at;
}

/* The store has it. The list that the watch began may still fail, and who asked may rely on this. */
static void show(struct record_table *t, const struct record_change *c, bool is_there)
{
    const struct store_record r = {span_of(c->bytes, c->id_len),
                                   span_of(c->bytes + c->id_len, c->value_len)};
    struct record_entry *e = is_there ? read_entry(t, &r) : NULL;
    unsigned i = place_of(t, r.id);
    if (is_at(t, i, r.id))
        remove_at(t, i);
    if (e != NULL)
        insert_at(t, i, e);
    t->reader->changed(t->owner);
}

static void change_free(struct record_change *c)
{
    struct record_change **at = &c->table->changes;
    while (*at != c)
        at = &(*at)->next;
    *at = c->next;
    free(c);
}

static void on_made(void *arg, const struct record_answer *a)
{
    struct record_change *c = arg;
    record_change_fn done = c->done;
    void *for_whom = c->arg;
    enum record_outcome outcome = a->outcome;
    if (!c->is_shown && (outcome == RECORD_DONE || outcome == RECORD_ABSENT))
        show(c->table, c, c->is_put && outcome == RECORD_DONE);
    change_free(c);
    if (done != NULL)
        done(for_whom, outcome);
}

static struct record_change *change_new(struct record_table *t, struct span id, struct span value,
                                        record_change_fn done, void *arg)
{
    struct record_change *c = xcalloc(1, sizeof *c + id.len + value.len);
    c->table = t;
    c->done = done;
    c->arg = arg;
    c->id_len = id.len;
    c->value_len = value.len;
    memcpy(c->bytes, id.at, id.len);
    if (value.len > 0)
        memcpy(c->bytes + id.len, value.at, value.len);
    c->next = t->changes;
    t->changes = c;
    return c;
}

struct record_change *record_table_put(struct record_table *t, struct span id,
                                       const struct buf *text, record_change_fn done, void *arg)
{
    bool is_new = record_table_find(t, id) == NULL;
    bool fits = text != NULL && (!is_new || t->n < t->reader->max);
    struct span value = fits ? buf_span(text) : SPAN_NONE;
    struct record_change *c = change_new(t, id, value, done, arg);
    c->is_put = true;
    if (!fits)
        id = SPAN_NONE; /* is refused by the store, from the loop */
    c->call = is_new ? records_put(t->records, t->reader->kind, id, value, on_made, c)
                     : records_replace(t->records, t->reader->kind, id, value, on_made, c);
    return c;
}

struct record_change *record_table_delete(struct record_table *t, struct span id,
                                          record_change_fn done, void *arg)
{
    struct record_change *c = change_new(t, id, SPAN_NONE, done, arg);
    c->call = records_delete(t->records, t->reader->kind, id, on_made, c);
    return c;
}

void record_change_cancel(struct record_change *c)
{
    c->done = NULL;
}

/* --- a store that has forgotten ------------------------------------------------------------------- */

static void on_restored(void *arg, enum record_outcome outcome)
{
    struct record_table *t = arg;
    t->has_failed = t->has_failed || outcome != RECORD_DONE;
    if (outcome == RECORD_FULL)
        t->is_newer = false; /* others have filled it meanwhile: what is there counts */
    if (--t->restoring > 0)
        return;
    if (t->has_failed)
        deadline_set(&t->retry, RETRY_MS);
    else
        list_anew(t); /* did all of it arrive? */
}

static void give_back(struct record_table *t, const struct record_entry *e)
{
    struct record_change *c = change_new(t, e->id, e->stored, on_restored, t);
    c->is_put = c->is_shown = true;
    c->call = records_put(t->records, t->reader->kind, e->id, e->stored, on_made, c);
    t->restoring++;
}

/* Only what is not there: what is may have been changed since, by a replica that was here before us.
 * Returns how many are on their way. */
static unsigned restore(struct record_table *t, const struct record_answer *a)
{
    unsigned from = 0;
    t->has_failed = false;
    for (unsigned i = 0; i < t->n; i++) {
        while (from < a->n && compare(a->at[from].id, t->at[i]->id) < 0)
            from++;
        if (from == a->n || !span_eq(a->at[from].id, t->at[i]->id))
            give_back(t, t->at[i]);
    }
    return t->restoring;
}

/* --- looking -------------------------------------------------------------------------------------- */

bool record_table_is_loaded(const struct record_table *t)
{
    return t->is_loaded;
}

unsigned record_table_count(const struct record_table *t)
{
    return t->n;
}

struct record_entry *record_table_at(const struct record_table *t, unsigned i)
{
    return t->at[i];
}

struct record_entry *record_table_find(const struct record_table *t, struct span id)
{
    unsigned i = place_of(t, id);
    return is_at(t, i, id) ? t->at[i] : NULL;
}

/* --- life ----------------------------------------------------------------------------------------- */

void record_table_follow(struct record_table *t, bool follows)
{
    t->version = follows ? t->version : 0;
    if (!follows)
        record_watch_stop(&t->watch);
    else if (t->watch.from == NULL)
        records_watch(t->records, &t->watch);
}

struct record_table *record_table_new(struct loop *l, struct records *records,
                                      const struct record_reader *reader, void *owner)
{
    struct record_table *t = xcalloc(1, sizeof *t);
    t->records = records;
    t->reader = reader;
    t->owner = owner;
    t->at = xcalloc(1, sizeof(struct record_entry *));
    t->is_loaded = records_are_memory(records); /* there is nothing yet, and that is known */
    t->watch = (struct record_watch){.kind = reader->kind, .changed = on_watch};
    deadline_init(&t->retry, l, on_retry);
    return t;
}

void record_table_free(struct record_table *t)
{
    if (t == NULL)
        return;
    record_watch_stop(&t->watch);
    deadline_clear(&t->retry);
    for (struct record_change *c = t->changes, *next; c != NULL; c = next) {
        next = c->next;
        record_call_cancel(c->call);
        free(c);
    }
    if (t->listing != NULL)
        record_call_cancel(t->listing);
    for (unsigned i = 0; i < t->n; i++)
        entry_free(t, t->at[i]);
    free(t->at);
    free(t);
}
