/* messages_turn_tools.h: the tools of a Messages request, and which of them may be called. */
#ifndef SLUICE_SRC_CODEC_MESSAGES_TURN_TOOLS_H
#define SLUICE_SRC_CODEC_MESSAGES_TURN_TOOLS_H

#include "turn_reading.h"

/* `tools`: the array, `choice`: the object; each may be empty. */
bool messages_turn_read_tools(struct reading *g, struct span tools, struct span choice);

#endif
