/* key_use.h: what the ledger knows of a page of keys: when each last called, and what it has spent. */
#ifndef SLUICE_SRC_API_KEY_USE_H
#define SLUICE_SRC_API_KEY_USE_H

#include "page.h"

#include "sluice/store/ledger.h"

struct key_use {
    uint64_t last_used_unix_ms; /* when a call last ended, in any replica; 0: never */
    uint64_t spent_pd;          /* in the period of its budget that is now; 0 without a budget */
};

/* The owner's, who says which keys (they live until `done`), and gets one use for each. */
struct key_uses {
    const struct key_options *keys[PAGE_LIMIT_MAX];
    unsigned n;
    void (*done)(void *arg);
    void *arg;
    struct key_use at[PAGE_LIMIT_MAX];
    /* ours */
    struct store *store;
    struct look_call *call;
    unsigned nlooked;
};

/* `done` may come before this returns. */
void key_uses_look(struct key_uses *u, struct store *s);
/* `done` will not come; nothing under way is fine. */
void key_uses_cancel(struct key_uses *u);

#endif
