/* gemini_wire.h: a turn as the body of Gemini's generateContent.
 *
 * Tables: protocols.md §6 and §12.1. Model and streaming are said by the URL. Calls and results go
 * without ids, which older endpoints refuse: they pair by order. A signature goes back on the part it
 * came on (gemini_reader.h); where the first call of a content has none, the word goes there that
 * Google's validator takes for history of others, and the notes say so. */
#ifndef SLUICE_CODEC_GEMINI_WIRE_H
#define SLUICE_CODEC_GEMINI_WIRE_H

#include "sluice/codec/turn_wire.h"

bool gemini_wire_write(const struct turn_request *r, const struct wire_options *o, struct arena *a,
                       struct buf *out, struct turn_notes *notes, struct fault *why);

/* What lies with Google goes on: in Cloud Storage, uploaded, on YouTube. Gemini reads other URLs too, but
 * not with all models, not everywhere, and not without being told their type. */
bool gemini_wire_takes_url(const struct turn_part *p, const struct wire_options *o);

#endif
