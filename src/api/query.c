#include "query.h"

#include "sluice/format/url.h"

static struct span decoded(struct span value, struct arena *a)
{
    struct span copy = arena_keep(a, value);
    uint8_t *text = (uint8_t *)(uintptr_t)copy.at; /* ours: it was just made */
    size_t len = copy.len;
    for (size_t i = 0; i < len; i++) {
        if (text[i] == '+')
            text[i] = ' ';
    }
    return percent_decode(text, &len) ? span_of(text, len) : value;
}

struct span query_get(struct span query, const char *name, struct arena *a)
{
    while (query.len > 0) {
        struct span value = span_cut(&query, '&'), key = span_cut(&value, '=');
        if (span_eq(key, span_text(name)))
            return value.at != NULL ? decoded(value, a) : SPAN_LIT("");
    }
    return SPAN_NONE;
}
