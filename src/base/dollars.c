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

const char *dollars_read_signed(struct span text, int64_t *out_pd)
{
    bool is_negative = span_starts(text, SPAN_LIT("-"));
    uint64_t pd;
    const char *problem = dollars_read(is_negative ? span_skip(text, 1) : text, &pd);
    if (problem == NULL)
        *out_pd = is_negative ? -(int64_t)pd : (int64_t)pd;
    return problem;
}

static size_t write_with(const char *sign, uint64_t pd, char out[DOLLARS_TEXT_BYTES])
{
    int n = snprintf(out, DOLLARS_TEXT_BYTES, "%s%llu.%012llu", sign,
                     (unsigned long long)(pd / PD_PER_USD), (unsigned long long)(pd % PD_PER_USD));
    size_t len = (size_t)n;
    while (out[len - 1] == '0')
        len--;
    if (out[len - 1] == '.')
        len--;
    out[len] = '\0';
    return len;
}

size_t dollars_write(uint64_t pd, char out[DOLLARS_TEXT_BYTES])
{
    return write_with("", pd, out);
}

size_t dollars_write_signed(int64_t pd, char out[DOLLARS_TEXT_BYTES])
{
    return pd < 0 ? write_with("-", -(uint64_t)pd, out) : write_with("", (uint64_t)pd, out);
}

/* Whole and rest apart: a million dollars times a million millionths pass 64 bits. */
uint64_t dollars_share(uint64_t pd, unsigned ppm)
{
    return pd / 1000000 * ppm + pd % 1000000 * ppm / 1000000;
}
