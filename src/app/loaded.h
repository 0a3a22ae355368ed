/* loaded.h: a configuration for verbs that look at one: found as serve finds it, loaded, and its
 * findings told where people look for them. */
#ifndef SLUICE_APP_LOADED_H
#define SLUICE_APP_LOADED_H

#include "cli.h"

#include "sluice/config/snapshot.h"

/* Findings as lines on stderr, as a compiler's are. */
void findings_print(const struct findings *f);

/* From the verb's option --config. NULL when it has errors, which have then been printed; warnings
 * are serve's and check's business. */
struct snapshot *snapshot_for_verb(const struct cli *cli, bool no_secrets);

#endif
