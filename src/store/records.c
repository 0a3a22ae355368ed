/* Each call waits in one list, whichever backend it went to: so that closing finds it. */
#include "records_priv.h"

#include "owner.h"
#include "redis_records.h"
#include "sluice/base/arena.h"
#include "sluice/base/buf.h"
#include "sluice/net/timer.h"

#include <stdlib.h>

enum { KINDS_MAX = 8 }; /* words of ours, in memory */

struct shelf {
    const char *kind;
    struct record_set set;
};

struct records {
    struct loop *loop;
    struct disk *disk;
    struct redis *redis;
    void (*missed)(void *owner);
    void *owner;
    struct shelf shelves[KINDS_MAX];        /* without disk and Redis */
    struct record_call *calls, **calls_end; /* oldest first */
    struct deadline turn;                   /* armed while one of them is due */
    bool *is_gone;                          /* of on_turn, while that runs */
    struct record_watch *watches;
    struct deadline poll;
    unsigned polls;
    struct redis_version version;
    const char *asking; /* the kind `version` asks for; NULL: none */
};

struct record_call {
    struct record_call *next;
    struct records *records;
    enum record_op op;
    const char *kind;
    record_fn done;
    void *arg;
    bool is_due; /* in memory, or not taken: answered from the loop all the same */
    enum record_outcome outcome;
    struct disk_record *disk;
    struct redis_records redis;
    size_t id_len, value_len;
    uint8_t bytes[]; /* the id, then the value */
};

/* --- telling -------------------------------------------------------------------------------------- */

static void tell(struct records *r, const char *kind, long long version)
{
    for (struct record_watch *w = r->watches, *next; w != NULL; w = next) {
        next = w->next;
        if (strcmp(w->kind, kind) != 0)
            continue;
        w->seen = version;
        w->changed(w);
    }
}

static struct record_call *take_at(struct records *r, struct record_call **at)
{
    struct record_call *c = *at;
    *at = c->next;
    if (c->next == NULL)
        r->calls_end = at;
    return c;
}

static void take_out(struct record_call *c)
{
    struct record_call **at = &c->records->calls;
    while (*at != c) /* one of the first, as a rule */
        at = &(*at)->next;
    (void)take_at(c->records, at);
}

static void call_free(struct record_call *c)
{
    redis_records_cancel(&c->redis);
    explicit_bzero(c->bytes, c->id_len + c->value_len);
    free(c);
}

/* It is out of the list, for whoever is told may close the store. `version`: of the kind, when this was
 * a change. */
static void answer(struct record_call *c, enum record_outcome outcome,
                   const struct store_record *at, unsigned n, long long version)
{
    struct records *r = c->records;
    const struct record_answer a = {outcome, at, n};
    bool has_changed = outcome == RECORD_DONE && record_op_changes(c->op);
    if (outcome == RECORD_LOST)
        r->missed(r->owner);
    /* Those who watch hear of it first: who made the change may count on that. */
    if (has_changed)
        tell(r, c->kind, version);
    c->done(c->arg, &a);
    call_free(c);
}

/* --- in memory ------------------------------------------------------------------------------------ */

bool records_are_memory(const struct records *r)
{
    return r->disk == NULL && r->redis == NULL;
}

static struct record_set *shelf_of(struct records *r, const char *kind)
{
    for (unsigned i = 0; i < KINDS_MAX; i++) {
        struct shelf *s = &r->shelves[i];
        if (s->kind == NULL)
            s->kind = kind;
        if (strcmp(s->kind, kind) == 0)
            return &s->set;
    }
    abort(); /* our own words */
}

static struct span id_of(const struct record_call *c)
{
    return span_of(c->bytes, c->id_len);
}

static struct span value_of(const struct record_call *c)
{
    return span_of(c->bytes + c->id_len, c->value_len);
}

static enum record_outcome put_in_memory(struct record_set *set, const struct record_call *c)
{
    if (set->n >= RECORDS_MAX && record_set_find(set, id_of(c)) == NULL)
        return RECORD_FULL;
    return record_set_put(set, id_of(c), value_of(c)) == 0 ? RECORD_DONE : RECORD_LOST;
}

