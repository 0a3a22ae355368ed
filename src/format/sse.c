/* A line is looked at only when it is complete: in the input, or in `line`, where the pieces of one
 * that was split are put together. So there is one place that knows what a line means, and nothing
 * depends on where the input was cut. */
#include "sluice/format/sse.h"

#include "sluice/format/json_scan.h"

static const uint8_t bom_bytes[] = {0xef, 0xbb, 0xbf};
#define BOM_PAST (sizeof(bom_bytes) + 1)

/* Memory beyond this is given back once the event that needed it is over. */
#define KEEP_MAX (16 * 1024)

/* How far one search for a line's end looks at a time. A stream that ends its lines in CR has no LF
 * anywhere, and looking for one up to the end of the input, line after line, would be quadratic. */
#define WINDOW 1024

void sse_init(struct sse *s, size_t limit)
{
    *s = (struct sse){.limit = limit};
}

void sse_fini(struct sse *s)
{
    buf_fini(&s->line);
    buf_fini(&s->joined);
}

static void empty(struct buf *b)
{
    if (b->cap > KEEP_MAX)
        buf_fini(b);
    else
        buf_clear(b);
}

static void forget_event(struct sse *s)
{
    s->data = s->name = SPAN_NONE;
    s->has_data = s->borrowed = false;
    s->name_len = 0;
    empty(&s->joined);
}

/* --- lines ----------------------------------------------------------------------------------- */

static int keep_borrowed(struct sse *s)
{
    if (!s->borrowed)
        return 0;
    s->borrowed = false;
    return buf_add(&s->joined, s->data);
}

/* `in_line`: the value lies in s->line. */
static int add_data(struct sse *s, struct span value, bool in_line)
{
    bool first = !s->has_data;
    s->has_data = true;
    if (first && !in_line) {
        s->data = value;
        s->borrowed = true;
        return 0;
    }
    if (first) { /* its memory becomes the data's */
        struct buf swap = s->joined;
        s->joined = s->line;
        s->line = swap;
        buf_consume(&s->joined, buf_len(&s->joined) - value.len);
        return 0;
    }
    int rc = keep_borrowed(s);
    if (rc == 0)
        rc = buf_add_byte(&s->joined, '\n');
    return rc < 0 ? rc : buf_add(&s->joined, value);
}

/* What is behind the colon, without the one blank that may follow it. */
static struct span value_at(struct span line, size_t at)
{
    struct span value = span_skip(line, at);
    return value.len > 0 && value.at[0] == ' ' ? span_skip(value, 1) : value;
}

static int take_line(struct sse *s, struct span line, bool in_line)
{
    if (span_starts(line, SPAN_LIT("data:")))
        return add_data(s, value_at(line, 5), in_line);
    if (span_eq(line, SPAN_LIT("data")))
        return add_data(s, span_skip(line, 4), in_line);
    if (line.at[0] == ':') {
        s->saw_comment = true;
    } else if (span_starts(line, SPAN_LIT("event:"))) {
        struct span name = span_sub(value_at(line, 6), 0, sizeof(s->name_text));
        memcpy(s->name_text, name.at, name.len);
        s->name_len = (uint8_t)name.len;
    } else if (span_eq(line, SPAN_LIT("event"))) {
        s->name_len = 0;
    }
    return 0; /* `id`, `retry` and names nobody knows mean nothing to a relay */
}

/* A blank line: describes the event if there is one. */
static bool end_block(struct sse *s)
{
    if (!s->has_data) {
        forget_event(s);
        return false;
    }
    if (!s->borrowed)
        s->data = buf_span(&s->joined);
    s->name = span_of(s->name_text, s->name_len);
    s->reported = true;
    return true;
}

/* --- input ----------------------------------------------------------------------------------- */

/* The first CR or LF, or NULL. */
static const uint8_t *find_line_end(const uint8_t *p, const uint8_t *end)
{
    while (p < end) {
        size_t len = (size_t)(end - p) < WINDOW ? (size_t)(end - p) : WINDOW;
        const uint8_t *lf = memchr(p, '\n', len);
        if (lf != NULL)
            len = (size_t)(lf - p);
        const uint8_t *cr = len == 0 ? NULL : memchr(p, '\r', len);
        if (cr != NULL || lf != NULL)
            return cr != NULL ? cr : lf;
        p += len;
    }
    return NULL;
}

/* Passes over a BOM at the very start, which may come in pieces. What looked like one and is none
 * belongs to the first line. */
