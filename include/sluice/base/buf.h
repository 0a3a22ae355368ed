/* buf.h: bytes we own, written at the tail, read at the head.
 *
 * Zero-initialised is a valid empty buffer. Growing doubles; a peer-chosen size is bounded by
 * the caller before it gets here, and may still fail: every function that grows returns 0 or
 * UV-style -ENOMEM, and leaves the content as it was. */
#ifndef SLUICE_BASE_BUF_H
#define SLUICE_BASE_BUF_H

#include "sluice/base/span.h"

#include <stdarg.h>

struct buf {
    uint8_t *at;
    size_t head, tail, cap; /* head <= tail <= cap; [head, tail) is unread */
};

static inline struct span buf_span(const struct buf *b)
{
    return b->at == NULL ? SPAN_NONE : span_of(b->at + b->head, b->tail - b->head);
}

static inline size_t buf_len(const struct buf *b)
{
    return b->tail - b->head;
}

/* Frees the memory; the buffer is empty and usable again. */
void buf_fini(struct buf *b);

/* The same for one that held a secret: nothing of it stays behind. */
void buf_fini_wiped(struct buf *b);

/* Room for `more` bytes at the tail, moving unread bytes to the front when that is enough. */
int buf_reserve(struct buf *b, size_t more) __attribute__((warn_unused_result));

/* Like buf_reserve, but allocates exactly head..tail + more: for sizes known beforehand. */
int buf_reserve_exact(struct buf *b, size_t more) __attribute__((warn_unused_result));

int buf_add(struct buf *b, struct span s) __attribute__((warn_unused_result));
int buf_add_text(struct buf *b, const char *text) __attribute__((warn_unused_result));
int buf_add_byte(struct buf *b, uint8_t byte) __attribute__((warn_unused_result));
int buf_addf(struct buf *b, const char *format, ...)
    __attribute__((format(printf, 2, 3), warn_unused_result));

/* Appends `s` as the inside of a JSON string (RFC 8259 §7): quotes, backslashes and controls
 * escaped, invalid UTF-8 replaced by U+FFFD. The quotes around it are the caller's. */
int buf_add_json(struct buf *b, struct span s) __attribute__((warn_unused_result));

/* Drops `n` bytes from the head (n <= buf_len). An emptied buffer starts over at 0. */
void buf_consume(struct buf *b, size_t n);

/* Forgets the content and keeps the memory. */
static inline void buf_clear(struct buf *b)
{
    b->head = b->tail = 0;
}

#endif
