/* window.h: a sliding window of 60 seconds, from two counts (contract 0.3).
 *
 *      minute m-1 (before)      minute m (now)
 *   |--------------------|------------x-------|
 *            [======= 60 s ===========]
 *
 * What was counted in the minute before weighs as much as the part of that minute the window still
 * covers. Something is allowed while it fits beside the weighted count, which lets exactly the limit a
 * minute through when a client asks all the time.
 *
 * Pure: time comes in as Unix milliseconds. ledger_script.c makes the same decision inside Redis.
 *
 * A clock that is up to a minute behind what was already counted (two replicas, a small step back)
 * counts into the stored minute as if it had just begun. One that is further behind starts the
 * window afresh: an old time that froze the limit for hours would be worse. */
#ifndef SLUICE_STORE_WINDOW_H
#define SLUICE_STORE_WINDOW_H

#include <stdbool.h>
#include <stdint.h>

#define WINDOW_MS 60000u
/* Counts stop here: weighted by milliseconds they still fit a double's 53 bits, as the script needs. */
#define WINDOW_COUNT_MAX (INT64_C(1) << 37)

struct window {          /* all zero: nothing was counted yet */
    uint64_t minute;     /* Unix time / 60 s */
    int64_t now, before; /* below 0: more was corrected here than counted; weighs nothing */
};

/* Forgets what has left the window. The questions below expect a window moved to the same time. */
void window_move(struct window *w, uint64_t unix_ms);

/* Do `n` more fit? Limit 0: always. */
bool window_allows(const struct window *w, uint64_t limit, uint64_t n, uint64_t unix_ms);
void window_count(struct window *w, int64_t n);
/* Corrects what was counted at `then`, which may have left the window: nothing is left to correct. */
void window_correct(struct window *w, uint64_t then_unix_ms, int64_t n);
/* Adds what `more` counted, minute by minute; what is too old for either is left out. */
void window_merge(struct window *w, const struct window *more);
void window_at_least_nothing(struct window *w); /* counts below 0 become 0 */

uint64_t window_used(const struct window *w, uint64_t unix_ms);
/* How many would be allowed at this very moment. 0 without a limit. */
uint64_t window_remaining(const struct window *w, uint64_t limit, uint64_t unix_ms);
/* Whole seconds, at least 1, until `n` are allowed if nothing else is counted. More than the limit never
 * are: then it is a minute. */
unsigned window_retry_after_s(const struct window *w, uint64_t limit, uint64_t n, uint64_t unix_ms);

#endif
