#include "sluice/base/span.h"

static uint8_t lower(uint8_t c)
{
    return c >= 'A' && c <= 'Z' ? (uint8_t)(c | 0x20) : c;
}

bool span_ieq(struct span a, struct span b)
{
    if (a.len != b.len)
        return false;
    for (size_t i = 0; i < a.len; i++)
        if (lower(a.at[i]) != lower(b.at[i]))
            return false;
    return true;
}

static bool is_blank(uint8_t c)
{
    return c == ' ' || c == '\t';
}

struct span span_trim(struct span s)
{
    while (s.len > 0 && is_blank(s.at[0])) {
        s.at++;
        s.len--;
    }
    while (s.len > 0 && is_blank(s.at[s.len - 1]))
        s.len--;
    return s;
}

struct span span_cut(struct span *rest, uint8_t sep)
{
    struct span whole = *rest;
    const uint8_t *hit = whole.len == 0 ? NULL : memchr(whole.at, sep, whole.len);
    if (hit == NULL) {
        *rest = SPAN_NONE;
        return whole;
    }
    size_t before = (size_t)(hit - whole.at);
    *rest = span_skip(whole, before + 1);
    return span_of(whole.at, before);
}

bool span_to_u64(struct span s, uint64_t *out)
{
    uint64_t value = 0;
    if (s.len == 0)
        return false;
    for (size_t i = 0; i < s.len; i++) {
        unsigned digit = s.at[i] - (unsigned)'0';
        if (digit > 9 || __builtin_mul_overflow(value, 10u, &value) ||
            __builtin_add_overflow(value, digit, &value))
            return false;
    }
    *out = value;
    return true;
}

bool span_eq_constant_time(struct span a, struct span b)
{
    if (a.len != b.len)
        return false;
    /* volatile: the compiler may not turn this into a loop that stops early */
    volatile uint8_t differ = 0;
    for (size_t i = 0; i < a.len; i++)
        differ = (uint8_t)(differ | (a.at[i] ^ b.at[i]));
    return differ == 0;
}
