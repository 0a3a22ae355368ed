/* wire_effort.h: how hard to think, as one upstream's model can be told (contract 2.6). */
#ifndef SLUICE_CODEC_WIRE_EFFORT_H
#define SLUICE_CODEC_WIRE_EFFORT_H

#include "turn_writing.h"

/* The word asked for, or the one nearest to the number of tokens asked for; EFFORT_UNSAID: neither. */
enum turn_effort wire_effort(const struct turn_request *r);

/* The word the model knows that is nearest below, or "low". */
const char *wire_effort_word(const struct writing *w, enum turn_effort e);

/* Can the model be told that? */
bool wire_takes_effort(const struct writing *w, enum turn_effort e);

/* The same in tokens: the number asked for, else a share of `most`. 0 for EFFORT_NONE. */
uint64_t wire_budget(const struct turn_request *r, enum turn_effort e, uint64_t most);

/* Left to the model how hard: it thinks, and nothing more was said. */
bool wire_thinks_freely(const struct turn_request *r);

#endif
