#include "turn_reading.h"

#include "data_url.h"
#include "wire_tools.h"

#include "sluice/codec/media_type.h"

bool reading_refuse(struct reading *g, struct span path, const char *problem)
{
    return turn_refuse(g->why, FAULT_INVALID_REQUEST, path, "%s", problem);
}

bool reading_string(struct reading *g, const struct json_walk *w, struct span path,
                    struct span *raw)
{
    if (w->kind != JSON_STRING)
        return reading_refuse(g, path, "it must be a string");
    *raw = json_raw(w->value);
    if (raw->len == 0)
        raw->at = w->value.at; /* empty, and yet there */
    return true;
}

/* null is as good as absent for members that may be. */
static bool is_absent(const struct json_walk *w)
{
    return w->kind == JSON_NULL;
}

static bool take(struct reading *g, const struct json_walk *w, enum json_kind kind,
                 struct span path, struct span *lexeme, const char *problem)
{
    if (is_absent(w))
        return true;
    if (w->kind != kind)
        return reading_refuse(g, path, problem);
    *lexeme = w->value;
    return true;
}

bool reading_number(struct reading *g, const struct json_walk *w, struct span path,
                    struct span *lexeme)
{
    return take(g, w, JSON_NUMBER, path, lexeme, "it must be a number");
}

bool reading_object(struct reading *g, const struct json_walk *w, struct span path,
                    struct span *lexeme)
{
    return take(g, w, JSON_OBJECT, path, lexeme, "it must be an object");
}

bool reading_array(struct reading *g, const struct json_walk *w, struct span path,
                   struct span *lexeme)
{
    return take(g, w, JSON_ARRAY, path, lexeme, "it must be an array");
}

bool reading_bool(struct reading *g, const struct json_walk *w, struct span path, bool *out)
{
    if (!is_absent(w) && w->kind != JSON_TRUE && w->kind != JSON_FALSE)
        return reading_refuse(g, path, "it must be true or false");
    *out = w->kind == JSON_TRUE;
    return true;
}

static bool refuse_crowd(struct reading *g, struct span path)
{
    return reading_refuse(g, path, "the request has more messages and parts than can be read");
}

struct turn_message *reading_add_message(struct reading *g, enum turn_role role, struct span path)
{
    struct turn_message *m = turn_add_message(g->r, g->a, role);
    if (m == NULL)
        refuse_crowd(g, path);
    else
        m->path = path;
    return m;
}

struct turn_part *reading_add_part(struct reading *g, struct turn_part ***end,
                                   enum turn_part_kind kind, struct span path)
{
    struct turn_part *p = turn_add_part(g->r, end, g->a, kind);
    if (p == NULL)
        refuse_crowd(g, path);
    else
        p->path = path;
    return p;
}

struct span reading_path(struct reading *g, struct span path, const char *key)
{
    return turn_path(g->a, path, path.len > 0 ? ".%s" : "%s", key);
}

struct span reading_text_of(struct span object, const char *key)
{
    struct json_member m;
    return json_get(object, key, &m) && m.kind == JSON_STRING ? json_raw(json_value(object, &m))
                                                              : SPAN_NONE;
}

struct span reading_plain(struct reading *g, struct span raw)
{
    if (raw.len == 0 || memchr(raw.at, '\\', raw.len) == NULL)
        return raw;
    char *text = arena_alloc(g->a, raw.len + 1);
    long n = json_unescape(raw, text, raw.len + 1);
    for (long i = 0; i < n; i++) {
        if ((uint8_t)text[i] < ' ' || text[i] == '"' || text[i] == '\\')
            return raw;
    }
    return n < 0 ? raw : span_of(text, (size_t)n);
}

bool reading_data(struct reading *g, struct span media_type, struct span data, struct turn_part *p)
{
    p->media_type = reading_plain(g, media_type);
    p->data = data;
    return media_type_fits(p->kind, p->media_type) ||
           reading_refuse(g, p->path,
                          p->kind == PART_VIDEO
                              ? "its type must be video/mp4, video/mpeg, video/mov, "
                                "video/quicktime or video/webm"
                              : "its type must be that of an image, like image/png");
}

