#include "sluice/http/date.h"

#include <stdio.h>
#include <time.h>

/* Names are the RFC's, not the locale's: neither strftime nor strptime will do. */
static const char days[7][4] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
static const char months[12][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                   "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

void http_date(uint64_t unix_seconds, char out[30])
{
    time_t t = (time_t)unix_seconds;
    struct tm tm;
    gmtime_r(&t, &tm);
    snprintf(out, 30, "%s, %02d %s %04d %02d:%02d:%02d GMT", days[tm.tm_wday % 7], tm.tm_mday % 100,
             months[tm.tm_mon % 12], (tm.tm_year + 1900) % 10000, tm.tm_hour % 100, tm.tm_min % 100,
             tm.tm_sec % 100);
}

/* The forms differ in order and punctuation only:
 *   Sun, 06 Nov 1994 08:49:37 GMT     Sunday, 06-Nov-94 08:49:37 GMT     Sun Nov  6 08:49:37 1994 */
enum { WORDS = 8 };

static unsigned split(struct span text, struct span words[WORDS])
{
    unsigned n = 0;
    size_t from = 0;
    for (size_t i = 0; i <= text.len; i++) {
        if (i < text.len && memchr(" ,-:", text.at[i], 4) == NULL)
            continue;
        if (i > from && n == WORDS)
            return 0;
        if (i > from)
            words[n++] = span_sub(text, from, i - from);
        from = i + 1;
    }
    return n;
}

static bool read_number(struct span word, unsigned max, int *out)
{
    uint64_t n;
    if (!span_to_u64(word, &n) || n > max)
        return false;
    *out = (int)n;
    return true;
}

static bool read_month(struct span word, int *out)
{
    for (int i = 0; i < 12; i++) {
        if (span_eq(word, span_text(months[i]))) {
            *out = i;
            return true;
        }
    }
    return false;
}

/* Two digits are the obsolete form's, which nobody has sent for decades: no need to move the border. */
static int full_year(struct span word, int year)
{
    if (word.len > 2)
        return year;
    return year < 70 ? year + 2000 : year + 1900;
}

bool http_date_read(struct span text, uint64_t *unix_seconds)
{
    struct span w[WORDS];
    struct tm tm = {.tm_isdst = 0};
    int year;
    unsigned n = split(text, w);
    bool is_asctime = n == 7;
    if (!is_asctime && (n != 8 || !span_eq(w[7], SPAN_LIT("GMT"))))
        return false;
    const struct span day = w[is_asctime ? 2 : 1], month = w[is_asctime ? 1 : 2],
                      in_year = w[is_asctime ? 6 : 3], *clock = &w[is_asctime ? 3 : 4];
    if (!read_number(day, 31, &tm.tm_mday) || !read_month(month, &tm.tm_mon) ||
        !read_number(in_year, 9999, &year) || !read_number(clock[0], 23, &tm.tm_hour) ||
        !read_number(clock[1], 59, &tm.tm_min) || !read_number(clock[2], 60, &tm.tm_sec))
        return false;
    tm.tm_year = full_year(in_year, year) - 1900;
    time_t at = timegm(&tm);
    if (at < 0)
        return false;
    *unix_seconds = (uint64_t)at;
    return true;
}
