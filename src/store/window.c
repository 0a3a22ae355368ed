/* All in integers: weights are milliseconds, so a limit of `n` is n * 60,000 count-milliseconds. */
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

static uint64_t counted(int64_t n)
{
    return n > 0 ? (uint64_t)n : 0;
}

/* A part of one is none. */
uint64_t window_used(const struct window *w, uint64_t unix_ms)
{
    return counted(w->now) + counted(w->before) * (WINDOW_MS - elapsed_ms(w, unix_ms)) / WINDOW_MS;
}

bool window_allows(const struct window *w, uint64_t limit, uint64_t n, uint64_t unix_ms)
{
    uint64_t used = window_used(w, unix_ms);

    return limit == 0 || (used <= limit && n <= limit - used);
}

static int64_t within(int64_t n)
{
    if (n > WINDOW_COUNT_MAX)
        return WINDOW_COUNT_MAX;
    return n < -WINDOW_COUNT_MAX ? -WINDOW_COUNT_MAX : n;
}

static void add(int64_t *count, int64_t n)
{
    *count = within(*count + within(n));
}

void window_count(struct window *w, int64_t n)
{
    add(&w->now, n);
}

void window_correct(struct window *w, uint64_t then_unix_ms, int64_t n)
{
    uint64_t minute = then_unix_ms / WINDOW_MS;

    if (minute >= w->minute)
        add(&w->now,
            n); /* by a clock slightly behind it was counted in a minute ahead of its own */
    else if (minute + 1 == w->minute)
        add(&w->before, n);
}

void window_merge(struct window *w, const struct window *more)
{
    if (more->minute > w->minute)
        window_move(w, more->minute * WINDOW_MS);
    if (more->minute == w->minute) {
        add(&w->now, more->now);
        add(&w->before, more->before);
    } else if (more->minute + 1 == w->minute) {
        add(&w->before, more->now);
    }
}

void window_at_least_nothing(struct window *w)
{
    w->now = (int64_t)counted(w->now);
    w->before = (int64_t)counted(w->before);
}

uint64_t window_remaining(const struct window *w, uint64_t limit, uint64_t unix_ms)
{
    uint64_t used = window_used(w, unix_ms);

    return used < limit ? limit - used : 0;
}

/* The first millisecond of a minute at which `before` of the minute before weigh at most `room`: the
 * smallest e with before * (60,000 - e) < (room + 1) * 60,000. */
static uint64_t first_free_ms(uint64_t before, uint64_t room)
{
    uint64_t weight_max; /* of 60,000 - e */

    if (before <= room)
        return 0;
    weight_max = ((room + 1) * WINDOW_MS - 1) / before;
    return WINDOW_MS - weight_max;
}

unsigned window_retry_after_s(const struct window *w, uint64_t limit, uint64_t n, uint64_t unix_ms)
{
    uint64_t elapsed = elapsed_ms(w, unix_ms), now = counted(w->now);
    uint64_t free_at; /* since the start of w->minute */

    if (limit == 0)
        return 1;
    if (n > limit)
        return WINDOW_MS / 1000;
    if (now <= limit - n)
        free_at = first_free_ms(counted(w->before), limit - n - now);
    else
        free_at = WINDOW_MS + first_free_ms(now, limit - n);
    if (free_at <= elapsed)
        return 1;
    return (unsigned)((free_at - elapsed + 999) / 1000);
}
