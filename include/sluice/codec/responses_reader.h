/* responses_reader.h: answers of a Responses upstream, as turn events.
 *
 * Grammar and what upstreams do to it: protocols.md §5.3 and §8.5. Items are told apart by
 * output_index, because ids change under way at some; what only a `.done` event, or only the last
 * response, brings is made up for. */
#ifndef SLUICE_CODEC_RESPONSES_READER_H
#define SLUICE_CODEC_RESPONSES_READER_H

#include "sluice/codec/turn_event.h"

enum { RESPONSES_ITEMS_MAX = 1024 };

enum read_item { ITEM_MESSAGE, ITEM_REASONING, ITEM_FUNCTION, ITEM_CUSTOM, ITEM_OTHER };

struct responses_item {
    uint64_t index; /* output_index */
    enum read_item kind;
    unsigned slot; /* of the part under way, or of the call */
    uint64_t part; /* content_index or summary_index of that */
    size_t sent;   /* bytes of text or arguments that went out */
    bool has_part, is_done;
};

struct responses_reader {
    turn_event_fn emit;
    void *arg;
    bool has_started, is_over, saw_call;
    unsigned slots, nitems, room;
    struct responses_item *items; /* in order of appearance, RESPONSES_ITEMS_MAX at most */
    bool said_something;          /* a message before this one did */
};

void responses_reader_init(struct responses_reader *r, turn_event_fn emit, void *arg);
void responses_reader_fini(struct responses_reader *r);
void responses_reader_event(struct responses_reader *r, struct span data);
/* The stream's bytes have ended: a fault, unless a terminal event came. */
void responses_reader_end(struct responses_reader *r);
/* A whole answer with status 2xx: START … END, or a fault. */
void responses_reader_whole(struct responses_reader *r, struct span body);

#endif
