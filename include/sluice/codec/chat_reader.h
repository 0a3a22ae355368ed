/* chat_reader.h: answers of a Chat Completions upstream, as turn events.
 *
 * Grammar and the liberties that are taken with it: protocols.md §3.3 and §3.4. Only the choice with
 * index 0 is read: the turn lane asks for one. Bounds: CHAT_CALLS_MAX tool calls in an answer, and
 * CHAT_HELD_MAX bytes of arguments that came before the name of their function. */
#ifndef SLUICE_CODEC_CHAT_READER_H
#define SLUICE_CODEC_CHAT_READER_H

#include "sluice/codec/turn_event.h"

enum { CHAT_CALLS_MAX = 256, CHAT_HELD_MAX = 64 * 1024 };

enum chat_block { CHAT_BLOCK_NONE, CHAT_BLOCK_TEXT, CHAT_BLOCK_REFUSAL, CHAT_BLOCK_REASONING };

struct chat_call {
    unsigned index;  /* as the upstream counts */
    unsigned slot;   /* once it is open */
    bool is_open;    /* TURN_CALL was emitted */
    bool is_minted;  /* with an id of ours */
    struct buf id;   /* raw, until then */
    struct buf held; /* arguments, until then */
};

struct chat_reader {
    turn_event_fn emit;
    void *arg;
    bool has_started, has_stopped, is_over, is_whole;
    unsigned slots;        /* handed out so far */
    enum chat_block block; /* the text under way, in slot `block_slot` */
    unsigned block_slot;
    unsigned ncalls, last_call;
    struct chat_call *calls; /* CHAT_CALLS_MAX, made with the first call */
    struct buf scratch;
};

void chat_reader_init(struct chat_reader *r, turn_event_fn emit, void *arg);
void chat_reader_fini(struct chat_reader *r);

/* The joined data of one event, [DONE] included. */
void chat_reader_event(struct chat_reader *r, struct span data);
/* The stream's bytes have ended: END after a finish_reason, else a fault. */
void chat_reader_end(struct chat_reader *r);
/* A whole answer with status 2xx: START … END, or a fault. */
void chat_reader_whole(struct chat_reader *r, struct span body);

#endif
