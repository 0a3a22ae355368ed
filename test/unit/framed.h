/* framed.h: messages of AWS's event stream, as a provider would frame them. */
#ifndef SLUICE_TEST_FRAMED_H
#define SLUICE_TEST_FRAMED_H

#include "unit.h"

#include "sluice/base/buf.h"

#include <zlib.h>

static inline void framed_u32(struct buf *b, uint32_t n)
{
    for (int shift = 24; shift >= 0; shift -= 8)
        assert_int_equal(buf_add_byte(b, (uint8_t)(n >> shift)), 0);
}

static inline uint32_t framed_crc(struct span s)
{
    return (uint32_t)crc32(0, s.at, (uInt)s.len);
}

/* A header of type string. */
static inline void framed_header(struct buf *b, const char *name, const char *value)
{
    size_t length = strlen(value);
    assert_int_equal(buf_add_byte(b, (uint8_t)strlen(name)), 0);
    assert_int_equal(buf_add_text(b, name), 0);
    assert_int_equal(buf_add_byte(b, 7), 0);
    assert_int_equal(buf_add_byte(b, (uint8_t)(length >> 8)), 0);
    assert_int_equal(buf_add_byte(b, (uint8_t)length), 0);
    assert_int_equal(buf_add_text(b, value), 0);
}

/* Lengths as told, right or wrong, under checksums that are right. */
static inline void framed_content(struct buf *b, uint32_t total, uint32_t headers,
                                  struct span content)
{
    struct buf m = {0};
    framed_u32(&m, total);
    framed_u32(&m, headers);
    framed_u32(&m, framed_crc(buf_span(&m)));
    assert_int_equal(buf_add(&m, content), 0);
    framed_u32(&m, framed_crc(buf_span(&m)));
    assert_int_equal(buf_add(b, buf_span(&m)), 0);
    buf_fini(&m);
}

static inline void framed_with(struct buf *b, struct span headers, const char *payload)
{
    struct buf content = {0};
    assert_int_equal(buf_add(&content, headers), 0);
    assert_int_equal(buf_add_text(&content, payload), 0);
    framed_content(b, (uint32_t)buf_len(&content) + 16, (uint32_t)headers.len, buf_span(&content));
    buf_fini(&content);
}

static inline void framed_message(struct buf *b, const char *message_type, const char *name,
                                  const char *type, const char *payload)
{
    struct buf headers = {0};
    framed_header(&headers, name, type);
    framed_header(&headers, ":content-type", "application/json");
    framed_header(&headers, ":message-type", message_type);
    framed_with(b, buf_span(&headers), payload);
    buf_fini(&headers);
}

static inline void framed_event(struct buf *b, const char *type, const char *payload)
{
    framed_message(b, "event", ":event-type", type, payload);
}

#endif
