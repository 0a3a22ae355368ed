/* turn_wire.h: what a writer of upstream requests must know beside the request itself.
 *
 * Each upstream protocol has one such writer (chat_wire, messages_wire, …), all of the same form:
 *
 *   bool X_wire_write(const struct turn_request *r, const struct wire_options *o, struct arena *a,
 *                     struct buf *out, struct turn_notes *notes, struct fault *why);
 *
 * It appends one JSON body to `out`. False with *why when the protocol cannot express the request
 * (400, why->param the path in the client's body, in the arena) or memory ran out (FAULT_OVERLOADED);
 * what is then in `out` is of no use. Facts about models are options, never code (protocols.md §1). */
#ifndef SLUICE_CODEC_TURN_WIRE_H
#define SLUICE_CODEC_TURN_WIRE_H

#include "sluice/codec/turn_request.h"
#include "sluice/config/model_facts.h"
#include "sluice/config/translation_options.h"

struct wire_options {
    struct span model;           /* decoded: what the upstream calls it */
    struct span model_instead;   /* messages: whole members in the model's place, or empty */
    bool streams_by_path;        /* messages: the body does not say whether to */
    uint64_t default_max_tokens; /* where a protocol must be told and the client did not */
    unsigned facts;              /* enum model_fact: what it takes */
    struct translation_options translation;
    bool takes_youtube; /* Gemini: Google AI Studio does, Vertex AI does not */
};

#endif
