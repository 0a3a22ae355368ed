/* usage_wire.h: usage in the words of each protocol that clients speak (contract 2.5).
 *
 * Every count of the contract is there, 0 when none; a client that asked for its costs
 * (usage: {include: true}) finds some more. */
#ifndef SLUICE_SRC_CODEC_USAGE_WIRE_H
#define SLUICE_SRC_CODEC_USAGE_WIRE_H

#include "sluice/codec/answer_identity.h"
#include "sluice/format/json_out.h"
#include "sluice/meter/usage.h"

/* Each: `"usage":{…}`. `who`: of the answer; NULL where only counts are to be told. */
void usage_put_chat(struct json_out *o, const struct usage *u, const struct answer_identity *who);
void usage_put_responses(struct json_out *o, const struct usage *u,
                         const struct answer_identity *who);
void usage_put_messages(struct json_out *o, const struct usage *u,
                        const struct answer_identity *who);

/* `,"cost":…,"cost_details":{…}`, nothing for a client that did not ask. */
void usage_put_cost(struct json_out *o, const struct answer_identity *who);

#endif
