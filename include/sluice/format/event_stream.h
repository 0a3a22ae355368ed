/* event_stream.h: an incremental reader of AWS's binary event stream, the framing of Bedrock.
 *
 * application/vnd.amazon.eventstream, numbers big-endian: u32 total length, u32 length of the headers,
 * u32 CRC-32 of those eight bytes, headers, payload, u32 CRC-32 of all before it. A header is a u8
 * length and a name, a u8 type, and a value ("Event stream encoding", AWS's documentation of
 * Transcribe). Of the headers only the strings that say what a message is are told.
 *
 * A message that lies whole in the input is borrowed from it; another is put together in the
 * reader's own buffer, which is bounded by the limit. Lengths are checked before memory is taken. */
#ifndef SLUICE_FORMAT_EVENT_STREAM_H
#define SLUICE_FORMAT_EVENT_STREAM_H

#include "sluice/base/buf.h"

/* What AWS's own decoder refuses to go beyond. */
#define EVENT_STREAM_MESSAGE_MAX (24u << 20)

enum event_stream_status {
    EVENT_STREAM_MORE,    /* all input was consumed */
    EVENT_STREAM_MESSAGE, /* the message fields below describe one */
    EVENT_STREAM_INVALID, /* reader->problem says why; the reader is of no further use */
};

struct event_stream {
    /* about the message just reported; valid until the next call and as long as the input is */
    struct span message_type;  /* ":message-type": "event", "exception" or "error" */
    struct span event_type;    /* ":event-type" or ":exception-type": "contentBlockDelta" */
    struct span error_code;    /* ":error-code", of an error */
    struct span error_message; /* ":error-message" */
    struct span payload;       /* JSON */
    const char *problem;       /* a static phrase */
    /* private */
    struct buf held;     /* a message the input broke off in */
    size_t limit, taken; /* taken: bytes of `held` the last report stood on */
};

/* `limit`: the most bytes one message may have, framing included. */
void event_stream_init(struct event_stream *s, size_t limit);
void event_stream_fini(struct event_stream *s);

/* Consumes from `*input` (moving its start) up to the end of a message, or all of it. */
enum event_stream_status event_stream_next(struct event_stream *s, struct span *input);

/* At the end of input: did it end between two messages? */
bool event_stream_is_between(const struct event_stream *s);

#endif
