#include "merge.h"

#include "sluice/base/arena.h"

#include <stdlib.h>

/* Neighbours are joined by the age of what they make together, the leftmost of equals first. A short
 * piece is searched for its oldest pair each time; in a long one a heap knows it, so that a megabyte
 * without a space costs n log n. */
enum { SHORT_BYTES = 128 };

/* The part that begins at a byte of the piece, and the rank of it and its right neighbour together. */
struct part {
    uint32_t start, rank;
};

/* --- short ---------------------------------------------------------------------------------------- */

/* `parts` has two more than there are: the ends of the last two. */
static uint32_t rank_at(const struct vocabulary *v, struct span piece, const struct part *p)
{
    return vocabulary_rank(v, piece.at + p[0].start, p[2].start - p[0].start);
}

static void merge_short(const struct vocabulary *v, struct span piece, struct tokens *out)
{
    struct part parts[SHORT_BYTES + 2];
    uint32_t n = (uint32_t)piece.len;
    for (uint32_t i = 0; i <= n; i++)
        parts[i].start = i;
    for (uint32_t i = 0; i + 1 < n; i++)
        parts[i].rank = rank_at(v, piece, parts + i);
    while (n > 1) {
        uint32_t best = 0;
        for (uint32_t i = 1; i + 1 < n; i++)
            best = parts[i].rank < parts[best].rank ? i : best;
        if (parts[best].rank == NO_RANK)
            break;
        memmove(parts + best + 1, parts + best + 2, (n - best - 1) * sizeof *parts);
        n--;
        if (best + 1 < n)
            parts[best].rank = rank_at(v, piece, parts + best);
        if (best > 0)
            parts[best - 1].rank = rank_at(v, piece, parts + best - 1);
    }
    for (uint32_t i = 0; i < n; i++)
        tokens_add(out, vocabulary_rank(v, piece.at + parts[i].start,
                                        parts[i + 1].start - parts[i].start));
}

/* --- long ----------------------------------------------------------------------------------------- */

struct link { /* by the byte a part begins with */
    uint32_t prev, next, rank;
};

struct candidate {
    uint32_t rank, start;
};

struct heap {
    struct candidate *at;
    size_t n;
};

static bool is_before(const struct candidate *a, const struct candidate *b)
{
    return a->rank != b->rank ? a->rank < b->rank : a->start < b->start;
}

static void heap_add(struct heap *h, struct candidate c)
{
    size_t i = h->n++;
    for (; i > 0 && is_before(&c, &h->at[(i - 1) / 2]); i = (i - 1) / 2)
        h->at[i] = h->at[(i - 1) / 2];
    h->at[i] = c;
}

static struct candidate heap_take(struct heap *h)
{
    struct candidate first = h->at[0], last = h->at[--h->n];
    size_t i = 0, child;
    while ((child = 2 * i + 1) < h->n) {
        if (child + 1 < h->n && is_before(&h->at[child + 1], &h->at[child]))
            child++;
        if (!is_before(&h->at[child], &last))
            break;
        h->at[i] = h->at[child];
        i = child;
    }
    h->at[i] = last;
    return first;
}

struct merging {
    const struct vocabulary *v;
    struct span piece;
    struct link *links;
    struct heap heap;
};

static void consider(struct merging *m, uint32_t start)
{
    struct link *l = &m->links[start];
    l->rank = NO_RANK;
    if (l->next < m->piece.len)
        l->rank = vocabulary_rank(m->v, m->piece.at + start, m->links[l->next].next - start);
    if (l->rank != NO_RANK)
        heap_add(&m->heap, (struct candidate){l->rank, start});
}

/* The part at `start` takes its right neighbour in. */
static void join(struct merging *m, uint32_t start)
{
    struct link *l = &m->links[start];
    m->links[l->next].rank = NO_RANK; /* gone: what the heap still says of it is void */
    l->next = m->links[l->next].next;
    if (l->next < m->piece.len)
        m->links[l->next].prev = start;
    consider(m, start);
    if (start > 0)
        consider(m, l->prev);
}

static void merge_long(const struct vocabulary *v, struct span piece, struct tokens *out)
{
    uint32_t n = (uint32_t)piece.len;
    struct merging m = {
        .v = v,
        .piece = piece,
        .links = xcalloc(n, sizeof *m.links),
        .heap.at = xcalloc((size_t)3 * n, sizeof *m.heap.at), /* n at first, 2 for each join */
    };
    for (uint32_t i = 0; i < n; i++)
        m.links[i] = (struct link){.prev = i - 1, .next = i + 1};
    for (uint32_t i = 0; i < n; i++)
        consider(&m, i);
    while (m.heap.n > 0) {
        struct candidate c = heap_take(&m.heap);
        if (m.links[c.start].rank == c.rank)
            join(&m, c.start);
    }
    for (uint32_t i = 0; i < n; i = m.links[i].next)
        tokens_add(out, vocabulary_rank(v, piece.at + i, m.links[i].next - i));
    free(m.links);
    free(m.heap.at);
}

void merge_piece(const struct vocabulary *v, struct span piece, struct tokens *out)
{
    if (piece.len <= SHORT_BYTES)
        merge_short(v, piece, out);
    else
        merge_long(v, piece, out);
}
