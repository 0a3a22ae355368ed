/* messages_writer.h: turn events as an Anthropic Messages stream.
 *
 * Grammar (protocols.md §4.3): message_start, blocks one after the other with dense indexes,
 * message_delta, message_stop; or an error event instead of the rest. Whatever events come, in
 * whatever order, nothing else leaves. Chat never says that a tool call is complete, so another block
 * that begins meanwhile is held until the open call's arguments are a complete JSON value, or the
 * model stopped (§8.2); MESSAGES_HELD_MAX bounds that. */
#ifndef SLUICE_CODEC_MESSAGES_WRITER_H
#define SLUICE_CODEC_MESSAGES_WRITER_H

#include "sluice/codec/answer_identity.h"
#include "sluice/codec/turn_answer.h"

#define MESSAGES_HELD_MAX (1u << 20)

/* How deep in a JSON value a text is that arrives in raw pieces; escapes_seen: see the .c file. */
struct json_depth {
    uint8_t escape, hex_digits;
    uint16_t hex;
    bool in_string, after_backslash, is_complete, has_begun;
    unsigned depth;
};

enum messages_block { MESSAGES_NONE, MESSAGES_TEXT, MESSAGES_THINKING, MESSAGES_TOOL };

struct messages_writer {
    const struct answer_identity *who;
    bool has_started, is_over, has_failed;
    enum messages_block open;
    unsigned open_slot;
    unsigned next_index;
    bool open_has_ended, open_has_proof;
    struct json_depth depth; /* of the open call's arguments */
    struct turn_answer held;
    /* what message_delta will say */
    bool saw_call, saw_refusal, has_stopped;
    enum turn_stop stop;
    struct buf stop_sequence;
    struct usage usage;
};

/* `who` outlives the writer. */
void messages_writer_init(struct messages_writer *w, const struct answer_identity *who);
void messages_writer_fini(struct messages_writer *w);

/* Appends the events that `e` becomes: 0, or -ENOMEM. */
int messages_writer_event(struct messages_writer *w, const struct turn_event *e, struct buf *out)
    __attribute__((warn_unused_result));

/* Appends a ping, where one is allowed. */
int messages_writer_ping(const struct messages_writer *w, struct buf *out)
    __attribute__((warn_unused_result));

/* Appends the answer as one message object; what a stream would have said, at once. */
int messages_write_whole(const struct turn_answer *a, const struct answer_identity *who,
                         struct buf *out) __attribute__((warn_unused_result));

#endif
