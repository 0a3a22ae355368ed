#include "sluice/format/otlp_span.h"

#include "sluice/format/json_scan.h"

#include <assert.h>

/* Whether the flags are known, and the parent is on another machine (trace.proto, SpanFlags). */
enum { FLAG_HAS_IS_REMOTE = 0x100, FLAG_IS_REMOTE = 0x200 };

/* Texts, and less than 256 bytes beside each: the longest key, or a piece of the head. */
enum {
    SPAN_ROOM = (OTLP_TEXTS_MAX + 8) * (JSON_LINE_TEXT(OTLP_TEXT_MAX) + 256) +
                JSON_LINE_TEXT(OTLP_STATE_MAX),
};

#define PUT(s, text) JSON_LINE_PUT(&(s)->line, text)

static void put_text(struct otlp_span *s, struct span text)
{
    json_line_text(&s->line, span_sub(text, 0, OTLP_TEXT_MAX));
}

/* Unix nanoseconds, a string because JSON's numbers are floating ones to many. */
static void put_time(struct otlp_span *s, uint64_t us)
{
    json_line_u64(&s->line, us);
    PUT(s, "000\"");
}

/* A name in one pair of quotes. */
static void put_name(struct otlp_span *s, const struct otlp_head *h)
{
    json_line_put(&s->line, span_text(h->verb));
    if (h->noun.len == 0) {
        PUT(s, "\"");
        return;
    }
    uint8_t *quote = s->line.at;
    put_text(s, h->noun);
    *quote = ' ';
}

int otlp_span_open(struct otlp_span *s, struct buf *into, const struct otlp_head *h)
{
    int rc = buf_reserve(into, SPAN_ROOM);
    if (rc < 0)
        return rc;
    *s = (struct otlp_span){.into = into, .line = {into->at + into->tail}};
    PUT(s, "{\"traceId\":\"");
    json_line_put(&s->line, span_of(h->trace, 32));
    PUT(s, "\",\"spanId\":\"");
    json_line_put(&s->line, span_of(h->id, 16));
    if (h->parent != NULL) {
        PUT(s, "\",\"parentSpanId\":\"");
        json_line_put(&s->line, span_of(h->parent, 16));
    }
    PUT(s, "\"");
    if (h->state.len > 0) {
        PUT(s, ",\"traceState\":");
        json_line_text(&s->line, span_sub(h->state, 0, OTLP_STATE_MAX));
    }
    PUT(s, ",\"flags\":");
    json_line_u64(&s->line,
                  h->flags | FLAG_HAS_IS_REMOTE | (h->has_remote_parent ? FLAG_IS_REMOTE : 0));
    PUT(s, ",\"name\":\"");
    put_name(s, h);
    PUT(s, ",\"kind\":");
    json_line_u64(&s->line, h->kind);
    PUT(s, ",\"startTimeUnixNano\":\"");
    put_time(s, h->start_us);
    PUT(s, ",\"endTimeUnixNano\":\"");
    put_time(s, h->end_us);
    PUT(s, ",\"attributes\":[");
    return 0;
}

static void put_key(struct otlp_span *s, struct span key)
{
    if (s->is_after_one)
        PUT(s, ",");
    s->is_after_one = true;
    json_line_put(&s->line, key);
}

void otlp_put_text(struct otlp_span *s, struct span key, struct span value)
{
    if (value.len == 0)
        return;
    put_key(s, key);
    put_text(s, value);
    PUT(s, "}}");
}

void otlp_put_list(struct otlp_span *s, struct span key, struct span value)
{
    if (value.len == 0)
        return;
    put_key(s, key);
    PUT(s, "{\"values\":[{\"stringValue\":");
    put_text(s, value);
    PUT(s, "}]}}}");
}

void otlp_put_u64(struct otlp_span *s, struct span key, uint64_t value)
{
    put_key(s, key);
    PUT(s, "\"");
    json_line_u64(&s->line, value);
    PUT(s, "\"}}");
}

void otlp_put_bool(struct otlp_span *s, struct span key, bool value)
{
    put_key(s, key);
    json_line_put(&s->line, value ? SPAN_LIT("true}}") : SPAN_LIT("false}}"));
}

/* So many millionths, say, to the last digit. */
void otlp_put_decimal(struct otlp_span *s, struct span key, uint64_t value, unsigned decimals)
{
    uint8_t digits[20];
    uint64_t whole = value;
    for (unsigned i = decimals; i > 0; i--, whole /= 10)
        digits[i - 1] = (uint8_t)('0' + whole % 10);
    while (decimals > 0 && digits[decimals - 1] == '0')
        decimals--;
    put_key(s, key);
    json_line_u64(&s->line, whole);
    if (decimals > 0)
        PUT(s, ".");
    json_line_put(&s->line, span_of(digits, decimals));
    PUT(s, "}}");
}

void otlp_put_event(struct otlp_span *s, struct span name, uint64_t at_us)
{
    json_line_put(&s->line, s->has_events ? SPAN_LIT("]},{") : SPAN_LIT("],\"events\":[{"));
    s->has_events = true;
    s->is_after_one = false;
    PUT(s, "\"timeUnixNano\":\"");
    put_time(s, at_us);
    PUT(s, ",\"name\":\"");
    json_line_put(&s->line, name);
    PUT(s, "\",\"attributes\":[");
}

void otlp_span_close(struct otlp_span *s, bool has_failed)
{
    struct buf *b = s->into;
    json_line_put(&s->line, s->has_events ? SPAN_LIT("]}]") : SPAN_LIT("]"));
    if (has_failed)
        PUT(s, ",\"status\":{\"code\":2}");
    PUT(s, "}");
    size_t len = (size_t)(s->line.at - (b->at + b->tail));
    assert(len <= SPAN_ROOM);
    b->tail += len;
}

/* --- batches -------------------------------------------------------------------------------------- */

int otlp_batch_open(struct buf *out, const struct otlp_resource *r)
{
    struct otlp_span s = {.into = out};
    int rc = buf_reserve(out, SPAN_ROOM);
    if (rc < 0)
        return rc;
    s.line.at = out->at + out->tail;
    PUT(&s, "{\"resourceSpans\":[{\"resource\":{\"attributes\":[");
    otlp_word(&s, "service.name", r->service);
    otlp_word(&s, "service.version", r->version);
    otlp_text(&s, "service.instance.id", r->instance);
    PUT(&s, "]},\"scopeSpans\":[{\"scope\":{\"name\":\"sluice\",\"version\":");
    put_text(&s, span_text(r->version));
    PUT(&s, "},\"schemaUrl\":");
    put_text(&s, span_text(r->schema));
    PUT(&s, ",\"spans\":[");
    out->tail = (size_t)(s.line.at - out->at);
    return 0;
}

uint64_t otlp_rejected(struct span answer)
{
    uint64_t n = 0;
    struct span said = json_find(json_find(answer, "partialSuccess"), "rejectedSpans");
    if (said.len > 2 && said.at[0] == '"')
        said = span_sub(said, 1, said.len - 2);
    return span_to_u64(said, &n) ? n : 0;
}
