/* body.h: a request body in memory, counted against what the process may hold in flight.
 *
 * A body that arrived in one read lies in the loop's read buffer and is only borrowed; whoever
 * needs it longer keeps a copy. One that arrived in pieces was collected here, straight from the
 * socket when its length was announced. Either way its bytes are reserved in the budget until body_fini. */
#ifndef SLUICE_HTTP_BODY_H
#define SLUICE_HTTP_BODY_H

#include "sluice/base/buf.h"

struct body_budget {
    uint64_t used_bytes, max_bytes;
};

struct body {
    struct buf bytes;
    struct body_budget *budget;
    size_t reserved;
};

static inline void body_init(struct body *b, struct body_budget *budget)
{
    *b = (struct body){.budget = budget};
}

/* Room for `more` bytes exactly: 0, -EDQUOT when the process holds too much, -ENOMEM. */
int body_reserve(struct body *b, size_t more) __attribute__((warn_unused_result));
/* Appends a copy; a span that already lies at the tail (read in place) is only taken note of. */
int body_add(struct body *b, struct span piece) __attribute__((warn_unused_result));
void body_fini(struct body *b); /* idempotent */
/* `to` (empty) takes over what `from` holds. */
void body_move(struct body *to, struct body *from);

#endif
