#include "sluice/base/rng.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/random.h>

static uint64_t rotate_left(uint64_t x, unsigned by)
{
    return x << by | x >> (64 - by);
}

/* splitmix64: every output differs, so four of them are never all zero. */
static uint64_t splitmix(uint64_t *seed)
{
    uint64_t z = *seed += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

void rng_seed(struct rng *r, uint64_t seed)
{
    r->id_ms = r->id_count = 0;
    for (unsigned i = 0; i < 4; i++)
        r->s[i] = splitmix(&seed);
}

uint64_t rng_next(struct rng *r)
{
    uint64_t *s = r->s;
    uint64_t result = rotate_left(s[1] * 5, 7) * 9;
    uint64_t t = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rotate_left(s[3], 45);
    return result;
}

uint64_t rng_below(struct rng *r, uint64_t n)
{
    /* as few bits as hold n - 1; a draw is refused less than every other time */
    uint64_t mask = UINT64_MAX >> __builtin_clzll((n - 1) | 1);
    uint64_t x;
    do
        x = rng_next(r) & mask;
    while (x >= n);
    return x;
}

void rng_secret_bytes(void *out, size_t n)
{
    uint8_t *at = out;
    while (n > 0) {
        ssize_t got = getrandom(at, n, 0);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            abort();
        at += got;
        n -= (size_t)got;
    }
}

static char *put_hex(char *out, uint64_t value, unsigned digits)
{
    for (unsigned i = digits; i > 0; i--) {
        out[i - 1] = "0123456789abcdef"[value & 15];
        value >>= 4;
    }
    return out + digits;
}

void rng_request_id(struct rng *r, uint64_t unix_ms, char out[33])
{
    uint64_t first = rng_next(r) >> 53, random_b = rng_next(r) >> 2;
    r->id_count = unix_ms == r->id_ms ? (r->id_count + 1) & 0xfff : first;
    r->id_ms = unix_ms;
    out = put_hex(out, unix_ms, 12);
    out = put_hex(out, 0x7000 | r->id_count, 4);
    out = put_hex(out, UINT64_C(2) << 62 | random_b, 16);
    *out = '\0';
}
