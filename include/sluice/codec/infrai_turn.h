/* infrai_turn.h: a request in infrai's words as a turn (contract 2.16): one of Chat Completions, but that a
 * text alone may stand for the messages: what the user says. */
#ifndef SLUICE_CODEC_INFRAI_TURN_H
#define SLUICE_CODEC_INFRAI_TURN_H

#include "sluice/codec/turn_request.h"

/* As chat_turn_read. */
bool infrai_turn_read(struct span body, const struct translation_options *o, struct arena *a,
                      struct turn_request *out, struct fault *why);

#endif
