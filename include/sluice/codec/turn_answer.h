/* turn_answer.h: an answer put together from its events, block by block.
 *
 * What a client gets whole, what a Responses stream repeats at its end, and what a Messages stream has
 * to hold back while another block is open, are all this. Memory grows with the answer; the caller
 * names the bound. */
#ifndef SLUICE_CODEC_TURN_ANSWER_H
#define SLUICE_CODEC_TURN_ANSWER_H

#include "sluice/codec/turn_event.h"

enum answer_kind {
    ANSWER_TEXT,
    ANSWER_REFUSAL,
    ANSWER_REASONING, /* text and proof, either may be empty */
    ANSWER_REDACTED,  /* text: opaque data */
    ANSWER_CALL,      /* text: its arguments */
};

struct answer_citation {
    struct buf url, title;
};

struct answer_block {
    enum answer_kind kind;
    unsigned slot;
    bool is_custom, has_ended;
    bool is_of_call;                  /* the proof lies on the call in the next block */
    struct span family;               /* whose reasoning it is, as the events said */
    struct buf text, proof, id, name; /* raw; id: of the call, or of the proof */
    struct buf logprobs;              /* as logprobs_put writes them */
    struct answer_citation *citations;
    unsigned ncitations;
};

struct turn_answer {
    struct answer_block *blocks; /* in order of appearance */
    unsigned n, room;
    size_t bytes, bytes_max;
    /* what the events said beside the blocks */
    bool has_stopped;
    enum turn_stop stop;
    struct buf native, stop_text; /* raw */
    struct usage usage;
};

void turn_answer_init(struct turn_answer *a, size_t bytes_max);
void turn_answer_fini(struct turn_answer *a);

/* Takes in what the event says; 0, -ENOMEM, or -E2BIG when it would pass the bound. An event for a
 * slot that holds another kind begins a new block, so nothing a reader does can mix two. */
int turn_answer_add(struct turn_answer *a, const struct turn_event *e)
    __attribute__((warn_unused_result));

/* Drops the first block, or the last. */
void turn_answer_shift(struct turn_answer *a);
void turn_answer_pop(struct turn_answer *a);

/* Why it stopped; where nobody said: because of its calls, or because it was done. */
enum turn_stop turn_answer_stop(const struct turn_answer *a);

#endif
