/* thought_signature.h: Gemini's proof of reasoning, where Chat's clients and servers look for it.
 *
 * It lies on a tool call and has to come back on the same one (protocols.md §12.1). Google's own endpoint for
 * OpenAI's clients spells it extra_content.google.thought_signature; contract 2.6 adds a plain
 * thought_signature beside that. */
#ifndef SLUICE_SRC_CODEC_THOUGHT_SIGNATURE_H
#define SLUICE_SRC_CODEC_THOUGHT_SIGNATURE_H

#include "sluice/format/json_out.h"

/* Stands for a signature that was lost, or that another family's call never had: Google takes it. */
#define FOREIGN_SIGNATURE SPAN_LIT("skip_thought_signature_validator")

/* Of a call as Chat writes it, raw; empty when it has none. */
struct span thought_signature_of(struct span call);

/* `,"extra_content":{"google":{"thought_signature":…}}`: as Google itself says it. */
void thought_signature_put(struct json_out *o, struct span raw);

#endif
