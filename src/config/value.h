/* value.h: what the text of one option means. Pure: text in, number out.
 *
 * Every function leaves `out` alone and returns a phrase that says what was expected when the text
 * is not of its form, and NULL when it is. Numbers never come without a unit where more than one
 * unit would make sense; only 0 does. */
#ifndef SLUICE_SRC_CONFIG_VALUE_H
#define SLUICE_SRC_CONFIG_VALUE_H

#include "sluice/base/span.h"

const char *value_bool(struct span text, bool *out);
const char *value_number(struct span text, uint64_t *out);
/* 250ms, 30s, 5m, 1h, 1d → milliseconds. */
const char *value_duration(struct span text, uint64_t *out_ms);
/* 512B, 8KiB, 64MiB, 1GiB, and the powers of ten kB (or KB), MB, GB → bytes. */
const char *value_size(struct span text, uint64_t *out_bytes);
/* Decimal USD per million tokens → pico-dollars per token. Exact: six decimals are 1e-12 USD. */
const char *value_money(struct span text, uint64_t *out_pd);
/* Decimal USD for one of something → pico-dollars. Exact: twelve decimals. */
const char *value_fee(struct span text, uint64_t *out_pd);
/* A decimal from 0 to 1: 0.05 → millionths. */
const char *value_share(struct span text, uint64_t *out_ppm);
/* 2030-12-31 or 2030-12-31T23:59:59Z (RFC 3339, with an offset if need be) → unix milliseconds. */
const char *value_time(struct span text, uint64_t *out_unix_ms);
/* 0660: three or four octal digits. */
const char *value_mode(struct span text, unsigned *out);

/* Number of single-character insertions, deletions, substitutions and swaps of neighbours that
 * turn one word into the other, at most `limit` + 1. Words beyond 64 characters are far apart. */
unsigned value_distance(struct span a, struct span b, unsigned limit);

/* The best of the words offered for a misspelt `text`. Start with {.text = …}. */
struct suggestion {
    struct span text;
    const char *best; /* NULL: nothing is near */
    unsigned distance;
};
void suggestion_offer(struct suggestion *s, const char *word);

#endif
