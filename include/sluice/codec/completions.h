/* completions.h: OpenAI's legacy Completions, for models that only chat.
 *
 * The prompt becomes one message of the user, the texts of the answer the completion (contract 2.13).
 * What only a model that completes can do (echo, suffix, logprobs, several prompts, tokens for a prompt)
 * is refused; best_of is noted. */
#ifndef SLUICE_CODEC_COMPLETIONS_H
#define SLUICE_CODEC_COMPLETIONS_H

#include "sluice/codec/answer_identity.h"
#include "sluice/codec/turn_answer.h"
#include "sluice/codec/turn_request.h"

/* `body` is valid JSON and outlives `out`. False with *why, a 400 that names the member. */
bool completions_turn_read(struct span body, const struct translation_options *o, struct arena *a,
                           struct turn_request *out, struct fault *why);

struct completions_writer {
    const struct answer_identity *who;
    bool has_finished, is_over;
    struct usage usage;
};

/* `who` outlives the writer. */
void completions_writer_init(struct completions_writer *w, const struct answer_identity *who);
void completions_writer_fini(struct completions_writer *w);
int completions_writer_event(struct completions_writer *w, const struct turn_event *e,
                             struct buf *out) __attribute__((warn_unused_result));
int completions_write_whole(const struct turn_answer *a, const struct answer_identity *who,
                            struct buf *out) __attribute__((warn_unused_result));

#endif
