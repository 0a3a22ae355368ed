#include "activity_digest.h"

#include <stdlib.h>

enum { FIRST_BITS = 9, LEAST_BITS = 3 };

void digest_fini(struct digest *d)
{
    free(d->at);
    *d = (struct digest){0};
}

/* The middle of all values that begin with the same bits. */
static uint32_t coarse(uint32_t us, unsigned bits)
{
    unsigned width = us == 0 ? 0 : 32 - (unsigned)__builtin_clz(us);
    if (width <= bits)
        return us;
    unsigned dropped = width - bits;
    return (us >> dropped << dropped) | 1u << (dropped - 1);
}

static int by_cell_and_value(const void *a, const void *b)
{
    const struct digest_sample *x = a, *y = b;
    if (x->cell != y->cell)
        return x->cell < y->cell ? -1 : 1;
    return x->us < y->us ? -1 : x->us > y->us;
}

void digest_sort(struct digest *d)
{
    unsigned kept = 0;
    if (d->n == 0)
        return;
    qsort(d->at, d->n, sizeof *d->at, by_cell_and_value);
    for (unsigned i = 1; i < d->n; i++) {
        if (d->at[i].cell == d->at[kept].cell && d->at[i].us == d->at[kept].us)
            d->at[kept].n += d->at[i].n;
        else
            d->at[++kept] = d->at[i];
    }
    d->n = kept + 1;
}

void digest_merge_cells(struct digest *d, uint32_t (*name)(void *arg, uint32_t cell), void *arg)
{
    for (unsigned i = 0; i < d->n; i++)
        d->at[i].cell = name(arg, d->at[i].cell);
    digest_sort(d);
}

/* Equal ones first, then what differs little. */
static void make_room(struct digest *d)
{
    digest_sort(d);
    while (d->n > DIGEST_SAMPLES / 2 && d->bits != LEAST_BITS) {
        d->bits = d->bits == 0 ? FIRST_BITS : d->bits - 1;
        for (unsigned i = 0; i < d->n; i++)
            d->at[i].us = coarse(d->at[i].us, d->bits);
        digest_sort(d);
    }
}

static bool grow(struct digest *d)
{
    unsigned room = d->room > 0 ? 2 * d->room : 1024;
    struct digest_sample *at = realloc(d->at, room * sizeof *at);
    if (at == NULL)
        return false;
    d->at = at;
    d->room = room;
    return true;
}

bool digest_add(struct digest *d, uint32_t cell, uint64_t us)
{
    uint32_t value = us < UINT32_MAX ? (uint32_t)us : UINT32_MAX;
    bool was_full = d->n == d->room;
    if (was_full && d->room >= DIGEST_SAMPLES)
        make_room(d);
    /* What did not become much less would be sorted again soon. */
    bool is_tight = d->room < DIGEST_SAMPLES ? d->n == d->room : d->n > d->room - d->room / 4;
    if (is_tight && was_full && !grow(d))
        return false;
    d->at[d->n++] = (struct digest_sample){
        .cell = cell, .us = d->bits > 0 ? coarse(value, d->bits) : value, .n = 1};
    return true;
}

double digest_error(const struct digest *d)
{
    return d->bits == 0 ? 0 : 1.0 / (double)(1u << d->bits);
}

static unsigned first_of(const struct digest *d, uint32_t cell)
{
    unsigned low = 0, high = d->n;
    while (low < high) {
        unsigned middle = low + (high - low) / 2;
        if (d->at[middle].cell < cell)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

bool digest_quantiles(const struct digest *d, uint32_t cell, struct digest_quantiles *out)
{
    static const unsigned percents[DIGEST_QUANTILES] = {50, 90, 95, 99};
    unsigned first = first_of(d, cell), at = first;
    uint64_t all = 0, seen = 0;
    for (unsigned i = first; i < d->n && d->at[i].cell == cell; i++)
        all += d->at[i].n;
    if (all == 0)
        return false;
    for (unsigned q = 0; q < DIGEST_QUANTILES; q++) {
        uint64_t rank = (all * percents[q] + 99) / 100;
        while (seen + d->at[at].n < rank)
            seen += d->at[at++].n;
        out->us[q] = d->at[at].us;
    }
    return true;
}
