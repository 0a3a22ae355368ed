/* unit.h: what every unit test starts from: cmocka, rows, spans, and the ways to cut an input. */
#ifndef SLUICE_TEST_UNIT_H
#define SLUICE_TEST_UNIT_H

#include "sluice/base/span.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define ROWS(table) (sizeof(table) / sizeof((table)[0]))

/* Like assert_true, naming the row that failed. */
#define assert_row(row, condition)                                    \
    do {                                                              \
        if (!(condition)) {                                           \
            print_error("row %u: %s\n", (unsigned)(row), #condition); \
            fail();                                                   \
        }                                                             \
    } while (0)

#define assert_span(bytes, text)                                                             \
    do {                                                                                     \
        struct span got_ = (bytes), want_ = span_text(text);                                 \
        if (!span_eq(got_, want_)) {                                                         \
            print_error("got \"%.*s\", wanted \"%.*s\"\n", SPAN_FMT(got_), SPAN_FMT(want_)); \
            fail();                                                                          \
        }                                                                                    \
    } while (0)

/* A copy on the heap of exactly that size, so that ASan sees a read past its end. */
static inline uint8_t *exact_copy(struct span s)
{
    uint8_t *copy = malloc(s.len == 0 ? 1 : s.len);
    assert_non_null(copy);
    if (s.len > 0)
        memcpy(copy, s.at, s.len);
    return copy;
}

#endif
