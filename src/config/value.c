#include "value.h"

#include "sluice/base/timestamp.h"

struct unit {
    const char *name;
    uint64_t factor;
};

const char *value_bool(struct span text, bool *out)
{
    bool yes = span_eq(text, SPAN_LIT("true"));
    if (!yes && !span_eq(text, SPAN_LIT("false")))
        return "write true or false";
    *out = yes;
    return NULL;
}

const char *value_number(struct span text, uint64_t *out)
{
    return span_to_u64(text, out) ? NULL : "write a whole number";
}

/* Digits and one of the units; `0` alone needs none. */
static bool with_unit(struct span text, const struct unit *units, size_t nunits, uint64_t *out)
{
    size_t digits = 0;
    while (digits < text.len && text.at[digits] >= '0' && text.at[digits] <= '9')
        digits++;
    uint64_t n;
    if (!span_to_u64(span_sub(text, 0, digits), &n))
        return false;
    struct span unit = span_skip(text, digits);
    if (unit.len == 0 && n == 0) {
        *out = 0;
        return true;
    }
    for (size_t i = 0; i < nunits; i++) {
        if (!span_eq(unit, span_text(units[i].name)))
            continue;
        if (n > UINT64_MAX / units[i].factor)
            return false;
        *out = n * units[i].factor;
        return true;
    }
    return false;
}

const char *value_duration(struct span text, uint64_t *out_ms)
{
    static const struct unit units[] = {
        {"ms", 1}, {"s", 1000}, {"m", 60000}, {"h", 3600000}, {"d", 86400000}};
    return with_unit(text, units, sizeof(units) / sizeof(units[0]), out_ms)
               ? NULL
               : "write a duration with its unit: 250ms, 30s, 5m, 1h or 1d";
}

const char *value_size(struct span text, uint64_t *out_bytes)
{
    static const struct unit units[] = {
        {"B", 1},     {"KiB", 1024}, {"MiB", 1 << 20}, {"GiB", 1 << 30},
        {"kB", 1000}, {"KB", 1000},  {"MB", 1000000},  {"GB", 1000000000},
    };
    return with_unit(text, units, sizeof(units) / sizeof(units[0]), out_bytes)
               ? NULL
               : "write a size with its unit: 512B, 64KiB, 8MiB or 1GiB";
}

/* Digits, and perhaps a point and `places` more at most, as that many decimals. False: it is no such
 * number. `one`: ten to the power of `places`. */
static bool read_decimal(struct span text, size_t places, uint64_t one, uint64_t *out)
{
    uint64_t whole, part = 0;
    size_t dot = span_find(text, SPAN_LIT("."));
    if (!span_to_u64(span_sub(text, 0, dot == SIZE_MAX ? text.len : dot), &whole) ||
        whole > UINT64_MAX / 2 / one)
        return false;
    if (dot != SIZE_MAX) {
        struct span decimals = span_skip(text, dot + 1);
        if (decimals.len > places || !span_to_u64(decimals, &part))
            return false;
        for (size_t i = decimals.len; i < places; i++)
            part *= 10;
    }
    *out = whole * one + part;
    return true;
}

static bool read_millionths(struct span text, uint64_t *out)
{
    return read_decimal(text, 6, 1000000, out);
}

const char *value_money(struct span text, uint64_t *out_pd)
{
    uint64_t pd;
    size_t dot = span_find(text, SPAN_LIT("."));
    if (dot != SIZE_MAX && text.len - dot > 7)
        return "prices have at most six decimals";
    if (!read_millionths(text, &pd))
        return "write USD per million tokens as a decimal: \"0.25\"";
    if (pd > (uint64_t)1000000 * 1000000)
        return "more than a million USD per million tokens is not a price";
    *out_pd = pd;
    return NULL;
}

const char *value_share(struct span text, uint64_t *out_ppm)
{
    uint64_t ppm;
    if (!read_millionths(text, &ppm) || ppm > 1000000)
        return "write a share as a decimal from 0 to 1: 0.05";
    *out_ppm = ppm;
    return NULL;
}

const char *value_percent(struct span text, uint64_t *out_ppm)
{
    uint64_t millionths;
    if (!read_millionths(text, &millionths) || millionths > 100 * 1000000 || millionths % 100 != 0)
        return "write percents as a decimal from 0 to 100: 2.5";
    *out_ppm = millionths / 100;
    return NULL;
}

const char *value_mode(struct span text, unsigned *out)
{
    unsigned mode = 0;
    for (size_t i = 0; i < text.len; i++) {
        if (text.at[i] < '0' || text.at[i] > '7' || text.len > 4)
            return "write permissions in octal: 0660";
        mode = mode * 8 + (unsigned)(text.at[i] - '0');
    }
    if (text.len < 3 || mode > 0777)
        return "write permissions in octal: 0660";
    *out = mode;
    return NULL;
}

enum { WORD_MAX = 64 };

static unsigned least(unsigned a, unsigned b, unsigned c)
{
    unsigned ab = a < b ? a : b;
    return ab < c ? ab : c;
}

/* Optimal string alignment: three rows of the table are enough. */
unsigned value_distance(struct span a, struct span b, unsigned limit)
{
    if (a.len > WORD_MAX || b.len > WORD_MAX)
        return limit + 1;
    unsigned rows[3][WORD_MAX + 1];
    for (unsigned j = 0; j <= b.len; j++)
        rows[0][j] = j;
    for (unsigned i = 1; i <= a.len; i++) {
        unsigned *row = rows[i % 3], *above = rows[(i - 1) % 3], *above2 = rows[(i + 1) % 3];
        row[0] = i;
        for (unsigned j = 1; j <= b.len; j++) {
            bool same = a.at[i - 1] == b.at[j - 1];
            row[j] = least(above[j] + 1, row[j - 1] + 1, above[j - 1] + !same);
            if (i > 1 && j > 1 && a.at[i - 1] == b.at[j - 2] && a.at[i - 2] == b.at[j - 1] &&
                above2[j - 2] + 1 < row[j])
                row[j] = above2[j - 2] + 1;
        }
    }
    unsigned distance = rows[a.len % 3][b.len];
    return distance > limit ? limit + 1 : distance;
}

void suggestion_offer(struct suggestion *s, const char *word)
{
    /* A third of the word may be wrong: "hots" is "host", "a" is not "b". */
    unsigned limit = (unsigned)(s->text.len + 2) / 3;
    if (limit > 4)
        limit = 4;
    unsigned distance = value_distance(s->text, span_text(word), limit);
    if (distance <= limit && (s->best == NULL || distance < s->distance)) {
        s->best = word;
        s->distance = distance;
    }
}
