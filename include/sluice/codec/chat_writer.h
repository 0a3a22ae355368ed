/* chat_writer.h: turn events as a Chat Completions stream, or as one completion.
 *
 * Grammar: protocols.md §3.3; extensions (reasoning in three spellings, native_finish_reason,
 * thought_signature): contract 2.6 and 2.12. Calls are numbered densely in order of appearance and may interleave. After
 * the finish chunk only usage and [DONE] can leave. */
#ifndef SLUICE_CODEC_CHAT_WRITER_H
#define SLUICE_CODEC_CHAT_WRITER_H

#include "sluice/codec/answer_identity.h"
#include "sluice/codec/chat_details.h"

struct chat_written_call {
    unsigned slot;
    bool has_arguments, has_ended, is_custom;
};

struct chat_writer {
    const struct answer_identity *who;
    bool has_started, has_finished, is_over;
    struct buf head;                 /* how every chunk begins */
    struct chat_written_call *calls; /* in order of their indexes */
    unsigned ncalls, room;
    unsigned text_slot;
    size_t text_start, text_end; /* code points: of the block under way, and so far */
    struct chat_details details;
    struct buf signature; /* Gemini's, raw, of the call that comes next */
    bool has_signed;      /* message.thought_signature has left */
    struct usage usage;
};

/* `who` outlives the writer. */
void chat_writer_init(struct chat_writer *w, const struct answer_identity *who);
void chat_writer_fini(struct chat_writer *w);

/* Appends the chunks that `e` becomes: 0, or -ENOMEM. */
int chat_writer_event(struct chat_writer *w, const struct turn_event *e, struct buf *out)
    __attribute__((warn_unused_result));

/* Appends the answer as one chat.completion object. */
int chat_write_whole(const struct turn_answer *a, const struct answer_identity *who,
                     struct buf *out) __attribute__((warn_unused_result));

#endif
