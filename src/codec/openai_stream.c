#include "sluice/codec/openai_stream.h"

#include "sluice/format/json_scan.h"

/* "finish_reason":"word" somewhere in the choices. Inside a JSON string a quote is escaped, so the
 * bytes `"finish_reason"` with a colon behind them can only be a key. */
static struct span find_finish(struct span choices)
{
    static const char key[] = "\"finish_reason\"";
    struct span rest = choices;
    for (;;) {
        size_t at = span_find(rest, SPAN_LIT("\"finish_reason\""));
        if (at == SIZE_MAX)
            return SPAN_NONE;
        rest = span_skip(rest, at + sizeof key - 1);
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

static bool is_filled_array(struct span value)
{
    size_t i = 1;
    while (i < value.len && (value.at[i] == ' ' || value.at[i] == '\n' || value.at[i] == '\r' ||
                             value.at[i] == '\t'))
        i++;
    return value.len > 2 && value.at[0] == '[' && value.at[i] != ']';
}

static void look_at_member(struct openai_event *e, struct span data, const struct json_member *m)
{
    struct span key = span_sub(data, m->key.start, m->key.end - m->key.start);
    if (span_eq(key, SPAN_LIT("choices"))) {
        struct span value = json_value(data, m);
        if (is_filled_array(value)) {
            e->has_choices = true;
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

struct openai_event openai_event_look(struct span data)
{
    struct openai_event e = {.kind = EVENT_CHUNK};
    if (span_eq(data, SPAN_LIT("[DONE]"))) {
        e.kind = EVENT_DONE;
        return e;
    }
    struct json_scan scan;
    struct span rest = data;
    enum json_status status;
    json_scan_init(&scan);
    while ((status = json_scan_next(&scan, &rest)) == JSON_MEMBER)
        look_at_member(&e, data, &scan.member);
    if (status != JSON_DONE || scan.root != JSON_OBJECT) {
        e.kind = EVENT_MALFORMED;
        return e;
    }
    e.open = scan.open;
    e.is_empty = scan.members == 0;
    e.end = data.len;
    while (e.end > 0 && data.at[e.end - 1] != '}')
        e.end--;
    e.end--;
    return e;
}
