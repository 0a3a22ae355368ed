/* gemini_reader.h: answers of Gemini's generateContent, as turn events.
 *
 * Grammar: protocols.md §12.1. Each chunk of a stream is a whole response whose parts are the next
 * pieces of the answer; a stream has no word for its end but the end of its bytes, and some
 * versions say why they finished on every chunk, so STOP waits for that end. Of several candidates
 * the first is read.
 *
 * A signature belongs to the part it came on. It becomes a PROOF in a slot of its own directly before
 * that part, which every client carries as reasoning without text; gemini_wire.h puts it back. */
#ifndef SLUICE_CODEC_GEMINI_READER_H
#define SLUICE_CODEC_GEMINI_READER_H

#include "sluice/codec/turn_event.h"

#define GEMINI_UNIQUE_MAX 32 /* more of `unique` is cut off */
#define GEMINI_WORD_MAX 48   /* a finishReason that is longer is told as nothing */
#define GEMINI_CITATIONS_MAX 256

enum gemini_block { GEMINI_NONE, GEMINI_TEXT, GEMINI_THOUGHT };

struct gemini_reader {
    turn_event_fn emit;
    void *arg;
    bool has_started, has_cited, is_over;
    enum gemini_block block; /* the one under way, in `slot` */
    unsigned slot, slots, calls;
    unsigned text_slot; /* of the last text: what sources belong to */
    enum turn_stop stop;
    uint8_t word[GEMINI_WORD_MAX], word_len; /* finishReason or blockReason, raw */
    char unique[GEMINI_UNIQUE_MAX + 1];
    struct buf arguments; /* of one call: raw */
    struct buf logprobs;  /* of the text that comes next, see logprobs.h */
    struct usage usage;
    bool searches_at_once; /* its searches are charged for together */
};

/* `unique`: letters and digits no other answer has, for the ids of calls, which Gemini leaves out;
 * copied. */
void gemini_reader_init(struct gemini_reader *r, struct span unique, turn_event_fn emit, void *arg);
void gemini_reader_fini(struct gemini_reader *r);
/* The data of one event of a stream (?alt=sse). */
void gemini_reader_event(struct gemini_reader *r, struct span data);
/* The stream's bytes have ended: END when the model had finished, else a fault. */
void gemini_reader_end(struct gemini_reader *r);
/* A whole answer with status 2xx, or the array a stream without ?alt=sse is: START … END, or a
 * fault. */
void gemini_reader_whole(struct gemini_reader *r, struct span body);

static inline bool gemini_reader_is_over(const struct gemini_reader *r)
{
    return r->is_over;
}

#endif
