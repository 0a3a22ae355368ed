/* facts.h: what is known about a model: by its protocol, by its provider, by its name, and by what
 * the configuration says, each overruling the one before. */
#ifndef SLUICE_CATALOG_FACTS_H
#define SLUICE_CATALOG_FACTS_H

#include "sluice/catalog/catalog.h"
#include "sluice/token/tokenizer.h"

/* The bits of enum model_fact that hold for it: of provider, upstream_model and facts. */
unsigned facts_of(const struct target *t);

/* Bits of enum capability: the parameters it takes, as configured; of an endpoint nobody described those
 * that its name tells. */
unsigned facts_params(const struct target *t);

/* Most tokens of one answer, where the protocol must be told and nobody did. Never 0. */
uint64_t facts_max_output(const struct target *t);

/* Whose tokens it counts in; VOCABULARY_NONE where nobody outside knows. */
enum vocabulary_name facts_vocabulary(const struct target *t);

/* Looks both up, so that nobody has to for a request: tables are searched by name. */
void facts_keep(struct target *t);

#endif
