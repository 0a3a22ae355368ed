#include "web_search.h"

/* --- reading -------------------------------------------------------------------------------------- */

static struct turn_search *begin(struct reading *g, struct turn_tool *t)
{
    t->search = ARENA_NEW(g->a, struct turn_search);
    t->name = SPAN_LIT("");
    return t->search;
}

static void read_place(struct span place, struct turn_search *s)
{
    s->city = reading_text_of(place, "city");
    s->region = reading_text_of(place, "region");
    s->country = reading_text_of(place, "country");
    s->timezone = reading_text_of(place, "timezone");
}

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

void web_search_read_chat(struct reading *g, struct span options, struct turn_tool *t)
{
    struct turn_search *s = begin(g, t);
    s->context_size = reading_text_of(options, "search_context_size");
    read_place(member(member(options, "user_location", JSON_OBJECT), "approximate", JSON_OBJECT),
               s);
}

void web_search_read_messages(struct reading *g, struct span tool, struct turn_tool *t)
{
    struct turn_search *s = begin(g, t);
    s->allowed_domains = filled(tool, "allowed_domains");
    s->blocked_domains = filled(tool, "blocked_domains");
    s->max_uses = member(tool, "max_uses", JSON_NUMBER);
    read_place(member(tool, "user_location", JSON_OBJECT), s);
}

void web_search_read_responses(struct reading *g, struct span tool, struct turn_tool *t)
{
    struct json_member m;
    struct turn_search *s = begin(g, t);
    s->is_offline = json_get(tool, "external_web_access", &m) && m.kind == JSON_FALSE;
    s->context_size = reading_text_of(tool, "search_context_size");
    s->allowed_domains = filled(member(tool, "filters", JSON_OBJECT), "allowed_domains");
    s->blocked_domains = filled(member(tool, "filters", JSON_OBJECT), "blocked_domains");
    read_place(member(tool, "user_location", JSON_OBJECT), s);
}

/* --- writing -------------------------------------------------------------------------------------- */

static void put_place(struct writing *w, const struct turn_search *s)
{
    put(w, "{\"type\":\"approximate\"");
    put_string(w, "city", s->city);
    put_string(w, "region", s->region);
    put_string(w, "country", s->country);
    put_string(w, "timezone", s->timezone);
    put(w, "}");
}

static bool has_place(const struct turn_search *s)
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
    return t->search->blocked_domains.len == 0 ||
           refuse(w, t->path, "this model's search cannot be kept from single domains");
}

static bool check_no_domains(struct writing *w, const struct turn_tool *t)
{
    return (t->search->allowed_domains.len == 0 ||
            refuse(w, t->path, "this model's search cannot be held to single domains")) &&
           check_domains(w, t);
}

bool web_search_is_possible(struct writing *w, const struct turn_tool *t)
{
    if (t->search->is_offline)
        turn_note_dropped(w->notes, "web search");
    return !t->search->is_offline;
}

bool web_search_put_chat(struct writing *w, const struct turn_tool *t)
{
    const struct turn_search *s = t->search;
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

bool web_search_put_messages(struct writing *w, const struct turn_tool *t)
{
    const struct turn_search *s = t->search;
    note(w, s->context_size, "search_context_size");
    put_comma(w);
    put(w, "{\"type\":\"web_search_20250305\",\"name\":\"web_search\"");
    put_lexeme(w, "max_uses", s->max_uses);
    put_lexeme(w, "allowed_domains", s->allowed_domains);
    put_lexeme(w, "blocked_domains", s->blocked_domains);
    if (has_place(s)) {
        put_key(w, "user_location");
        put_place(w, s);
    }
    put(w, "}");
    return true;
}

bool web_search_put_responses(struct writing *w, const struct turn_tool *t)
{
    const struct turn_search *s = t->search;
    if (!check_domains(w, t))
        return false;
    note(w, s->max_uses, "max_uses");
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

bool web_search_put_gemini(struct writing *w, const struct turn_tool *t)
{
    const struct turn_search *s = t->search;
    if (!check_no_domains(w, t))
        return false;
    note(w, s->max_uses, "max_uses");
    note(w, s->context_size, "search_context_size");
    if (has_place(s))
        turn_note_dropped(w->notes, "user_location");
    put(w, "{\"googleSearch\":{}}");
    return true;
}
