#include "lru.h"

/* Nodes one search for the idlest may pass over: when all are in use, time is worth more than justice. */
enum { CHANCES_MAX = 16 };

static void list_add(struct lru *l, struct lru_node *node)
{
    node->newer = NULL;
    node->older = l->newest;
    if (l->newest != NULL)
        l->newest->newer = node;
    else
        l->oldest = node;
    l->newest = node;
}

static void list_remove(struct lru *l, struct lru_node *node)
{
    if (node->newer != NULL)
        node->newer->older = node->older;
    else
        l->newest = node->older;
    if (node->older != NULL)
        node->older->newer = node->newer;
    else
        l->oldest = node->newer;
}

void lru_fini(struct lru *l)
{
    map_fini(&l->by_key);
}

struct lru_node *lru_find(struct lru *l, struct span key)
{
    struct lru_node *node = map_get(&l->by_key, key);

    if (node != NULL)
        node->used = true;
    return node;
}

int lru_add(struct lru *l, struct lru_node *node)
{
    int rc = map_put(&l->by_key, node->key, node);

    if (rc == 0)
        list_add(l, node);
    return rc;
}

void lru_remove(struct lru *l, struct lru_node *node)
{
    map_remove(&l->by_key, node->key);
    list_remove(l, node);
}

struct lru_node *lru_idlest(struct lru *l)
{
    for (unsigned i = 0; i < CHANCES_MAX && l->oldest != NULL && l->oldest->used; i++) {
        struct lru_node *node = l->oldest;
        list_remove(l, node);
        list_add(l, node);
        node->used = false;
    }
    return l->oldest;
}
