#include "sluice/base/map.h"

#include "sluice/base/rng.h"

#include <errno.h>
#include <stdlib.h>

#define SLOTS_MIN 16

struct map_slot {
    struct span key;
    void *value; /* NULL: free */
    uint64_t hash;
};

/* --- SipHash-1-3 (Aumasson, Bernstein: one round a word, three at the end) -------------------- */

struct sip {
    uint64_t a, b, c, d;
};

static uint64_t rotate_left(uint64_t x, unsigned by)
{
    return x << by | x >> (64 - by);
}

static void sip_round(struct sip *s)
{
    s->a += s->b;
    s->c += s->d;
    s->b = rotate_left(s->b, 13) ^ s->a;
    s->d = rotate_left(s->d, 16) ^ s->c;
    s->a = rotate_left(s->a, 32);
    s->c += s->b;
    s->a += s->d;
    s->b = rotate_left(s->b, 17) ^ s->c;
    s->d = rotate_left(s->d, 21) ^ s->a;
    s->c = rotate_left(s->c, 32);
}

static void sip_word(struct sip *s, uint64_t word)
{
    s->d ^= word;
    sip_round(s);
    s->a ^= word;
}

/* Drawn at the first use. One thread hashes: the loop's. */
static const uint64_t *process_key(void)
{
    static uint64_t key[2];
    static bool drawn;
    if (!drawn) {
        rng_secret_bytes(key, sizeof(key));
        drawn = true;
    }
    return key;
}

uint64_t map_hash(struct span key)
{
    const uint64_t *k = process_key();
    struct sip s = {
        k[0] ^ 0x736f6d6570736575u,
        k[1] ^ 0x646f72616e646f6du,
        k[0] ^ 0x6c7967656e657261u,
        k[1] ^ 0x7465646279746573u,
    };
    uint64_t word, last = (uint64_t)key.len << 56;
    while (key.len >= 8) {
        memcpy(&word, key.at, 8); /* byte order matters to nobody: hashes never leave the process */
        sip_word(&s, word);
        key = span_skip(key, 8);
    }
    for (size_t i = 0; i < key.len; i++)
        last |= (uint64_t)key.at[i] << (8 * i);
    sip_word(&s, last);
    s.c ^= 0xff;
    for (unsigned i = 0; i < 3; i++)
        sip_round(&s);
    return s.a ^ s.b ^ s.c ^ s.d;
}

/* --- the table ------------------------------------------------------------------------------- */

void map_fini(struct map *m)
{
    free(m->slots);
    *m = (struct map){0};
}

/* The slot that holds `key`, or the free one where it would go. The table has a free slot. */
static struct map_slot *find(const struct map *m, struct span key, uint64_t hash)
{
    size_t i = hash & m->mask;
    while (m->slots[i].value != NULL &&
           !(m->slots[i].hash == hash && span_eq(m->slots[i].key, key)))
        i = (i + 1) & m->mask;
    return &m->slots[i];
}

void *map_get(const struct map *m, struct span key)
{
    return m->len == 0 ? NULL : find(m, key, map_hash(key))->value;
}

static int grow(struct map *m)
{
    size_t slots = m->slots == NULL ? 0 : m->mask + 1;
    size_t wanted = slots == 0 ? SLOTS_MIN : slots * 2;
    struct map bigger = {.mask = wanted - 1, .len = m->len};
    bigger.slots = calloc(wanted, sizeof(*bigger.slots));
    if (bigger.slots == NULL)
        return -ENOMEM;
    for (size_t i = 0; i < slots; i++)
        if (m->slots[i].value != NULL)
            *find(&bigger, m->slots[i].key, m->slots[i].hash) = m->slots[i];
    free(m->slots);
    *m = bigger;
    return 0;
}

int map_put(struct map *m, struct span key, void *value)
{
    if (m->slots == NULL || (m->len + 1) * 4 > (m->mask + 1) * 3) {
        int rc = grow(m);
        if (rc < 0)
            return rc;
    }
    uint64_t hash = map_hash(key);
    struct map_slot *slot = find(m, key, hash);
    m->len += slot->value == NULL;
    *slot = (struct map_slot){.key = key, .value = value, .hash = hash};
    return 0;
}

/* Closes the gap at `hole`: an entry behind it that could not be at its own place because the
 * table was full there moves up, until a free slot ends the run. */
static void close_gap(struct map *m, size_t hole)
{
    for (size_t i = (hole + 1) & m->mask; m->slots[i].value != NULL; i = (i + 1) & m->mask) {
        size_t home = m->slots[i].hash & m->mask;
        if (((i - home) & m->mask) >= ((i - hole) & m->mask)) {
            m->slots[hole] = m->slots[i];
            hole = i;
        }
    }
    m->slots[hole] = (struct map_slot){0};
}

void *map_remove(struct map *m, struct span key)
{
    if (m->len == 0)
        return NULL;
    struct map_slot *slot = find(m, key, map_hash(key));
    void *value = slot->value;
    if (value == NULL)
        return NULL;
    close_gap(m, (size_t)(slot - m->slots));
    m->len--;
    return value;
}

void *map_next(const struct map *m, size_t *cursor)
{
    size_t slots = m->slots == NULL ? 0 : m->mask + 1;
    while (*cursor < slots) {
        void *value = m->slots[(*cursor)++].value;
        if (value != NULL)
            return value;
    }
    return NULL;
}
