#include "web_tool.h"

/* --- reading -------------------------------------------------------------------------------------- */

static struct span member(struct span object, const char *key, enum json_kind kind)
{
    struct json_member m;
    return json_get(object, key, &m) && m.kind == kind ? json_value(object, &m) : SPAN_NONE;
}

static struct span filled(struct span object, const char *key)
{
    struct span list = member(object, key, JSON_ARRAY);
    return json_array_is_filled(list) ? list : SPAN_NONE;
}

/* Flat, or one level down as Chat has it: both are meant by everybody (contract D-09). */
static void read_place(struct span place, struct turn_web *s)
{
    struct span nested = member(place, "approximate", JSON_OBJECT);
    if (nested.len > 0)
        place = nested;
    s->city = reading_text_of(place, "city");
    s->region = reading_text_of(place, "region");
    s->country = reading_text_of(place, "country");
    s->timezone = reading_text_of(place, "timezone");
}

/* Responses have them in filters. */
static struct span domains(struct span said, const char *key)
{
    struct span own = filled(said, key);
    return own.len > 0 ? own : filled(member(said, "filters", JSON_OBJECT), key);
}

bool web_tool_is(struct span type, enum web_kind *kind)
{
    *kind = span_starts(type, SPAN_LIT("web_fetch")) ? WEB_FETCH : WEB_SEARCH;
    return *kind == WEB_FETCH || span_starts(type, SPAN_LIT("web_search"));
}

bool web_tool_read(struct reading *g, enum web_kind kind, struct span said, struct turn_tool *t)
{
    struct turn_web *s = ARENA_NEW(g->a, struct turn_web);
    t->web = s;
    t->name = kind == WEB_FETCH ? SPAN_LIT("web_fetch") : SPAN_LIT("");
    s->kind = kind;
    s->is_offline = span_eq(member(said, "external_web_access", JSON_FALSE), SPAN_LIT("false"));
    s->context_size = reading_text_of(said, "search_context_size");
    s->allowed_domains = domains(said, "allowed_domains");
    s->blocked_domains = domains(said, "blocked_domains");
    s->max_uses = member(said, "max_uses", JSON_NUMBER);
    s->max_content_tokens = member(said, "max_content_tokens", JSON_NUMBER);
    s->citations = member(said, "citations", JSON_OBJECT);
    read_place(member(said, "user_location", JSON_OBJECT), s);
    return s->allowed_domains.len == 0 || s->blocked_domains.len == 0 ||
           reading_refuse(g, t->path, "it takes allowed_domains or blocked_domains, not both");
}

/* --- writing -------------------------------------------------------------------------------------- */

static void put_place(struct writing *w, const struct turn_web *s)
{
    put(w, "{\"type\":\"approximate\"");
    put_string(w, "city", s->city);
    put_string(w, "region", s->region);
    put_string(w, "country", s->country);
    put_string(w, "timezone", s->timezone);
    put(w, "}");
}

static bool has_place(const struct turn_web *s)
{
    return s->city.len > 0 || s->region.len > 0 || s->country.len > 0 || s->timezone.len > 0;
}

static void note(struct writing *w, struct span setting, const char *name)
{
    if (setting.len > 0)
        turn_note_dropped(w->notes, name);
}

static bool check_domains(struct writing *w, const struct turn_tool *t)
{
    return t->web->blocked_domains.len == 0 ||
           refuse(w, t->path, "this model cannot be kept from single domains");
}

static bool check_no_domains(struct writing *w, const struct turn_tool *t)
{
    return (t->web->allowed_domains.len == 0 ||
            refuse(w, t->path, "this model cannot be held to single domains")) &&
           check_domains(w, t);
}

void web_tool_note(struct writing *w, const struct turn_tool *t)
{
    turn_note_dropped(w->notes, t->web->kind == WEB_FETCH ? "web fetch" : "web search");
}

bool web_tool_is_possible(struct writing *w, const struct turn_tool *t)
{
    if (t->web->is_offline)
        web_tool_note(w, t);
    return !t->web->is_offline;
}

bool web_tool_put_chat(struct writing *w, const struct turn_tool *t)
{
    const struct turn_web *s = t->web;
    if (!check_no_domains(w, t))
        return false;
    note(w, s->max_uses, "max_uses");
    put(w, ",\"web_search_options\":{");
    put_string(w, "search_context_size", s->context_size);
    if (has_place(s)) {
        put_key(w, "user_location");
        put(w, "{\"type\":\"approximate\",\"approximate\":");
        put_place(w, s);
        put(w, "}");
    }
    put(w, "}");
    return true;
}

void web_tool_put_messages(struct writing *w, const struct turn_tool *t)
{
    const struct turn_web *s = t->web;
    bool is_fetch = s->kind == WEB_FETCH;
    note(w, s->context_size, "search_context_size");
    put_comma(w);
    put(w, is_fetch ? "{\"type\":\"web_fetch_20250910\",\"name\":\"web_fetch\""
                    : "{\"type\":\"web_search_20250305\",\"name\":\"web_search\"");
    put_lexeme(w, "max_uses", s->max_uses);
    put_lexeme(w, "allowed_domains", s->allowed_domains);
    put_lexeme(w, "blocked_domains", s->blocked_domains);
    if (is_fetch) {
        put_lexeme(w, "max_content_tokens", s->max_content_tokens);
        put_lexeme(w, "citations", s->citations);
    } else if (has_place(s)) {
        put_key(w, "user_location");
        put_place(w, s);
    }
    put(w, "}");
}

bool web_tool_put_responses(struct writing *w, const struct turn_tool *t)
{
    const struct turn_web *s = t->web;
    if (!check_domains(w, t))
        return false;
    note(w, s->max_uses, "max_uses");
    put_comma(w);
    put(w, s->is_offline ? "{\"type\":\"web_search\",\"external_web_access\":false"
                         : "{\"type\":\"web_search\"");
    put_string(w, "search_context_size", s->context_size);
    if (s->allowed_domains.len > 0) {
        put(w, ",\"filters\":{");
        put_lexeme(w, "allowed_domains", s->allowed_domains);
        put(w, "}");
    }
    if (has_place(s)) {
        put_key(w, "user_location");
        put_place(w, s);
    }
    put(w, "}");
    return true;
}

bool web_tool_put_gemini(struct writing *w, const struct turn_tool *t)
{
    const struct turn_web *s = t->web;
    if (!check_no_domains(w, t))
        return false;
    note(w, s->max_uses, "max_uses");
    note(w, s->max_content_tokens, "max_content_tokens");
    note(w, s->citations, "citations");
    note(w, s->context_size, "search_context_size");
    if (has_place(s))
        turn_note_dropped(w->notes, "user_location");
    put_comma(w);
    put(w, s->kind == WEB_FETCH ? "{\"urlContext\":{}}" : "{\"googleSearch\":{}}");
    return true;
}
