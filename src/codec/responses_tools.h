/* responses_tools.h: what the model may call, by a Responses request.
 *
 * Tools stand in `tools`, flat or in namespaces, and in items of the input (additional_tools: Codex). */
#ifndef SLUICE_SRC_CODEC_RESPONSES_TOOLS_H
#define SLUICE_SRC_CODEC_RESPONSES_TOOLS_H

#include "turn_reading.h"

/* `tools`: the array, or empty. `input` and `choice`: the members; JSON_NULL where absent. */
bool responses_tools_read(struct reading *g, struct span tools, const struct json_walk *input,
                          const struct json_walk *choice);

#endif
