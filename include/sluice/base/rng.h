/* rng.h: fast randomness that is not for secrets (ids, jitter, weighted picks), seedable so that
 * decisions can be replayed; and the kernel's randomness for what must not be guessed. */
#ifndef SLUICE_BASE_RNG_H
#define SLUICE_BASE_RNG_H

#include <stddef.h>
#include <stdint.h>

struct rng {
    uint64_t s[4]; /* xoshiro256** (Blackman, Vigna); never all zero */
    uint64_t id_ms,
        id_count; /* of the last request id: those of one millisecond are in order (§6.2) */
};

void rng_seed(struct rng *r, uint64_t seed); /* splitmix64 expands the seed */
uint64_t rng_next(struct rng *r);
/* Uniform in [0, n), n > 0, without modulo bias. */
uint64_t rng_below(struct rng *r, uint64_t n);

/* getrandom(2); aborts when the kernel has none, for nothing secret could be made without. */
void rng_secret_bytes(void *out, size_t n);

/* 32 lowercase hex digits and a NUL: a UUIDv7 (RFC 9562 §5.7) without dashes, so that request ids
 * sort by time. `unix_ms` is the wall clock. */
void rng_request_id(struct rng *r, uint64_t unix_ms, char out[33]);

#endif
