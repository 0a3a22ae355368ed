/* responses_turn.h: a Responses request as a turn.
 *
 * Fields and items: protocols.md §5.1. Every item becomes a message of its own; those of the assistant
 * stand side by side, and writers join them. Outputs of calls become messages of ROLE_TOOL with one
 * PART_RESULT. What needs state at the provider (previous_response_id, conversation, prompt) is
 * refused, as are tools that only OpenAI runs, but for those of the web (web_tool.h), unless `o` says that
 * they are left out. The functions of a namespace are tools like others, and so are those of
 * additional_tools items, each name once. */
#ifndef SLUICE_CODEC_RESPONSES_TURN_H
#define SLUICE_CODEC_RESPONSES_TURN_H

#include "sluice/codec/turn_request.h"

/* `body` is valid JSON and outlives `out`; `o` decides where two readings are right. False with *why, a
 * 400 that names the member. */
bool responses_turn_read(struct span body, const struct translation_options *o, struct arena *a,
                         struct turn_request *out, struct fault *why);

#endif
