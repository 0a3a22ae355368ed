/* chat_turn_parts.h: the two large members of a Chat request, each read by a file of its own. */
#ifndef SLUICE_CODEC_CHAT_TURN_PARTS_H
#define SLUICE_CODEC_CHAT_TURN_PARTS_H

#include "turn_reading.h"

bool chat_turn_read_messages(struct reading *g, struct span messages);

/* Where they stand in a Chat request; each may be empty. `functions` came before `tools`. */
struct chat_tool_members {
    struct span tools, functions, web_search_options, web_fetch_options;
};
bool chat_turn_read_tools(struct reading *g, const struct chat_tool_members *m);
/* After the tools: what is allowed must be among them. */
bool chat_turn_read_choice(struct reading *g, const struct json_walk *w);

#endif
