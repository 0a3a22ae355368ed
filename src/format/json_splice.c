#include "sluice/format/json_splice.h"

/* Where the last edit ends: a new one may not start before that. */
static size_t edited_until(const struct json_splice *s)
{
    return s->nedits == 0 ? 0 : s->edit[s->nedits - 1].end;
}

bool splice_replace(struct json_splice *s, size_t start, size_t end, struct span instead)
{
    if (s->nedits == SPLICE_EDITS_MAX || start < edited_until(s) || end < start)
        return false;
    s->edit[s->nedits].start = start;
    s->edit[s->nedits].end = end;
    s->edit[s->nedits].instead = instead;
    s->nedits++;
    return true;
}

/* The comma before the member goes with it. Only when there is none left, because the member is
 * the first or everything before it was removed too, it is the comma behind. So what remains
 * between two kept members is always exactly one comma. */
bool splice_remove_member(struct json_splice *s, const struct json_member *m)
{
    size_t start = m->key.start - 1, end = m->value.end; /* key.start is behind the quote */
    if (m->comma_before != SIZE_MAX && m->comma_before >= edited_until(s))
        start = m->comma_before;
    else if (m->comma_after != SIZE_MAX)
        end = m->comma_after + 1;
    return splice_replace(s, start, end, SPAN_NONE);
}

bool splice_insert(struct json_splice *s, size_t offset, struct span text)
{
    return splice_replace(s, offset, offset, text);
}

unsigned splice_spans(const struct json_splice *s, struct span text, struct span *out,
                      size_t *total)
{
    unsigned n = 0;
    size_t at = 0;
    *total = 0;
    for (unsigned i = 0; i <= s->nedits; i++) {
        size_t until = i < s->nedits ? s->edit[i].start : text.len;
        struct span kept = span_sub(text, at, until - at);
        struct span instead = i < s->nedits ? s->edit[i].instead : SPAN_NONE;
        if (kept.len > 0)
            out[n++] = kept;
        if (instead.len > 0)
            out[n++] = instead;
        *total += kept.len + instead.len;
        at = i < s->nedits ? s->edit[i].end : text.len;
    }
    return n;
}
