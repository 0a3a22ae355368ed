/* chat_turn_parts.h: the two large members of a Chat request, each read by a file of its own. */
#ifndef SLUICE_CODEC_CHAT_TURN_PARTS_H
#define SLUICE_CODEC_CHAT_TURN_PARTS_H

#include "turn_reading.h"

bool chat_turn_read_messages(struct reading *g, struct span messages);

/* What a message of the assistant's says of its reasoning, in any of the spellings clients have for it
 * (protocols.md §6.4); all zero at first. */
struct chat_thought {
    struct span text, details, blocks, signature;
    struct turn_part *of_calls; /* signatures that lie on calls, by the id of the call */
    bool is_signed;             /* the details hold a signature of Gemini's */
};
/* Is this member one of them? Then it is taken. */
bool chat_thought_take(struct chat_thought *t, const struct json_walk *w);
/* The parts it comes to; of several spellings the richest counts. */
bool chat_thought_read(struct reading *g, struct chat_thought *t, struct turn_part ***end,
                       struct span path);
/* The signature of a call, before the call itself; nothing when it has none. */
bool chat_thought_read_call(struct reading *g, struct chat_thought *t, struct span call,
                            struct turn_part ***end, struct span path);

/* Where they stand in a Chat request; each may be empty. `functions` came before `tools`. */
struct chat_tool_members {
    struct span tools, functions, web_search_options, web_fetch_options;
};
bool chat_turn_read_tools(struct reading *g, const struct chat_tool_members *m);
/* After the tools: what is allowed must be among them. */
bool chat_turn_read_choice(struct reading *g, const struct json_walk *w);

#endif
