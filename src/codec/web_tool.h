/* web_tool.h: the two tools that run at several providers: search the web, fetch a page (protocols.md
 * §6.10, contract 2.11).
 *
 *   chat       web_search_options{search_context_size,user_location}
 *              web_fetch_options{max_uses,max_content_tokens,citations,allowed_domains,blocked_domains}
 *   messages   tools[]{type:web_search_20250305,allowed_domains,blocked_domains,max_uses,user_location}
 *              tools[]{type:web_fetch_20250910} with the members of web_fetch_options
 *   responses  tools[]{type:web_search,search_context_size,filters{allowed_domains},user_location}
 *              tools[]{type:web_fetch}, which only gateways have
 *
 * Gemini's googleSearch and urlContext take no settings. What a provider cannot be told is dropped and
 * said, but for domains that must not be asked: that is a promise. So is a search that must not ask the
 * web at all, which only OpenAI has: elsewhere there is none then. A provider that has no such tool is
 * asked without. */
#ifndef SLUICE_CODEC_WEB_TOOL_H
#define SLUICE_CODEC_WEB_TOOL_H

#include "turn_reading.h"
#include "turn_writing.h"

/* Makes `t` one of them, from what the client wrote in any of the protocols. False with a 400. */
bool web_tool_read(struct reading *g, enum web_kind kind, struct span said, struct turn_tool *t)
    __attribute__((warn_unused_result));

/* Is it one, by the type a protocol's list of tools calls it? "web_search_preview", "web_fetch_20260209" */
bool web_tool_is(struct span type, enum web_kind *kind);

/* Leaves a tool out that this upstream does not have. */
void web_tool_note(struct writing *w, const struct turn_tool *t);
/* Can anybody but OpenAI do this? Notes it when not. */
bool web_tool_is_possible(struct writing *w, const struct turn_tool *t);

/* One element of `tools`, or chat's `"web_search_options":{…}`. False with a 400. */
bool web_tool_put_chat(struct writing *w, const struct turn_tool *t)
    __attribute__((warn_unused_result));
void web_tool_put_messages(struct writing *w, const struct turn_tool *t);
bool web_tool_put_responses(struct writing *w, const struct turn_tool *t)
    __attribute__((warn_unused_result));
bool web_tool_put_gemini(struct writing *w, const struct turn_tool *t)
    __attribute__((warn_unused_result));

#endif
