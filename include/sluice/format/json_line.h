/* json_line.h: a line of JSON written by hand, for what every request pays for: straight into room that
 * was reserved for all of it, so that no piece is checked or counted. */
#ifndef SLUICE_FORMAT_JSON_LINE_H
#define SLUICE_FORMAT_JSON_LINE_H

#include "sluice/base/span.h"

struct json_line {
    uint8_t *at; /* the next byte */
};

/* Most bytes that a text, a whole number, any number can take. */
#define JSON_LINE_TEXT(len) (6 * (len) + 2)
enum { JSON_LINE_U64 = 20, JSON_LINE_DOUBLE = 32 };

static inline void json_line_put(struct json_line *l, struct span s)
{
    if (s.len > 0)
        memcpy(l->at, s.at, s.len);
    l->at += s.len;
}
/* A literal's length is known to the compiler: a few stores. */
#define JSON_LINE_PUT(l, text) json_line_put(l, SPAN_LIT(text))

void json_line_u64(struct json_line *l, uint64_t n);

/* A finite number that strtod reads as the very same one; soon, when it has at most six decimals. */
void json_line_double(struct json_line *l, double v);

/* Is it ASCII that needs no escape in a string? */
bool json_is_plain(struct span text);

/* A string in quotes, what is no UTF-8 in it replaced by U+FFFD. */
void json_line_text(struct json_line *l, struct span text);

#endif
