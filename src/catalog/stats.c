#include "sluice/catalog/stats.h"

#include "sluice/base/arena.h"

#include <stdlib.h>
#include <string.h>

/* Buckets: eight to an octave, from a quarter of a millisecond (or token per second) on, over twenty
 * octaves: to 268 s. What lies outside counts in the outermost. */
enum { LOWEST_BIT = 8, STEP_BITS = 3, STEPS = 1 << STEP_BITS, OCTAVES = 20 };
enum { BUCKETS = OCTAVES * STEPS, REFRESH_MS = 1000 };

struct slice {
    uint16_t count[STATS][BUCKETS];
    struct outcomes seen;
};

struct window {
    struct slice *slices[STATS_SLICES]; /* by number modulo; NULL: it saw nothing */
    uint32_t total[STATS][BUCKETS];
};

/* Small, and apart from what it is made of: a plan looks at hundreds of these. */
struct stats {
    uint64_t newest_unix_ms;     /* when `newest` began */
    uint64_t newest;             /* number of the slice that is being filled */
    struct figures told;         /* `seen` is right, quantiles are but for those that are */
    unsigned stale;              /* bits 1 << enum stat_kind */
    uint64_t due_unix_ms[STATS]; /* to be made anew then, if they are */
    uint32_t samples[STATS];
    struct window *window; /* NULL: it never saw anything */
};

struct stats *stats_new(void)
{
    return xcalloc(1, sizeof(struct stats));
}

void stats_free(struct stats *s)
{
    if (s == NULL)
        return;
    for (unsigned i = 0; s->window != NULL && i < STATS_SLICES; i++)
        free(s->window->slices[i]);
    free(s->window);
    free(s);
}

/* --- the window ----------------------------------------------------------------------------------- */

static void let_go(struct stats *s, struct slice **at)
{
    struct slice *old = *at;
    if (old == NULL)
        return;
    for (unsigned which = 0; which < STATS; which++) {
        for (unsigned b = 0; b < BUCKETS; b++) {
            s->window->total[which][b] -= old->count[which][b];
            s->samples[which] -= old->count[which][b];
        }
    }
    s->stale = (1u << STATS) - 1;
    s->told.seen.ok -= old->seen.ok;
    s->told.seen.failed -= old->seen.failed;
    free(old);
    *at = NULL;
}

static void move_on(struct stats *s, uint64_t now_unix_ms)
{
    uint64_t now = now_unix_ms / STATS_SLICE_MS;
    bool was_in_the_future = now + STATS_SLICES < s->newest; /* or nothing would leave for hours */
    if (now <= s->newest && !was_in_the_future)
        return;
    uint64_t steps = was_in_the_future || now - s->newest > STATS_SLICES ? STATS_SLICES
                                                                         : now - s->newest;
    for (uint64_t i = 0; i < steps && s->window != NULL; i++)
        let_go(s, &s->window->slices[(now - i) % STATS_SLICES]);
    for (unsigned which = 0; which < STATS && was_in_the_future; which++)
        s->due_unix_ms[which] = 0;
    s->newest = now;
    s->newest_unix_ms = now * STATS_SLICE_MS;
}

/* Nearly always there is nothing to do. */
static inline void move(struct stats *s, uint64_t now_unix_ms)
{
    if (now_unix_ms - s->newest_unix_ms >= STATS_SLICE_MS)
        move_on(s, now_unix_ms);
}

static struct slice *filled(struct stats *s, uint64_t number)
{
    if (s->window == NULL)
        s->window = xcalloc(1, sizeof *s->window);
    struct slice **at = &s->window->slices[number % STATS_SLICES];
    if (*at == NULL)
        *at = xcalloc(1, sizeof(struct slice));
    return *at;
}

/* --- buckets -------------------------------------------------------------------------------------- */

static unsigned bucket_of(uint64_t value)
{
    if (value < (1u << LOWEST_BIT))
        return 0;
    unsigned octave = 63 - (unsigned)__builtin_clzll(value);
    unsigned step = (unsigned)(value >> (octave - STEP_BITS)) & (STEPS - 1);
    unsigned bucket = (octave - LOWEST_BIT) * STEPS + step;
    return bucket < BUCKETS ? bucket : BUCKETS - 1;
}

