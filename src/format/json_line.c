#include "sluice/format/json_line.h"

#include "sluice/base/utf8.h"

#include <stdio.h>

static const char pairs[] = "00010203040506070809101112131415161718192021222324252627282930313233"
                            "34353637383940414243444546474849505152535455565758596061626364656667"
                            "6869707172737475767778798081828384858687888990919293949596979899";

void json_line_u64(struct json_line *l, uint64_t n)
{
    uint8_t digits[JSON_LINE_U64];
    size_t i = sizeof digits;
    if (n < 10) {
        *l->at++ = (uint8_t)('0' + n);
        return;
    }
    for (; n >= 100; n /= 100)
        memcpy(&digits[i -= 2], &pairs[n % 100 * 2], 2);
    if (n >= 10)
        memcpy(&digits[i -= 2], &pairs[n * 2], 2);
    else
        digits[--i] = (uint8_t)('0' + n);
    json_line_put(l, span_of(digits + i, sizeof digits - i));
}

/* The quotient of two integers that doubles hold exactly is the double nearest to the decimal that is
 * written here, and so is what strtod makes of it. */
static bool put_millionths(struct json_line *l, double v)
{
    const unsigned unit = 1000000;
    if (!(v >= 0 && v < 9e9))
        return false;
    uint64_t n = (uint64_t)(v * unit + 0.5);
    if ((double)n / unit != v)
        return false;
    json_line_u64(l, n / unit);
    unsigned rest = (unsigned)(n % unit);
    if (rest == 0)
        return true;
    *l->at = '.';
    memcpy(l->at + 1, &pairs[rest / 10000 * 2], 2);
    memcpy(l->at + 3, &pairs[rest / 100 % 100 * 2], 2);
    memcpy(l->at + 5, &pairs[rest % 100 * 2], 2);
    for (l->at += 7; l->at[-1] == '0'; l->at--)
        ;
    return true;
}

void json_line_double(struct json_line *l, double v)
{
    if (!put_millionths(l, v))
        l->at += snprintf((char *)l->at, JSON_LINE_DOUBLE, "%.17g", v);
}

/* Eight bytes at a time (a byte x is below n where (x - n) & ~x has its top bit, if x has not). */
bool json_is_plain(struct span text)
{
    const uint64_t ones = 0x0101010101010101u, tops = 0x8080808080808080u;
    uint64_t odd = 0;
    size_t i = 0;
    for (; i + 8 <= text.len; i += 8) {
        uint64_t v;
        memcpy(&v, text.at + i, 8);
        uint64_t quote = v ^ ones * '"', backslash = v ^ ones * '\\', del = v ^ ones * 0x7f;
        odd |= v | (v - ones * ' ') | (quote - ones) | (backslash - ones) | (del - ones);
    }
    for (; i < text.len; i++) {
        uint8_t c = text.at[i];
        if (c < ' ' || c == '"' || c == '\\' || c >= 0x7f)
            return false;
    }
    return (odd & tops) == 0;
}

static void put_escaped(struct json_line *l, uint8_t c)
{
    static const char hex[] = "0123456789abcdef";
    if (c == '"' || c == '\\') {
        *l->at++ = '\\';
        *l->at++ = c;
        return;
    }
    JSON_LINE_PUT(l, "\\u00");
    *l->at++ = (uint8_t)hex[c >> 4];
    *l->at++ = (uint8_t)hex[c & 15];
}

static void put_odd(struct json_line *l, struct span text)
{
    while (text.len > 0) {
        uint8_t c = text.at[0];
        int n = c < 0x80 ? 1 : utf8_sequence(text);
        if (n < 0)
            JSON_LINE_PUT(l, "\xef\xbf\xbd");
        else if (n == 1 && (c < ' ' || c == '"' || c == '\\'))
            put_escaped(l, c);
        else
            json_line_put(l, span_sub(text, 0, (size_t)n));
        text = span_skip(text, (size_t)(n < 0 ? -n : n));
    }
}

void json_line_text(struct json_line *l, struct span text)
{
    *l->at++ = '"';
    if (json_is_plain(text))
        json_line_put(l, text);
    else
        put_odd(l, text);
    *l->at++ = '"';
}
