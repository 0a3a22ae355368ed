/* converse_wire.h: a turn as the body of Bedrock's Converse and ConverseStream.
 *
 * Tables: protocols.md §6 and §12.2. Model and streaming are said by the URL. What Converse has no
 * word for goes to the model in additionalModelRequestFields, in Anthropic's words: the other
 * models there take neither thinking nor top_k, and their configuration says so. */
#ifndef SLUICE_CODEC_CONVERSE_WIRE_H
#define SLUICE_CODEC_CONVERSE_WIRE_H

#include "sluice/codec/turn_wire.h"

bool converse_wire_write(const struct turn_request *r, const struct wire_options *o,
                         struct arena *a, struct buf *out, struct turn_notes *notes,
                         struct fault *why);

/* Bedrock takes data only. */
bool converse_wire_takes_url(const struct turn_part *p, const struct wire_options *o);

#endif
