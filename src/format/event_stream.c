#include "sluice/format/event_stream.h"

#include <assert.h>
#include <zlib.h>

enum { PRELUDE_BYTES = 12, TRAILER_BYTES = 4, FRAME_BYTES = PRELUDE_BYTES + TRAILER_BYTES };

/* Types of header values; the fixed ones by the bytes they take. */
enum {
    VALUE_TRUE,
    VALUE_FALSE,
    VALUE_I8,
    VALUE_I16,
    VALUE_I32,
    VALUE_I64,
    VALUE_BYTES,
    VALUE_STRING,
    VALUE_TIME,
    VALUE_UUID,
    VALUE_TYPES
};
static const uint8_t fixed_bytes[VALUE_TYPES] = {
    [VALUE_I8] = 1,  [VALUE_I16] = 2,  [VALUE_I32] = 4,
    [VALUE_I64] = 8, [VALUE_TIME] = 8, [VALUE_UUID] = 16,
};

void event_stream_init(struct event_stream *s, size_t limit)
{
    *s = (struct event_stream){.limit = limit};
}

void event_stream_fini(struct event_stream *s)
{
    buf_fini(&s->held);
}

static uint32_t u32_at(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static uint32_t crc_of(const uint8_t *p, size_t n)
{
    return (uint32_t)crc32(0, p, (uInt)n); /* n is below the limit of a message */
}

static enum event_stream_status refuse(struct event_stream *s, const char *problem)
{
    s->problem = problem;
    return EVENT_STREAM_INVALID;
}

/* --- headers --------------------------------------------------------------------------------- */

static void note_header(struct event_stream *s, struct span name, struct span value)
{
    if (span_eq(name, SPAN_LIT(":message-type")))
        s->message_type = value;
    else if (span_eq(name, SPAN_LIT(":event-type")) || span_eq(name, SPAN_LIT(":exception-type")))
        s->event_type = value;
    else if (span_eq(name, SPAN_LIT(":error-code")))
        s->error_code = value;
    else if (span_eq(name, SPAN_LIT(":error-message")))
        s->error_message = value;
}

/* Takes `n` bytes off the front of `*rest`; false when it has fewer. */
static bool take(struct span *rest, size_t n, struct span *out)
{
    if (rest->len < n)
        return false;
    *out = span_sub(*rest, 0, n);
    *rest = span_skip(*rest, n);
    return true;
}

static bool read_header(struct event_stream *s, struct span *rest)
{
    struct span length, name, type, value;
    if (!take(rest, 1, &length) || !take(rest, length.at[0], &name) || !take(rest, 1, &type) ||
        type.at[0] >= VALUE_TYPES)
        return false;
    if (type.at[0] != VALUE_STRING && type.at[0] != VALUE_BYTES)
        return take(rest, fixed_bytes[type.at[0]], &value);
    if (!take(rest, 2, &length) || !take(rest, (size_t)length.at[0] << 8 | length.at[1], &value))
        return false;
    if (type.at[0] == VALUE_STRING)
        note_header(s, name, value);
    return true;
}

/* --- messages -------------------------------------------------------------------------------- */

/* How long the message is that begins here; 0 with s->problem when its prelude is wrong. */
static size_t message_bytes(struct event_stream *s, const uint8_t *p)
{
    assert(p != NULL); /* a span of twelve bytes has them */
    uint32_t total = u32_at(p), headers = u32_at(p + 4);
    if (crc_of(p, 8) != u32_at(p + 8))
        s->problem = "an event's prelude has a wrong checksum";
    else if (total < FRAME_BYTES || headers > total - FRAME_BYTES)
        s->problem = "an event's lengths contradict each other";
    else if (total > s->limit)
        s->problem = "an event is too large";
    else
        return total;
    return 0;
}

static enum event_stream_status read_message(struct event_stream *s, struct span m)
{
    assert(m.at != NULL && m.len >= FRAME_BYTES);
    size_t body = m.len - TRAILER_BYTES;
    if (crc_of(m.at, body) != u32_at(m.at + body))
        return refuse(s, "an event has a wrong checksum");
    struct span headers = span_sub(m, PRELUDE_BYTES, u32_at(m.at + 4));
    s->payload = span_sub(m, PRELUDE_BYTES + headers.len, body - PRELUDE_BYTES - headers.len);
    s->message_type = s->event_type = s->error_code = s->error_message = SPAN_NONE;
    while (headers.len > 0) {
        if (!read_header(s, &headers))
            return refuse(s, "an event's headers are malformed");
    }
    return EVENT_STREAM_MESSAGE;
}

/* Moves input into `held` until that has `want` bytes: 1 when it has, 0 when input ran out. */
static int fill(struct event_stream *s, struct span *input, size_t want)
{
    size_t have = buf_len(&s->held);
    struct span piece = span_sub(*input, 0, want > have ? want - have : 0);
    if (buf_add(&s->held, piece) < 0)
        return -1;
    *input = span_skip(*input, piece.len);
    return buf_len(&s->held) >= want;
}

static enum event_stream_status next_held(struct event_stream *s, struct span *input)
{
    int rc = fill(s, input, PRELUDE_BYTES);
    if (rc > 0) {
        size_t total = message_bytes(s, buf_span(&s->held).at);
        if (total == 0)
            return EVENT_STREAM_INVALID;
        rc = fill(s, input, total);
        s->taken = rc > 0 ? total : 0;
    }
    if (rc < 0)
        return refuse(s, "no memory for an event");
    return rc == 0 ? EVENT_STREAM_MORE : read_message(s, buf_span(&s->held));
}

enum event_stream_status event_stream_next(struct event_stream *s, struct span *input)
{
    if (s->problem != NULL)
        return EVENT_STREAM_INVALID;
    buf_consume(&s->held, s->taken);
    s->taken = 0;
    if (buf_len(&s->held) > 0 || input->len < PRELUDE_BYTES)
        return next_held(s, input);
    size_t total = message_bytes(s, input->at);
    if (total == 0)
        return EVENT_STREAM_INVALID;
    if (total > input->len)
        return next_held(s, input);
    struct span message = span_sub(*input, 0, total);
    *input = span_skip(*input, total);
    return read_message(s, message);
}

bool event_stream_is_between(const struct event_stream *s)
{
    return s->problem == NULL && buf_len(&s->held) == s->taken;
}
