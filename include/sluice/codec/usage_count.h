/* usage_count.h: what an answer took, where its provider does not say: counted from the texts.
 *
 * In the model's own vocabulary that is exact, for a conversation in text (token_count.h); else it is an
 * estimate, and its source says so. */
#ifndef SLUICE_CODEC_USAGE_COUNT_H
#define SLUICE_CODEC_USAGE_COUNT_H

#include "sluice/codec/turn_request.h"
#include "sluice/config/translation_options.h"
#include "sluice/meter/usage.h"
#include "sluice/token/tokenizer.h"

/* A whole answer and the request it answers, both in this protocol, which writes text. `t`: NULL where
 * there is none. Takes milliseconds: not for the loop. */
struct usage usage_count(enum api_protocol api, struct span request, struct span answer,
                         const struct translation_options *o, const struct tokenizer *t);

#endif
