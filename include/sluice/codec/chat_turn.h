/* chat_turn.h: a Chat Completions request as a turn.
 *
 * Fields: protocols.md §3.1 and contract 2.6 to 2.12. A message of role `tool` becomes a message of
 * ROLE_TOOL with one PART_RESULT; the functions of old are read as tools. Members nobody knows are
 * passed over: there is nothing they could be translated to. */
#ifndef SLUICE_CODEC_CHAT_TURN_H
#define SLUICE_CODEC_CHAT_TURN_H

#include "sluice/codec/turn_request.h"

/* `body` is valid JSON and outlives `out`; `o` decides where two readings are right. False with *why, a
 * 400 that names the member. */
bool chat_turn_read(struct span body, const struct translation_options *o, struct arena *a,
                    struct turn_request *out, struct fault *why);

/* The same without the members named in `others`, up to a NULL: they mean something else to whoever
 * reads them. */
bool chat_turn_read_but(struct span body, const char *const *others,
                        const struct translation_options *o, struct arena *a,
                        struct turn_request *out, struct fault *why);

#endif
