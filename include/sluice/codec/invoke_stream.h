/* invoke_stream.h: Claude's stream as Bedrock's invoke-with-response-stream sends it, made the
 * server-sent events it would be at Anthropic's.
 *
 * Messages of AWS's framing (event_stream.h) with the type "chunk" hold {"bytes":"…","p":"…"}: one
 * JSON event of the Messages protocol in base64, and padding. Each becomes one event with the JSON as
 * it was decoded, byte for byte; only line breaks in it, which are white space there, may come out as
 * others (a line of `data:` each). What Bedrock itself has to say, an exception or an error, becomes
 * the protocol's own `error` event (bedrock_error.h). Messages of other types are nobody's business.
 *
 * Incremental: what a read brings whole goes out at once, and only a message it broke off in is kept,
 * up to the limit. */
#ifndef SLUICE_CODEC_INVOKE_STREAM_H
#define SLUICE_CODEC_INVOKE_STREAM_H

#include "sluice/format/event_stream.h"

struct invoke_stream {
    const char *problem; /* a static phrase; the stream is of no further use. NULL: none */
    /* private */
    struct event_stream frames;
    struct buf event; /* the one being decoded */
};

/* `limit`: the most bytes one message may have, framing included. */
void invoke_stream_init(struct invoke_stream *s, size_t limit);
void invoke_stream_fini(struct invoke_stream *s);

/* Reads all of `input` and appends events to `out`. False with s->problem, behind the events that came
 * in good order. */
bool invoke_stream_read(struct invoke_stream *s, struct span input, struct buf *out)
    __attribute__((warn_unused_result));

/* At the end of input: did it end between two messages? */
bool invoke_stream_is_between(const struct invoke_stream *s);

#endif
