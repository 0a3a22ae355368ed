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

/* What tells conversations apart for the upstream's cache, bounded; empty: nothing does. */
struct span wire_cache_key(struct arena *a, const struct turn_request *r);

/* For upstreams that do not call anybody by name. */
void wire_note_names(const struct turn_request *r, struct turn_notes *notes);

/* Who may say what: only text in system messages, no media from the assistant. False with a 400. */
bool wire_check_roles(const struct turn_request *r, struct fault *why);

/* Says no to what no upstream that gives one answer of text can express. */
bool wire_check_answer(const struct turn_request *r, struct fault *why);

#endif
