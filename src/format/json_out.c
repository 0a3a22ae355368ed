#include "sluice/format/json_out.h"

#include "sluice/base/dollars.h"
#include "sluice/format/json_line.h"
#include "sluice/format/json_scan.h"

void json_out_span(struct json_out *o, struct span s)
{
    if (o->rc == 0)
        o->rc = buf_add(o->buf, s);
}

void json_out_line(struct json_out *o, struct span lexeme)
{
    while (lexeme.len > 0) {
        size_t n = 0;
        while (n < lexeme.len && lexeme.at[n] != '\n' && lexeme.at[n] != '\r')
            n++;
        json_out_span(o, span_sub(lexeme, 0, n));
        lexeme = span_skip(lexeme, n + 1);
    }
}

void json_out_u64(struct json_out *o, uint64_t n)
{
    uint8_t digits[JSON_LINE_U64];
    struct json_line line = {digits};
    json_line_u64(&line, n);
    json_out_span(o, span_of(digits, (size_t)(line.at - digits)));
}

void json_out_dollars(struct json_out *o, int64_t pd)
{
    char text[DOLLARS_TEXT_BYTES];
    size_t len = dollars_write_signed(pd, text);
    json_out_span(o, span_of(text, len));
}

void json_out_double(struct json_out *o, double v)
{
    uint8_t text[JSON_LINE_DOUBLE];
    struct json_line line = {text};
    json_line_double(&line, v);
    json_out_span(o, span_of(text, (size_t)(line.at - text)));
}

void json_out_raw(struct json_out *o, struct span raw)
{
    json_out_lit(o, "\"");
    json_out_span(o, raw);
    json_out_lit(o, "\"");
}

void json_out_bytes(struct json_out *o, struct span bytes)
{
    json_out_lit(o, "\"");
    if (o->rc == 0)
        o->rc = buf_add_json(o->buf, bytes);
    json_out_lit(o, "\"");
}

bool json_out_unescaped(struct json_out *o, struct span raw)
{
    if (o->rc != 0 || raw.len == 0)
        return true;
    o->rc = buf_reserve(o->buf, raw.len); /* no escape is shorter than what it stands for */
    if (o->rc != 0)
        return true;
    long n = json_unescape(raw, (char *)o->buf->at + o->buf->tail, raw.len);
    if (n > 0)
        o->buf->tail += (size_t)n;
    return n >= 0;
}

bool json_out_object(struct json_out *o, struct span raw)
{
    size_t before = buf_len(o->buf);
    if (!json_out_unescaped(o, raw))
        return false;
    if (o->rc != 0 || json_is_object(span_skip(buf_span(o->buf), before)))
        return true;
    o->buf->tail = o->buf->head + before;
    return false;
}
