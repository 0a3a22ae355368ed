/* vec.h: sixteen bytes at once, for what has to look at every byte of a body.
 *
 * GNU vectors: SSE2 on x86-64, NEON on aarch64, plain code elsewhere. */
#ifndef SLUICE_BASE_VEC_H
#define SLUICE_BASE_VEC_H

#include <endian.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#ifdef __x86_64__
#include <immintrin.h>
#endif

typedef uint8_t vec __attribute__((vector_size(16)));
#define VEC_BYTES sizeof(vec)

static inline vec vec_load(const uint8_t *p)
{
    vec v;
    memcpy(&v, p, sizeof(v));
    return v;
}

/* Index of the first set byte of a mask (0xff or 0 each), VEC_BYTES or more when there is none. */
static inline unsigned vec_first(vec mask)
{
#ifdef __x86_64__
    return (unsigned)__builtin_ctz((unsigned)_mm_movemask_epi8((__m128i)mask) | 1u << VEC_BYTES);
#else
    uint64_t half[2];
    memcpy(half, &mask, sizeof(half));
    if (half[0] != 0)
        return (unsigned)__builtin_ctzll(le64toh(half[0])) / 8;
    return half[1] == 0 ? VEC_BYTES : 8 + (unsigned)__builtin_ctzll(le64toh(half[1])) / 8;
#endif
}

#ifdef __x86_64__
/* Twice as many at once? Asked once a process. */
static inline bool vec_has_avx2(void)
{
    static int has = -1;
    if (has < 0)
        has = __builtin_cpu_supports("avx2") != 0;
    return has;
}
#endif

#endif
