/* responses_writer.h: turn events as a stream of OpenAI's Responses.
 *
 * Grammar: protocols.md §5.3. Every item that is added is done unless
 * the response fails, every response ends completed,
 * incomplete or failed, and its last event holds all of it: so the writer keeps the answer, up to
 * RESPONSES_KEPT_MAX bytes, and fails the response beyond. Calls may overlap; of message and reasoning
 * one is open at a time. */
#ifndef SLUICE_CODEC_RESPONSES_WRITER_H
#define SLUICE_CODEC_RESPONSES_WRITER_H

#include "sluice/codec/responses_object.h"

#define RESPONSES_KEPT_MAX (64u << 20)

/* Where in the output a block of the answer is; beside answer.blocks. */
struct responses_place {
    unsigned slot;             /* as the events say */
    unsigned item, part;       /* output_index, content_index */
    unsigned first;            /* block its item begins with */
    bool is_open, has_reasons; /* its part of reasoning has begun */
};

struct responses_writer {
    const struct answer_identity *who;
    struct responses_echo echo;
    bool has_started, is_over;
    uint64_t sequence;
    struct turn_answer answer; /* slot of a block: its place in the array */
    struct responses_place *places;
    unsigned room, nplaced, items;
    int text, reasoning; /* the blocks that are open, or -1 */
};

/* `who` and `request`, the client's body, outlive the writer. */
void responses_writer_init(struct responses_writer *w, const struct answer_identity *who,
                           struct span request);
void responses_writer_fini(struct responses_writer *w);

/* Appends the events that `e` becomes: 0, or -ENOMEM. */
int responses_writer_event(struct responses_writer *w, const struct turn_event *e, struct buf *out)
    __attribute__((warn_unused_result));

/* Appends the event that says that it is alive, where one is allowed: comments do not count with
 * every client. */
int responses_writer_ping(struct responses_writer *w, struct buf *out)
    __attribute__((warn_unused_result));

/* Appends the answer as one response object. */
int responses_write_whole(const struct turn_answer *a, const struct answer_identity *who,
                          struct span request, struct buf *out) __attribute__((warn_unused_result));

#endif