static double lower_end(unsigned bucket)
{
    return (double)((uint64_t)(STEPS + bucket % STEPS)
                    << (LOWEST_BIT - STEP_BITS + bucket / STEPS));
}

static void count(struct stats *s, struct slice *slice, unsigned which, unsigned bucket, uint32_t n)
{
    uint16_t *at = &slice->count[which][bucket];
    if (n > (uint32_t)(UINT16_MAX - *at)) /* 65,000 of one kind in ten seconds say what they say */
        n = UINT16_MAX - *at;
    *at = (uint16_t)(*at + n);
    s->window->total[which][bucket] += n;
    s->samples[which] += n;
    s->stale |= 1u << which;
}

static void count_outcomes(struct stats *s, struct slice *slice, struct outcomes more)
{
    slice->seen.ok += more.ok;
    slice->seen.failed += more.failed;
    s->told.seen.ok += more.ok;
    s->told.seen.failed += more.failed;
}

void stats_note(struct stats *s, enum stat_kind which, uint64_t value, uint64_t now_unix_ms)
{
    move(s, now_unix_ms);
    count(s, filled(s, s->newest), which, bucket_of(value), 1);
}

void stats_note_outcome(struct stats *s, bool ok, uint64_t now_unix_ms)
{
    move(s, now_unix_ms);
    count_outcomes(s, filled(s, s->newest), (struct outcomes){.ok = ok, .failed = !ok});
}

/* --- what is told --------------------------------------------------------------------------------- */

/* The values below which so many of the samples lie, least first, in one walk: straight through the
 * buckets they fall into. */
static void values_at(const uint32_t total[BUCKETS], unsigned n, const double *ranks, double *out)
{
    double below = 0;
    unsigned q = 0;
    for (unsigned b = 0; b < BUCKETS && q < n; b++) {
        for (; q < n && total[b] > 0 && below + total[b] >= ranks[q]; q++) {
            double from = lower_end(b), width = lower_end(b + 1) - from;
            out[q] = from + width * (ranks[q] - below) / total[b];
        }
        below += total[b];
    }
}

static void tell(const struct stats *s, enum stat_kind which, struct quantiles *out)
{
    static const double below[QUANTILES] = {0.50, 0.75, 0.90, 0.99};
    static const double above[QUANTILES] = {1 - 0.99, 1 - 0.90, 1 - 0.75, 1 - 0.50};
    bool is_throughput = which == STAT_THROUGHPUT;
    double ranks[QUANTILES], values[QUANTILES] = {0};
    *out = (struct quantiles){.samples = s->samples[which]};
    for (unsigned q = 0; q < QUANTILES; q++)
        ranks[q] = (is_throughput ? above[q] : below[q]) * out->samples;
    values_at(s->window->total[which], QUANTILES, ranks, values);
    for (unsigned q = 0; q < QUANTILES; q++) {
        /* Whole units: no figure is that exact, and a short one is soon written. */
        double value = is_throughput ? values[QUANTILES - 1 - q] : values[q];
        out->at[q] = (double)(uint64_t)(value + 0.5) / (is_throughput ? 1e3 : 1e6);
    }
}

static void tell_anew(struct stats *s, uint64_t now_unix_ms)
{
    for (unsigned which = 0; which < STATS; which++) {
        if ((s->stale & 1u << which) == 0 || now_unix_ms < s->due_unix_ms[which])
            continue;
        tell(s, which, &s->told.of[which]);
        s->stale &= ~(1u << which);
        s->due_unix_ms[which] = now_unix_ms + REFRESH_MS;
    }
}

const struct figures *stats_figures(struct stats *s, uint64_t now_unix_ms)
{
    move(s, now_unix_ms);
    if (s->stale != 0)
        tell_anew(s, now_unix_ms);
    return &s->told;
}

double stats_quantile(struct stats *s, enum stat_kind which, double share, uint64_t now_unix_ms,
                      uint32_t *samples)
{
    double rank, value = 0;
    move(s, now_unix_ms);
    *samples = s->samples[which];
    rank = share * *samples;
    if (s->window != NULL)
        values_at(s->window->total[which], 1, &rank, &value);
    return value / (which == STAT_THROUGHPUT ? 1e3 : 1e6);
}

