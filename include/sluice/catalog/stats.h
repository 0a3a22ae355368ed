/* stats.h: how one endpoint has been doing over the last five minutes (contract 2.2).
 *
 *     slices of 10 s   | 0 | 1 | 2 | … | 28 | 29 |
 *                      `----------- total ------'
 *
 * Each slice counts what it saw in buckets an eighth of an octave wide, so a quantile is within 4.5 %
 * of the value it stands for. What leaves the window is subtracted from the total; nothing is ever
 * sorted or scanned. An endpoint nobody asks owns no slice, a busy one at most 30 of 1 KB.
 *
 * Pure: time comes in as Unix milliseconds, so that slices of several processes can be added up. A
 * clock that goes back counts into the newest slice. */
#ifndef SLUICE_CATALOG_STATS_H
#define SLUICE_CATALOG_STATS_H

#include <stdbool.h>
#include <stdint.h>

enum stat_kind {
    STAT_TTFT,       /* of streams: from dispatch to the first output token, in µs */
    STAT_DURATION,   /* of whole answers: from dispatch to the end, in µs */
    STAT_THROUGHPUT, /* output tokens per 1000 s: enough digits in an integer */
    STATS,
};

enum quantile { P50, P75, P90, P99, QUANTILES };

/* In seconds or tokens per second; `samples` 0: nothing is known. A latency's p90 is what 90 % stayed
 * below, a throughput's p90 what 90 % stayed above (contract D-33). */
struct quantiles {
    double at[QUANTILES];
    uint32_t samples;
};

struct outcomes {
    uint32_t ok, failed;
};

struct stats;

struct stats *stats_new(void);
void stats_free(struct stats *s);

void stats_note(struct stats *s, enum stat_kind which, uint64_t value, uint64_t now_unix_ms);
/* An attempt that failed counts here and nowhere else. */
void stats_note_outcome(struct stats *s, bool ok, uint64_t now_unix_ms);

/* Of the last 5 minutes. */
struct figures {
    struct quantiles of[STATS];
    struct outcomes seen;
};
/* Valid until the next call. Quantiles are remembered until something is noted or leaves the window,
 * and then for a second at most; so this is as cheap as a look at memory. */
const struct figures *stats_figures(struct stats *s, uint64_t now_unix_ms);

static inline const struct quantiles *stats_quantiles(struct stats *s, enum stat_kind which,
                                                      uint64_t now_unix_ms)
{
    return &stats_figures(s, now_unix_ms)->of[which];
}

/* Any quantile, made anew each time: the value that this share of the samples stayed below. */
double stats_quantile(struct stats *s, enum stat_kind which, double share, uint64_t now_unix_ms,
                      uint32_t *samples);
/* Of the last 5 minutes, or of the last `span_ms` of them, to 10 s. */
struct outcomes stats_outcomes(struct stats *s, uint64_t span_ms, uint64_t now_unix_ms);

/* --- between processes ---------------------------------------------------------------------------- */

/* Slices by the time they began: Unix time / STATS_SLICE_MS. */
enum { STATS_SLICE_MS = 10000, STATS_SLICES = 30, STATS_PACKED_MAX = 2048 };

/* The slice as bytes: how many, 0 when it saw nothing. Little-endian everywhere; the first byte is the
 * version of the form, the widths of its buckets included. */
unsigned stats_pack(const struct stats *s, uint64_t slice, uint8_t out[STATS_PACKED_MAX]);
/* Adds a packed slice of another process, unless it has left the window already. One from the future,
 * of a clock half a minute ahead at most, counts as of now; beyond that it is left out. False when it
 * is damaged or of another version; then nothing was added. */
bool stats_add_packed(struct stats *s, uint64_t slice, const uint8_t *packed, unsigned len,
                      uint64_t now_unix_ms);

#endif
