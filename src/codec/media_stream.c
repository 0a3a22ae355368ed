#include "sluice/codec/media_stream.h"

#include "sluice/format/json_walk.h"

static bool ends_in(struct span text, struct span end)
{
    return text.len >= end.len && span_eq(span_skip(text, text.len - end.len), end);
}

static unsigned elements(struct span list)
{
    struct span item;
    size_t cursor = 0;
    unsigned n = 0;
    while (json_each(list, &cursor, &item))
        n++;
    return n;
}

static uint64_t milliseconds(struct span value)
{
    struct usage u = {.audio_ms = 0};
    return usage_read_seconds(&u, value) ? u.audio_ms : 0;
}

static void see(struct passing_event *e, struct span *type, const struct json_walk *w)
{
    if (json_walk_is(w, "type"))
        *type = json_raw(w->value);
    else if (json_walk_is(w, "usage") && w->kind == JSON_OBJECT)
        e->usage = w->value;
    else if (json_walk_is(w, "data") && w->kind == JSON_ARRAY)
        e->images = elements(w->value);
    else if (json_walk_is(w, "duration"))
        e->audio_ms = milliseconds(w->value);
    else if (json_walk_is(w, "error") && w->kind != JSON_NULL && w->kind != JSON_FALSE)
        e->error = w->value;
    else if (json_walk_is(w, "request_id"))
        e->has_request_id = true;
    else if (json_walk_is(w, "provider"))
        e->has_provider = true;
}

struct passing_event media_event_look(struct span data)
{
    struct passing_event e = {.kind = EVENT_CHUNK};
    struct span type = SPAN_NONE;
    struct json_walk w;
    if (span_eq(data, SPAN_LIT("[DONE]")))
        return (struct passing_event){.kind = EVENT_DONE};
    json_walk_init(&w, data);
    while (json_walk_next(&w))
        see(&e, &type, &w);
    if (!json_walk_is_complete(&w))
        return (struct passing_event){.kind = EVENT_MALFORMED};
    e.open = e.host = (uint32_t)w.scan.open;
    e.end = (uint32_t)(w.scan.end - 1);
    e.is_empty = w.scan.members == 0;
    if (e.error.len > 0 || span_eq(type, SPAN_LIT("error"))) {
        e.kind = EVENT_ERROR;
        return e;
    }
    e.has_content = true;
    e.content = data;
    if (ends_in(type, SPAN_LIT(".done")) || ends_in(type, SPAN_LIT(".completed")))
        e.finish = SPAN_LIT("stop");
    if (e.finish.len > 0 && span_starts(type, SPAN_LIT("image_")))
        e.images = 1;
    return e;
}

/* What a model for pictures writes is pictures, where nobody says otherwise. */
bool media_read_usage_of_pictures(struct usage *u, struct span object)
{
    if (!media_read_usage(u, object))
        return false;
    if (u->out.image == 0)
        u->out.image = u->completion - u->reasoning;
    return true;
}

bool media_read_usage(struct usage *u, struct span object)
{
    return usage_read_responses(u, object) || usage_read_openai(u, object);
}
