#include "timers.h"

#include "wire.h"

#include <stdlib.h>

static void put(struct timers *all, unsigned place, struct timer *t)
{
    all->heap[place] = t;
    t->place = place;
}

static void sift_up(struct timers *all, unsigned place, struct timer *t)
{
    while (place > 1 && t->due_ns < all->heap[place / 2]->due_ns) {
        put(all, place, all->heap[place / 2]);
        place /= 2;
    }
    put(all, place, t);
}

static void sift_down(struct timers *all, unsigned place, struct timer *t)
{
    for (;;) {
        unsigned child = place * 2;
        if (child > all->count)
            break;
        if (child < all->count && all->heap[child + 1]->due_ns < all->heap[child]->due_ns)
            child++;
        if (t->due_ns <= all->heap[child]->due_ns)
            break;
        put(all, place, all->heap[child]);
        place = child;
    }
    put(all, place, t);
}

void timer_set(struct timers *all, struct timer *t, uint64_t due_ns)
{
    t->due_ns = due_ns;
    if (t->place == 0) {
        if (all->count + 1 >= all->room) {
            all->room = all->room ? all->room * 2 : 64;
            all->heap = realloc(all->heap, all->room * sizeof(all->heap[0]));
            if (all->heap == NULL)
                die("timers: no memory");
        }
        t->place = ++all->count;
    }
    sift_up(all, t->place, t);
    sift_down(all, t->place, t);
}

void timer_clear(struct timers *all, struct timer *t)
{
    unsigned place = t->place;
    if (place == 0)
        return;
    t->place = 0;
    struct timer *last = all->heap[all->count--];
    if (last == t)
        return;
    sift_up(all, place, last);
    sift_down(all, last->place, last);
}

struct timer *timer_first(const struct timers *all)
{
    return all->count > 0 ? all->heap[1] : NULL;
}
