/* messages_turn.h: an Anthropic Messages request as a turn.
 *
 * Fields: protocols.md §4.1. Results of tools become messages of ROLE_TOOL with one PART_RESULT each,
 * before what else their user message holds: that is where every other protocol has them. Blocks of
 * Anthropic's own tools in the history (server_tool_use and its results) are left out: nobody else
 * could replay them (§6.10). */
#ifndef SLUICE_CODEC_MESSAGES_TURN_H
#define SLUICE_CODEC_MESSAGES_TURN_H

#include "sluice/codec/turn_request.h"

/* `body` is valid JSON and outlives `out`; `o` decides where two readings are right. False with *why, a
 * 400 that names the member. */
bool messages_turn_read(struct span body, const struct translation_options *o, struct arena *a,
                        struct turn_request *out, struct fault *why);

/* For upstreams that are not Anthropic's: without the line that names the client for billing. */
void messages_turn_forget_billing(struct turn_request *r);

#endif
