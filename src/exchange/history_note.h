/* history_note.h: the record of a call, made of the exchange that has settled. */
#ifndef SLUICE_SRC_EXCHANGE_HISTORY_NOTE_H
#define SLUICE_SRC_EXCHANGE_HISTORY_NOTE_H

#include <stdint.h>

struct exchange;

/* Of calls that a provider is to answer, by whoever may call; of nothing else. */
void history_note(const struct exchange *x, uint64_t duration_us);

#endif
