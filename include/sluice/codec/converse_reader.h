/* converse_reader.h: answers of Bedrock's Converse, as turn events.
 *
 * Grammar: protocols.md §12.2. What an event is stands in the headers of its message, not in its JSON:
 * whoever reads the framing (event_stream.h) hands both in. Blocks of text and reasoning begin at
 * their first piece. Usage comes after the stop; nothing follows it. */
#ifndef SLUICE_CODEC_CONVERSE_READER_H
#define SLUICE_CODEC_CONVERSE_READER_H

#include "sluice/codec/turn_event.h"

enum converse_block {
    CONVERSE_NONE,
    CONVERSE_TEXT,
    CONVERSE_THOUGHT,
    CONVERSE_CALL,
    CONVERSE_OTHER
};

struct converse_reader {
    turn_event_fn emit;
    void *arg;
    bool has_started, has_stopped, is_over;
    enum converse_block block; /* the one under way: number `index` in `slot` */
    uint64_t index;
    unsigned slot, slots;
    struct buf arguments; /* of a call that came whole: raw */
};

void converse_reader_init(struct converse_reader *r, turn_event_fn emit, void *arg);
void converse_reader_fini(struct converse_reader *r);
/* `type`: the message's :event-type or :exception-type. */
void converse_reader_event(struct converse_reader *r, struct span type, struct span payload);
/* A message of type "error": its :error-code and :error-message, which are plain text. */
void converse_reader_error(struct converse_reader *r, struct span code, struct span message);
/* The stream's bytes have ended: END when the model had stopped, else a fault. */
void converse_reader_end(struct converse_reader *r);
/* A whole answer with status 2xx: START … END, or a fault. */
void converse_reader_whole(struct converse_reader *r, struct span body);

static inline bool converse_reader_is_over(const struct converse_reader *r)
{
    return r->is_over;
}

#endif
