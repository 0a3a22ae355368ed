#include "chat_turn_parts.h"

/* --- content parts -------------------------------------------------------------------------------- */

static bool read_image(struct reading *g, struct span image, struct turn_part *p)
{
    struct span url = reading_text_of(image, "url");
    p->detail = reading_text_of(image, "detail");
    if (url.len == 0)
        return reading_refuse(g, p->path, "it needs image_url.url");
    return reading_location(g, url, p);
}

static bool read_video(struct reading *g, struct span video, struct turn_part *p)
{
    struct span url = reading_text_of(video, "url");
    if (url.len == 0)
        return reading_refuse(g, p->path, "it needs video_url.url");
    return reading_location(g, url, p);
}

static bool read_file(struct reading *g, struct span file, struct turn_part *p)
{
    struct span data = reading_text_of(file, "file_data");
    p->name = reading_text_of(file, "filename");
    if (data.len == 0)
        return reading_refuse(
            g, p->path, "a file is sent as file_data; an id is known where it was stored only");
    return reading_location(g, data, p);
}

static bool read_audio(struct reading *g, struct span audio, struct turn_part *p)
{
    struct span format = reading_text_of(audio, "format");
    p->data = reading_text_of(audio, "data");
    if (p->data.len == 0)
        return reading_refuse(g, p->path, "it needs input_audio.data in base64");
    if (span_eq(format, SPAN_LIT("mp3")))
        p->media_type = SPAN_LIT("audio/mpeg");
    else if (span_eq(format, SPAN_LIT("wav")))
        p->media_type = SPAN_LIT("audio/wav");
    else
        return reading_refuse(g, p->path, "its format must be wav or mp3");
    return true;
}

static const struct {
    const char *type, *member;
    enum turn_part_kind kind;
    bool (*read)(struct reading *g, struct span value, struct turn_part *p);
} media[] = {
    {"image_url", "image_url", PART_IMAGE, read_image},
    {"file", "file", PART_DOCUMENT, read_file},
    {"input_audio", "input_audio", PART_AUDIO, read_audio},
    {"video_url", "video_url", PART_VIDEO, read_video},
};

static bool read_media(struct reading *g, struct span part, struct span type,
                       struct turn_part ***end, struct span path)
{
    struct json_member m;
    for (unsigned i = 0; i < sizeof media / sizeof media[0]; i++) {
        if (!span_eq(type, span_text(media[i].type)))
            continue;
        struct turn_part *p = reading_add_part(g, end, media[i].kind, path);
        if (p == NULL)
            return false;
        if (!json_get(part, media[i].member, &m) || m.kind != JSON_OBJECT)
            return reading_refuse(g, reading_path(g, path, media[i].member),
                                  "it must be an object");
        return media[i].read(g, json_value(part, &m), p);
    }
    return reading_refuse(g, reading_path(g, path, "type"),
                          "parts of this type are not known here");
}

static bool read_part(struct reading *g, struct span part, struct turn_part ***end,
                      struct span path)
{
    struct json_member m;
    struct span type = reading_text_of(part, "type");
    bool is_refusal = span_eq(type, SPAN_LIT("refusal"));
    if (!is_refusal && !span_eq(type, SPAN_LIT("text")))
        return read_media(g, part, type, end, path);
    if (!json_get(part, is_refusal ? "refusal" : "text", &m) || m.kind != JSON_STRING)
        return reading_refuse(g, path, "it needs a text");
    struct turn_part *p = reading_add_part(g, end, is_refusal ? PART_REFUSAL : PART_TEXT, path);
    if (p == NULL)
        return false;
    p->text = json_raw(json_value(part, &m));
    if (json_get(part, "cache_control", &m) && m.kind == JSON_OBJECT)
        p->cache_control = json_value(part, &m);
    return true;
}

/* A string or an array of parts; null where there may be nothing. */
static bool read_content(struct reading *g, const struct json_walk *w, struct turn_part ***end,
                         struct span path)
{
    struct span part;
    size_t cursor = 0;
    if (w->kind == JSON_NULL)
        return true;
    if (w->kind == JSON_STRING) {
        struct turn_part *p = reading_add_part(g, end, PART_TEXT, path);
        if (p != NULL)
            p->text = json_raw(w->value);
        return p != NULL;
    }
    if (w->kind != JSON_ARRAY)
        return reading_refuse(g, path, "it must be a string or an array of parts");
    for (unsigned i = 0; json_each(w->value, &cursor, &part); i++) {
        if (!read_part(g, part, end, turn_path(g->a, path, "[%u]", i)))
            return false;
    }
    return true;
}

/* --- what the assistant did ------------------------------------------------------------------------ */

static bool read_call(struct reading *g, struct span call, struct turn_part ***end,
                      struct span path)
{
    struct json_member m;
    bool is_custom = span_eq(reading_text_of(call, "type"), SPAN_LIT("custom"));
    struct turn_part *p = reading_add_part(g, end, PART_CALL, path);
    if (p == NULL)
        return false;
    p->id = reading_text_of(call, "id");
    p->is_custom = is_custom;
    if (!json_get(call, is_custom ? "custom" : "function", &m) || m.kind != JSON_OBJECT)
        return reading_refuse(g, reading_path(g, path, "function"), "it must be an object");
    struct span function = json_value(call, &m);
    p->name = reading_text_of(function, "name");
    p->arguments_text = reading_text_of(function, is_custom ? "input" : "arguments");
    if (json_get(function, "arguments", &m) && m.kind == JSON_OBJECT)
        p->arguments_object = json_value(function,
                                         &m); /* some clients forget that it is a string */
    if (p->id.len == 0 || p->name.len == 0)
        return reading_refuse(g, path, "it needs an id and the name of a function");
    return true;
}