/* Data without its "data:" is what people forget most. */
static bool has_scheme(struct span url)
{
    return span_find(span_sub(url, 0, 32), SPAN_LIT("://")) != SIZE_MAX;
}

bool reading_location(struct reading *g, struct span raw, struct turn_part *p)
{
    struct data_url url;
    switch (data_url_read(raw, g->a, &url)) {
    case DATA_URL_NONE:
        p->url = reading_plain(g, raw);
        return has_scheme(p->url) ||
               reading_refuse(g, p->path, "it must be a URL, or data:<media type>;base64,<data>");
    case DATA_URL_READ:
        return reading_data(g, url.media_type, url.data, p);
    case DATA_URL_BAD:
        break;
    }
    return reading_refuse(g, p->path, "its data URL must be data:<media type>;base64,<data>");
}

bool reading_is_gateways(const struct json_walk *w)
{
    static const char *const names[] = {"model", "models", "provider", "stream_options", "usage"};
    for (unsigned i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (json_walk_is(w, names[i]))
            return true;
    }
    return false;
}

static bool says_nothing(const struct json_walk *w)
{
    return w->kind == JSON_NULL || w->kind == JSON_FALSE ||
           (w->kind == JSON_ARRAY && !json_array_is_filled(w->value)) ||
           (w->kind == JSON_STRING && w->value.len == 2);
}

/* `where` and the client's own word behind it. */
static void note(struct reading *g, const char *where, struct span word)
{
    char name[80];
    size_t n = strlen(where);
    memcpy(name, where, n);
    for (size_t i = 0; i < word.len && n < sizeof name - 1; i++) { /* it goes into a header */
        uint8_t c = word.at[i];
        bool is_plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                        (c >= '0' && c <= '9') || c == '_' || c == '-';
        name[n++] = is_plain ? (char)c : '?';
    }
    name[n] = '\0';
    if (!turn_is_noted(&g->r->unread, name))
        turn_note_dropped(&g->r->unread, arena_printf(g->a, "%s", name));
}

void reading_unread(struct reading *g, const char *where, const struct json_walk *w)
{
    if (!says_nothing(w))
        note(g, where, w->key);
}

static void leave_tool(struct reading *g, struct span type)
{
    g->lacks_tools = true;
    note(g, "tools: ", type);
}

bool reading_unknown_tool(struct reading *g, struct span type, struct span path)
{
    if (!g->o->drops_unknown_tools)
        return turn_refuse(g->why, FAULT_UNSUPPORTED_PARAMETER, reading_path(g, path, "type"),
                           "this model has no tool of type \"%.*s\"",
                           SPAN_FMT(span_sub(type, 0, 64)));
    leave_tool(g, type);
    return true;
}

bool reading_tool_search(struct reading *g, struct span type, struct span path)
{
    if (g->o->rejects_deferred_tools)
        return reading_unknown_tool(g, type, path);
    leave_tool(g, type);
    return true;
}

bool reading_deferred(struct reading *g, const struct json_walk *w, struct span path)
{
    if (g->o->rejects_deferred_tools)
        return turn_refuse(g->why, FAULT_UNSUPPORTED_PARAMETER,
                           turn_path(g->a, path, ".%.*s", SPAN_FMT(span_sub(w->key, 0, 64))),
                           "this model is told of all its tools, and calls them itself");
    reading_unread(g, "tools[].", w);
    return true;
}

bool reading_check_choice(struct reading *g)
{
    const struct turn_request *r = g->r;
    bool is_lost = (r->choice == CHOICE_NAMED && wire_tool_named(r, r->choice_name) == NULL) ||
                   (r->choice == CHOICE_REQUIRED && r->tools == NULL);
    return !g->lacks_tools || !is_lost ||
           reading_refuse(g, SPAN_LIT("tool_choice"), "this model has no such tool");
}
