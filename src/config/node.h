/* node.h: the text of a configuration file as a small tree with places. yaml.c alone knows libyaml.
 *
 * Scalars stay text: what they mean is decided by the table of options, never by YAML's guess
 * (`no`, `1:30` and `007` are what somebody typed). JSON is a subset and needs nothing extra.
 *
 * Bounds, so that no file can make us slow or big: the text's size, the depth, and the number of
 * nodes one would visit when following every alias ("billion laughs"). Aliases share nodes, so the
 * tree is a graph without cycles. */
#ifndef SLUICE_SRC_CONFIG_NODE_H
#define SLUICE_SRC_CONFIG_NODE_H

#include "finding.h"
#include "sluice/base/arena.h"

enum {
    YAML_TEXT_MAX = 8 << 20,
    YAML_DEPTH_MAX = 32,
    /* Beyond what was written itself: how many nodes aliases and merges may add. */
    YAML_ALIAS_MAX = 100000,
};

enum node_kind { NODE_SCALAR, NODE_LIST, NODE_MAP };

struct node {
    enum node_kind kind;
    unsigned line, column; /* 1-based; an aliased node has the place of its anchor */
    bool plain;            /* a scalar without quotes */
    struct span text;      /* of a scalar, UTF-8, NUL behind it */
    struct node_entry *entries;
    unsigned nentries;
    unsigned height; /* 0 for a scalar */
    uint64_t weight; /* nodes below and including this one, aliases followed */
};

struct node_entry {
    struct span key;       /* of a map */
    unsigned line, column; /* of the key, or of a list's item */
    const struct node *value;
};

/* The value of `key` in a map; NULL when absent, when `map` is NULL or no map. */
const struct node *node_get(const struct node *map, const char *key);
/* A plain `~`, `null` or nothing at all. */
bool node_is_null(const struct node *n);

/* Memory comes from `a`. NULL when the text is not YAML; otherwise the tree, of which duplicate
 * keys may be missing. Everything wrong is in `f`; an empty text is an empty map. */
const struct node *yaml_parse(struct span text, const char *file, struct arena *a,
                              struct findings *f);

#endif
