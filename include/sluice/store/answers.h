/* answers.h: whole answers, kept to be given again, and who may make one.
 *
 * An answer is bytes under an id. Whoever claims an id either gets its answer, or learns that somebody is
 * making it, or is the one who makes it: at one place of one store that is one at a time. The claim lasts
 * LEASE and is renewed as long as its owner lives, so that one that crashed blocks nobody for long.
 *
 *            memory            SQLite                       Redis
 *   claims   this process      this process                 Redis
 *   answers  this process      the file, and this process   Redis, in chunks
 *
 * In a file and in Redis answers are sealed (base/seal.h) under the operator's master key. Without one,
 * or where they must not be written at all, they stay in this process's memory, and elsewhere is only
 * noted that there was one: ANSWER_GONE for everybody else, and for all once memory had to let it go. So
 * nothing is made a second time because of that. Memory holds ANSWERS_MEMORY_MAX_BYTES of them; the one
 * used longest ago goes first.
 *
 * While Redis is away this process decides alone, or nobody (policy reject): ANSWER_LOST. */
#ifndef SLUICE_STORE_ANSWERS_H
#define SLUICE_STORE_ANSWERS_H

#include "sluice/base/buf.h"
#include "sluice/config/snapshot.h"

enum {
    ANSWER_ID_BYTES = 32,
    ANSWER_ID_PARTS_MAX = 8,
    ANSWER_PRINT_BYTES = 32,
    ANSWER_MAX_BYTES = 8 * 1024 * 1024,
    ANSWER_PUT_MAX_BYTES = 512 * 1024,
    ANSWERS_MEMORY_MAX_BYTES = 64 * 1024 * 1024,
    ANSWER_LEASE_MS = 10 * 1000,
};

struct store;
struct answers;
struct answers *store_answers(struct store *s); /* the store's own: as long as that */

/* From now on sealed under these; copied. */
void answers_use(struct answers *a, const struct master_keys *keys);

struct answer_id {
    uint8_t bytes[ANSWER_ID_BYTES];
};

/* Of whatever says which answer it is: different parts, different ids. */
void answer_id_of(const struct span *parts, unsigned n, struct answer_id *out);

enum answer_state {
    ANSWER_CLAIMED, /* the caller makes it; to be ended by keep, forgo or release */
    ANSWER_RUNNING, /* somebody else makes it */
    ANSWER_KEPT,
    ANSWER_GONE,   /* there was one, and it cannot be given again */
    ANSWER_ABSENT, /* nobody was asked to make it */
    ANSWER_LOST,   /* the store is away, and the policy is to refuse */
};

struct answer_found {
    enum answer_state state;
    bool is_same;       /* its print is the caller's; of RUNNING, KEPT and GONE */
    struct span answer; /* KEPT: borrowed until `done` returns */
};

/* Answered later, from the loop, once, unless released before. The claim is the caller's while it is
 * asked for and when it is CLAIMED, and gone otherwise. */
struct answer_claim;
typedef void (*answer_fn)(void *arg, const struct answer_found *found);

/* `print`: of what is asked under this id. */
struct answer_claim *answers_claim(struct answers *a, const struct answer_id *id,
                                   const uint8_t print[ANSWER_PRINT_BYTES], answer_fn done,
                                   void *arg);
/* The same without making anything: ABSENT instead of CLAIMED and RUNNING. */
struct answer_claim *answers_look(struct answers *a, const struct answer_id *id, answer_fn done,
                                  void *arg);

/* --- each ends the claim --------------------------------------------------------------------------- */

/* The answer was made; `answer` is moved out. Too large a one is forgone. `in_memory`: it must not be
 * written anywhere. */
void answer_claim_keep(struct answer_claim *c, struct buf *answer, uint64_t ttl_ms, bool in_memory);
/* It was made, and cannot be kept. */
void answer_claim_forgo(struct answer_claim *c, uint64_t ttl_ms);
/* It was not made: the next who asks may. */
void answer_claim_release(struct answer_claim *c);

/* An answer that nobody claimed, of ANSWER_PUT_MAX_BYTES at most; `answer` is moved out. */
void answers_put(struct answers *a, const struct answer_id *id, struct buf *answer,
                 uint64_t ttl_ms);

#endif
