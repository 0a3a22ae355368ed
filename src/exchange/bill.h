/* bill.h: what an answer tells of its cost, where the client asked for that (usage: {include: true}).
 *
 * Where the gateway writes the answer, the writer puts it at its place (codec/answer_identity.h); where the
 * provider's own bytes go through, it is put into the one object that has the usage. */
#ifndef SLUICE_SRC_EXCHANGE_BILL_H
#define SLUICE_SRC_EXCHANGE_BILL_H

#include "sluice/base/buf.h"
#include "sluice/codec/passing.h"

struct attempt;

/* `"cost":…,"cost_details":{…}` */
int bill_write_cost(const struct attempt *a, struct buf *out) __attribute__((warn_unused_result));

/* Members for behind the brace of `usage`, an object or empty, each with its comma. */
int bill_write_usage(const struct attempt *a, struct span usage, struct buf *out)
    __attribute__((warn_unused_result));

/* The event `data`, as it goes out: with all that, in the arena. `data` itself without memory. */
struct span bill_event(struct attempt *a, struct span name, struct span data,
                       const struct passing_event *e);

/* What all chunks of a Chat stream have before their choices, from one of them. */
void bill_keep_beginning(struct attempt *a, struct span data);

/* For a Chat stream whose provider tells no usage: a chunk with ours, and [DONE]; in the arena. Empty without
 * memory. */
struct span bill_last_chunk(struct attempt *a);

#endif
