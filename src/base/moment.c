#include "sluice/base/moment.h"

#include <time.h>

/* Exactly `n` digits at `*rest`, which moves behind them. */
static bool take_digits(struct span *rest, size_t n, int *out)
{
    uint64_t value;
    if (rest->len < n || !span_to_u64(span_sub(*rest, 0, n), &value))
        return false;
    *rest = span_skip(*rest, n);
    *out = (int)value;
    return true;
}

static bool take_byte(struct span *rest, char wanted)
{
    if (rest->len == 0 || (rest->at[0] | 0x20) != (wanted | 0x20))
        return false;
    *rest = span_skip(*rest, 1);
    return true;
}

/* ".25" → 250; finer than a millisecond is cut. */
static bool take_fraction(struct span *rest, unsigned *out_ms)
{
    unsigned unit = 100;
    *out_ms = 0;
    if (!take_byte(rest, '.'))
        return true;
    if (rest->len == 0 || rest->at[0] < '0' || rest->at[0] > '9')
        return false;
    for (int digit; take_digits(rest, 1, &digit); unit /= 10)
        *out_ms += unit * (unsigned)digit;
    return true;
}

/* "Z", "+02:00" or "-05:30" → seconds east of UTC. */
static bool take_offset(struct span *rest, int *out)
{
    int hours, minutes;
    *out = 0;
    if (take_byte(rest, 'Z'))
        return true;
    int sign = rest->len > 0 && rest->at[0] == '-' ? -1 : 1;
    if (!take_byte(rest, '-') && !take_byte(rest, '+'))
        return false;
    if (!take_digits(rest, 2, &hours) || !take_byte(rest, ':') || !take_digits(rest, 2, &minutes))
        return false;
    *out = sign * (hours * 3600 + minutes * 60);
    return hours < 24 && minutes < 60;
}

static bool take_date(struct span *rest, struct tm *tm)
{
    return take_digits(rest, 4, &tm->tm_year) && take_byte(rest, '-') &&
           take_digits(rest, 2, &tm->tm_mon) && take_byte(rest, '-') &&
           take_digits(rest, 2, &tm->tm_mday);
}

static bool take_clock(struct span *rest, struct tm *tm)
{
    return take_byte(rest, 'T') && take_digits(rest, 2, &tm->tm_hour) && take_byte(rest, ':') &&
           take_digits(rest, 2, &tm->tm_min) && take_byte(rest, ':') &&
           take_digits(rest, 2, &tm->tm_sec);
}

const char *moment_parse(struct span text, uint64_t *out_unix_ms)
{
    static const char expected[] = "write a date or a time: 2030-12-31 or 2030-12-31T23:59:59Z";
    struct span rest = text;
    struct tm tm = {0};
    unsigned ms = 0;
    int offset = 0;
    if (!take_date(&rest, &tm))
        return expected;
    if (rest.len > 0 && (!take_clock(&rest, &tm) || !take_fraction(&rest, &ms) ||
                         !take_offset(&rest, &offset) || rest.len > 0))
        return expected;
    struct tm asked = tm;
    tm.tm_year -= 1900;
    tm.tm_mon -= 1;
    time_t at = timegm(&tm); /* normalises: February 30 becomes a day in March */
    if (tm.tm_mday != asked.tm_mday || tm.tm_mon != asked.tm_mon - 1 || tm.tm_hour != asked.tm_hour)
        return "there is no such date";
    if (at < offset)
        return "that was before 1970";
    *out_unix_ms = (uint64_t)(at - offset) * 1000 + ms;
    return NULL;
}

struct span moment_write(uint64_t unix_ms, char out[MOMENT_SIZE])
{
    time_t seconds = (time_t)(unix_ms / 1000);
    struct tm tm;
    if (gmtime_r(&seconds, &tm) == NULL) /* beyond what a year can count */
        return span_of(out, 0);
    return span_of(out, strftime(out, MOMENT_SIZE, "%Y-%m-%dT%H:%M:%SZ", &tm));
}
