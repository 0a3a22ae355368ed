#include "sluice/format/otlp_span.h"

#include "sluice/format/json_scan.h"

/* Whether the flags are known, and the parent is on another machine (trace.proto, SpanFlags). */
enum { FLAG_HAS_IS_REMOTE = 0x100, FLAG_IS_REMOTE = 0x200 };

static void put_text(struct json_out *o, struct span text)
{
    json_out_bytes(o, span_sub(text, 0, OTLP_TEXT_MAX));
}

/* Unix nanoseconds, a string because JSON's numbers are floating ones to many. */
static void put_time(struct json_out *o, uint64_t us)
{
    json_out_lit(o, "\"");
    json_out_u64(o, us);
    json_out_lit(o, "000\"");
}

void otlp_span_open(struct otlp_span *s, struct buf *into, const struct otlp_head *h)
{
    *s = (struct otlp_span){.out = json_out_to(into)};
    struct json_out *o = &s->out;
    json_out_lit(o, "{\"traceId\":\"");
    json_out_span(o, span_of(h->trace, 32));
    json_out_lit(o, "\",\"spanId\":\"");
    json_out_span(o, span_of(h->id, 16));
    if (h->parent != NULL) {
        json_out_lit(o, "\",\"parentSpanId\":\"");
        json_out_span(o, span_of(h->parent, 16));
    }
    json_out_lit(o, "\"");
    if (h->state.len > 0) {
        json_out_lit(o, ",\"traceState\":");
        json_out_bytes(o, h->state);
    }
    json_out_lit(o, ",\"flags\":");
    json_out_u64(o, h->flags | FLAG_HAS_IS_REMOTE | (h->has_remote_parent ? FLAG_IS_REMOTE : 0));
    json_out_lit(o, ",\"name\":\"");
    json_out_span(o, span_text(h->verb));
    if (h->noun.len > 0) {
        json_out_lit(o, " ");
        if (o->rc == 0)
            o->rc = buf_add_json(o->buf, span_sub(h->noun, 0, OTLP_TEXT_MAX));
    }
    json_out_lit(o, "\",\"kind\":");
    json_out_u64(o, h->kind);
    json_out_lit(o, ",\"startTimeUnixNano\":");
    put_time(o, h->start_us);
    json_out_lit(o, ",\"endTimeUnixNano\":");
    put_time(o, h->end_us);
    json_out_lit(o, ",\"attributes\":[");
}

static struct json_out *open_attribute(struct otlp_span *s, const char *key)
{
    struct json_out *o = &s->out;
    if (s->is_after_one)
        json_out_lit(o, ",");
    s->is_after_one = true;
    json_out_lit(o, "{\"key\":\"");
    json_out_span(o, span_text(key));
    json_out_lit(o, "\",\"value\":{");
    return o;
}

void otlp_text(struct otlp_span *s, const char *key, struct span value)
{
    if (value.len == 0)
        return;
    struct json_out *o = open_attribute(s, key);
    json_out_lit(o, "\"stringValue\":");
    put_text(o, value);
    json_out_lit(o, "}}");
}

void otlp_word(struct otlp_span *s, const char *key, const char *value)
{
    otlp_text(s, key, span_text(value));
}

void otlp_list_of_one(struct otlp_span *s, const char *key, struct span value)
{
    if (value.len == 0)
        return;
    struct json_out *o = open_attribute(s, key);
    json_out_lit(o, "\"arrayValue\":{\"values\":[{\"stringValue\":");
    put_text(o, value);
    json_out_lit(o, "}]}}}");
}

void otlp_u64(struct otlp_span *s, const char *key, uint64_t value)
{
    struct json_out *o = open_attribute(s, key);
    json_out_lit(o, "\"intValue\":\"");
    json_out_u64(o, value);
    json_out_lit(o, "\"}}");
}

void otlp_bool(struct otlp_span *s, const char *key, bool value)
{
    struct json_out *o = open_attribute(s, key);
    json_out_lit(o, "\"boolValue\":");
    json_out_span(o, value ? SPAN_LIT("true") : SPAN_LIT("false"));
    json_out_lit(o, "}}");
}

static void put_double(struct otlp_span *s, const char *key, double value)
{
    struct json_out *o = open_attribute(s, key);
    json_out_lit(o, "\"doubleValue\":");
    json_out_double(o, value);
    json_out_lit(o, "}}");
}

void otlp_seconds(struct otlp_span *s, const char *key, uint64_t us)
{
    put_double(s, key, (double)us / 1e6);
}

void otlp_usd(struct otlp_span *s, const char *key, uint64_t pd)
{
    put_double(s, key, (double)pd / 1e12);
}

void otlp_event(struct otlp_span *s, const char *name, uint64_t at_us)
{
    struct json_out *o = &s->out;
    json_out_span(o, s->has_events ? SPAN_LIT("]},{") : SPAN_LIT("],\"events\":[{"));
    s->has_events = true;
    s->is_after_one = false;
    json_out_lit(o, "\"timeUnixNano\":");
    put_time(o, at_us);
    json_out_lit(o, ",\"name\":\"");
    json_out_span(o, span_text(name));
    json_out_lit(o, "\",\"attributes\":[");
}

int otlp_span_close(struct otlp_span *s, bool has_failed)
{
    struct json_out *o = &s->out;
    json_out_span(o, s->has_events ? SPAN_LIT("]}]") : SPAN_LIT("]"));
    if (has_failed)
        json_out_lit(o, ",\"status\":{\"code\":2}");
    json_out_lit(o, "}");
    return o->rc;
}

int otlp_batch_open(struct buf *out, const struct otlp_resource *r)
{
    struct otlp_span s = {.out = json_out_to(out)};
    struct json_out *o = &s.out;
    json_out_lit(o, "{\"resourceSpans\":[{\"resource\":{\"attributes\":[");
    otlp_word(&s, "service.name", r->service);
    otlp_word(&s, "service.version", r->version);
    otlp_text(&s, "service.instance.id", r->instance);
    json_out_lit(o, "]},\"scopeSpans\":[{\"scope\":{\"name\":\"sluice\",\"version\":");
    put_text(o, span_text(r->version));
    json_out_lit(o, "},\"schemaUrl\":");
    put_text(o, span_text(r->schema));
    json_out_lit(o, ",\"spans\":[");
    return o->rc;
}

uint64_t otlp_rejected(struct span answer)
{
    uint64_t n = 0;
    struct span said = json_find(json_find(answer, "partialSuccess"), "rejectedSpans");
    if (said.len > 2 && said.at[0] == '"')
        said = span_sub(said, 1, said.len - 2);
    return span_to_u64(said, &n) ? n : 0;
}
