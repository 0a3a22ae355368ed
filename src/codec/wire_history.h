/* wire_history.h: a conversation as upstreams want it that know two sides only.
 *
 * Messages of one side in a row are a *run*; system messages stand elsewhere and part nothing. The
 * run that answers calls begins with their results, one for each, in the order of the calls. */
#ifndef SLUICE_CODEC_WIRE_HISTORY_H
#define SLUICE_CODEC_WIRE_HISTORY_H

#include "turn_writing.h"

bool wire_is_system(const struct turn_message *m);

/* The first message behind the run that `m` begins; NULL at the conversation's end. */
const struct turn_message *wire_run_end(const struct turn_message *m);

/* Does the client mark what is to be cached, anywhere? */
bool wire_has_cache_control(const struct turn_request *r);

/* An id of the client's in at most 64 characters, as OpenAI takes them; a longer one becomes its hash. */
struct span wire_bounded_id(struct arena *a, struct span raw);

/* Every run with `put_run`, told where the run of calls before it begins: the run itself on the first and
 * where the last one was the user's. False with a 400 when nothing was written, or when `put_run` said so. */
typedef bool (*wire_run_fn)(struct writing *w, const struct turn_message *calls,
                            const struct turn_message *m, const struct turn_message *end);
bool wire_put_runs(struct writing *w, wire_run_fn put_run);

/* A call's arguments, as the object that most upstreams want. False with a 400. */
bool wire_put_arguments(struct writing *w, const struct turn_part *call);

/* The parts of system messages between `open` and `close`, or nothing when they come to nothing: of those
 * that lead and of all from `place` on, which may be the first. */
bool wire_put_system(struct writing *w, const struct turn_message *place, const char *open,
                     const char *close,
                     bool (*put_parts)(struct writing *w, const struct turn_part *p));

/* What tells conversations apart for the upstream's cache, bounded; empty: nothing does. */
struct span wire_cache_key(struct arena *a, const struct turn_request *r);

/* A member the upstream has no word for, and what the client said of it: empty when nothing. */
struct wire_said {
    struct span said;
    const char *name;
};
/* Notes those that were said, unless what was said is "auto". */
void wire_note_said(struct writing *w, const struct wire_said *fields, size_t n);

/* For upstreams that do not call anybody by name. */
void wire_note_names(const struct turn_request *r, struct turn_notes *notes);

/* Who may say what: only text in system messages, no media from the assistant. False with a 400. */
bool wire_check_roles(const struct turn_request *r, struct fault *why);

/* Says no to what no upstream that gives one answer of text can express. */
bool wire_check_answer(const struct turn_request *r, struct fault *why);
/* The same where it does not tell how probable its tokens were. */
bool wire_check_logprobs(const struct turn_request *r, struct fault *why);

#endif
