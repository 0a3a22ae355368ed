#include "sluice/base/wait.h"

static bool is_digits(struct span text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (text.at[i] < '0' || text.at[i] > '9')
            return false;
    }
    return text.len > 0;
}

/* Nanounits of a fraction's digits; those behind the ninth count as a bit more. */
static uint64_t read_fraction(struct span digits)
{
    uint64_t n = 0;
    bool is_more = false;
    for (size_t i = 0; i < 9; i++)
        n = n * 10 + (i < digits.len ? digits.at[i] - (unsigned)'0' : 0u);
    for (size_t i = 9; i < digits.len; i++)
        is_more |= digits.at[i] != '0';
    return n + is_more;
}

unsigned wait_read(struct span decimal, unsigned unit_ms)
{
    struct span fraction = decimal, whole = span_cut(&fraction, '.');
    bool has_point = whole.len < decimal.len;
    uint64_t units;
    if (!is_digits(whole) || (has_point && !is_digits(fraction)))
        return 0;
    if (!span_to_u64(whole, &units) || units > WAIT_MAX_MS)
        return WAIT_MAX_MS;
    uint64_t part = (read_fraction(fraction) * unit_ms + 999999999) / 1000000000;
    uint64_t ms = units * unit_ms + part;
    return ms < WAIT_MAX_MS ? (unsigned)ms : WAIT_MAX_MS;
}
