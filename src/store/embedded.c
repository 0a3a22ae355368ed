/* Two maps: scope → window, key → value. What is of no use any more leaves when something new comes:
 * a scope nobody asked about for two minutes has an empty window, so dropping it loses nothing. */
#include "embedded.h"

#include "lru.h"
#include "sluice/base/arena.h"

#include <errno.h>
#include <stdlib.h>

/* Past these the oldest goes although it may still count: with more than SCOPES_MAX keys active
 * within a minute a key may get part of its minute twice. */
enum { SCOPES_MAX = 64 * 1024, VALUES_MAX = 64 * 1024, VALUES_MAX_BYTES = 32 * 1024 * 1024 };

/* How many expired objects one insertion clears away: more than one, so that a burst drains. */
enum { SWEEP = 2 };

struct scope {
    struct lru_node node; /* first: a node is its scope */
    struct window seen;   /* admitted, here or (as Redis told) anywhere */
    struct window owed;   /* admitted while Redis was away, not yet told it */
    char name[ADMIT_SCOPE_BYTES];
};

struct value {
    struct lru_node node; /* first, as above */
    uint64_t expires_unix_ms;
    size_t value_len;
    uint8_t bytes[]; /* the key, then the value */
};

struct embedded {
    struct lru scopes, values;
    size_t values_bytes;
};

struct embedded *embedded_new(void)
{
    return xcalloc(1, sizeof(struct embedded));
}

static void drop_scope(struct embedded *e, struct lru_node *node)
{
    lru_remove(&e->scopes, node);
    free(node);
}

static size_t value_size(const struct value *v)
{
    return sizeof(*v) + v->node.key.len + v->value_len;
}

static void drop_value(struct embedded *e, struct lru_node *node)
{
    struct value *v = (struct value *)node;

    e->values_bytes -= value_size(v);
    lru_remove(&e->values, node);
    free(v);
}

void embedded_free(struct embedded *e)
{
    if (e == NULL)
        return;
    while (e->scopes.oldest != NULL)
        drop_scope(e, e->scopes.oldest);
    while (e->values.oldest != NULL)
        drop_value(e, e->values.oldest);
    lru_fini(&e->scopes);
    lru_fini(&e->values);
    free(e);
}

/* ── counting ────────────────────────────────────────────────────────────────────────────────── */

static void make_room_for_scope(struct embedded *e, uint64_t now_unix_ms)
{
    uint64_t minute = now_unix_ms / WINDOW_MS;

    for (unsigned i = 0; i < SWEEP && lru_count(&e->scopes) > 0; i++) {
        struct scope *s = (struct scope *)lru_idlest(&e->scopes);
        if (s->seen.minute + 2 > minute || s->owed.minute + 2 > minute)
            break;
        drop_scope(e, &s->node);
    }
    if (lru_count(&e->scopes) >= SCOPES_MAX)
        drop_scope(e, lru_idlest(&e->scopes));
}

/* The table of scopes is small and ours: like a small struct it aborts when memory is out. */
static struct scope *scope_of(struct embedded *e, const char *name, uint64_t now_unix_ms)
{
    struct span key = span_of(name, strnlen(name, ADMIT_SCOPE_BYTES - 1));
    struct scope *s = (struct scope *)lru_find(&e->scopes, key);

    if (s != NULL)
        return s;
    make_room_for_scope(e, now_unix_ms);
    s = xcalloc(1, sizeof(*s));
    memcpy(s->name, key.at, key.len);
    s->node.key = span_of(s->name, key.len);
    if (lru_add(&e->scopes, &s->node) < 0)
        abort();
    return s;
}

void embedded_admit(struct embedded *e, const struct admit_query *q, struct admit_answer *out)
{
    struct window *w = &scope_of(e, q->scope, q->now_unix_ms)->seen;

    window_move(w, q->now_unix_ms);
    out->allowed = window_allows(w, q->rpm, q->now_unix_ms);
    out->limit = q->rpm;
    if (out->allowed) {
        window_count(w, 1);
        out->remaining = window_remaining(w, q->rpm, q->now_unix_ms);
        out->retry_after_s = 0;
    } else {
        out->remaining = 0;
        out->retry_after_s = window_retry_after_s(w, q->rpm, q->now_unix_ms);
    }
}

void embedded_follow(struct embedded *e, const char *scope, const struct window *shared)
{
    scope_of(e, scope, shared->minute * WINDOW_MS)->seen = *shared;
}

void embedded_owe(struct embedded *e, const char *scope, uint64_t now_unix_ms,
                  const struct window *more)
{
    struct scope *s = scope_of(e, scope, now_unix_ms);

    window_move(&s->owed, now_unix_ms);
    window_merge(&s->owed, more);
}

struct window embedded_take_owed(struct embedded *e, const char *scope, uint64_t now_unix_ms)
{
    struct scope *s = scope_of(e, scope, now_unix_ms);
    struct window owed = s->owed;

    window_move(&owed, now_unix_ms);
    s->owed = (struct window){0};
    return owed;
}

/* ── remembering ─────────────────────────────────────────────────────────────────────────────── */

bool embedded_find(struct embedded *e, struct span key, uint64_t now_unix_ms, struct span *value)
{
    struct value *v = (struct value *)lru_find(&e->values, key);

    if (v == NULL)
        return false;
    if (v->expires_unix_ms <= now_unix_ms) {
        drop_value(e, &v->node);
        return false;
    }
    *value = span_of(v->bytes + key.len, v->value_len);
    return true;
}

static void make_room_for_value(struct embedded *e, size_t size, uint64_t now_unix_ms)
{
    for (unsigned i = 0; i < SWEEP && lru_count(&e->values) > 0; i++) {
        struct value *v = (struct value *)lru_idlest(&e->values);
        if (v->expires_unix_ms > now_unix_ms)
            break;
        drop_value(e, &v->node);
    }
    while (lru_count(&e->values) > 0 &&
           (lru_count(&e->values) >= VALUES_MAX || e->values_bytes + size > VALUES_MAX_BYTES))
        drop_value(e, lru_idlest(&e->values));
}

int embedded_keep(struct embedded *e, struct span key, struct span value, uint64_t expires_unix_ms,
                  uint64_t now_unix_ms)
{
    size_t size = sizeof(struct value) + key.len + value.len;
    struct value *v = calloc(1, size);
    struct lru_node *old;

    if (v == NULL)
        return -ENOMEM;
    if (key.len > 0)
        memcpy(v->bytes, key.at, key.len);
    if (value.len > 0)
        memcpy(v->bytes + key.len, value.at, value.len);
    v->node.key = span_of(v->bytes, key.len);
    v->value_len = value.len;
    v->expires_unix_ms = expires_unix_ms;

    old = lru_find(&e->values, key);
    if (old != NULL)
        drop_value(e, old);
    make_room_for_value(e, size, now_unix_ms);
    if (lru_add(&e->values, &v->node) < 0) {
        free(v);
        return -ENOMEM;
    }
    e->values_bytes += size;
    return 0;
}
