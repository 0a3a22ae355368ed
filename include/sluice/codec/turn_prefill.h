/* turn_prefill.h: requests whose answer another model can go on with.
 *
 * Many models take a conversation that ends in the beginning of their own answer, and go on from there.
 * That is only honest for an answer that is nothing but one text: of a form nobody prescribed, with
 * nothing thought before it, ended by nothing but the model. */
#ifndef SLUICE_CODEC_TURN_PREFILL_H
#define SLUICE_CODEC_TURN_PREFILL_H

#include "sluice/codec/openai_request.h"
#include "sluice/codec/turn_request.h"

/* Could an answer to this request be gone on with, and does a translation carry all of it? By the
 * body's members, each of which has to be known to be harmless. Reads all of the body. */
bool turn_prefill_suits(const struct openai_request *r, struct span body, enum api_protocol api);

/* Makes `text`, raw, the beginning of the answer to a request that was read: nothing is appended when
 * it is empty. What it may still write becomes less by what was written, about `tokens`. False with
 * *why when the conversation cannot be gone on with. `text` outlives the request. */
bool turn_prefill_add(struct turn_request *r, struct arena *a, struct span text, uint64_t tokens,
                      struct fault *why);

#endif
