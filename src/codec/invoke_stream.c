#include "sluice/codec/invoke_stream.h"

#include "sluice/base/digest.h"
#include "sluice/codec/bedrock_error.h"
#include "sluice/format/json_walk.h"

enum { EVENT_KEPT = 64 * 1024 }; /* what a larger event took is not kept */

void invoke_stream_init(struct invoke_stream *s, size_t limit)
{
    *s = (struct invoke_stream){.problem = NULL};
    event_stream_init(&s->frames, limit);
}

void invoke_stream_fini(struct invoke_stream *s)
{
    event_stream_fini(&s->frames);
    buf_fini(&s->event);
}

static bool refuse(struct invoke_stream *s, const char *problem)
{
    s->problem = problem;
    return false;
}

/* --- events ------------------------------------------------------------------------------------- */

/* The string an object begins with, by the look of it; empty when it begins in another way. As a rule
 * it is all that is wanted, and what is behind it need not be scanned. */
static struct span first_string(struct span object, struct span start)
{
    struct span rest = span_starts(object, start) ? span_skip(object, start.len) : SPAN_NONE;
    const uint8_t *end = rest.len > 0 ? memchr(rest.at, '"', rest.len) : NULL;
    return end != NULL ? span_sub(rest, 0, (size_t)(end - rest.at)) : SPAN_NONE;
}

static bool is_word(struct span s)
{
    for (size_t i = 0; i < s.len; i++) {
        if (s.at[i] != '_' && (s.at[i] < 'a' || s.at[i] > 'z'))
            return false;
    }
    return s.len > 0;
}

/* Whether the rest of it is JSON is asked by whoever reads the event. */
static struct span type_of(struct span event)
{
    struct json_walk w;
    struct span type = first_string(event, SPAN_LIT("{\"type\":\""));
    if (is_word(type))
        return type;
    json_walk_init(&w, event);
    while (json_walk_next(&w)) {
        if (json_walk_is(&w, "type"))
            return json_raw(w.value);
    }
    return SPAN_NONE;
}

/* What is no base64 is found when it is decoded. */
static struct span bytes_of(struct span payload)
{
    struct json_member m;
    struct span bytes = first_string(payload, SPAN_LIT("{\"bytes\":\""));
    if (bytes.len == 0 && json_get(payload, "bytes", &m))
        bytes = json_raw(json_value(payload, &m));
    return bytes;
}

static size_t line_length(struct span text)
{
    const uint8_t *end = memchr(text.at, '\n', text.len);
    size_t n = end == NULL ? text.len : (size_t)(end - text.at);
    end = memchr(text.at, '\r', n);
    return end == NULL ? n : (size_t)(end - text.at);
}

static int add_all(struct buf *out, const struct span *parts, unsigned n)
{
    size_t len = 0;
    for (unsigned i = 0; i < n; i++)
        len += parts[i].len;
    int rc = buf_reserve(out, len);
    for (unsigned i = 0; i < n && rc == 0; i++)
        rc = buf_add(out, parts[i]);
    return rc;
}

/* Line breaks would end the event, or begin what is none of the provider's: each has to begin a line of
 * data. */
static int add_event(struct buf *out, struct span event)
{
    struct span type = type_of(event);
    size_t n = line_length(event);
    const struct span start[] = {
        type.len > 0 ? SPAN_LIT("event: ") : SPAN_NONE,
        type,
        type.len > 0 ? SPAN_LIT("\ndata: ") : SPAN_LIT("data: "),
        span_sub(event, 0, n),
    };
    int rc = add_all(out, start, sizeof start / sizeof start[0]);
    for (event = span_skip(event, n + 1); rc == 0 && event.len > 0;
         event = span_skip(event, n + 1)) {
        n = line_length(event);
        const struct span line[] = {SPAN_LIT("\ndata: "), span_sub(event, 0, n)};
        rc = add_all(out, line, 2);
    }
    return rc == 0 ? buf_add(out, SPAN_LIT("\n\n")) : rc;
}

static bool take_chunk(struct invoke_stream *s, struct buf *out)
{
    buf_clear(&s->event);
    bool is_read = digest_unbase64(bytes_of(s->frames.payload), &s->event);
    if (!is_read || buf_len(&s->event) == 0)
        return refuse(s, "its stream holds a chunk that cannot be decoded");
    int rc = add_event(out, buf_span(&s->event));
    if (s->event.cap > EVENT_KEPT)
        buf_fini(&s->event);
    return rc == 0 || refuse(s, "an event cannot be held: out of memory");
}

static bool take_fault(struct invoke_stream *s, const struct fault *f, struct buf *out)
{
    return fault_write_stream(f, API_MESSAGES, SPAN_NONE, NULL, out) == 0 ||
           refuse(s, "an event cannot be held: out of memory");
}

/* --- messages ----------------------------------------------------------------------------------- */

static bool take_message(struct invoke_stream *s, struct buf *out)
{
    const struct event_stream *m = &s->frames;
    struct fault f;
    if (span_eq(m->message_type, SPAN_LIT("error"))) {
        bedrock_error_read(m->error_code, m->error_message, &f);
        return take_fault(s, &f, out);
    }
    if (bedrock_is_exception(m->event_type)) {
        bedrock_exception_read(m->event_type, m->payload, &f);
        return take_fault(s, &f, out);
    }
    return !span_eq(m->event_type, SPAN_LIT("chunk")) || take_chunk(s, out);
}

bool invoke_stream_read(struct invoke_stream *s, struct span input, struct buf *out)
{
    enum event_stream_status status;
    if (s->problem != NULL)
        return false;
    while ((status = event_stream_next(&s->frames, &input)) == EVENT_STREAM_MESSAGE) {
        if (!take_message(s, out))
            return false;
    }
    return status == EVENT_STREAM_MORE || refuse(s, s->frames.problem);
}

bool invoke_stream_is_between(const struct invoke_stream *s)
{
    return s->problem == NULL && event_stream_is_between(&s->frames);
}
