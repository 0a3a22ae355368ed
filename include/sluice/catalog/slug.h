/* slug.h: what callers call providers and endpoints (contract 0.8): "openai", "minimax/fp8".
 *
 * Lowercase, each run of what is no letter or digit a dash: "Google AI Studio" is google-ai-studio.
 * Some providers have two names; a slug is the one that all of them become here. */
#ifndef SLUICE_CATALOG_SLUG_H
#define SLUICE_CATALOG_SLUG_H

#include "sluice/base/arena.h"

/* Made in the arena; `name` is a provider's, or an endpoint's with its variant behind a slash. */
struct span slug_make(struct span name, struct arena *a);

#endif