static void do_in_memory(struct record_call *c)
{
    struct record_set *set = shelf_of(c->records, c->kind);
    const struct store_record *one;
    switch (c->op) {
    case RECORD_PUT:
        answer(c, put_in_memory(set, c), NULL, 0, 1);
        break;
    case RECORD_REPLACE:
        answer(c, record_set_find(set, id_of(c)) != NULL ? put_in_memory(set, c) : RECORD_ABSENT,
               NULL, 0, 1);
        break;
    case RECORD_DELETE:
        answer(c, record_set_remove(set, id_of(c)) ? RECORD_DONE : RECORD_ABSENT, NULL, 0, 1);
        break;
    case RECORD_GET:
        one = record_set_find(set, id_of(c));
        answer(c, one != NULL ? RECORD_DONE : RECORD_ABSENT, one, one != NULL, 0);
        break;
    case RECORD_LIST:
        answer(c, RECORD_DONE, set->at, set->n, 0);
        break;
    }
}

static struct record_call *take_due(struct records *r)
{
    struct record_call **at = &r->calls;
    while (*at != NULL && !(*at)->is_due)
        at = &(*at)->next;
    return *at == NULL ? NULL : take_at(r, at);
}

/* Whoever is told may end any other, or all of them. */
static void on_turn(struct deadline *d)
{
    struct records *r = OWNER(struct records, turn, d);
    struct record_call *c;
    bool is_gone = false;
    r->is_gone = &is_gone;
    while (!is_gone && (c = take_due(r)) != NULL) {
        if (c->outcome != RECORD_DONE)
            answer(c, c->outcome, NULL, 0, 0);
        else
            do_in_memory(c);
    }
    if (!is_gone)
        r->is_gone = NULL;
}

/* --- elsewhere ------------------------------------------------------------------------------------ */

static void on_disk(void *arg, enum record_outcome outcome, struct record_set *found)
{
    struct record_call *c = arg;
    c->disk = NULL;
    take_out(c);
    answer(c, outcome, found->at, found->n, 1);
}

static void on_redis(struct redis_records *k, enum record_outcome outcome, long long version)
{
    struct record_call *c = OWNER(struct record_call, redis, k);
    take_out(c);
    answer(c, outcome, k->found.at, k->found.n, version);
}

static bool send_call(struct record_call *c)
{
    struct records *r = c->records;
    if (r->redis == NULL) {
        c->disk = disk_record(r->disk, c->op, c->kind, id_of(c), value_of(c), on_disk, c);
        return c->disk != NULL;
    }
    c->redis = (struct redis_records){.redis = r->redis,
                                      .op = c->op,
                                      .kind = c->kind,
                                      .id = id_of(c),
                                      .value = value_of(c),
                                      .done = on_redis};
    return redis_records_start(&c->redis);
}

static struct record_call *start(struct records *r, enum record_op op, const char *kind,
                                 struct span id, struct span value, record_fn done, void *arg)
{
    bool fits = id.len <= RECORD_ID_MAX_BYTES && value.len <= RECORD_VALUE_MAX_BYTES;
    if (!fits)
        id = value = SPAN_NONE;
    struct record_call *c = xcalloc(1, sizeof *c + id.len + value.len);
    c->records = r;
    c->op = op;
    c->kind = kind;
    c->done = done;
    c->arg = arg;
    c->id_len = id.len;
    c->value_len = value.len;
    if (id.len > 0)
        memcpy(c->bytes, id.at, id.len);
    if (value.len > 0)
        memcpy(c->bytes + id.len, value.at, value.len);
    *r->calls_end = c;
    r->calls_end = &c->next;
    bool is_near = records_are_memory(r);
    if (!fits || (op != RECORD_LIST && id.len == 0))
        c->outcome = op == RECORD_PUT || op == RECORD_REPLACE ? RECORD_FULL : RECORD_ABSENT;
    else if (!is_near && !send_call(c))
        c->outcome = RECORD_LOST;
    c->is_due = is_near || c->outcome != RECORD_DONE;
    if (c->is_due)
        deadline_set(&r->turn, 1);
    return c;
}

/* --- what others see ------------------------------------------------------------------------------ */

struct record_call *records_put(struct records *r, const char *kind, struct span id,
                                struct span value, record_fn done, void *arg)
{
    return start(r, RECORD_PUT, kind, id, value, done, arg);
}

struct record_call *records_replace(struct records *r, const char *kind, struct span id,
                                    struct span value, record_fn done, void *arg)
{
    return start(r, RECORD_REPLACE, kind, id, value, done, arg);
}

