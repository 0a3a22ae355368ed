#include "sluice/codec/messages_stream.h"

#include "sluice/format/json_walk.h"

/* What the members of an event, or of a whole answer, say together. */
struct seen {
    struct passing_event e;
    struct span type; /* with its quotes */
    struct span message, delta, block;
};

static struct span member(struct span object, const char *key, enum json_kind kind)
{
    struct json_member m;
    if (object.len == 0 || !json_get(object, key, &m) || m.kind != kind)
        return SPAN_NONE;
    return json_value(object, &m);
}

static void see(struct seen *s, const struct json_walk *w)
{
    if (json_walk_is(w, "type"))
        s->type = w->value;
    else if (json_walk_is(w, "delta"))
        s->delta = w->value;
    else if (json_walk_is(w, "content_block"))
        s->block = w->value;
    else if (json_walk_is(w, "message"))
        s->message = w->value;
    else if (json_walk_is(w, "usage") && w->kind == JSON_OBJECT)
        s->e.usage = w->value;
    else if (json_walk_is(w, "stop_reason"))
        s->e.finish = json_raw(w->value);
    else if (json_walk_is(w, "error") && w->kind != JSON_NULL)
        s->e.error = w->value;
    else if (json_walk_is(w, "request_id"))
        s->e.has_request_id = true;
    else if (json_walk_is(w, "provider"))
        s->e.has_provider = true;
}

static bool is_type(const struct seen *s, struct span quoted)
{
    return span_eq(s->type, quoted);
}

static void conclude(struct seen *s)
{
    s->e.type = json_raw(s->type);
    if (is_type(s, SPAN_LIT("\"content_block_delta\""))) {
        s->e.has_content = true;
        s->e.content = s->delta;
    } else if (is_type(s, SPAN_LIT("\"content_block_start\""))) {
        s->e.has_content = true;
        s->e.content = s->block;
    } else if (is_type(s, SPAN_LIT("\"message_start\""))) {
        s->e.usage = member(s->message, "usage", JSON_OBJECT);
    } else if (is_type(s, SPAN_LIT("\"message_delta\""))) {
        s->e.finish = json_raw(member(s->delta, "stop_reason", JSON_STRING));
    } else if (is_type(s, SPAN_LIT("\"message_stop\""))) {
        s->e.kind = EVENT_DONE;
    }
    if (s->e.error.len > 0)
        s->e.kind = EVENT_ERROR;
}

int messages_put_ping(struct buf *out)
{
    return buf_add_text(out, "event: ping\ndata: {\"type\": \"ping\"}\n\n");
}

struct passing_event messages_event_look(struct span data)
{
    struct seen s = {.e = {.kind = EVENT_CHUNK}};
    struct json_walk w;
    json_walk_init(&w, data);
    while (json_walk_next(&w))
        see(&s, &w);
    if (!json_walk_is_complete(&w))
        return (struct passing_event){.kind = EVENT_MALFORMED};
    s.e.open = s.e.host = (uint32_t)w.scan.open;
    s.e.end = (uint32_t)(w.scan.end - 1);
    s.e.is_empty = w.scan.members == 0;
    conclude(&s);
    return s.e;
}
