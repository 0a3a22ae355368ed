/* lru.h: a map that also knows which of its nodes was not used for long.
 *
 * Nodes are embedded in what they name (scopes, values) and owned by the caller; their keys lie in
 * the object around them. Using a node only marks it: order is mended when something has to go
 * ("second chance"), so finding touches no neighbours. */
#ifndef SLUICE_STORE_LRU_H
#define SLUICE_STORE_LRU_H

#include "sluice/base/map.h"

struct lru_node {
    struct lru_node *newer, *older; /* by when they were added, or got their second chance */
    struct span key;
    bool used; /* since then */
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

struct lru_node *lru_find(struct lru *l, struct span key); /* or NULL */
/* node->key is set and not in the map. 0 or -ENOMEM. */
int lru_add(struct lru *l, struct lru_node *node) __attribute__((warn_unused_result));
void lru_remove(struct lru *l, struct lru_node *node);

/* The one to go first; NULL when there is none. */
struct lru_node *lru_idlest(struct lru *l);

#endif
