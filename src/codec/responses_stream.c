#include "sluice/codec/responses_stream.h"

#include "sluice/format/json_walk.h"

/* What the members of an event, or of a whole response, say together. */
struct seen {
    struct passing_event e;
    struct span type; /* without its quotes */
    struct span response, delta, status, details;
};

static void see(struct seen *s, const struct json_walk *w)
{
    if (json_walk_is(w, "type"))
        s->type = json_raw(w->value);
    else if (json_walk_is(w, "sequence_number"))
        (void)json_u64(w->value, &s->e.sequence);
    else if (json_walk_is(w, "delta"))
        s->delta = w->value;
    else if (json_walk_is(w, "response") && w->kind == JSON_OBJECT)
        s->response = w->value;
    else if (json_walk_is(w, "usage") && w->kind == JSON_OBJECT)
        s->e.usage = w->value;
    else if (json_walk_is(w, "output") && w->kind == JSON_ARRAY)
        s->e.content = w->value;
    else if (json_walk_is(w, "status"))
        s->status = json_raw(w->value);
    else if (json_walk_is(w, "incomplete_details") && w->kind == JSON_OBJECT)
        s->details = w->value;
    else if (json_walk_is(w, "error") && w->kind == JSON_OBJECT)
        s->e.error = w->value;
    else if (json_walk_is(w, "request_id"))
        s->e.has_request_id = true;
    else if (json_walk_is(w, "provider"))
        s->e.has_provider = true;
}

/* "completed", or what an incomplete response was cut by. */
static struct span finish_of(const struct seen *s)
{
    struct json_member reason;
    if (s->details.len > 0 && json_get(s->details, "reason", &reason))
        return json_raw(json_value(s->details, &reason));
    return s->status;
}

/* The response object inside a terminal event has the members of a whole response. */
static void look_inside(struct seen *s)
{
    struct seen inner = {.e = {.kind = EVENT_CHUNK}};
    struct json_walk w;
    json_walk_init(&w, s->response);
    while (json_walk_next(&w))
        see(&inner, &w);
    s->e.usage = inner.e.usage;
    s->e.content = inner.e.content;
    s->e.has_request_id = inner.e.has_request_id;
    s->e.finish = finish_of(&inner);
    if (inner.e.error.len > 0)
        s->e.error = inner.e.error;
}

static void conclude(struct seen *s)
{
    bool has_failed = span_eq(s->type, SPAN_LIT("response.failed"));
    s->e.type = s->type;
    if (s->type.len == 0) { /* a whole response, or nobody knows what */
        s->e.finish = finish_of(s);
    } else if (has_failed || span_eq(s->type, SPAN_LIT("response.completed")) ||
               span_eq(s->type, SPAN_LIT("response.incomplete"))) {
        s->e.kind = EVENT_DONE;
        look_inside(s);
    } else if (span_eq(s->type, SPAN_LIT("response.created"))) {
        s->e.begun = s->response;
    } else if (span_eq(s->type, SPAN_LIT("error"))) {
        s->e.kind = EVENT_ERROR;
    } else if (s->delta.len > 0 || span_eq(s->type, SPAN_LIT("response.output_item.added"))) {
        s->e.has_content = true;
        s->e.content = s->delta;
    }
    s->e.is_last = has_failed;
    if (has_failed || (s->type.len == 0 && s->e.error.len > 0))
        s->e.kind = EVENT_ERROR;
}

int responses_put_keepalive(uint64_t sequence, struct buf *out)
{
    return buf_addf(out,
                    "event: keepalive\ndata: {\"type\":\"keepalive\",\"sequence_number\":%llu}\n\n",
                    (unsigned long long)sequence);
}

struct passing_event responses_event_look(struct span data)
{
    struct seen s = {.e = {.kind = EVENT_CHUNK}};
    struct json_walk w;
    if (span_eq(data, SPAN_LIT("[DONE]"))) /* OpenRouter, behind the terminal event */
        return (struct passing_event){.kind = EVENT_DONE};
    json_walk_init(&w, data);
    while (json_walk_next(&w))
        see(&s, &w);
    if (!json_walk_is_complete(&w))
        return (struct passing_event){.kind = EVENT_MALFORMED};
    s.e.open = s.e.host = (uint32_t)w.scan.open;
    s.e.end = (uint32_t)(w.scan.end - 1);
    s.e.is_empty = w.scan.members == 0;
    conclude(&s);
    if (s.e.usage.len > 0 && s.response.len > 0)
        s.e.host = (uint32_t)(s.response.at - data.at);
    return s.e;
}
