#include "sluice/codec/openai_stream.h"

#include "sluice/format/json_walk.h"

/* Offset behind the next "finish_reason" of `s`, SIZE_MAX when there is none. It looks for the
 * underscore, which prose hardly has: memchr passes the rest 32 bytes at a time. */
static size_t behind_finish_key(struct span s)
{
    static const char key[] = "\"finish_reason\"";
    enum { LEN = sizeof key - 1, BEFORE = 7 }; /* `"finish` stands before the underscore */
    size_t from = BEFORE;
    while (from < s.len) {
        const uint8_t *hit = memchr(s.at + from, '_', s.len - from);
        if (hit == NULL)
            break;
        size_t start = (size_t)(hit - s.at) - BEFORE;
        if (s.len - start >= LEN && memcmp(s.at + start, key, LEN) == 0)
            return start + LEN;
        from = start + BEFORE + 1;
    }
    return SIZE_MAX;
}

/* "finish_reason":"word" somewhere in the choices. Inside a JSON string a quote is escaped, so the
 * bytes `"finish_reason"` with a colon behind them can only be a key. */
static struct span find_finish(struct span choices)
{
    /* How nearly every chunk ends: nothing has finished, and no search is needed to know. */
    static const char unfinished[] = "\"finish_reason\":null}]";
    if (choices.len >= sizeof unfinished - 1 &&
        memcmp(choices.at + choices.len - (sizeof unfinished - 1), unfinished,
               sizeof unfinished - 1) == 0)
        return SPAN_NONE;
    struct span rest = choices;
    for (;;) {
        size_t at = behind_finish_key(rest);
        if (at == SIZE_MAX)
            return SPAN_NONE;
        rest = span_skip(rest, at);
        size_t i = 0;
        while (i < rest.len && (rest.at[i] == ' ' || rest.at[i] == ':' || rest.at[i] == '\n' ||
                                rest.at[i] == '\r' || rest.at[i] == '\t'))
            i++;
        if (i == rest.len || rest.at[i] != '"')
            continue; /* null */
        struct span word = span_skip(rest, i + 1);
        const uint8_t *end = memchr(word.at, '"', word.len);
        if (end != NULL && end > word.at)
            return span_of(word.at, (size_t)(end - word.at));
    }
}

/* The first delta names the role; some name more, and leave it empty: "reasoning_content":null. */
bool openai_choices_only_open(struct span choices)
{
    struct json_member delta;
    struct span choice;
    for (size_t at = 0; json_each(choices, &at, &choice);) {
        if (!json_get(choice, "delta", &delta) ||
            !json_is_empty_but_for(json_value(choice, &delta), "role"))
            return false;
    }
    return true;
}

static void look_at_member(struct passing_event *e, struct span data, const struct json_member *m)
{
    struct span key = span_sub(data, m->key.start, m->key.end - m->key.start);
    if (span_eq(key, SPAN_LIT("choices"))) {
        struct span value = json_value(data, m);
        if (json_array_is_filled(value)) {
            e->has_content = true;
            e->content = value;
            e->finish = find_finish(value);
        }
    } else if (span_eq(key, SPAN_LIT("usage"))) {
        if (m->kind == JSON_OBJECT)
            e->usage = json_value(data, m);
    } else if (span_eq(key, SPAN_LIT("error"))) {
        if (m->kind != JSON_NULL && m->kind != JSON_FALSE) {
            e->kind = EVENT_ERROR;
            e->error = json_value(data, m);
        }
    } else if (span_eq(key, SPAN_LIT("request_id"))) {
        e->has_request_id = true;
    } else if (span_eq(key, SPAN_LIT("provider"))) {
        e->has_provider = true;
    }
}

static struct passing_event look(struct json_scan *scan, struct span data)
{
    struct passing_event e = {.kind = EVENT_CHUNK};
    struct span rest = span_skip(data, scan->offset);
    enum json_status status;
    while ((status = json_scan_next(scan, &rest)) == JSON_MEMBER)
        look_at_member(&e, data, &scan->member);
    if (status != JSON_DONE || scan->root != JSON_OBJECT) {
        e.kind = EVENT_MALFORMED;
        return e;
    }
    e.open = e.host = (uint32_t)scan->open;
    e.end = (uint32_t)(scan->end - 1);
    e.is_empty = scan->members == 0;
    return e;
}

static bool is_done(struct span data)
{
    return span_eq(data, SPAN_LIT("[DONE]"));
}

struct passing_event openai_event_look(struct span data)
{
    struct json_scan scan;
    if (is_done(data))
        return (struct passing_event){.kind = EVENT_DONE};
    json_scan_init(&scan);
    return look(&scan, data);
}

/* --- what chunks have in common ---------------------------------------------------------------- */

void openai_prefix_init(struct openai_prefix *p)
{
    p->len = 0;
    p->skipped = 1; /* the role chunk */
}

/* Reads the prefix; cut back to where no member that tells us anything is complete. */
static void learn(struct openai_prefix *p)
{
    struct passing_event seen = {.kind = EVENT_CHUNK};
    struct span prefix = span_of(p->bytes, p->len), rest = prefix;
    enum json_status status;
    json_scan_init(&p->behind);
    while ((status = json_scan_next(&p->behind, &rest)) == JSON_MEMBER) {
        look_at_member(&seen, prefix, &p->behind.member);
        bool tells = seen.has_content || seen.usage.len > 0 || seen.kind != EVENT_CHUNK ||
                     seen.has_request_id || seen.has_provider;
        if (tells) {
            p->len = 0;
            return;
        }
    }
    if (status != JSON_MORE)
        p->len = 0;
}

static size_t common_len(const uint8_t *a, const uint8_t *b, size_t most)
{
    size_t n = 0;
    while (n < most && a[n] == b[n])
        n++;
    return n;
}

/* Takes the first chunk it sees as the prefix, and from every chunk that does not begin so the part
 * that it shares: this settles on what the chunks of this stream have in common. */
static void adapt(struct openai_prefix *p, struct span data)
{
    if (p->skipped > 0) {
        p->skipped--;
        return;
    }
    size_t most = data.len < OPENAI_PREFIX_MAX ? data.len : OPENAI_PREFIX_MAX;
    if (p->len == 0) {
        memcpy(p->bytes, data.at, most);
        p->len = (uint16_t)most;
    } else {
        p->len = (uint16_t)common_len(p->bytes, data.at, p->len < most ? p->len : most);
    }
    learn(p);
}

struct passing_event openai_chunk_look(struct openai_prefix *p, struct span data)
{
    struct json_scan scan;
    if (p == NULL)
        return openai_event_look(data);
    if (p->len > 0 && data.len > p->len && memcmp(data.at, p->bytes, p->len) == 0) {
        scan = p->behind;
        return look(&scan, data);
    }
    struct passing_event e = openai_event_look(data);
    if (e.kind == EVENT_CHUNK && e.has_content && e.finish.len == 0)
        adapt(p, data);
    return e;
}
