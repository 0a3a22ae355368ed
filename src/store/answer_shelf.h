/* answer_shelf.h: answers in the memory of one process, and claims on them.
 *
 * Bounded twice: by the bytes of all answers, and by the number of entries. What has to go first is the
 * answer used longest ago; that there was one is remembered longer. A claim does not go before its lease
 * is over. */
#ifndef SLUICE_STORE_ANSWER_SHELF_H
#define SLUICE_STORE_ANSWER_SHELF_H

#include "lru.h"

#include "sluice/store/answers.h"

struct answer_shelf {         /* all zero: empty */
    struct lru entries, held; /* all of them; those whose answer is here */
    size_t held_bytes;
};

enum shelf_state { SHELF_EMPTY, SHELF_RUNNING, SHELF_KEPT, SHELF_BARE };

struct shelf_found {
    enum shelf_state state; /* BARE: there was one, its bytes are not here */
    bool is_elsewhere;      /* BARE: but in the file */
    uint8_t print[ANSWER_PRINT_BYTES];
    uint64_t owner;
    struct span answer; /* KEPT: until the next change */
};

void answer_shelf_fini(struct answer_shelf *s);

void answer_shelf_find(struct answer_shelf *s, const struct answer_id *id, uint64_t now_unix_ms,
                       struct shelf_found *out);
/* A claim, instead of what is there. Small and ours: never without memory. */
void answer_shelf_claim(struct answer_shelf *s, const struct answer_id *id,
                        const uint8_t print[ANSWER_PRINT_BYTES], uint64_t owner,
                        uint64_t now_unix_ms, uint64_t expires_unix_ms);
/* An answer, which is moved out, or with NULL that there was one, instead of what is there. */
void answer_shelf_keep(struct answer_shelf *s, const struct answer_id *id,
                       const uint8_t print[ANSWER_PRINT_BYTES], struct buf *answer,
                       bool is_elsewhere, uint64_t now_unix_ms, uint64_t expires_unix_ms);
void answer_shelf_remove(struct answer_shelf *s, const struct answer_id *id);

#endif
