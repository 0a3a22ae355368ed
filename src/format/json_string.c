#include "json_string.h"

/* The first quote, backslash or control byte at or behind `p`, or `end`. Most runs are short, so
 * the first step is a small one. */
static const uint8_t *skip_plain(const uint8_t *p, const uint8_t *end)
{
    unsigned at = VEC_BYTES;
    if ((size_t)(end - p) >= VEC_BYTES) {
        at = vec_first(specials(vec_load(p)));
        p += at;
        if (at < VEC_BYTES)
            return p;
    }
    while ((size_t)(end - p) >= 4 * VEC_BYTES) {
        vec any = specials(vec_load(p)) | specials(vec_load(p + VEC_BYTES)) |
                  specials(vec_load(p + 2 * VEC_BYTES)) | specials(vec_load(p + 3 * VEC_BYTES));
        if (vec_first(any) < VEC_BYTES)
            break;
        p += 4 * VEC_BYTES;
    }
    for (; (size_t)(end - p) >= VEC_BYTES; p += VEC_BYTES) {
        at = vec_first(specials(vec_load(p)));
        if (at < VEC_BYTES)
            return p + at;
    }
    while (p < end && *p >= 0x20 && *p != '"' && *p != '\\')
        p++;
    return p;
}

/* --- 64 bytes at a time, escapes included ------------------------------------------------------- */

#ifdef __x86_64__

/* One bit a byte of a block, the first byte lowest. */
struct block {
    uint64_t backslash;
    uint64_t ends;   /* a quote or a control byte: see specials() for how one look finds both */
    uint64_t letter; /* a byte that may stand behind a backslash, except u: no control byte */
};

static inline uint64_t bits(vec mask, unsigned nth)
{
    return (uint64_t)(unsigned)_mm_movemask_epi8((__m128i)mask) << (nth * VEC_BYTES);
}

static struct block look_sse2(const uint8_t *p)
{
    struct block b = {0};
    for (unsigned i = 0; i < 4; i++) {
        vec v = vec_load(p + i * VEC_BYTES);
        vec backslash = (vec)(v == '\\');
        b.backslash |= bits(backslash, i);
        b.ends |= bits((vec)((v ^ 2) <= 0x20), i);
        b.letter |= bits(backslash | (vec)(v == '"') | (vec)(v == '/') | (vec)(v == 'b') |
                             (vec)(v == 'f') | (vec)(v == 'n') | (vec)(v == 'r') | (vec)(v == 't'),
                         i);
    }
    return b;
}

/* The same with twice the width. `letter` looks bytes up by their low half: a table holds the one
 * letter that has it; b and r share theirs with the quote and are looked at apart. The table's first
 * entry fits no byte, or NUL would be a letter. */
__attribute__((target("avx2"))) static struct block look_avx2(const uint8_t *p)
{
    const __m256i letters = _mm256_broadcastsi128_si256(
        _mm_setr_epi8(-1, 0, '"', 0, 't', 0, 'f', 0, 0, 0, 0, 0, '\\', 0, 'n', '/'));
    struct block b = {0};
    for (unsigned i = 0; i < 2; i++) {
        __m256i v = _mm256_loadu_si256((const __m256i *)(const void *)(p + i * 32));
        __m256i low = _mm256_and_si256(v, _mm256_set1_epi8(0x0f));
        __m256i letter =
            _mm256_or_si256(_mm256_cmpeq_epi8(v, _mm256_shuffle_epi8(letters, low)),
                            _mm256_or_si256(_mm256_cmpeq_epi8(v, _mm256_set1_epi8('b')),
                                            _mm256_cmpeq_epi8(v, _mm256_set1_epi8('r'))));
        __m256i flipped = _mm256_xor_si256(v, _mm256_set1_epi8(2));
        __m256i ends = _mm256_cmpeq_epi8(_mm256_min_epu8(flipped, _mm256_set1_epi8(0x20)), flipped);
        __m256i backslash = _mm256_cmpeq_epi8(v, _mm256_set1_epi8('\\'));
        unsigned shift = i * 32;
        b.backslash |= (uint64_t)(uint32_t)_mm256_movemask_epi8(backslash) << shift;
        b.ends |= (uint64_t)(uint32_t)_mm256_movemask_epi8(ends) << shift;
        b.letter |= (uint64_t)(uint32_t)_mm256_movemask_epi8(letter) << shift;
    }
    return b;
}

/* Which bytes are escaped: those behind a run of backslashes of odd length, counted from the first
 * backslash that is not escaped itself. Runs that begin at odd positions are carried to their
 * ends by an addition, which shows the parity without a branch (Lemire, Langdale: Parsing
 * Gigabytes of JSON per Second, §3.1.1). `*carry`: the first byte of the next block is escaped. */
