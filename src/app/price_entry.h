/* price_entry.h: one entry of LiteLLM's list of models and prices, which many people keep: what of it a
 * configuration of ours can say.
 *
 * The list is one JSON object, a member a model: github.com/BerriAI/litellm,
 * model_prices_and_context_window.json. Flags that are missing are taken as false, as its own readers
 * do; but what it has no flag for is not denied. */
#ifndef SLUICE_APP_PRICE_ENTRY_H
#define SLUICE_APP_PRICE_ENTRY_H

#include "sluice/base/map.h"
#include "sluice/config/snapshot.h"

enum { PRICE_NAME_MAX = 200 };

struct price_entry {
    char provider[PRICE_NAME_MAX]; /* as the list calls it, dashes for underscores: "vertex-ai" */
    char name[PRICE_NAME_MAX];     /* the member's own name: "vertex_ai/claude-sonnet-4-5" */
    int category;                  /* enum category; -1: of a kind we know nothing of */
    struct price_options price;
    uint64_t context, max_output;
    unsigned params; /* bits of enum capability; all: nothing is said against any */
    unsigned input, output;
    char over[16]; /* "2026-11-30": the day it goes away; "" none is known */
};

/* A member of the list. False with what is wrong with it, a phrase. `unread` gains the members that
 * mean nothing here. */
bool price_entry_read(struct span key, struct span value, struct price_entry *out,
                      struct map *unread, const char **problem);

#endif
