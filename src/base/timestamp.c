#include "sluice/base/timestamp.h"

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
    uint8_t exact = (uint8_t)wanted;
    uint8_t small = wanted >= 'A' && wanted <= 'Z' ? exact | 0x20 : exact; /* RFC 3339 §5.6 */
    if (rest->len == 0 || (rest->at[0] != exact && rest->at[0] != small))
        return false;
    *rest = span_skip(*rest, 1);
    return true;
}

/* ".5", ".123456": at least one digit; what is finer than a millisecond is dropped. */
static bool take_fraction(struct span *rest, unsigned *out_ms)
{
    unsigned weight = 100;
    *out_ms = 0;
    if (!take_byte(rest, '.'))
        return true;
    if (rest->len == 0 || rest->at[0] < '0' || rest->at[0] > '9')
        return false;
    for (; rest->len > 0 && rest->at[0] >= '0' && rest->at[0] <= '9'; weight /= 10) {
        *out_ms += weight * (unsigned)(rest->at[0] - '0');
        *rest = span_skip(*rest, 1);
    }
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

static bool take_time(struct span *rest, struct tm *tm, unsigned *ms, int *offset)
{
    return take_byte(rest, 'T') && take_digits(rest, 2, &tm->tm_hour) && take_byte(rest, ':') &&
           take_digits(rest, 2, &tm->tm_min) && take_byte(rest, ':') &&
           take_digits(rest, 2, &tm->tm_sec) && take_fraction(rest, ms) &&
           take_offset(rest, offset);
}

const char *timestamp_read(struct span text, uint64_t *out_unix_ms)
{
    static const char expected[] = "write a date or a time: 2030-12-31 or 2030-12-31T23:59:59Z";
    struct span rest = text;
    struct tm tm = {0};
    unsigned ms = 0;
    int offset = 0;
    if (!take_date(&rest, &tm) || (rest.len > 0 && !take_time(&rest, &tm, &ms, &offset)) ||
        rest.len > 0)
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

static char *put(char *at, unsigned n, unsigned width, char behind)
{
    for (unsigned i = width; i > 0; i--, n /= 10)
        at[i - 1] = (char)('0' + n % 10);
    at[width] = behind;
    return at + width + 1;
}

void timestamp_write(uint64_t unix_ms, char out[TIMESTAMP_BYTES])
{
    static const uint64_t last_ms = 253402300799999u; /* of the year 9999 */
    struct tm tm;
    if (unix_ms > last_ms)
        unix_ms = last_ms;
    time_t second = (time_t)(unix_ms / 1000);
    gmtime_r(&second, &tm);
    char *at = put(out, (unsigned)tm.tm_year + 1900, 4, '-');
    at = put(at, (unsigned)tm.tm_mon + 1, 2, '-');
    at = put(at, (unsigned)tm.tm_mday, 2, 'T');
    at = put(at, (unsigned)tm.tm_hour, 2, ':');
    at = put(at, (unsigned)tm.tm_min, 2, ':');
    at = put(at, (unsigned)tm.tm_sec, 2, '.');
    (void)put(at, (unsigned)(unix_ms % 1000), 3, 'Z');
}
