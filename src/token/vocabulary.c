#include "vocabulary.h"

#include "packed.h"

#include "sluice/base/arena.h"

#include <stdlib.h>
#include <string.h>
#include <zlib.h>

enum { PAIRS = 1 << 16 };

/* Eight bytes a step, mixed by multiplication; short keys, so the tail is most of it. */
static uint32_t hash(const uint8_t *at, size_t len)
{
    const uint64_t odd = 0x9e3779b97f4a7c15u;
    uint64_t h = len * odd, word;
    for (; len > 8; at += 8, len -= 8) {
        memcpy(&word, at, 8);
        h = (h ^ word) * odd;
        h ^= h >> 29;
    }
    word = 0;
    memcpy(&word, at, len);
    h = (h ^ word) * odd;
    h ^= h >> 32;
    return (uint32_t)(h * odd >> 32);
}

struct span vocabulary_bytes(const struct vocabulary *v, uint32_t rank)
{
    if (rank >= v->n)
        return SPAN_NONE;
    uint32_t start = rank > 0 ? v->ends[rank - 1] : 0;
    return span_of(v->bytes + start, v->ends[rank] - start);
}

static uint32_t find(const struct vocabulary *v, const uint8_t *at, size_t len)
{
    for (uint32_t i = hash(at, len) & v->mask;; i = (i + 1) & v->mask) {
        if (v->slots[i] == 0)
            return NO_RANK;
        struct span t = vocabulary_bytes(v, v->slots[i] - 1);
        if (t.len == len && memcmp(t.at, at, len) == 0)
            return v->slots[i] - 1;
    }
}

uint32_t vocabulary_rank(const struct vocabulary *v, const uint8_t *at, size_t len)
{
    if (len == 2)
        return v->of_pairs[at[0] << 8 | at[1]];
    return len <= TOKEN_BYTES_MAX ? find(v, at, len) : NO_RANK;
}

static void insert(struct vocabulary *v, uint32_t rank)
{
    struct span t = vocabulary_bytes(v, rank);
    uint32_t i = hash(t.at, t.len) & v->mask;
    while (v->slots[i] != 0)
        i = (i + 1) & v->mask;
    v->slots[i] = rank + 1;
    if (t.len == 2)
        v->of_pairs[t.at[0] << 8 | t.at[1]] = rank;
}

/* Lengths of all tokens, a byte each, and then their bytes. */
static bool read_tokens(struct vocabulary *v, const uint8_t *raw, size_t len)
{
    uint32_t end = 0;
    for (uint32_t i = 0; i < v->n; i++)
        v->ends[i] = end += raw[i];
    if (len - v->n != end)
        return false;
    memcpy(v->bytes, raw + v->n, end);
    memset(v->of_pairs, 0xff, PAIRS * sizeof *v->of_pairs);
    for (uint32_t i = 0; i < v->n; i++) {
        if (vocabulary_bytes(v, i).len > 0) /* some numbers are nobody's */
            insert(v, i);
    }
    return true;
}

static bool fill(struct vocabulary *v, const struct packed *p)
{
    uint8_t *raw = malloc(p->raw_len);
    uLongf len = p->raw_len;
    bool is_good = raw != NULL &&
                   uncompress(raw, &len, p->bytes, (uLong)(p->end - p->bytes)) == Z_OK &&
                   len == p->raw_len && read_tokens(v, raw, len);
    free(raw);
    return is_good;
}

struct vocabulary *vocabulary_unpack(enum vocabulary_name name)
{
    const struct packed *p = packed_vocabulary(name);
    if (p == NULL)
        return NULL;
    struct vocabulary *v = xcalloc(1, sizeof *v);
    uint32_t slots = 1;
    while (slots < p->ntokens + p->ntokens / 3)
        slots *= 2;
    v->n = p->ntokens;
    v->mask = slots - 1;
    v->ends = malloc(v->n * sizeof *v->ends);
    v->bytes = malloc(p->raw_len - v->n);
    v->slots = calloc(slots, sizeof *v->slots);
    v->of_pairs = malloc(PAIRS * sizeof *v->of_pairs);
    bool has_room = v->ends != NULL && v->bytes != NULL && v->slots != NULL && v->of_pairs != NULL;
    if (has_room && fill(v, p))
        return v;
    vocabulary_free(v);
    return NULL;
}

void vocabulary_free(struct vocabulary *v)
{
    if (v == NULL)
        return;
    free(v->ends);
    free(v->bytes);
    free(v->slots);
    free(v->of_pairs);
    free(v);
}
