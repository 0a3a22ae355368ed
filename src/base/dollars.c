#include "sluice/base/dollars.h"

#include <stdio.h>

enum { DECIMALS = 12 };

static bool read_decimals(struct span text, uint64_t *out_pd)
{
    uint64_t pd;
    if (text.len > DECIMALS || !span_to_u64(text, &pd))
        return false;
    for (size_t i = text.len; i < DECIMALS; i++)
        pd *= 10;
    *out_pd = pd;
    return true;
}

const char *dollars_read(struct span text, uint64_t *out_pd)
{
    uint64_t whole, fraction = 0;
    size_t dot = span_find(text, SPAN_LIT("."));
    bool has_point = dot != SIZE_MAX;
    if (!span_to_u64(has_point ? span_sub(text, 0, dot) : text, &whole) ||
        (has_point && !read_decimals(span_skip(text, dot + 1), &fraction)))
        return "write US dollars as a decimal, with twelve digits behind the point at most: \"25.50\"";
    if (whole > DOLLARS_MAX_PD / PD_PER_USD || whole * PD_PER_USD + fraction > DOLLARS_MAX_PD)
        return "more than a million dollars are not taken at once";
    *out_pd = whole * PD_PER_USD + fraction;
    return NULL;
}

size_t dollars_write(uint64_t pd, char out[DOLLARS_TEXT_BYTES])
{
    int n = snprintf(out, DOLLARS_TEXT_BYTES, "%llu.%012llu", (unsigned long long)(pd / PD_PER_USD),
                     (unsigned long long)(pd % PD_PER_USD));
    size_t len = (size_t)n;
    while (out[len - 1] == '0')
        len--;
    if (out[len - 1] == '.')
        len--;
    out[len] = '\0';
    return len;
}
