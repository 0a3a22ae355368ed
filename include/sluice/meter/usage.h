/* usage.h: tokens, normalised from what each provider calls them (contract 2.5).
 *
 * prompt counts everything read, cached and cache-written tokens included; completion counts
 * everything written, reasoning included. */
#ifndef SLUICE_METER_USAGE_H
#define SLUICE_METER_USAGE_H

#include "sluice/base/span.h"

enum usage_source {
    USAGE_NONE,      /* nothing was said, nothing was delivered */
    USAGE_PROVIDER,  /* the provider's own numbers */
    USAGE_ESTIMATED, /* delivered events, because the provider's numbers never came */
};

struct usage {
    uint64_t prompt, cached, cache_write, completion, reasoning;
    enum usage_source source;
};

/* Reads an OpenAI usage object, whole or as the last of several cumulative ones: what it states
 * replaces what was known. False when it states no count. `object` is valid JSON. */
bool usage_read_openai(struct usage *u, struct span object);

/* The same for embeddings, where the total alone tells, too. */
bool usage_read_embeddings(struct usage *u, struct span object);

/* The same for the Responses protocol. */
bool usage_read_responses(struct usage *u, struct span object);

/* The same for Anthropic Messages, whose input_tokens count only what was neither read from nor
 * written to the cache. Of several in one stream each overwrites what it states and no more, so `u`
 * is what the earlier ones said (all zero at first). */
bool usage_read_messages(struct usage *u, struct span object);

/* Of two answers that became one; estimated where one of them is. */
void usage_add(struct usage *u, const struct usage *more);

const char *usage_source_name(enum usage_source s); /* "provider", … */

#endif
