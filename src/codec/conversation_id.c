#include "sluice/codec/conversation_id.h"

#include "sluice/format/json_walk.h"

#include <endian.h>
#include <stddef.h>

/* Of a longer text its ends and its length are looked at: enough to tell conversations apart. */
enum { END_BYTES = 256, SAMPLE_MAX = 2 * END_BYTES + sizeof(uint64_t) };

#define NAME(text) {(const uint8_t *)(text), sizeof(text) - 1}

bool conversation_id_is_field(struct span name)
{
    static const struct span names[] = {
        NAME("x-session-id"),    NAME("session_id"), NAME("session-id"),
        NAME("conversation_id"), NAME("thread-id"),  NAME("x-claude-code-session-id"),
    };
    for (unsigned i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (name.len == names[i].len && span_ieq(name, names[i]))
            return true;
    }
    return false;
}

/* --- what the body says --------------------------------------------------------------------------- */

#define CLUE(member) offsetof(struct conversation_clues, member)

void conversation_note(struct conversation_clues *c, struct span raw_key, struct span value)
{
    static const struct {
        struct span key;
        size_t at;
    } known[] = {
        {NAME("user"), CLUE(user)},
        {NAME("input"), CLUE(turns)},
        {NAME("system"), CLUE(instructions)},
        {NAME("messages"), CLUE(turns)},
        {NAME("metadata"), CLUE(metadata)},
        {NAME("session_id"), CLUE(session)},
        {NAME("instructions"), CLUE(instructions)},
        {NAME("prompt_cache_key"), CLUE(cache_key)},
    };
    for (unsigned i = 0; i < sizeof known / sizeof known[0]; i++) {
        if (span_eq(known[i].key, raw_key))
            *(struct span *)((char *)c + known[i].at) = value;
    }
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

/* It comes first, mostly: the rest, which may be long, is not looked at then. */
static struct span role_of(struct span turn)
{
    struct json_walk w;
    json_walk_init(&w, turn);
    while (json_walk_next(&w)) {
        if (json_walk_is(&w, "role"))
            return json_raw(w.value);
    }
    return SPAN_NONE;
}

static struct opening opening_of(struct span turns)
{
    struct opening o = {.words = SPAN_NONE};
    struct span turn;
    size_t cursor = 0;
    while (!o.was_answered && json_each(turns, &cursor, &turn)) {
        struct span role = role_of(turn);
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

static size_t put(uint8_t *out, struct span bytes)
{
    if (bytes.len > 0)
        memcpy(out, bytes.at, bytes.len);
    return bytes.len;
}

static size_t sample(struct span text, uint8_t out[SAMPLE_MAX])
{
    const uint64_t len = htole64(text.len); /* replicas agree on it, whatever they run on */
    size_t tail = text.len > 2 * END_BYTES ? text.len - END_BYTES : END_BYTES;
    size_t n = put(out, span_of(&len, sizeof len));
    n += put(out + n, span_sub(text, 0, END_BYTES));
    return n + put(out + n, span_skip(text, tail));
}

static void digest_opening(const struct conversation_clues *c, const struct opening *o,
                           uint8_t out[SHA256_BYTES])
{
    const struct span pieces[] = {c->instructions, o->instructions, o->words};
    uint8_t samples[3 * SAMPLE_MAX];
    size_t n = 0;
    for (unsigned i = 0; i < 3; i++)
        n += sample(pieces[i], samples + n);
    digest_sha256(span_of(samples, n), out);
}

void conversation_id_read(struct span session, const struct conversation_clues *c, struct span body,
                          struct conversation_id *out)
{
    const struct span named[] = {session, json_raw(c->session), json_raw(c->cache_key),
                                 json_raw(json_find(c->metadata, "user_id")), json_raw(c->user)};
    *out = (struct conversation_id){.is_long_lived = asks_for_an_hour(body)};
    for (unsigned i = 0; i < sizeof named / sizeof named[0] && !out->is_known; i++) {
        if (named[i].len == 0)
            continue;
        out->is_known = true;
        digest_sha256(named[i], out->digest);
    }
    if (out->is_known)
        return;
    struct opening o = opening_of(c->turns);
    out->is_known = o.words.len > 0 &&
                    (o.was_answered || span_find(body, SPAN_LIT("\"cache_control\"")) != SIZE_MAX);
    if (out->is_known)
        digest_opening(c, &o, out->digest);
}
