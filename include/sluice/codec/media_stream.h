/* media_stream.h: what one event of a stream of pictures or sound, or one whole JSON answer about them,
 * tells the gateway.
 *
 * Events are OpenAI's: each has a `type`, the last one ends in ".done" or ".completed" and holds the
 * usage; of several pictures each has its own last one. Servers that stream in chunks of another shape
 * end with [DONE]. */
#ifndef SLUICE_CODEC_MEDIA_STREAM_H
#define SLUICE_CODEC_MEDIA_STREAM_H

#include "sluice/codec/passing.h"

struct passing_event media_event_look(struct span data);

/* Tokens, under either of the names OpenAI has for them, or seconds. */
bool media_read_usage(struct usage *u, struct span object);
bool media_read_usage_of_pictures(struct usage *u, struct span object);

#endif
