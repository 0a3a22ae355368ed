/* expand.h: ${VAR}, ${VAR:-default}, ${VAR:?message} and $$ in the text of one scalar.
 *
 * Applied after YAML was parsed, so a value can never become structure; a lone $ stays. Variables
 * are not expanded again, defaults are not either. */
#ifndef SLUICE_SRC_CONFIG_EXPAND_H
#define SLUICE_SRC_CONFIG_EXPAND_H

#include "sluice/base/arena.h"
#include "sluice/base/err.h"

/* The text with variables from the environment put in; NUL behind it, memory from `a`. As with a
 * shell's `:-`, an empty variable counts as unset there. -EINVAL and `why` when a variable is unset
 * and has no default. */
int expand_text(struct span text, struct arena *a, struct span *out, struct err *why)
    __attribute__((warn_unused_result));

/* Whether there is anything to expand. */
bool expand_wanted(struct span text);

#endif
