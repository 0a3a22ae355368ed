/* wire_history.h: a conversation as upstreams want it that know two sides only.
 *
 * Messages of one side in a row are a *run*; system messages stand elsewhere and part nothing. The
 * run that answers calls begins with their results, one for each, in the order of the calls. */
#ifndef SLUICE_CODEC_WIRE_HISTORY_H
#define SLUICE_CODEC_WIRE_HISTORY_H

#include "turn_writing.h"

bool wire_is_system(const struct turn_message *m);

/* The first message behind the run that `m` begins; NULL at the conversation's end. */
const struct turn_message *wire_run_end(const struct turn_message *m);

/* Calls `each` once for each name of a tool the history calls: some upstreams need the tools of a
 * history even where none can be called any more. 0, or -ENOMEM. */
int wire_each_called(struct writing *w, void (*each)(struct writing *w, struct span name));

/* May the model call this tool (allowed_tools)? */
bool wire_is_allowed(const struct turn_request *r, const struct turn_tool *t);

/* The grammar a custom tool's text must follow, raw; empty: none. */
struct span wire_grammar_of(const struct turn_tool *t);
/* A description that ends in it, in quotes: all that is left of it where nobody enforces one. */
void wire_put_grammar(struct json_out *o, struct span description, struct span grammar);

/* Says no to what no upstream that gives one answer of text can express. */
bool wire_check_answer(const struct turn_request *r, struct fault *why);

#endif