struct outcomes stats_outcomes(struct stats *s, uint64_t span_ms, uint64_t now_unix_ms)
{
    move(s, now_unix_ms);
    uint64_t n = span_ms / STATS_SLICE_MS;
    if (n >= STATS_SLICES)
        return s->told.seen;
    struct outcomes sum = {0};
    for (uint64_t i = 0; s->window != NULL && i < n && i <= s->newest; i++) {
        const struct slice *slice = s->window->slices[(s->newest - i) % STATS_SLICES];
        if (slice != NULL) {
            sum.ok += slice->seen.ok;
            sum.failed += slice->seen.failed;
        }
    }
    return sum;
}

/* --- between processes ---------------------------------------------------------------------------- */

/* Version, ok, failed (u32), and for each bucket that counted: stat, bucket, count (u16),
 * little-endian. */
enum { VERSION = 1, HEAD_BYTES = 9, ENTRY_BYTES = 4, AHEAD_MAX = 3 /* slices */ };
_Static_assert(HEAD_BYTES + STATS * BUCKETS * ENTRY_BYTES <= STATS_PACKED_MAX,
               "each has its place");
_Static_assert(BUCKETS <= UINT8_MAX, "a bucket is one byte");

static void put(uint8_t *at, uint32_t value, unsigned bytes)
{
    for (unsigned i = 0; i < bytes; i++)
        at[i] = (uint8_t)(value >> (8 * i));
}

static uint32_t get(const uint8_t *at, unsigned bytes)
{
    uint32_t value = 0;
    for (unsigned i = 0; i < bytes; i++)
        value |= (uint32_t)at[i] << (8 * i);
    return value;
}

unsigned stats_pack(const struct stats *s, uint64_t slice, uint8_t out[STATS_PACKED_MAX])
{
    bool is_there = slice <= s->newest && s->newest - slice < STATS_SLICES && s->window != NULL;
    const struct slice *from = is_there ? s->window->slices[slice % STATS_SLICES] : NULL;
    if (from == NULL)
        return 0;
    unsigned len = HEAD_BYTES;
    out[0] = VERSION;
    put(out + 1, from->seen.ok, 4);
    put(out + 5, from->seen.failed, 4);
    for (unsigned which = 0; which < STATS; which++) {
        for (unsigned b = 0; b < BUCKETS; b++) {
            if (from->count[which][b] == 0)
                continue;
            out[len] = (uint8_t)which;
            out[len + 1] = (uint8_t)b;
            put(out + len + 2, from->count[which][b], 2);
            len += ENTRY_BYTES;
        }
    }
    return len;
}

static bool is_sound(const uint8_t *packed, unsigned len)
{
    enum { MOST_OUTCOMES = 1 << 20 }; /* in ten seconds; and so that sums stay sums */
    if (len < HEAD_BYTES || len > STATS_PACKED_MAX || (len - HEAD_BYTES) % ENTRY_BYTES != 0 ||
        packed[0] != VERSION || get(packed + 1, 4) > MOST_OUTCOMES ||
        get(packed + 5, 4) > MOST_OUTCOMES)
        return false;
    for (unsigned at = HEAD_BYTES; at < len; at += ENTRY_BYTES) {
        if (packed[at] >= STATS || packed[at + 1] >= BUCKETS)
            return false;
    }
    return true;
}

bool stats_add_packed(struct stats *s, uint64_t slice, const uint8_t *packed, unsigned len,
                      uint64_t now_unix_ms)
{
    if (!is_sound(packed, len))
        return false;
    move(s, now_unix_ms);
    if (slice > s->newest && slice - s->newest <= AHEAD_MAX)
        slice = s->newest;
    if (slice > s->newest || s->newest - slice >= STATS_SLICES)
        return true;
    struct slice *to = filled(s, slice);
    count_outcomes(s, to, (struct outcomes){get(packed + 1, 4), get(packed + 5, 4)});
    for (unsigned at = HEAD_BYTES; at < len; at += ENTRY_BYTES)
        count(s, to, packed[at], packed[at + 1], get(packed + at + 2, 2));
    return true;
}
