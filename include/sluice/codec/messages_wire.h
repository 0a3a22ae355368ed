/* messages_wire.h: a turn as an Anthropic Messages request.
 *
 * Tables: protocols.md §6, §7.1 and §7.6. Neighbouring messages of one side become one; results of
 * tools come first in the message of the user, in the order of their calls. */
#ifndef SLUICE_CODEC_MESSAGES_WIRE_H
#define SLUICE_CODEC_MESSAGES_WIRE_H

#include "sluice/codec/turn_wire.h"

bool messages_wire_write(const struct turn_request *r, const struct wire_options *o,
                         struct arena *a, struct buf *out, struct turn_notes *notes,
                         struct fault *why);

/* Anthropic takes URLs; its models in the clouds of others take data only. */
bool messages_wire_takes_url(const struct turn_part *p, const struct wire_options *o);

#endif
