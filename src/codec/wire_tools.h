/* wire_tools.h: what the writers of upstream requests ask about the request's tools. */
#ifndef SLUICE_CODEC_WIRE_TOOLS_H
#define SLUICE_CODEC_WIRE_TOOLS_H

#include "turn_writing.h"

/* The tool of that name, NULL: none; a function before a tool of the provider's own. Web search is the
 * tool without a name, and the one that Anthropic calls "web_search". */
const struct turn_tool *wire_tool_named(const struct turn_request *r, struct span name);

/* May the model call this tool (allowed_tools)? */
bool wire_is_allowed(const struct turn_request *r, const struct turn_tool *t);

/* The tool of the provider's own that the model has to call; NULL: none such. */
const struct turn_tool *wire_must_use_web(const struct turn_request *r);

/* Calls `each` once for each name of a tool the history calls: some upstreams need the tools of a
 * history even where none can be called any more. 0, or -ENOMEM. */
int wire_each_called(struct writing *w, void (*each)(struct writing *w, struct span name));

/* May a custom tool become a function? False with a 400 when that would lose a grammar. */
bool wire_may_wrap(struct writing *w, const struct turn_tool *t);

/* A description, in quotes, that ends in the grammar a custom tool's text must follow: all that is
 * left of it where nobody enforces one. */
void wire_put_grammar(struct json_out *o, struct span description, struct span grammar);

#endif