static bool read_calls(struct reading *g, struct span calls, struct chat_thought *thought,
                       struct turn_part ***end, struct span path)
{
    struct span call;
    size_t cursor = 0;
    for (unsigned i = 0; json_each(calls, &cursor, &call); i++) {
        struct span at = turn_path(g->a, path, ".tool_calls[%u]", i);
        if (!chat_thought_read_call(g, thought, call, end, at) || !read_call(g, call, end, at))
            return false;
    }
    return true;
}

/* The one call of before there were several; its result names the function instead of an id. */
static bool read_function_call(struct reading *g, struct span call, struct turn_part ***end,
                               struct span path)
{
    struct turn_part *p = reading_add_part(g, end, PART_CALL, path);
    if (p == NULL)
        return false;
    p->name = p->id = reading_text_of(call, "name");
    p->arguments_text = reading_text_of(call, "arguments");
    return p->name.len > 0 || reading_refuse(g, path, "its function_call needs a name");
}

/* --- messages ------------------------------------------------------------------------------------- */

struct message {
    struct span role, name, call_id, refusal, calls, function;
    struct chat_thought thought;
    struct json_walk content;
};

static bool read_members(struct reading *g, struct span value, struct span path, struct message *m)
{
    struct json_walk w;
    *m = (struct message){.content = {.kind = JSON_NULL}};
    json_walk_init(&w, value);
    while (json_walk_next(&w)) {
        if (json_walk_is(&w, "role"))
            m->role = json_raw(w.value);
        else if (json_walk_is(&w, "content"))
            m->content = w;
        else if (json_walk_is(&w, "name"))
            m->name = json_raw(w.value);
        else if (json_walk_is(&w, "tool_call_id"))
            m->call_id = json_raw(w.value);
        else if (chat_thought_take(&m->thought, &w))
            continue;
        else if (json_walk_is(&w, "refusal"))
            m->refusal = json_raw(w.value);
        else if (json_walk_is(&w, "function_call") && w.kind == JSON_OBJECT)
            m->function = w.value;
        else if (!json_walk_is(&w, "tool_calls"))
            reading_unread(g, "messages[].", &w);
        else if (!reading_array(g, &w, reading_path(g, path, "tool_calls"), &m->calls))
            return false;
    }
    return json_walk_is_complete(&w) || reading_refuse(g, path, "it must be an object");
}

/* Reasoning comes before what it led to. */
static bool read_assistant(struct reading *g, struct message *m, struct span path)
{
    struct turn_message *t = reading_add_message(g, ROLE_ASSISTANT, path);
    if (t == NULL)
        return false;
    struct turn_part **end = &t->parts;
    if (!chat_thought_read(g, &m->thought, &end, path) ||
        !read_content(g, &m->content, &end, reading_path(g, path, "content")))
        return false;
    if (m->refusal.len > 0) {
        struct turn_part *p = reading_add_part(g, &end, PART_REFUSAL, path);
        if (p == NULL)
            return false;
        p->text = m->refusal;
    }
    return read_calls(g, m->calls, &m->thought, &end, path) &&
           (m->function.len == 0 || read_function_call(g, m->function, &end, path));
}

static bool read_result(struct reading *g, const struct message *m, struct span id,
                        struct span path)
{
    struct turn_message *t = reading_add_message(g, ROLE_TOOL, path);
    if (t == NULL)
        return false;
    struct turn_part **end = &t->parts;
    struct turn_part *p = reading_add_part(g, &end, PART_RESULT, path);
    if (p == NULL)
        return false;
    p->id = id;
    if (id.len == 0)
        return reading_refuse(g, path, "it needs the tool_call_id it answers");
    struct turn_part **inside = &p->inside;
    return read_content(g, &m->content, &inside, reading_path(g, path, "content"));
}

static bool read_plain(struct reading *g, enum turn_role role, const struct message *m,
                       struct span path)
{
    struct turn_message *t = reading_add_message(g, role, path);
    if (t == NULL)
        return false;
    t->name = m->name;
    struct turn_part **end = &t->parts;
    struct span at = reading_path(g, path, "content");
    if (m->content.kind == JSON_NULL)
        return reading_refuse(g, at, "it must be a string or an array of parts");
    return read_content(g, &m->content, &end, at);
}

static bool read_message(struct reading *g, struct span value, struct span path)
{
    struct message m;
    if (!read_members(g, value, path, &m))
        return false;
    if (span_eq(m.role, SPAN_LIT("user")))
        return read_plain(g, ROLE_USER, &m, path);
    if (span_eq(m.role, SPAN_LIT("assistant")))
        return read_assistant(g, &m, path);
    if (span_eq(m.role, SPAN_LIT("tool")))
        return read_result(g, &m, m.call_id, path);
    if (span_eq(m.role, SPAN_LIT("system")))
        return read_plain(g, ROLE_SYSTEM, &m, path);
    if (span_eq(m.role, SPAN_LIT("developer")))
        return read_plain(g, ROLE_DEVELOPER, &m, path);
    if (span_eq(m.role, SPAN_LIT("function")))
        return read_result(g, &m, m.name, path);
    return reading_refuse(g, reading_path(g, path, "role"),
                          "it must be system, developer, user, assistant or tool");
}

bool chat_turn_read_messages(struct reading *g, struct span messages)
{
    struct span message;
    size_t cursor = 0;
    for (unsigned i = 0; json_each(messages, &cursor, &message); i++) {
        if (!read_message(g, message, turn_path(g->a, SPAN_NONE, "messages[%u]", i)))
            return false;
    }
    return true;
}
