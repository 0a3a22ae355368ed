/* chat_details.h: reasoning_details, in which Chat's clients find reasoning and what proves it, and
 * send it back (contract 2.6).
 *
 * A list of elements {type, id, format, index}, each with what it brings:
 *
 *   reasoning.text       text, signature   Anthropic's, Gemini's; anybody's text
 *   reasoning.summary    summary           OpenAI's
 *   reasoning.encrypted  data              what is hidden: id is OpenAI's item's, or that of the call Gemini's
 *                                          signature lies on
 *
 * In a stream every piece is an element; those with one index are one, and only neighbours share an
 * index, so that a client may put them together by it or by their order. */
#ifndef SLUICE_CODEC_CHAT_DETAILS_H
#define SLUICE_CODEC_CHAT_DETAILS_H

#include "sluice/codec/turn_answer.h"
#include "sluice/format/json_out.h"

struct chat_details {
    unsigned n;   /* elements so far */
    bool is_open; /* the last one is a text, of `slot` and `family`, that may go on */
    unsigned slot;
    struct span family;
};

/* One element as it was read: raw spans, the family that its format stands for, and the lexeme of a
 * number. A summary is its text. */
struct chat_detail {
    struct span type, text, signature, data, id, family, index;
};
struct chat_detail chat_detail_read(struct span element);

/* A REASONING, PROOF or REDACTED event as one element in brackets; `call`: the id of the call a proof
 * lies on, or empty. */
void chat_details_put(struct chat_details *d, const struct turn_event *e, struct span call,
                      struct json_out *o);

/* Gemini's, and neither a call's nor a thought's: what message.thought_signature is for. */
bool chat_details_is_of_message(const struct chat_details *d, const struct turn_event *e);
/* The same of a whole answer: the first such signature, raw. */
struct span chat_details_of_message(const struct turn_answer *a);

/* `,"reasoning_details":[…]` of a whole answer; nothing where there was no reasoning. */
void chat_details_put_whole(const struct turn_answer *a, struct json_out *o);

/* What proves the call in block `i` of a whole answer, raw; empty when nothing does. */
struct span chat_details_of_call(const struct turn_answer *a, unsigned i);

#endif
