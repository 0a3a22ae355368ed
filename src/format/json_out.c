#include "sluice/format/json_out.h"

#include "sluice/format/json_scan.h"

#include <stdio.h>

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
    char digits[20]; /* of 2^64 - 1 */
    size_t at = sizeof digits;
    do {
        digits[--at] = (char)('0' + n % 10);
        n /= 10;
    } while (n > 0);
    json_out_span(o, span_of(digits + at, sizeof digits - at));
}

/* The quotient of two integers that doubles hold exactly is the double nearest to the decimal that is
 * written here, and so is what strtod makes of it. */
static bool out_millionths(struct json_out *o, double v)
{
    enum { UNIT = 1000000 };
    if (!(v >= 0 && v < 9e9))
        return false;
    uint64_t n = (uint64_t)(v * UNIT + 0.5);
    if ((double)n / UNIT != v)
        return false;
    json_out_u64(o, n / UNIT);
    char digits[7] = ".";
    unsigned len = 0;
    for (unsigned i = 6, rest = (unsigned)(n % UNIT); i > 0; i--, rest /= 10) {
        digits[i] = (char)('0' + rest % 10);
        if (len == 0 && digits[i] != '0')
            len = i + 1;
    }
    json_out_span(o, span_of(digits, len));
    return true;
}

void json_out_double(struct json_out *o, double v)
{
    char text[32];
    if (out_millionths(o, v))
        return;
    int n = snprintf(text, sizeof text, "%.17g", v);
    json_out_span(o, span_of(text, (size_t)n));
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

static bool is_object(struct span text)
{
    struct json_scan scan;
    enum json_status status;
    json_scan_init(&scan);
    while ((status = json_scan_next(&scan, &text)) == JSON_MEMBER)
        continue;
    return status == JSON_DONE && scan.root == JSON_OBJECT;
}

bool json_out_object(struct json_out *o, struct span raw)
{
    size_t before = buf_len(o->buf);
    if (!json_out_unescaped(o, raw))
        return false;
    if (o->rc != 0 || is_object(span_skip(buf_span(o->buf), before)))
        return true;
    o->buf->tail = o->buf->head + before;
    return false;
}
