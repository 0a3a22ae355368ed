/* bench/timers.h: which of many streams is due next.
 *
 * A heap, not a wheel: a wheel would round pacing to its slot and hand the gateway bursts where a
 * provider sends single chunks. 10,000 entries cost 14 comparisons. */
#ifndef BENCH_TIMERS_H
#define BENCH_TIMERS_H

#include <stdint.h>

/* Embedded in what waits. Zeroed means not waiting. */
struct timer {
    uint64_t due_ns;
    unsigned place; /* 1-based position in the heap, 0: not in it */
};

struct timers {
    struct timer **heap; /* heap[1..count] */
    unsigned count, room;
};

void timer_set(struct timers *all, struct timer *t, uint64_t due_ns); /* sets or moves */
void timer_clear(struct timers *all, struct timer *t);                /* no-op when not waiting */
struct timer *timer_first(const struct timers *all);                  /* NULL when none wait */

#endif
