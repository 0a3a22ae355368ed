/* web_search.h: the one tool that runs at most providers (protocols.md §6.10).
 *
 *   chat       web_search_options{search_context_size,user_location{approximate{city,…}}}
 *   messages   tools[]{type:web_search_20250305,allowed_domains,blocked_domains,max_uses,user_location}
 *   responses  tools[]{type:web_search,search_context_size,filters{allowed_domains},user_location}
 *
 * Gemini's googleSearch takes no settings. What a provider cannot be told is dropped and said, but for
 * domains that must not be asked: that is a promise. So is a search that must not ask the web at all,
 * which only OpenAI has: elsewhere there is none then. */
#ifndef SLUICE_CODEC_WEB_SEARCH_H
#define SLUICE_CODEC_WEB_SEARCH_H

#include "turn_reading.h"
#include "turn_writing.h"

/* Makes `t` a search, from what the client wrote. */
void web_search_read_chat(struct reading *g, struct span options, struct turn_tool *t);
void web_search_read_messages(struct reading *g, struct span tool, struct turn_tool *t);
void web_search_read_responses(struct reading *g, struct span tool, struct turn_tool *t);

/* Can anybody but OpenAI do this? Notes it when not. */
bool web_search_is_possible(struct writing *w, const struct turn_tool *t);

/* One element of `tools`, or chat's `"web_search_options":{…}`. False with a 400. */
bool web_search_put_chat(struct writing *w, const struct turn_tool *t)
    __attribute__((warn_unused_result));
bool web_search_put_messages(struct writing *w, const struct turn_tool *t)
    __attribute__((warn_unused_result));
bool web_search_put_responses(struct writing *w, const struct turn_tool *t)
    __attribute__((warn_unused_result));
bool web_search_put_gemini(struct writing *w, const struct turn_tool *t)
    __attribute__((warn_unused_result));

#endif