static inline uint64_t find_escaped(uint64_t backslash, uint64_t *carry)
{
    const uint64_t even = 0x5555555555555555u;
    backslash &= ~*carry;
    uint64_t behind = backslash << 1 | *carry;
    uint64_t odd_starts = backslash & ~even & ~behind, ends;
    *carry = __builtin_add_overflow(odd_starts, backslash, &ends);
    return (even ^ ends << 1) & behind;
}

/* Nonzero where 32 bytes hold what the stride below cannot pass: a quote that is not escaped, a
 * control byte, or behind a backslash anything but one of " / n f t, the escapes that text is full
 * of. It sees what is escaped by comparing with the bytes one before, which is right as long as no
 * backslash is itself escaped; so an escaped backslash stops it, and it needs p[-1]. */
__attribute__((target("avx2"))) static inline __m256i obstacles(const uint8_t *p)
{
    const __m256i letters = _mm256_broadcastsi128_si256(
        _mm_setr_epi8(-1, 0, '"', 0, 't', 0, 'f', 0, 0, 0, 0, 0, 0, 0, 'n', '/'));
    __m256i v = _mm256_loadu_si256((const __m256i *)(const void *)p);
    __m256i before = _mm256_loadu_si256((const __m256i *)(const void *)(p - 1));
    __m256i escaped = _mm256_cmpeq_epi8(before, _mm256_set1_epi8('\\'));
    __m256i letter = _mm256_cmpeq_epi8(v, _mm256_shuffle_epi8(letters, v));
    __m256i flipped = _mm256_xor_si256(v, _mm256_set1_epi8(2)); /* as in specials() */
    __m256i ends = _mm256_subs_epu8(_mm256_set1_epi8(0x21), flipped);
    return _mm256_or_si256(_mm256_andnot_si256(letter, escaped),
                           _mm256_andnot_si256(escaped, ends));
}

/* As many whole blocks as hold no obstacle. */
__attribute__((target("avx2"))) static const uint8_t *stride_avx2(const uint8_t *p,
                                                                  const uint8_t *end)
{
    for (; (size_t)(end - p) >= 64; p += 64) {
        __m256i any = _mm256_or_si256(obstacles(p), obstacles(p + 32));
        if (!_mm256_testz_si256(any, any))
            break;
    }
    return p;
}

static const uint8_t *stride_nowhere(const uint8_t *p, const uint8_t *end)
{
    (void)end;
    return p;
}

/* Inlined into both of its uses, so that each has its own way of looking. A stride begins behind a
 * block that was looked at, where p[-1] exists and is no backslash, and only if that block would not
 * have stopped it: where one backslash is escaped, more are. */
static inline __attribute__((always_inline)) const uint8_t *skip_blocks(
    const uint8_t *p, const uint8_t *end,
    const uint8_t *(*stride)(const uint8_t *, const uint8_t *),
    struct block (*look)(const uint8_t *))
{
    uint64_t carry = 0;
    while ((size_t)(end - p) >= 64) {
        struct block b = look(p);
        uint64_t escaped = find_escaped(b.backslash, &carry);
        uint64_t stop = (b.ends & ~escaped) | (escaped & ~b.letter);
        if (stop != 0) {
            unsigned at = (unsigned)__builtin_ctzll(stop);
            return p + at - (escaped >> at & 1);
        }
        p += 64;
        if ((b.backslash & escaped) == 0 && carry == 0) {
            p = stride(p, end);
            carry = p[-1] == '\\';
        }
    }
    return p - carry;
}

__attribute__((target("avx2"))) static const uint8_t *skip_avx2(const uint8_t *p,
                                                                const uint8_t *end)
{
    return skip_blocks(p, end, stride_avx2, look_avx2);
}

/* To the closing quote, or whatever else needs a look: a control byte, the backslash of \u or of an
 * escape that is none, or the last few bytes. */
static const uint8_t *skip_long(const uint8_t *p, const uint8_t *end)
{
    return vec_has_avx2() ? skip_avx2(p, end) : skip_blocks(p, end, stride_nowhere, look_sse2);
}

#else

static const uint8_t *skip_long(const uint8_t *p, const uint8_t *end)
{
    (void)end; /* byte by byte and 16 at a time has to do */
    return p;
}

#endif

/* Runs of \uXXXX: some encoders write every letter beyond ASCII so. */
static const uint8_t *skip_coded(const uint8_t *p, const uint8_t *end)
{
    while (end - p >= 6 && p[0] == '\\' && p[1] == 'u' && is_hex(p[2]) && is_hex(p[3]) &&
           is_hex(p[4]) && is_hex(p[5]))
        p += 6;
    return p;
}

const uint8_t *json_skip_inside(const uint8_t *p, const uint8_t *end)
{
    const uint8_t *coded;
    while (p = skip_long(p, end), (coded = skip_coded(p, end)) != p)
        p = coded;
    p = skip_plain(p, end);
    while (end - p >= 2 && *p == '\\' && is_escape(p[1]))
        p = skip_plain(p + 2, end);
    return p;
}
