/* continuation.h: a stream that broke in the middle, gone on with by another endpoint.
 *
 * Only for those who asked for it: routing.continue_streams, or provider.continue_streams of the
 * request. The answer is then read and written anew (turn lane) whoever gives it, so that its writer
 * outlives an attempt and what was delivered is known (answer_seam.h); the request is kept until the
 * end. When the provider breaks off and the seam is good, an endpoint of the plan that goes on with an
 * answer that was begun gets the lane, and is shown the text. When nobody is left, or what comes does
 * not fit, the client is told why it broke at first. Both are metered, each at its own price. */
#ifndef SLUICE_EXCHANGE_CONTINUATION_H
#define SLUICE_EXCHANGE_CONTINUATION_H

#include "sluice/codec/answer_seam.h"
#include "sluice/meter/cost.h"

struct attempt;
struct attempt_failure;
struct continuation;
struct exchange;
struct pass_lane;

/* Once the plan is made: makes x->continuation, where the request has a stream to be gone on with. */
void continuation_open(struct exchange *x);

/* By the head of an answer: is it worth reading, because another endpoint could go on with it? Then its
 * lane has a seam, and what its reader says goes through that. */
bool continuation_watch(struct attempt *a);
void continuation_unwatch(struct pass_lane *l);
/* The client has got a byte of the answer. */
void continuation_note_begun(struct exchange *x);

/* The attempt has failed with the client in the middle of the answer: might another go on? Then nobody
 * is left in the plan but those who could. */
bool continuation_has_hope(struct attempt *a, const struct attempt_failure *f);
/* The next of the plan does, with the lane of the one that broke. */
void continuation_take_over(struct attempt *broken, const struct fault *why);
/* Does the attempt under way go on with what another began? */
bool continuation_is_on(const struct exchange *x);
/* ... with a text, or from the start? */
bool continuation_has_text(const struct exchange *x);
/* That text as this one is shown it, raw, and about how many tokens were delivered. */
struct span continuation_text(const struct exchange *x);
uint64_t continuation_tokens(const struct exchange *x);

/* What the client is told when all is lost: why the stream broke at first, or `otherwise`. */
const struct fault *continuation_fault(const struct exchange *x, const struct fault *otherwise);
/* A comment for the stream, once, when somebody else begins to go on; or empty. In the arena. */
struct span continuation_notice(struct exchange *x);
/* `last` is what the attempt under way has used: with what those before it have. */
struct usage continuation_usage(const struct exchange *x, struct usage last);

/* At the end: counts what became of it, and adds what the others have used to the exchange's. */
void continuation_settle(struct exchange *x);
/* Then: "continued", "refused" or "failed"; NULL: nothing to tell. */
const char *continuation_result(const struct exchange *x);

#endif
