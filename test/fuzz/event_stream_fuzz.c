/* The first byte says how the rest is cut, the second how large a message may be; the third whether
 * checksums are put right first, since a fuzzer does not find those. However the stream is cut, the
 * same messages have to come out. */
#include "sluice/format/event_stream.h"

#include <stdlib.h>
#include <zlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint32_t u32_at(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static void put_crc(uint8_t *from, size_t len)
{
    uint32_t crc = (uint32_t)crc32(0, from, (uInt)len);
    for (unsigned i = 0; i < 4; i++)
        from[len + i] = (uint8_t)(crc >> (24 - 8 * i));
}

static void mend_checksums(uint8_t *at, size_t len)
{
    while (len >= 16) {
        size_t total = u32_at(at);
        put_crc(at, 8);
        if (total < 16 || total > len)
            return;
        put_crc(at, total - 4);
        at += total;
        len -= total;
    }
}

static void add(struct buf *report, const struct event_stream *s)
{
    const struct span told[] = {s->message_type, s->event_type, s->error_code, s->error_message,
                                s->payload};
    for (unsigned i = 0; i < sizeof told / sizeof told[0]; i++) {
        if (buf_addf(report, "%zu ", told[i].len) < 0 || buf_add(report, told[i]) < 0)
            abort();
    }
}

/* Feeds pieces that are gone after the call, so that ASan sees what was borrowed for too long. */
static struct buf report_of(struct span stream, size_t step, size_t limit)
{
    struct event_stream s;
    struct buf report = {0};
    enum event_stream_status status = EVENT_STREAM_MORE;
    event_stream_init(&s, limit);
    for (size_t at = 0; at < stream.len && status != EVENT_STREAM_INVALID; at += step) {
        struct span piece = span_sub(stream, at, step);
        uint8_t *memory = malloc(piece.len);
        if (memory == NULL)
            abort();
        struct span input = span_of(memcpy(memory, piece.at, piece.len), piece.len);
        while ((status = event_stream_next(&s, &input)) == EVENT_STREAM_MESSAGE)
            add(&report, &s);
        if (status == EVENT_STREAM_MORE && input.len > 0)
            abort();
        free(memory);
    }
    const char *end = s.problem != NULL ? s.problem : "";
    if (buf_addf(&report, "%d %s", event_stream_is_between(&s), end) < 0)
        abort();
    event_stream_fini(&s);
    return report;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 4)
        return 0;
    size_t len = size - 3, limit = data[1] < 128 ? data[1] : EVENT_STREAM_MESSAGE_MAX;
    uint8_t *bytes = malloc(len);
    if (bytes == NULL)
        abort();
    memcpy(bytes, data + 3, len);
    if (data[2] & 1)
        mend_checksums(bytes, len);
    struct buf whole = report_of(span_of(bytes, len), len, limit);
    struct buf cut = report_of(span_of(bytes, len), 1u + data[0], limit);
    if (!span_eq(buf_span(&whole), buf_span(&cut)))
        abort();
    buf_fini(&whole);
    buf_fini(&cut);
    free(bytes);
    return 0;
}
