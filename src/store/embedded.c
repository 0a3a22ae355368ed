/* What is of no use any more leaves when something new comes. */
#include "embedded.h"

#include "lru.h"
#include "sluice/base/arena.h"

#include <errno.h>
#include <stdlib.h>

/* Past these the oldest goes although its time is not over. */
enum { VALUES_MAX = 64 * 1024, VALUES_MAX_BYTES = 32 * 1024 * 1024 };

/* How many expired objects one insertion clears away: more than one, so that a burst drains. */
enum { SWEEP = 2 };

struct value {
    struct lru_node node; /* first: a node is its value */
    uint64_t expires_unix_ms;
    size_t value_len;
    uint8_t bytes[]; /* the key, then the value */
};

struct embedded {
    struct lru values;
    size_t values_bytes;
};

struct embedded *embedded_new(void)
{
    return xcalloc(1, sizeof(struct embedded));
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
    while (e->values.oldest != NULL)
        drop_value(e, e->values.oldest);
    lru_fini(&e->values);
    free(e);
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
