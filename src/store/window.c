/* All in integers: weights are milliseconds, so a limit of `rpm` is rpm * 60,000 request-milliseconds.
 * Counts and limits fit 32 bits, products 48. */
#include "window.h"

static uint64_t elapsed_ms(const struct window *w, uint64_t unix_ms)
{
    return unix_ms / WINDOW_MS == w->minute ? unix_ms % WINDOW_MS : 0;
}

void window_move(struct window *w, uint64_t unix_ms)
{
    uint64_t minute = unix_ms / WINDOW_MS;

    if (minute == w->minute || minute + 1 == w->minute)
        return;
    w->before = minute == w->minute + 1 ? w->now : 0;
    w->now = 0;
    w->minute = minute;
}

/* Requests of the minute before that still count, a part of one not being one. */
static uint64_t still_counted(const struct window *w, uint64_t unix_ms)
{
    return w->before * (WINDOW_MS - elapsed_ms(w, unix_ms)) / WINDOW_MS;
}

bool window_allows(const struct window *w, unsigned rpm, uint64_t unix_ms)
{
    return rpm == 0 || w->now + still_counted(w, unix_ms) < rpm;
}

static uint32_t add_saturated(uint32_t a, uint32_t b)
{
    return a > UINT32_MAX - b ? UINT32_MAX : a + b;
}

void window_count(struct window *w, uint32_t n)
{
    w->now = add_saturated(w->now, n);
}

void window_merge(struct window *w, const struct window *more)
{
    w->now = add_saturated(w->now, more->now);
    w->before = add_saturated(w->before, more->before);
}

unsigned window_remaining(const struct window *w, unsigned rpm, uint64_t unix_ms)
{
    uint64_t used = w->now + still_counted(w, unix_ms);

    return used < rpm ? (unsigned)(rpm - used) : 0;
}

/* The first millisecond of a minute at which `before` requests of the minute before leave room for one
 * more above `now` (now < rpm): the smallest e with before * (60,000 - e) < (rpm - now) * 60,000. */
static uint64_t first_free_ms(uint64_t before, uint64_t now, uint64_t rpm)
{
    uint64_t weight_max; /* of 60,000 - e */

    if (before == 0)
        return 0;
    weight_max = ((rpm - now) * WINDOW_MS - 1) / before;
    return weight_max >= WINDOW_MS ? 0 : WINDOW_MS - weight_max;
}

unsigned window_retry_after_s(const struct window *w, unsigned rpm, uint64_t unix_ms)
{
    uint64_t elapsed = elapsed_ms(w, unix_ms);
    uint64_t free_at; /* since the start of w->minute */

    if (rpm == 0)
        return 1;
    if (w->now < rpm)
        free_at = first_free_ms(w->before, w->now, rpm);
    else
        free_at = WINDOW_MS + first_free_ms(w->now, 0, rpm);
    if (free_at <= elapsed)
        return 1;
    return (unsigned)((free_at - elapsed + 999) / 1000);
}
