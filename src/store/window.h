/* window.h: a sliding window of 60 seconds, from two counts (contract 0.3).
 *
 *      minute m-1 (before)      minute m (now)
 *   |--------------------|------------x-------|
 *            [======= 60 s ===========]
 *
 * What was counted in the minute before weighs as much as the part of that minute the window still
 * covers. A request is allowed while the weighted count is below the limit, which lets exactly `rpm` a
 * minute through when a client asks all the time. A refused request does not count.
 *
 * Pure: time comes in as Unix milliseconds. admit_script.c makes the same decision inside Redis.
 *
 * A clock that is up to a minute behind what was already counted (two replicas, a small step back)
 * counts into the stored minute as if it had just begun. One that is further behind starts the
 * window afresh: an old time that froze the limit for hours would be worse. */
#ifndef SLUICE_STORE_WINDOW_H
#define SLUICE_STORE_WINDOW_H

#include <stdbool.h>
#include <stdint.h>

#define WINDOW_MS 60000u

struct window {      /* all zero: nothing was counted yet */
    uint64_t minute; /* Unix time / 60 s */
    uint32_t now, before;
};

/* Forgets what has left the window. The questions below expect a window moved to the same time. */
void window_move(struct window *w, uint64_t unix_ms);

bool window_allows(const struct window *w, unsigned rpm, uint64_t unix_ms); /* rpm 0: always */
void window_count(struct window *w, uint32_t n);
/* Adds what `more` counted; both moved to the same time. */
void window_merge(struct window *w, const struct window *more);

/* How many requests would be allowed at this very moment. 0 without a limit. */
unsigned window_remaining(const struct window *w, unsigned rpm, uint64_t unix_ms);
/* Whole seconds, at least 1, until the next request is allowed if nothing else is counted. */
unsigned window_retry_after_s(const struct window *w, unsigned rpm, uint64_t unix_ms);

#endif
