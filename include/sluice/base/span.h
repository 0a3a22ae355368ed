/* span.h: bytes somebody else owns.
 *
 * A span is a borrowed, read-only view: valid as long as its source says. A span into a read
 * buffer does not survive the callback that brought it; keep it with arena_keep or buf_add.
 * The empty span may have a NULL pointer. */
#ifndef SLUICE_BASE_SPAN_H
#define SLUICE_BASE_SPAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct span {
    const uint8_t *at;
    size_t len;
};

#define SPAN_LIT(text) ((struct span){(const uint8_t *)("" text), sizeof(text) - 1})
#define SPAN_NONE ((struct span){NULL, 0})
/* For printf's "%.*s". */
#define SPAN_FMT(s) (int)(s).len, (const char *)(s).at

static inline struct span span_of(const void *at, size_t len)
{
    return (struct span){at, len};
}

static inline struct span span_text(const char *text)
{
    return (struct span){(const uint8_t *)text, text == NULL ? 0 : strlen(text)};
}

static inline bool span_eq(struct span a, struct span b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.at, b.at, a.len) == 0);
}

static inline bool span_starts(struct span s, struct span prefix)
{
    return s.len >= prefix.len && (prefix.len == 0 || memcmp(s.at, prefix.at, prefix.len) == 0);
}

/* The part from `from` (clamped), at most `len` bytes: never outside `s`. */
static inline struct span span_sub(struct span s, size_t from, size_t len)
{
    if (s.at == NULL)
        return SPAN_NONE;
    if (from > s.len)
        from = s.len;
    if (len > s.len - from)
        len = s.len - from;
    return (struct span){s.at + from, len};
}

static inline struct span span_skip(struct span s, size_t n)
{
    return span_sub(s, n, s.len);
}

/* ASCII case-insensitive equality: header names, schemes, enum words. */
bool span_ieq(struct span a, struct span b);

/* Without leading and trailing SP and HTAB (HTTP's OWS, RFC 9110 §5.6.3). */
struct span span_trim(struct span s);

/* Offset of the first `needle`, or SIZE_MAX. An empty needle is found at 0. */
size_t span_find(struct span s, struct span needle);

/* Cuts `*rest` at the first `sep`: returns what was before it and moves `*rest` behind it. Without
 * a separator everything is returned and `*rest` becomes empty with a NULL pointer. */
struct span span_cut(struct span *rest, uint8_t sep);

/* Digits only, no sign, no blanks, at least one digit, no overflow; otherwise false and *out stays. */
bool span_to_u64(struct span s, uint64_t *out);

/* Equal in time that depends on the lengths alone: for digests and tokens. */
bool span_eq_constant_time(struct span a, struct span b);

#endif