static int skip_bom(struct sse *s, const uint8_t **p, const uint8_t *end)
{
    while (s->bom < sizeof(bom_bytes) && *p < end) {
        if (**p != bom_bytes[s->bom]) {
            size_t seen = s->bom;
            s->bom = BOM_PAST;
            return buf_add(&s->line, span_of(bom_bytes, seen));
        }
        s->bom++;
        (*p)++;
    }
    if (s->bom == sizeof(bom_bytes))
        s->bom = BOM_PAST;
    return 0;
}

static size_t size_so_far(const struct sse *s)
{
    return s->borrowed ? s->data.len : buf_len(&s->joined);
}

static bool is_too_large(const struct sse *s, size_t line_len)
{
    return size_so_far(s) > s->limit || line_len > s->limit - size_so_far(s);
}

/* The input ends inside a block: what was borrowed from it has to be copied now. */
static int keep_unfinished(struct sse *s, struct span partial_line)
{
    if (is_too_large(s, buf_len(&s->line) + partial_line.len))
        return -1;
    int rc = keep_borrowed(s);
    return rc < 0 ? rc : buf_add(&s->line, partial_line);
}

/* Takes the line that ends before `eol`; true through `*ended` when it was the blank one. */
static int finish_line(struct sse *s, const uint8_t *p, const uint8_t *eol, bool *ended)
{
    struct span line = span_of(p, (size_t)(eol - p));
    bool in_line = buf_len(&s->line) > 0;
    if (is_too_large(s, buf_len(&s->line) + line.len))
        return -1;
    if (in_line) {
        int rc = buf_add(&s->line, line);
        if (rc < 0)
            return rc;
        line = buf_span(&s->line);
    }
    *ended = line.len == 0;
    int rc = *ended ? 0 : take_line(s, line, in_line);
    empty(&s->line);
    return rc;
}

/* Behind a line end, the LF of a CRLF included. */
static const uint8_t *behind(struct sse *s, const uint8_t *eol, const uint8_t *end)
{
    const uint8_t *next = eol + 1;
    if (*eol == '\n')
        return next;
    if (next == end)
        s->swallow_lf = true;
    else if (*next == '\n')
        next++;
    return next;
}

static enum sse_status run(struct sse *s, const uint8_t **at, const uint8_t *end)
{
    const uint8_t *p = *at, *block = p;
    if (s->swallow_lf && p < end) {
        s->swallow_lf = false;
        if (*p == '\n')
            p++;
        if (s->pending == 0)
            block = p;
    }
    if (s->bom != BOM_PAST && skip_bom(s, &p, end) < 0)
        return SSE_TOO_LARGE;
    while (p < end) {
        const uint8_t *eol = find_line_end(p, end);
        bool ended = false;
        if (eol == NULL) {
            if (keep_unfinished(s, span_of(p, (size_t)(end - p))) < 0)
                return SSE_TOO_LARGE;
            break;
        }
        if (finish_line(s, p, eol, &ended) < 0)
            return SSE_TOO_LARGE;
        p = behind(s, eol, end);
        if (!ended)
            continue;
        *at = p;
        if (end_block(s))
            return SSE_EVENT;
        block = p;
        s->pending = 0;
    }
    *at = end;
    s->pending += (size_t)(end - block);
    return keep_unfinished(s, SPAN_NONE) < 0 ? SSE_TOO_LARGE : SSE_MORE;
}

enum sse_status sse_next(struct sse *s, struct span *input)
{
    if (s->reported) {
        forget_event(s);
        s->reported = s->saw_comment = false;
        s->pending = 0;
    }
    if (input->len == 0)
        return SSE_MORE;
    const uint8_t *p = input->at;
    enum sse_status status = run(s, &p, input->at + input->len);
    *input = span_skip(*input, (size_t)(p - input->at));
    return status;
}

static bool is_complete_json(struct span text)
{
    struct json_scan scan;
    json_scan_init(&scan);
    while (json_scan_next(&scan, &text) == JSON_MEMBER)
        continue;
    return text.len == 0 && json_scan_finish(&scan);
}

bool sse_finish(struct sse *s)
{
    bool ended = false;
    if (s->reported)
        return false;
    static const uint8_t nothing[1];
    if (buf_len(&s->line) > 0 && finish_line(s, nothing, nothing, &ended) < 0)
        return false;
    return end_block(s) && (span_eq(s->data, SPAN_LIT("[DONE]")) || is_complete_json(s->data));
}
