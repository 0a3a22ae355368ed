/* call_id.h: ids of tool calls as other protocols can take them (protocols.md §6.3).
 *
 * Pure functions of the id, so that a call and its result still pair on every turn without anybody
 * remembering anything. On the way to the client ids stay what the provider made them. */
#ifndef SLUICE_CODEC_CALL_ID_H
#define SLUICE_CODEC_CALL_ID_H

#include "sluice/base/arena.h"

/* Letters, digits, _ and -: Anthropic and Bedrock. */
struct span call_id_for_messages(struct arena *a, struct span raw);
/* At most 64 characters: OpenAI. */
struct span call_id_for_responses(struct arena *a, struct span raw);
/* Exactly nine letters and digits: Mistral. */
struct span call_id_of_nine(struct arena *a, struct span raw);

#endif
