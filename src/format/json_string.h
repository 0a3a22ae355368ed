/* json_string.h: the inside of JSON strings, many bytes at a time. What the scanner and the skipping
 * of long strings share. */
#ifndef SLUICE_FORMAT_JSON_STRING_H
#define SLUICE_FORMAT_JSON_STRING_H

#include "sluice/base/span.h"

#include <endian.h>
#ifdef __x86_64__
#include <immintrin.h>
#endif

/* From inside a string as far as it goes without anything to decide or to remember: to its closing
 * quote, to a control byte or an escape that is none, or into the last few bytes before `end`. */
const uint8_t *json_skip_inside(const uint8_t *p, const uint8_t *end);

/* GNU vectors: SSE2 on x86-64, NEON on aarch64, scalar code elsewhere. */
typedef uint8_t vec __attribute__((vector_size(16)));
#define STEP sizeof(vec)

static inline vec load(const uint8_t *p)
{
    vec v;
    memcpy(&v, p, sizeof(v));
    return v;
}

/* 0xff where a byte ends a plain run: a quote, a backslash or a control. Flipping bit 1 moves the
 * quote (0x22) right behind the controls (0x00 to 0x1f), so that one comparison finds both. */
static inline vec specials(vec v)
{
    return (vec)((v ^ 2) <= 0x20) | (vec)(v == '\\');
}

/* Index of the first set byte of a mask, STEP or more when there is none. */
static inline unsigned first_set(vec mask)
{
#ifdef __x86_64__
    return (unsigned)__builtin_ctz((unsigned)_mm_movemask_epi8((__m128i)mask) | 1u << STEP);
#else
    uint64_t half[2];
    memcpy(half, &mask, sizeof(half));
    if (half[0] != 0)
        return (unsigned)__builtin_ctzll(le64toh(half[0])) / 8;
    return half[1] == 0 ? STEP : 8 + (unsigned)__builtin_ctzll(le64toh(half[1])) / 8;
#endif
}

static inline bool is_hex(uint8_t c)
{
    return (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'f');
}

static inline bool is_escape(uint8_t c)
{
    static const bool known[256] = {['"'] = true, ['\\'] = true, ['/'] = true, ['b'] = true,
                                    ['f'] = true, ['n'] = true,  ['r'] = true, ['t'] = true};
    return known[c];
}

#endif
