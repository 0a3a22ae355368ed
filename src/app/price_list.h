/* price_list.h: LiteLLM's list of models and prices as `models:` of a configuration.
 *
 * A model's id is author/name in lower case: the last two parts of its name in the list where its
 * provider has authors in front of names, else the author that the name's family belongs to, else the
 * provider. Who offers the same model becomes one more endpoint of it. */
#ifndef SLUICE_APP_PRICE_LIST_H
#define SLUICE_APP_PRICE_LIST_H

#include "sluice/base/err.h"
#include "sluice/config/snapshot.h"

struct price_list_asked {
    const struct snapshot *snapshot; /* its providers; its models are left as they are */
    const char *provider;            /* this one and no other; NULL: all of them */
    bool all;                        /* and those that need no more than a key */
    const char *today;               /* "2026-11-21": what went away before is left out */
};

/* How many entries became what. */
struct price_list_counts {
    unsigned models, endpoints;
    unsigned elsewhere;  /* of providers nobody asked for */
    unsigned over;       /* gone by today */
    unsigned odd;        /* of another kind, or a price and no model */
    unsigned configured; /* the configuration has that model */
    unsigned twice, bad;
    unsigned unread; /* members nothing was made of, each counted once */
};

/* 0 with the YAML in `out`, `providers:` among it when some are not configured; lines about entries
 * that are wrong in `says`. -EINVAL with *why when it is no such list. */
int price_list_write(struct span json, const struct price_list_asked *asked, struct buf *out,
                     struct buf *says, struct price_list_counts *n, struct err *why)
    __attribute__((warn_unused_result));

#endif
