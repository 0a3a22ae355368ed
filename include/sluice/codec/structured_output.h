/* structured_output.h: the form of an answer, from models that cannot be held to one (protocols.md §6.9).
 *
 * A provider may know no json_object, a model no schema. Where the operator wants it nevertheless, the
 * request is changed before it is written: one JSON object is asked for in words, and a schema becomes
 * that of a tool which the model must call. Its arguments are the answer then, and on their way from
 * reader to writer they become text, piece by piece as they arrive.
 *
 * Held back is what a model says before it calls, for it may not call at all; STRUCTURED_HELD_MAX bytes
 * at most. Once it has called, nothing else it says or calls goes on. */
#ifndef SLUICE_CODEC_STRUCTURED_OUTPUT_H
#define SLUICE_CODEC_STRUCTURED_OUTPUT_H

#include "sluice/codec/turn_event.h"
#include "sluice/codec/turn_wire.h"

enum { STRUCTURED_HELD_MAX = 64 * 1024 };

/* `knows_json_object`: the upstream's protocol does. Sets r->answer_tool where a tool stands in for a
 * schema. False with a 400 when the model lacks what the request asks for and nothing may stand in, or
 * when it would have to call other tools as well. */
bool structured_output_prepare(struct turn_request *r, const struct wire_options *o,
                               bool knows_json_object, struct arena *a, struct turn_notes *notes,
                               struct fault *why);

struct structured_output {
    struct span tool; /* raw: whose arguments are the answer; empty: everything goes on as it is */
    enum { ANSWER_AWAITED, ANSWER_CALLED, ANSWER_IN_WORDS } state;
    unsigned slot; /* of the call, or of the text that is held */
    bool has_text; /* some of the answer went on */
    struct buf held;
};

/* `tool` outlives it. */
void structured_output_init(struct structured_output *s, struct span tool);
void structured_output_fini(struct structured_output *s);

/* Hands on to `next` what is left of `e`; false when `next` said so. */
bool structured_output_event(struct structured_output *s, const struct turn_event *e,
                             turn_event_fn next, void *arg);

#endif
