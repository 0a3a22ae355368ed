/* head_fuzz.h: a message stream fed whole, and again cut where the input says: the same events. */
#ifndef SLUICE_TEST_HEAD_FUZZ_H
#define SLUICE_TEST_HEAD_FUZZ_H

#include "../unit/parser_bed.h"

enum { CUTS = 8 };

static const struct parser_limits fuzz_limits = {.head_max = 2048, .field_max = 16};

static inline struct buf fuzz_parse(bool requests, struct span text, const uint8_t *cuts,
                                    bool stops)
{
    struct parser_bed b;
    bed_init(&b, requests, &fuzz_limits);
    b.stops = stops;
    bool going = true;
    for (unsigned i = 0; going && text.len > 0; i++) {
        size_t len = cuts == NULL ? text.len : (size_t)cuts[i % CUTS] + 1;
        if (len > text.len)
            len = text.len;
        going = bed_feed(&b, span_sub(text, 0, len));
        text = span_skip(text, len);
    }
    if (going)
        bed_finish(&b);
    else
        b.report.tail -= 3; /* which of two faults is found first may depend on the cut */
    struct buf report = b.report;
    b.report = (struct buf){0};
    bed_fini(&b);
    return report;
}

static inline int fuzz_heads(bool requests, const uint8_t *data, size_t size)
{
    if (size < CUTS)
        return 0;
    struct span text = span_of(data + CUTS, size - CUTS);
    struct buf whole = fuzz_parse(requests, text, NULL, false);
    struct buf pieces = fuzz_parse(requests, text, data, true);
    if (!span_eq(buf_span(&whole), buf_span(&pieces)))
        abort();
    buf_fini(&whole);
    buf_fini(&pieces);
    return 0;
}

#endif
