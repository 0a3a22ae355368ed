/* lru.h: a map that also knows which of its nodes was used longest ago.
 *
 * Nodes are embedded in what they name (scopes, values) and owned by the caller; their keys lie in
 * the object around them. */
#ifndef SLUICE_STORE_LRU_H
#define SLUICE_STORE_LRU_H

#include "sluice/base/map.h"

struct lru_node {
    struct lru_node *newer, *older; /* by last use */
    struct span key;
};

struct lru { /* all zero: empty */
    struct map by_key;
    struct lru_node *newest, *oldest;
};

void lru_fini(struct lru *l); /* the nodes are gone already */
static inline size_t lru_count(const struct lru *l)
{
    return l->by_key.len;
}

/* The node with this key, which becomes the newest; or NULL. */
struct lru_node *lru_find(struct lru *l, struct span key);
/* node->key is set and not in the map. 0 or -ENOMEM. */
int lru_add(struct lru *l, struct lru_node *node) __attribute__((warn_unused_result));
void lru_remove(struct lru *l, struct lru_node *node);

#endif
