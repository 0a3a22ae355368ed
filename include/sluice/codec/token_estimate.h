/* token_estimate.h: about how many tokens a prompt has, when nobody who knows is asked.
 *
 * Bytes over 3.5, which is a little more than most tokenizers make of prose and code in English, and
 * what each message, tool, picture and page costs beside its text. Meant to be above rather than below:
 * clients decide by it when a conversation has to be cut. */
#ifndef SLUICE_CODEC_TOKEN_ESTIMATE_H
#define SLUICE_CODEC_TOKEN_ESTIMATE_H

#include "sluice/codec/turn_request.h"

uint64_t token_estimate(const struct turn_request *r);

#endif
