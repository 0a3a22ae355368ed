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

/* Whether the rest of it is JSON is asked by whoever reads the event. */
static struct span type_of(struct span event)
{
    struct json_walk w;
    json_walk_init(&w, event);
    while (json_walk_next(&w)) {
        if (json_walk_is(&w, "type"))
            return json_raw(w.value);
    }
    return SPAN_NONE;
}

static size_t line_length(struct span text)
{
    size_t n = 0;
    while (n < text.len && text.at[n] != '\n' && text.at[n] != '\r')
        n++;
    return n;
}

/* Line breaks would end the event, or begin what is none of the provider's. */
static int add_lines(struct buf *out, struct span data)
{
    int rc = 0;
    do {
        size_t n = line_length(data);
        if ((rc = buf_add_text(out, "data: ")) < 0 || (rc = buf_add(out, span_sub(data, 0, n))) < 0)
            return rc;
        rc = buf_add_byte(out, '\n');
        data = span_skip(data, n + 1);
    } while (rc == 0 && data.len > 0);
    return rc;
}

static int add_event(struct buf *out, struct span event)
{
    struct span type = type_of(event);
    int rc = 0;
    if (type.len > 0) {
        if ((rc = buf_add_text(out, "event: ")) < 0 || (rc = buf_add(out, type)) < 0)
            return rc;
        rc = buf_add_byte(out, '\n');
    }
    if (rc == 0)
        rc = add_lines(out, event);
    return rc == 0 ? buf_add_byte(out, '\n') : rc;
}

static bool take_chunk(struct invoke_stream *s, struct buf *out)
{
    struct json_member m;
    if (!json_get(s->frames.payload, "bytes", &m))
        return refuse(s, "its stream holds a chunk without bytes");
    buf_clear(&s->event);
    bool is_read = digest_unbase64(json_raw(json_value(s->frames.payload, &m)), &s->event);
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
