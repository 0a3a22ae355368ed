/* scope.h: what a key may be used for (contract 0.3).
 *
 *   workspace   calls models by name, and in the paths of pipelines
 *   pipeline    calls one model or alias: in its own path, or named on the paths of all
 *   admin       manages, and calls no model
 *
 * What a pipeline's key cannot have does not exist for it in paths, so nothing can be found out there. */
#ifndef SLUICE_ADMIT_SCOPE_H
#define SLUICE_ADMIT_SCOPE_H

#include "sluice/catalog/catalog.h"
#include "sluice/codec/fault.h"

/* Does `name` stand for what `pipeline` stands for, or for a part of it, and for nothing else? */
bool scope_is_within(const struct catalog *c, struct span name, struct span pipeline);

/* May the key call models at a path that fixes this one (empty: none)? `key` NULL: none was needed. */
bool scope_check_path(const struct key_options *key, const struct catalog *c, struct span pipeline,
                      struct fault *why);

/* May it name this one? `param`: where it did. */
bool scope_check_model(const struct key_options *key, const struct catalog *c, struct span model,
                       const char *param, struct fault *why);

#endif
