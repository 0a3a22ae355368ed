/* The first byte says how the rest is cut, the second whether it is framed already (with checksums put
 * right, since a fuzzer does not find those) or stands for the events to be framed. However
 * it is cut, the same text has to come out, and it has to be events: whole, and no more of them than
 * there were messages. */
#include "sluice/base/digest.h"
#include "sluice/codec/invoke_stream.h"
#include "sluice/format/sse.h"

#include <stdlib.h>
#include <zlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { LIMIT = 1 << 20 };

static void must(bool holds)
{
    if (!holds)
        abort();
}

static void put_u32(uint8_t *to, uint32_t n)
{
    for (unsigned i = 0; i < 4; i++)
        to[i] = (uint8_t)(n >> (24 - 8 * i));
}

static uint32_t u32_at(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static void mend(uint8_t *at, size_t len)
{
    while (len >= 16) {
        size_t total = u32_at(at);
        put_u32(at + 8, (uint32_t)crc32(0, at, 8));
        if (total < 16 || total > len)
            return;
        put_u32(at + total - 4, (uint32_t)crc32(0, at, (uInt)total - 4));
        at += total;
        len -= total;
    }
}

static void add_frame(struct buf *out, struct span event)
{
    static const char headers[] = "\013:event-type\007\000\005chunk";
    static const uint8_t room[12];
    size_t from = buf_len(out), n = sizeof headers - 1;
    must(buf_add(out, span_of(room, 12)) == 0 && buf_add(out, span_of(headers, n)) == 0);
    must(buf_add_text(out, "{\"bytes\":\"") == 0 && digest_base64(event, out) == 0);
    must(buf_add_text(out, "\"}") == 0 && buf_add(out, span_of(room, 4)) == 0);
    put_u32(out->at + from, (uint32_t)(buf_len(out) - from));
    put_u32(out->at + from + 4, (uint32_t)n);
}

/* Feeds pieces that are gone after the call, so that ASan sees what was borrowed for too long. */
static struct buf text_of(struct span stream, size_t step)
{
    struct invoke_stream s;
    struct buf out = {0};
    bool going = true;
    invoke_stream_init(&s, LIMIT);
    for (size_t at = 0; going && at < stream.len; at += step) {
        struct span piece = span_sub(stream, at, step);
        uint8_t *memory = malloc(piece.len);
        must(memory != NULL);
        going = invoke_stream_read(&s, span_of(memcpy(memory, piece.at, piece.len), piece.len),
                                   &out);
        free(memory);
    }
    must(going == (s.problem == NULL) && (going || !invoke_stream_is_between(&s)));
    invoke_stream_fini(&s);
    return out;
}

static void check_events(struct span text, size_t most)
{
    struct sse s;
    size_t n = 0;
    sse_init(&s, LIMIT);
    while (sse_next(&s, &text) == SSE_EVENT)
        n++;
    must(n <= most && s.pending == 0 && text.len == 0);
    sse_fini(&s);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 3)
        return 0;
    struct buf stream = {0};
    struct span rest = span_of(data + 2, size - 2);
    if (data[1] & 1)
        must(buf_add(&stream, rest) == 0);
    while (!(data[1] & 1) && rest.len > 0)
        add_frame(&stream, span_cut(&rest, 0xff)); /* a byte no text has */
    mend(stream.at + stream.head, buf_len(&stream));
    struct buf whole = text_of(buf_span(&stream), buf_len(&stream));
    struct buf cut = text_of(buf_span(&stream), 1u + data[0]);
    must(span_eq(buf_span(&whole), buf_span(&cut)));
    check_events(buf_span(&whole), buf_len(&stream) / 16);
    buf_fini(&whole);
    buf_fini(&cut);
    buf_fini(&stream);
    return 0;
}
