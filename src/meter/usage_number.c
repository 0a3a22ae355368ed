#include "usage_number.h"

#include "usage_fit.h"

static bool is_digit(const struct span *s)
{
    return s->len > 0 && s->at[0] >= '0' && s->at[0] <= '9';
}

/* Digits, a point among them perhaps: those that fit, and how many stand behind the point. */
static bool read_digits(struct span *rest, uint64_t *digits, int *exponent)
{
    const uint64_t most = UINT64_MAX / 1000;
    bool is_any = false, is_fraction = false;
    *digits = 0;
    *exponent = 0;
    while (is_digit(rest) || (rest->len > 0 && rest->at[0] == '.' && !is_fraction)) {
        if (rest->at[0] == '.') {
            is_fraction = true;
        } else if (*digits < most) {
            *digits = *digits * 10 + (uint64_t)(rest->at[0] - '0');
            *exponent -= is_fraction;
            is_any = true;
        } else if (*exponent < 1000) {
            *exponent += !is_fraction;
        }
        *rest = span_skip(*rest, 1);
    }
    return is_any;
}

static bool read_exponent(struct span *rest, int *exponent)
{
    int n = 0;
    if (rest->len == 0 || (rest->at[0] | 0x20) != 'e')
        return true;
    *rest = span_skip(*rest, 1);
    bool is_negative = rest->len > 0 && rest->at[0] == '-';
    if (rest->len > 0 && (rest->at[0] == '-' || rest->at[0] == '+'))
        *rest = span_skip(*rest, 1);
    if (!is_digit(rest))
        return false;
    for (; is_digit(rest); *rest = span_skip(*rest, 1))
        n = n < 1000 ? n * 10 + (rest->at[0] - '0') : n;
    *exponent += is_negative ? -n : n;
    return true;
}

bool usage_number_scaled(struct span value, unsigned places, uint64_t *out)
{
    const uint64_t most = UINT64_MAX / 1024;
    uint64_t n;
    int exponent;
    struct span rest = value;
    if (!read_digits(&rest, &n, &exponent) || !read_exponent(&rest, &exponent) ||
        !usage_number_ends(rest))
        return false;
    exponent += (int)places;
    for (; exponent < 0 && n > 0; exponent++)
        n /= 10;
    for (; exponent > 0 && n > 0; exponent--) {
        if (n > most / 10)
            return false;
        n *= 10;
    }
    if (n > most)
        return false;
    *out = n;
    return true;
}
