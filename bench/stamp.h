/* bench/stamp.h: what the scripted upstream writes into the content of each chunk, and the load
 * generator reads back: the chunk's number and when it was sent.
 *
 *     "content":"~0000000007 00000001234567890123"
 *
 * Both run on one machine, so one clock serves both and the difference is the latency of one chunk.
 * It is plain text in a place every gateway must carry; fixed width makes every chunk one length. */
#ifndef BENCH_STAMP_H
#define BENCH_STAMP_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

enum { STAMP_SEQ_DIGITS = 10, STAMP_TIME_DIGITS = 20, STAMP_LEN = 32 };

#define STAMP_BLANK "~0000000000 00000000000000000000"
#define STAMP_MARK "\"~"

static inline void stamp_digits(char *at, unsigned width, uint64_t value)
{
    while (width > 0) {
        at[--width] = (char)('0' + value % 10);
        value /= 10;
    }
}

static inline void stamp_write(char *at, uint32_t seq, uint64_t sent_ns)
{
    stamp_digits(at + 1, STAMP_SEQ_DIGITS, seq);
    stamp_digits(at + 1 + STAMP_SEQ_DIGITS + 1, STAMP_TIME_DIGITS, sent_ns);
}

static inline uint64_t stamp_number(const char *at, unsigned width)
{
    uint64_t value = 0;
    for (unsigned i = 0; i < width; i++)
        value = value * 10 + (unsigned)(at[i] - '0');
    return value;
}

/* False when the line carries no stamp, as the role, finish and usage chunks do not. */
static inline bool stamp_find(const char *line, size_t len, uint32_t *seq, uint64_t *sent_ns)
{
    const char *mark = memmem(line, len, STAMP_MARK, sizeof(STAMP_MARK) - 1);
    if (mark == NULL)
        return false;
    const char *at = mark + sizeof(STAMP_MARK) - 1;
    if (line + len - at < STAMP_LEN)
        return false;
    *seq = (uint32_t)stamp_number(at, STAMP_SEQ_DIGITS);
    *sent_ns = stamp_number(at + STAMP_SEQ_DIGITS + 1, STAMP_TIME_DIGITS);
    return true;
}

#endif
