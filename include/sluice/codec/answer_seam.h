/* answer_seam.h: where an answer that broke off may be gone on with by another model.
 *
 * A filter between reader and writer that keeps what has been delivered, as long as that is nothing
 * but one text: another model can be shown that text as the beginning of its own answer. A tool call,
 * reasoning, sources, probabilities, an end: after any of these nobody can honestly go on.
 *
 * Once it was cut, the events are those of who goes on: its text continues the open one in the same
 * slot, its other blocks get slots of their own, its start is no news.
 *
 * It is shown the text without the white space that ends it: Anthropic refuses that, many a chat
 * template cuts it off and lets the model write it again, and tokenizers have it in front of the next
 * word. So it is owed: it must come first, character by character, and is not delivered again. The same
 * goes for all of the text where a provider repeats what it was shown. Anything else is a fault instead. */
#ifndef SLUICE_CODEC_ANSWER_SEAM_H
#define SLUICE_CODEC_ANSWER_SEAM_H

#include "sluice/codec/turn_event.h"

enum { SEAM_TEXT_MAX = 256 * 1024 }; /* of text that is kept; beyond it the seam is lost */

struct answer_seam {
    bool is_lost;             /* more was delivered than one text */
    bool is_cut;              /* the events are those of who goes on */
    struct buf text;          /* raw: all of it that was delivered */
    size_t owed_at;           /* what the continuation still has to repeat begins here */
    bool has_slot, has_joint; /* the text has a slot; the continuation's text has one */
    unsigned slot;            /* of the text, as the writer knows it */
    unsigned joint;           /* of the text that goes on, as its reader knows it */
    unsigned base, beyond;    /* of the continuation's other slots; above every one so far */
};

void answer_seam_init(struct answer_seam *s);
void answer_seam_fini(struct answer_seam *s);

/* Hands `e` on to `next`, or what stands in its place; false when that said so. */
bool answer_seam_event(struct answer_seam *s, const struct turn_event *e, turn_event_fn next,
                       void *arg);

/* May somebody go on? Not in the middle of a character that is written as two escapes. */
bool answer_seam_is_good(const struct answer_seam *s);
/* Nothing was delivered that an answer from the start would not say again. */
bool answer_seam_is_empty(const struct answer_seam *s);

/* From here on another one's events come, of a good seam; `echoes`: it begins with what it was shown.
 * May be cut again when that one failed. */
void answer_seam_cut(struct answer_seam *s, bool echoes);

/* What to show it, raw; valid until the next event. */
struct span answer_seam_shown(const struct answer_seam *s);

#endif
