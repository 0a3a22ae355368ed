/* redis_answers.h: answers and claims in a Redis: a hash for each id.
 *
 *     h       whose claim it is and on what, or what was answered: its print, how many chunks, how long
 *     0 1 …   the chunks; there is but one as a rule, and it comes with `h`
 *
 * A reply is a megabyte at most (redis_link.c), and admissions wait behind it: so chunks. A large answer is
 * written behind its claim, chunk by chunk, and is there once `h` says so. */
#ifndef SLUICE_STORE_REDIS_ANSWERS_H
#define SLUICE_STORE_REDIS_ANSWERS_H

#include "redis.h"

#include "sluice/store/answers.h"

enum { ANSWER_TOKEN_BYTES = 16, ANSWER_HEAD_BYTES = 1 + ANSWER_TOKEN_BYTES + ANSWER_PRINT_BYTES };

/* One call at a time; embedded, zeroed at first. `id`, `token` and `print` stay set. */
struct redis_answer {
    struct redis *redis;
    struct answer_id id;
    uint8_t token[ANSWER_TOKEN_BYTES], print[ANSWER_PRINT_BYTES]; /* the claim's */
    /* LOST: Redis did not answer. Of ask: CLAIMED, RUNNING, KEPT, GONE, ABSENT; of keep: KEPT, or RUNNING
     * when the claim is another's by now. */
    void (*done)(struct redis_answer *r, enum answer_state state);
    bool is_same;           /* ask: `print` is what was asked before */
    struct buf held;        /* ask, KEPT: as it was written */
    struct redis_call call; /* from here on private */
    bool is_waiting, claims;
    unsigned chunk, nchunks;
    size_t size;
    struct span written;
    uint64_t ttl_ms;
};

/* False: not taken. */
bool redis_answer_ask(struct redis_answer *r, bool claims, unsigned timeout_ms);
/* `sealed` is borrowed until `done`; SPAN_NONE: there was an answer. */
bool redis_answer_keep(struct redis_answer *r, struct span sealed, uint64_t ttl_ms);
void redis_answer_cancel(struct redis_answer *r); /* also to free what was read */

/* Nobody waits for their replies: `errands` is one call for all of them, and lives as long as the link.
 * False: not sent. The claim lasts on; it ends; and an answer without a claim, of ANSWER_PUT_MAX_BYTES and
 * what sealing adds at most. */
bool redis_answer_renew(const struct redis_answer *r, struct redis_call *errands);
bool redis_answer_release(const struct redis_answer *r, struct redis_call *errands);
bool redis_answer_put(struct redis_answer *r, struct span sealed, uint64_t ttl_ms,
                      struct redis_call *errands);

#endif
