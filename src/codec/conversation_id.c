#include "sluice/codec/conversation_id.h"

#include "sluice/format/json_walk.h"

/* Pictures make first messages large; who they are from shows before. */
enum { WORDS_MAX = 16 * 1024 };

bool conversation_id_is_field(struct span name)
{
    static const char *const names[] = {
        "x-session-id",    "session_id", "session-id",
        "conversation_id", "thread-id",  "x-claude-code-session-id",
    };
    for (unsigned i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (span_ieq(name, span_text(names[i])))
            return true;
    }
    return false;
}

/* --- what the body says --------------------------------------------------------------------------- */

struct said {
    struct span session, cache_key, user_id, user; /* raw */
    struct span instructions, turns;               /* lexemes */
};

static struct span text_in(struct span object, const char *name)
{
    struct json_member m;
    return json_get(object, name, &m) ? json_raw(json_value(object, &m)) : SPAN_NONE;
}

static struct said read_members(struct span body)
{
    struct said s = {.session = SPAN_NONE};
    struct json_walk w;
    json_walk_init(&w, body);
    while (json_walk_next(&w)) {
        if (json_walk_is(&w, "session_id"))
            s.session = json_raw(w.value);
        else if (json_walk_is(&w, "prompt_cache_key"))
            s.cache_key = json_raw(w.value);
        else if (json_walk_is(&w, "metadata") && w.kind == JSON_OBJECT)
            s.user_id = text_in(w.value, "user_id");
        else if (json_walk_is(&w, "user"))
            s.user = json_raw(w.value);
        else if (json_walk_is(&w, "system") || json_walk_is(&w, "instructions"))
            s.instructions = w.value;
        else if (json_walk_is(&w, "messages") || json_walk_is(&w, "input"))
            s.turns = w.value;
    }
    return s;
}

/* A key "ttl" with an hour behind it, wherever it is. */
static bool asks_for_an_hour(struct span body)
{
    struct span value;
    while (json_find_named(&body, SPAN_LIT("\"ttl\""), &value)) {
        if (span_starts(value, SPAN_LIT("\"1h\"")) || span_starts(value, SPAN_LIT("3600")))
            return true;
    }
    return false;
}

/* --- what it begins with -------------------------------------------------------------------------- */

struct opening {
    struct span instructions, words; /* the first system message, and the first of the user's */
    bool was_answered;
};

static struct opening opening_of(struct span turns)
{
    struct opening o = {.words = SPAN_NONE};
    struct span turn;
    size_t cursor = 0;
    while (!o.was_answered && json_each(turns, &cursor, &turn)) {
        struct span role = text_in(turn, "role");
        bool is_system = span_eq(role, SPAN_LIT("system")) || span_eq(role, SPAN_LIT("developer"));
        if (is_system && o.instructions.len == 0)
            o.instructions = turn;
        else if (span_eq(role, SPAN_LIT("user")) && o.words.len == 0)
            o.words = turn;
        else if (!is_system && !span_eq(role, SPAN_LIT("user")))
            o.was_answered = true; /* by an assistant, a call, its reasoning */
    }
    return o;
}

static void digest_opening(const struct said *s, const struct opening *o, uint8_t out[SHA256_BYTES])
{
    const struct span pieces[] = {s->instructions, o->instructions, o->words};
    uint8_t each[3][SHA256_BYTES];
    for (unsigned i = 0; i < 3; i++)
        digest_sha256(span_sub(pieces[i], 0, WORDS_MAX), each[i]);
    digest_sha256(span_of(&each[0][0], sizeof each), out);
}

void conversation_id_read(struct span session, struct span body, struct conversation_id *out)
{
    struct said s = read_members(body);
    const struct span named[] = {session, s.session, s.cache_key, s.user_id, s.user};
    *out = (struct conversation_id){.is_long_lived = asks_for_an_hour(body)};
    for (unsigned i = 0; i < sizeof named / sizeof named[0] && !out->is_known; i++) {
        if (named[i].len == 0)
            continue;
        out->is_known = true;
        digest_sha256(named[i], out->digest);
    }
    if (out->is_known)
        return;
    struct opening o = opening_of(s.turns);
    out->is_known = o.words.len > 0 &&
                    (o.was_answered || span_find(body, SPAN_LIT("\"cache_control\"")) != SIZE_MAX);
    if (out->is_known)
        digest_opening(&s, &o, out->digest);
}
