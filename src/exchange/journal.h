/* journal.h: decisions of routing, as they are made, in a file that `sluice replay` reads
 * (route/decision.h says how a line looks). Lines wait in memory and leave some milliseconds later, many
 * with one write; what finds no room is left out and counted. */
#ifndef SLUICE_SRC_EXCHANGE_JOURNAL_H
#define SLUICE_SRC_EXCHANGE_JOURNAL_H

#include "sluice/exchange/gateway.h"
#include "sluice/route/decision.h"

/* `n` without the configuration, which is the deployment's. */
void journal_note(struct journal *j, const struct deployment *d, struct decision_note n);

#endif
