/* span_find.c: where a short text is in a long one (span.h).
 *
 * At 16 to 64 places at once: could the text begin here, and end there? Where its first byte and its last
 * one fit, the rest is compared. A third of an instruction a byte, where memmem takes five. */
#include "sluice/base/span.h"
#include "sluice/base/vec.h"

/* What is left at the end is memmem's; and a longer text, which could be compared at every place in vain. */
enum { NEEDLE_MAX = 32 };

static inline bool is_at(const uint8_t *p, struct span needle)
{
    return memcmp(p + 1, needle.at + 1, needle.len - 2) == 0;
}

/* Each of these goes on from `*p` as far as it can look, and returns where it is, or NULL. */

static const uint8_t *find_16(const uint8_t **p, const uint8_t *end, struct span needle)
{
    const vec zero = {0}, first = zero + needle.at[0], last = zero + needle.at[needle.len - 1];
    const size_t behind = needle.len - 1;
    for (; (size_t)(end - *p) >= behind + VEC_BYTES; *p += VEC_BYTES) {
        vec fits = (vec)(vec_load(*p) == first) & (vec)(vec_load(*p + behind) == last);
        for (unsigned i = vec_first(fits); i < VEC_BYTES; i++) {
            if (fits[i] && is_at(*p + i, needle))
                return *p + i;
        }
    }
    return NULL;
}

#ifdef __x86_64__

struct ends {
    __m256i first, last;
    size_t behind;
};

__attribute__((target("avx2"))) static inline __m256i load_32(const uint8_t *p)
{
    return _mm256_loadu_si256((const __m256i *)(const void *)p);
}

__attribute__((target("avx2"))) static inline __m256i fitting(const uint8_t *p,
                                                              const struct ends *e)
{
    return _mm256_and_si256(_mm256_cmpeq_epi8(load_32(p), e->first),
                            _mm256_cmpeq_epi8(load_32(p + e->behind), e->last));
}

__attribute__((target("avx2"))) static const uint8_t *find_64(const uint8_t **p, const uint8_t *end,
                                                              struct span needle)
{
    const struct ends e = {_mm256_set1_epi8((char)needle.at[0]),
                           _mm256_set1_epi8((char)needle.at[needle.len - 1]), needle.len - 1};
    for (; (size_t)(end - *p) >= e.behind + 64; *p += 64) {
        __m256i low = fitting(*p, &e), high = fitting(*p + 32, &e),
                any = _mm256_or_si256(low, high);
        if (_mm256_testz_si256(any, any))
            continue;
        uint64_t places = (uint32_t)_mm256_movemask_epi8(low) |
                          (uint64_t)(uint32_t)_mm256_movemask_epi8(high) << 32;
        for (; places != 0; places &= places - 1) {
            const uint8_t *place = *p + __builtin_ctzll(places);
            if (is_at(place, needle))
                return place;
        }
    }
    return NULL;
}

static const uint8_t *find_wide(const uint8_t **p, const uint8_t *end, struct span needle)
{
    const uint8_t *hit = vec_has_avx2() ? find_64(p, end, needle) : NULL;
    return hit != NULL ? hit : find_16(p, end, needle);
}

#else

static const uint8_t *find_wide(const uint8_t **p, const uint8_t *end, struct span needle)
{
    return find_16(p, end, needle);
}

#endif

size_t span_find(struct span s, struct span needle)
{
    const uint8_t *p = s.at, *hit = NULL;
    if (needle.len == 0)
        return 0;
    if (s.len < needle.len)
        return SIZE_MAX;
    if (needle.len >= 2 && needle.len <= NEEDLE_MAX)
        hit = find_wide(&p, s.at + s.len, needle);
    if (hit == NULL)
        hit = memmem(p, s.len - (size_t)(p - s.at), needle.at, needle.len);
    return hit == NULL ? SIZE_MAX : (size_t)(hit - s.at);
}
