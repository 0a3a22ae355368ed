/* wire_history.h: a conversation as upstreams want it that know two sides only.
 *
 * Messages of one side in a row are a *run*; system messages stand elsewhere and part nothing. The
 * run that answers calls begins with their results, one for each, in the order of the calls. */
#ifndef SLUICE_CODEC_WIRE_HISTORY_H
#define SLUICE_CODEC_WIRE_HISTORY_H

#include "sluice/codec/turn_wire.h"
#include "sluice/format/json_out.h"

bool wire_is_system(const struct turn_message *m);

/* The first message behind the run that `m` begins; NULL at the conversation's end. */
const struct turn_message *wire_run_end(const struct turn_message *m);

/* The part of kind PART_RESULT among `m` to `end` that answers `id`, or NULL. */
const struct turn_part *wire_result_of(const struct turn_message *m, const struct turn_message *end,
                                       struct span id);

/* Has every call of `calls` to `m` a result in `m` to `end`, and the other way around? */
bool wire_check_results(const struct turn_message *calls, const struct turn_message *m,
                        const struct turn_message *end, struct fault *why);

/* A conversation cannot end with a call: nobody could answer it any more. */
bool wire_check_end(const struct turn_request *r, struct fault *why);

/* May the model call this tool (allowed_tools)? */
bool wire_is_allowed(const struct turn_request *r, const struct turn_tool *t);

/* The grammar a custom tool's text must follow, raw; empty: none. */
struct span wire_grammar_of(const struct turn_tool *t);
/* A description that ends in it, in quotes: all that is left of it where nobody enforces one. */
void wire_put_grammar(struct json_out *o, struct span description, struct span grammar);

/* Says no to what no upstream that gives one answer of text can express. */
bool wire_check_answer(const struct turn_request *r, struct fault *why);

#endif
