/* responses_stream.h: what one event of an OpenAI Responses stream, or one whole response, tells the
 * gateway while it passes through (passing.h). Grammar: protocols.md §5.2 and §5.3. */
#ifndef SLUICE_CODEC_RESPONSES_STREAM_H
#define SLUICE_CODEC_RESPONSES_STREAM_H

#include "sluice/codec/passing.h"

struct passing_event responses_event_look(struct span data);

/* Appends a keepalive, which is in no grammar: OpenAI sends it, and its clients expect it, from
 * response.created to the end (protocols.md §2.3). */
int responses_put_keepalive(uint64_t sequence, struct buf *out) __attribute__((warn_unused_result));

#endif
