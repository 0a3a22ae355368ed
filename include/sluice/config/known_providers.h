/* known_providers.h: providers by the names people have for them (contract 0.8). A slug here is a
 * name and no more: it can be routed to once the configuration has that provider. */
#ifndef SLUICE_CONFIG_KNOWN_PROVIDERS_H
#define SLUICE_CONFIG_KNOWN_PROVIDERS_H

#include "sluice/base/span.h"

struct known_provider {
    const char *slug; /* "google-ai-studio" */
    const char
        *name; /* what a configuration calls it: "gemini"; NULL: it has to be described there */
    const char *also; /* more names, a space between them; NULL: none */
    bool needs_more;  /* its address depends on the account */
};

/* The slug a name stands for, "gemini" or "google-ai"; NULL when it stands for itself. */
const char *known_provider_slug(struct span name);

/* All of them, one after the other; false behind the last. */
bool known_provider_at(unsigned i, struct known_provider *out);

#endif
