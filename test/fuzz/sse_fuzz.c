/* The first byte says how the rest is cut, the second how large an event may be; the rest is a
 * stream. However it is cut, the same events have to come out. */
#include "sluice/format/sse.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void add(struct buf *report, const struct sse *s)
{
    if (buf_addf(report, "%zu %zu %d ", s->name.len, s->data.len, s->saw_comment) < 0 ||
        buf_add(report, s->name) < 0 || buf_add(report, s->data) < 0)
        abort();
}

/* Feeds pieces that are gone after the call, so that ASan sees what was borrowed for too long. */
static struct buf report_of(struct span stream, size_t step, size_t limit)
{
    struct sse s;
    struct buf report = {0};
    enum sse_status status = SSE_MORE;
    sse_init(&s, limit);
    for (size_t at = 0; at < stream.len && status != SSE_TOO_LARGE; at += step) {
        struct span piece = span_sub(stream, at, step);
        uint8_t *memory = malloc(piece.len);
        if (memory == NULL)
            abort();
        struct span input = span_of(memcpy(memory, piece.at, piece.len), piece.len);
        while ((status = sse_next(&s, &input)) == SSE_EVENT)
            add(&report, &s);
        if (status == SSE_MORE && input.len > 0)
            abort();
        free(memory);
    }
    if (status == SSE_TOO_LARGE ? buf_add_text(&report, "too large") < 0 : sse_finish(&s))
        add(&report, &s);
    sse_fini(&s);
    return report;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 3)
        return 0;
    struct span stream = span_of(data + 2, size - 2);
    size_t limit = data[1] < 128 ? data[1] : SIZE_MAX / 2;
    struct buf whole = report_of(stream, stream.len, limit);
    struct buf cut = report_of(stream, 1u + data[0], limit);
    if (!span_eq(buf_span(&whole), buf_span(&cut)))
        abort();
    buf_fini(&whole);
    buf_fini(&cut);
    return 0;
}
