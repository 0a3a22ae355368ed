/* responses_wire.h: a turn as a Responses request. Tables: protocols.md §6, §7.3 and §7.5. Nothing is
 * stored at the provider: reasoning comes back encrypted, and goes there again the same way. */
#ifndef SLUICE_CODEC_RESPONSES_WIRE_H
#define SLUICE_CODEC_RESPONSES_WIRE_H

#include "sluice/codec/turn_wire.h"

bool responses_wire_write(const struct turn_request *r, const struct wire_options *o,
                          struct arena *a, struct buf *out, struct turn_notes *notes,
                          struct fault *why);

/* Pictures and files may be elsewhere. */
bool responses_wire_takes_url(const struct turn_part *p, const struct wire_options *o);

#endif
