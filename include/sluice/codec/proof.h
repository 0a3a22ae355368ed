/* proof.h: what proves a model's reasoning, carried through protocols of others.
 *
 * Signatures and encrypted reasoning mean something to the family of models that made them only. On
 * the way to a client of another protocol they are wrapped, so that on the next turn they reach their
 * family again, or nobody (protocols.md §6.4):
 *
 *   sluice1.<family>.<kind>.<id>.<proof>
 *
 * kind: s signature or encrypted text, h hidden whole. The id of OpenAI's item may be empty. Nothing
 * here adds trust: the provider checks its own proof.
 *
 * Chat has room beside a proof to say whose it is, in words its clients know: there the proofs of
 * families with such a word stay as they are (contract 2.6). */
#ifndef SLUICE_CODEC_PROOF_H
#define SLUICE_CODEC_PROOF_H

#include "sluice/codec/turn_event.h"
#include "sluice/codec/turn_request.h"

/* `e` is TURN_PROOF or TURN_REDACTED: its text wrapped, in `out`, which is cleared first. False
 * when there is no memory, or the text holds what a wrapper cannot carry: leave it out. */
bool proof_wrap(struct span family, const struct turn_event *e, struct buf *out)
    __attribute__((warn_unused_result));

/* The family of Gemini's models, whichever protocol they are asked in. */
#define PROOF_GEMINI SPAN_LIT("gemini")

/* What Chat's clients call the form of a family's proofs: "anthropic-claude-v1"; empty for a family
 * without such a word. */
struct span proof_format(struct span family);
/* The other way round, into a string of the program's. A word that was put together from the pieces
 * of a stream, the same several times over, counts once: the openai SDK's helper does that. */
struct span proof_family(struct span format);

/* Is there a wrapped proof in this request? */
bool proof_is_wrapped_in(struct span body);

/* Unwraps what `family` made and removes every other proof of the request's history. Reasoning whose
 * text is left stays as text; a message of which nothing is left goes, unless it is the only one:
 * a request has at least one. */
void proof_keep(struct turn_request *r, struct span family);

#endif
