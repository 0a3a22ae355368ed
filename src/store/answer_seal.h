/* answer_seal.h: answers as they are written down: sealed under the operator's key, bound to their id and
 * print. Large ones are sealed and opened on another thread: ten megabytes take as many milliseconds.
 *
 *     print 32 │ 1, or 0: there was an answer, and no more │ what was sealed (base/seal.h) */
#ifndef SLUICE_STORE_ANSWER_SEAL_H
#define SLUICE_STORE_ANSWER_SEAL_H

#include "sluice/base/seal.h"
#include "sluice/net/loop.h"
#include "sluice/store/answers.h"

enum { ANSWER_WRITTEN_HEAD_BYTES = ANSWER_PRINT_BYTES + 1 };

/* Appends what stands in front. 0 or -ENOMEM. */
int answer_seal_head(struct buf *out, const uint8_t print[ANSWER_PRINT_BYTES], bool has_more)
    __attribute__((warn_unused_result));

/* What an answer is sealed under, and to. */
struct answer_seal {
    const struct seal *seal;
    const struct answer_id *id;
    const uint8_t *print; /* ANSWER_PRINT_BYTES */
};

/* The answer with its head. False: memory is out. */
bool answer_seal_now(const struct answer_seal *s, struct span answer, struct buf *out)
    __attribute__((warn_unused_result));

/* `in` and `out` may be moved out of; both are gone afterwards. */
typedef void (*answer_seal_fn)(void *arg, bool is_good, struct buf *in, struct buf *out);

/* Moves `in` out. `done` follows within this call, which then returns NULL, or later. `opens`: of what was
 * sealed, without its head; else `out` has that. */
struct answer_seal_job;
struct answer_seal_job *answer_seal_start(struct loop *l, const struct answer_seal *s, bool opens,
                                          struct buf *in, answer_seal_fn done, void *arg);
void answer_seal_cancel(struct answer_seal_job *j);

#endif
