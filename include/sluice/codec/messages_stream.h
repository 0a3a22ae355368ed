/* messages_stream.h: what one event of an Anthropic Messages stream, or one whole answer, tells the
 * gateway while it passes through (passing.h). Grammar: protocols.md §4.2 and §4.3; the type in the
 * JSON decides, not the `event:` line. */
#ifndef SLUICE_CODEC_MESSAGES_STREAM_H
#define SLUICE_CODEC_MESSAGES_STREAM_H

#include "sluice/codec/passing.h"

struct passing_event messages_event_look(struct span data);

/* Appends a ping: allowed from message_start to message_stop. */
int messages_put_ping(struct buf *out) __attribute__((warn_unused_result));

#endif