struct record_call *records_get(struct records *r, const char *kind, struct span id, record_fn done,
                                void *arg)
{
    return start(r, RECORD_GET, kind, id, SPAN_NONE, done, arg);
}

struct record_call *records_delete(struct records *r, const char *kind, struct span id,
                                   record_fn done, void *arg)
{
    return start(r, RECORD_DELETE, kind, id, SPAN_NONE, done, arg);
}

struct record_call *records_list(struct records *r, const char *kind, record_fn done, void *arg)
{
    return start(r, RECORD_LIST, kind, SPAN_NONE, SPAN_NONE, done, arg);
}

void record_call_cancel(struct record_call *c)
{
    if (c->disk != NULL)
        disk_record_forget(c->disk);
    take_out(c);
    call_free(c);
}

/* --- watching ------------------------------------------------------------------------------------- */

enum { UNSEEN = -1 };       /* no version is */
enum { AWAY_POLL_MS = 50 }; /* asks nobody: is Redis back? */

static void on_version(struct redis_version *v, bool answered, long long version)
{
    struct records *r = OWNER(struct records, version, v);
    const char *kind = r->asking;
    bool is_news = false;
    r->asking = NULL;
    for (const struct record_watch *w = r->watches; w != NULL; w = w->next)
        is_news = is_news || (strcmp(w->kind, kind) == 0 && w->seen != version);
    if (answered && is_news)
        tell(r, kind, version);
}

/* Kinds in turns: there are few. */
static void poll_redis(struct records *r)
{
    const struct record_watch *w = r->watches;
    unsigned n = 0;
    for (; w != NULL; w = w->next)
        n++;
    if (n == 0)
        return;
    deadline_set(&r->poll, redis_takes(r->redis) ? RECORDS_POLL_MS / n : AWAY_POLL_MS);
    w = r->watches;
    for (unsigned i = r->polls++ % n; i > 0; i--)
        w = w->next;
    r->version.done = on_version;
    if (r->asking == NULL && redis_version_ask(r->redis, w->kind, &r->version))
        r->asking = w->kind;
}

/* Where nobody else can change anything, only those who are new have something to hear. */
static void tell_new(struct records *r)
{
    struct record_watch *w = r->watches;
    while (w != NULL && w->seen != UNSEEN)
        w = w->next;
    if (w == NULL)
        return;
    deadline_set(&r->poll, 1); /* there may be another one */
    tell(r, w->kind, 0);
}

static void on_poll(struct deadline *d)
{
    struct records *r = OWNER(struct records, poll, d);
    if (r->redis != NULL)
        poll_redis(r);
    else
        tell_new(r);
}

void records_watch(struct records *r, struct record_watch *w)
{
    w->seen = UNSEEN;
    w->next = r->watches;
    w->from = &r->watches;
    if (w->next != NULL)
        w->next->from = &w->next;
    r->watches = w;
    deadline_set(&r->poll, 1);
}

void record_watch_stop(struct record_watch *w)
{
    if (w->from == NULL)
        return;
    *w->from = w->next;
    if (w->next != NULL)
        w->next->from = w->from;
    w->from = NULL;
}

/* --- life ----------------------------------------------------------------------------------------- */

struct records *records_new(struct loop *l, struct disk *disk, struct redis *redis,
                            void (*missed)(void *owner), void *owner)
{
    struct records *r = xcalloc(1, sizeof *r);
    r->loop = l;
    r->disk = disk;
    r->redis = redis;
    r->missed = missed;
    r->owner = owner;
    r->calls_end = &r->calls;
    deadline_init(&r->poll, l, on_poll);
    deadline_init(&r->turn, l, on_turn);
    return r;
}

void records_free(struct records *r)
{
    if (r == NULL)
        return;
    if (r->is_gone != NULL)
        *r->is_gone = true;
    for (struct record_call *c = r->calls, *next; c != NULL; c = next) {
        next = c->next;
        if (c->disk != NULL)
            disk_record_forget(c->disk);
        call_free(c);
    }
    while (r->watches != NULL)
        record_watch_stop(r->watches);
    deadline_clear(&r->poll);
    deadline_clear(&r->turn);
    if (r->asking != NULL)
        redis_call_cancel(&r->version.call);
    for (unsigned i = 0; i < KINDS_MAX; i++)
        record_set_fini(&r->shelves[i].set);
    free(r);
}
