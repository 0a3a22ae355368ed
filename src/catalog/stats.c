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

struct stats {
    struct slice *slices[STATS_SLICES]; /* by number modulo; NULL: it saw nothing */
    uint64_t newest;                    /* number of the slice that is being filled */
    uint32_t total[STATS][BUCKETS];
    struct outcomes seen;
    struct {
        struct quantiles known;
        uint64_t due_unix_ms; /* to be made anew then, if at all */
        bool is_stale;
    } told[STATS];
};

struct stats *stats_new(void)
{
    return xcalloc(1, sizeof(struct stats));
}

void stats_free(struct stats *s)
{
    for (unsigned i = 0; s != NULL && i < STATS_SLICES; i++)
        free(s->slices[i]);
    free(s);
}

/* --- the window ----------------------------------------------------------------------------------- */

static void let_go(struct stats *s, struct slice **at)
{
    struct slice *old = *at;
    if (old == NULL)
        return;
    for (unsigned which = 0; which < STATS; which++) {
        for (unsigned b = 0; b < BUCKETS; b++)
            s->total[which][b] -= old->count[which][b];
        s->told[which].is_stale = true;
    }
    s->seen.ok -= old->seen.ok;
    s->seen.failed -= old->seen.failed;
    free(old);
    *at = NULL;
}

static void move(struct stats *s, uint64_t now_unix_ms)
{
    uint64_t now = now_unix_ms / STATS_SLICE_MS;
    bool was_in_the_future = now + STATS_SLICES < s->newest; /* or nothing would leave for hours */
    if (now <= s->newest && !was_in_the_future)
        return;
    uint64_t steps = was_in_the_future || now - s->newest > STATS_SLICES ? STATS_SLICES
                                                                         : now - s->newest;
    for (uint64_t i = 0; i < steps; i++)
        let_go(s, &s->slices[(now - i) % STATS_SLICES]);
    for (unsigned which = 0; which < STATS && was_in_the_future; which++)
        s->told[which].due_unix_ms = 0;
    s->newest = now;
}

static struct slice *filled(struct stats *s, uint64_t number)
{
    struct slice **at = &s->slices[number % STATS_SLICES];
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
    s->total[which][bucket] += n;
    s->told[which].is_stale = true;
}

void stats_note(struct stats *s, enum stat_kind which, uint64_t value, uint64_t now_unix_ms)
{
    move(s, now_unix_ms);
    count(s, filled(s, s->newest), which, bucket_of(value), 1);
}

void stats_note_outcome(struct stats *s, bool ok, uint64_t now_unix_ms)
{
    move(s, now_unix_ms);
    struct slice *slice = filled(s, s->newest);
    slice->seen.ok += ok;
    slice->seen.failed += !ok;
    s->seen.ok += ok;
    s->seen.failed += !ok;
}

/* --- what is told --------------------------------------------------------------------------------- */

/* The value below which `rank` of the samples lie: straight through the bucket it falls into. */
static double value_at(const uint32_t total[BUCKETS], double rank)
{
    double below = 0;
    for (unsigned b = 0; b < BUCKETS; b++) {
        if (total[b] > 0 && below + total[b] >= rank) {
            double from = lower_end(b), width = lower_end(b + 1) - from;
            return from + width * (rank - below) / total[b];
        }
        below += total[b];
    }
    return 0;
}

static void tell(struct stats *s, enum stat_kind which, struct quantiles *out)
{
    static const double shares[QUANTILES] = {0.50, 0.75, 0.90, 0.99};
    bool is_throughput = which == STAT_THROUGHPUT;
    out->samples = 0;
    for (unsigned b = 0; b < BUCKETS; b++)
        out->samples += s->total[which][b];
    for (unsigned q = 0; q < QUANTILES; q++) {
        double share = is_throughput ? 1 - shares[q] : shares[q];
        out->at[q] = value_at(s->total[which], share * out->samples) / (is_throughput ? 1e3 : 1e6);
    }
}

const struct quantiles *stats_quantiles(struct stats *s, enum stat_kind which, uint64_t now_unix_ms)
{
    move(s, now_unix_ms);
    if (s->told[which].is_stale && now_unix_ms >= s->told[which].due_unix_ms) {
        tell(s, which, &s->told[which].known);
        s->told[which].is_stale = false;
        s->told[which].due_unix_ms = now_unix_ms + REFRESH_MS;
    }
    return &s->told[which].known;
}

double stats_quantile(struct stats *s, enum stat_kind which, double share, uint64_t now_unix_ms,
                      uint32_t *samples)
{
    move(s, now_unix_ms);
    *samples = 0;
    for (unsigned b = 0; b < BUCKETS; b++)
        *samples += s->total[which][b];
    return value_at(s->total[which], share * *samples) / (which == STAT_THROUGHPUT ? 1e3 : 1e6);
}

struct outcomes stats_outcomes(struct stats *s, uint64_t span_ms, uint64_t now_unix_ms)
{
    move(s, now_unix_ms);
    uint64_t n = span_ms / STATS_SLICE_MS;
    if (n >= STATS_SLICES)
        return s->seen;
    struct outcomes sum = {0};
    for (uint64_t i = 0; i < n && i <= s->newest; i++) {
        const struct slice *slice = s->slices[(s->newest - i) % STATS_SLICES];
        if (slice != NULL) {
            sum.ok += slice->seen.ok;
            sum.failed += slice->seen.failed;
        }
    }
    return sum;
}

/* --- between processes ---------------------------------------------------------------------------- */

/* ok, failed (u32), and for each bucket that counted: stat, bucket, count (u16), little-endian. */
enum { HEAD_BYTES = 8, ENTRY_BYTES = 4 };
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
    const struct slice *from = s->slices[slice % STATS_SLICES];
    bool is_there = slice <= s->newest && s->newest - slice < STATS_SLICES && from != NULL;
    if (!is_there)
        return 0;
    unsigned len = HEAD_BYTES;
    put(out, from->seen.ok, 4);
    put(out + 4, from->seen.failed, 4);
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
    enum { MOST_OUTCOMES = 1 << 24 }; /* in ten seconds; and so that sums stay sums */
    if (len < HEAD_BYTES || len > STATS_PACKED_MAX || (len - HEAD_BYTES) % ENTRY_BYTES != 0 ||
        get(packed, 4) > MOST_OUTCOMES || get(packed + 4, 4) > MOST_OUTCOMES)
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
    if (slice > s->newest || s->newest - slice >= STATS_SLICES)
        return true;
    struct slice *to = filled(s, slice);
    struct outcomes seen = {get(packed, 4), get(packed + 4, 4)};
    to->seen.ok += seen.ok;
    to->seen.failed += seen.failed;
    s->seen.ok += seen.ok;
    s->seen.failed += seen.failed;
    for (unsigned at = HEAD_BYTES; at < len; at += ENTRY_BYTES)
        count(s, to, packed[at], packed[at + 1], get(packed + at + 2, 2));
    return true;
}
