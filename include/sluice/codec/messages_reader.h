/* messages_reader.h: answers of an Anthropic Messages upstream, as turn events.
 *
 * Grammar and what upstreams do to it: protocols.md §4.2 to §4.4. Blocks of tools that run at the
 * provider say nothing to anybody else and are passed over; the text they lead to is not. */
#ifndef SLUICE_CODEC_MESSAGES_READER_H
#define SLUICE_CODEC_MESSAGES_READER_H

#include "sluice/codec/turn_event.h"

enum read_block { READ_NONE, READ_TEXT, READ_THINKING, READ_CALL, READ_HIDDEN };

struct messages_reader {
    turn_event_fn emit;
    void *arg;
    bool has_started, has_stopped, is_over;
    unsigned slots;
    /* the block under way */
    enum read_block block;
    uint64_t index;
    unsigned slot;
    bool has_arguments;
    struct buf input; /* a call's arguments that came whole at its start: raw */
    struct usage usage;
};

void messages_reader_init(struct messages_reader *r, turn_event_fn emit, void *arg);
void messages_reader_fini(struct messages_reader *r);
void messages_reader_event(struct messages_reader *r, struct span data);
/* The stream's bytes have ended: END when the model had stopped, else a fault. */
void messages_reader_end(struct messages_reader *r);
/* A whole answer with status 2xx: START … END, or a fault. */
void messages_reader_whole(struct messages_reader *r, struct span body);

#endif
