#include "keeper.h"

#include "owner.h"
#include "sluice/base/arena.h"

#include <stdio.h>
#include <stdlib.h>

enum { BATCH_MS = 100, AGAIN_MS = 1000 };

struct keeping {
    struct disk_sums sums; /* first */
    struct keeper *keeper; /* NULL: it was closed */
};

static void on_written(struct disk_task *t);

static struct keeping *take_batch(struct keeper *k)
{
    struct keeping *w = xcalloc(1, sizeof(*w));
    struct disk_sums *to = &w->sums;

    w->keeper = k;
    to->task.done = on_written;
    while (to->n < DISK_SUMS_MAX && !ring_is_empty(&k->queue)) {
        struct tally *one = OWNER(struct tally, queued, k->queue.next);
        ring_remove(&one->queued);
        memcpy(to->at[to->n].scope, one->name, sizeof(one->name));
        to->at[to->n++].sums = one->book.sums;
    }
    return w;
}

static void on_batch(struct deadline *d)
{
    struct keeper *k = OWNER(struct keeper, batch, d);

    if (k->writing != NULL || ring_is_empty(&k->queue))
        return;
    k->writing = take_batch(k);
    disk_sums_write(k->disk, &k->writing->sums);
}

static void on_written(struct disk_task *t)
{
    struct keeping *w = (struct keeping *)t;
    struct keeper *k = w->keeper;

    if (k != NULL) {
        k->writing = NULL;
        for (unsigned i = 0; t->is_failed && i < w->sums.n; i++) {
            struct tally *one = tally_find(k->tallies, w->sums.at[i].scope);
            if (one != NULL && !ring_holds(&one->queued))
                ring_add(&k->queue, &one->queued);
        }
        if (!ring_is_empty(&k->queue))
            deadline_set(&k->batch, t->is_failed ? AGAIN_MS : BATCH_MS);
    }
    free(w);
}

void keeper_add(struct keeper *k, struct tally *one)
{
    if (!ring_holds(&one->queued))
        ring_add(&k->queue, &one->queued);
    if (k->writing == NULL && !deadline_armed(&k->batch))
        deadline_set(&k->batch, BATCH_MS);
}

void keeper_init(struct keeper *k, struct loop *l, struct disk *d, struct tallies *tallies)
{
    k->disk = d;
    k->tallies = tallies;
    ring_init(&k->queue);
    deadline_init(&k->batch, l, on_batch);
}

void keeper_close(struct keeper *k)
{
    deadline_clear(&k->batch);
    if (k->writing != NULL)
        k->writing->keeper = NULL;
    while (!ring_is_empty(&k->queue)) {
        struct keeping *last = take_batch(k);
        last->keeper = NULL;
        disk_sums_write(k->disk, &last->sums);
    }
}
