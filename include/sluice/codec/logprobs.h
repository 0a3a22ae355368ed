/* logprobs.h: how probable each token of a text was, and what might have stood in its place.
 *
 * Between the protocols this is a list as Chat has it, [{token, logprob, bytes, top_logprobs: [{token, logprob,
 * bytes}]}], as JSON of which members may be missing: Responses' deltas know no bytes, Gemini none at
 * all. Numbers are lexemes, never decoded. */
#ifndef SLUICE_CODEC_LOGPROBS_H
#define SLUICE_CODEC_LOGPROBS_H

#include "sluice/format/json_out.h"

/* The elements of `list`, each with every member, a comma between them and none around. Missing bytes
 * are those of the token, null where the token is no text. A list that is none comes to nothing. */
void logprobs_put(struct json_out *o, struct span list);

/* Gemini's logprobsResult as such a list, appended to `out`: 0 or -ENOMEM. */
int logprobs_from_gemini(struct span result, struct buf *out) __attribute__((warn_unused_result));

#endif
