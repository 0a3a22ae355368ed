#include "sluice/base/buf.h"

#include "sluice/base/utf8.h"

#include <endian.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define CAP_MIN 64

void buf_fini(struct buf *b)
{
    free(b->at);
    *b = (struct buf){0};
}

void buf_fini_wiped(struct buf *b)
{
    if (b->at != NULL)
        explicit_bzero(b->at, b->cap); /* a memset before free may be optimised away */
    buf_fini(b);
}

/* Puts the unread bytes at the front of memory of exactly `cap` bytes. */
static int move_to(struct buf *b, size_t cap)
{
    size_t len = buf_len(b);
    uint8_t *at;
    if (b->head == 0) {
        at = realloc(b->at, cap);
        if (at == NULL)
            return -ENOMEM;
    } else {
        at = malloc(cap);
        if (at == NULL)
            return -ENOMEM;
        memcpy(at, b->at + b->head, len);
        free(b->at);
    }
    *b = (struct buf){.at = at, .head = 0, .tail = len, .cap = cap};
    return 0;
}

int buf_reserve(struct buf *b, size_t more)
{
    if (b->cap - b->tail >= more)
        return 0;
    size_t len = buf_len(b);
    /* Moving pays only when at least as much was consumed as has to be copied: otherwise a queue
     * that stays nearly full would be moved for every few bytes. */
    if (b->cap - len >= more && b->head >= len) {
        memmove(b->at, b->at + b->head, len);
        b->head = 0;
        b->tail = len;
        return 0;
    }
    if (more > SIZE_MAX / 4 - len)
        return -ENOMEM;
    size_t cap = b->cap < CAP_MIN ? CAP_MIN : b->cap;
    while (cap < len + more)
        cap *= 2;
    return move_to(b, cap);
}

int buf_reserve_exact(struct buf *b, size_t more)
{
    if (b->cap - b->tail >= more)
        return 0;
    size_t len = buf_len(b);
    if (more > SIZE_MAX / 4 - len)
        return -ENOMEM;
    return move_to(b, len + more);
}

int buf_add(struct buf *b, struct span s)
{
    if (s.len == 0)
        return 0;
    int rc = buf_reserve(b, s.len);
    if (rc < 0)
        return rc;
    memcpy(b->at + b->tail, s.at, s.len);
    b->tail += s.len;
    return 0;
}

int buf_add_text(struct buf *b, const char *text)
{
    return buf_add(b, span_text(text));
}

int buf_add_byte(struct buf *b, uint8_t byte)
{
    return buf_add(b, span_of(&byte, 1));
}

int buf_addf(struct buf *b, const char *format, ...)
{
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    /* snprintf wants room for a NUL that the buffer does not keep */
    int rc = buf_reserve(b, 128);
    if (rc == 0) {
        size_t room = b->cap - b->tail;
        int need = vsnprintf((char *)b->at + b->tail, room, format, args);
        if (need >= 0 && (size_t)need >= room) {
            rc = buf_reserve(b, (size_t)need + 1);
            if (rc == 0)
                need = vsnprintf((char *)b->at + b->tail, (size_t)need + 1, format, again);
        }
        if (rc == 0 && need < 0)
            rc = -EINVAL;
        if (rc == 0)
            b->tail += (size_t)need;
    }
    va_end(again);
    va_end(args);
    return rc;
}

/* Length of the leading run that a JSON string may hold as it is: ASCII without the specials. Eight
 * bytes at a time: a byte sets its top bit in `stop` when it is a quote, a backslash, below 0x20 or
 * above 0x7f; a borrow can only reach bytes behind the first such one. */
static size_t plain_run(struct span s)
{
    const uint64_t ones = UINT64_C(0x0101010101010101), tops = ones << 7;
    size_t n = 0;
    for (; s.len - n >= 8; n += 8) {
        uint64_t eight;
        memcpy(&eight, s.at + n, sizeof(eight));
        eight = le64toh(eight);
        uint64_t quote = eight ^ ones * '"', backslash = eight ^ ones * '\\';
        uint64_t stop = ((eight - ones * 0x20) | (quote - ones) | (backslash - ones) | eight) &
                        tops;
        if (stop != 0)
            return n + (size_t)__builtin_ctzll(stop) / 8;
    }
    while (n < s.len && s.at[n] >= 0x20 && s.at[n] < 0x80 && s.at[n] != '"' && s.at[n] != '\\')
        n++;
    return n;
}

static int add_escaped(struct buf *b, uint8_t byte)
{
    switch (byte) {
    case '"':
        return buf_add_text(b, "\\\"");
    case '\\':
        return buf_add_text(b, "\\\\");
    case '\n':
        return buf_add_text(b, "\\n");
    case '\r':
        return buf_add_text(b, "\\r");
    case '\t':
        return buf_add_text(b, "\\t");
    default:
        return buf_addf(b, "\\u%04x", byte);
    }
}

int buf_add_json(struct buf *b, struct span s)
{
    size_t before = buf_len(b);
    int rc = buf_reserve(b, s.len);
    while (rc == 0 && s.len > 0) {
        size_t run = plain_run(s);
        if (run > 0) {
            rc = buf_add(b, span_of(s.at, run));
        } else if (s.at[0] < 0x80) {
            run = 1;
            rc = add_escaped(b, s.at[0]);
        } else {
            int n = utf8_sequence(s);
            run = (size_t)(n > 0 ? n : -n);
            rc = n > 0 ? buf_add(b, span_of(s.at, run)) : buf_add_text(b, "\xef\xbf\xbd");
        }
        s = span_skip(s, run);
    }
    if (rc < 0)
        b->tail = b->head + before; /* all or nothing */
    return rc;
}

void buf_consume(struct buf *b, size_t n)
{
    b->head += n;
    if (b->head == b->tail)
        buf_clear(b);
}
