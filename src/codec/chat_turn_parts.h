/* chat_turn_parts.h: the two large members of a Chat request, each read by a file of its own. */
#ifndef SLUICE_CODEC_CHAT_TURN_PARTS_H
#define SLUICE_CODEC_CHAT_TURN_PARTS_H

#include "turn_reading.h"

bool chat_turn_read_messages(struct reading *g, struct span messages);

/* Also `functions`, which came before `tools`, and `web_search_options`; each may be empty. */
bool chat_turn_read_tools(struct reading *g, struct span tools, struct span functions,
                          struct span search);
/* After the tools: what is allowed must be among them. */
bool chat_turn_read_choice(struct reading *g, const struct json_walk *w);

#endif
