/* conversation_id.h: which conversation a request belongs to, so that it can stay where its prompt is
 * cached (contract 2.4, D-38). The first of
 *
 *   head   x-session-id, session_id, session-id, conversation_id, thread-id (Codex),
 *          x-claude-code-session-id
 *   body   session_id; prompt_cache_key; metadata.user_id (Claude Code); user
 *   else   the instructions and the user's first words, where there was an answer before, or where
 *          somebody asks for caching: a lone first question is no conversation yet */
#ifndef SLUICE_CODEC_CONVERSATION_ID_H
#define SLUICE_CODEC_CONVERSATION_ID_H

#include "sluice/base/digest.h"

struct conversation_id {
    bool is_known, is_long_lived; /* it caches for an hour instead of five minutes */
    uint8_t digest[SHA256_BYTES];
};

/* Is that the name of a head field that names one? */
bool conversation_id_is_field(struct span name);

/* What a body says of it: values as written, empty where there is none. */
struct conversation_clues {
    struct span session, cache_key, metadata, user, instructions, turns;
};

/* One member of the body after another. A key spelt with escapes is no clue; the last one counts. */
void conversation_note(struct conversation_clues *c, struct span raw_key, struct span value);

/* `session`: the value of such a field, empty when there is none. `body`: a sound request of any
 * generation API, that the clues lie in. */
void conversation_id_read(struct span session, const struct conversation_clues *c, struct span body,
                          struct conversation_id *out);

#endif
