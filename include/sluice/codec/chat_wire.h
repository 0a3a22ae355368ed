/* chat_wire.h: a turn as a Chat Completions request.
 *
 * Tables: protocols.md §6, §7.2 and §7.4. Neighbouring messages of the assistant become one, so that
 * every call stands in the message its results follow; what a result holds beside text follows the
 * last of them in a message of the user. */
#ifndef SLUICE_CODEC_CHAT_WIRE_H
#define SLUICE_CODEC_CHAT_WIRE_H

#include "sluice/codec/turn_wire.h"

bool chat_wire_write(const struct turn_request *r, const struct wire_options *o, struct arena *a,
                     struct buf *out, struct turn_notes *notes, struct fault *why);

/* Pictures may be elsewhere; for documents Chat has no such field. */
bool chat_wire_takes_url(const struct turn_part *p, const struct wire_options *o);

#endif
