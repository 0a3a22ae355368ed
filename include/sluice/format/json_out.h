/* json_out.h: JSON written piece by piece into a buffer.
 *
 * The first failure (no memory) stays in `rc` and makes what follows do nothing, so that who writes
 * a text of thirty pieces asks once, at its end. The pieces are the caller's: nothing here counts
 * commas or braces. */
#ifndef SLUICE_FORMAT_JSON_OUT_H
#define SLUICE_FORMAT_JSON_OUT_H

#include "sluice/base/buf.h"

struct json_out {
    struct buf *buf;
    int rc; /* 0 or -ENOMEM */
};

static inline struct json_out json_out_to(struct buf *buf)
{
    return (struct json_out){.buf = buf};
}

void json_out_span(struct json_out *o, struct span s); /* bytes as they are: a lexeme */
/* The same on one line, as an event of a stream must be: line breaks stand between tokens only. */
void json_out_line(struct json_out *o, struct span lexeme);
void json_out_u64(struct json_out *o, uint64_t n);
/* Pico-dollars as dollars, exactly: 0.00023495, -3 (base/dollars.h). */
void json_out_dollars(struct json_out *o, int64_t pd);
/* A finite number that strtod reads as the very same one. */
void json_out_double(struct json_out *o, double v);
/* A string in quotes: `raw` is the inside of one already; `bytes` is escaped on the way. */
void json_out_raw(struct json_out *o, struct span raw);
void json_out_bytes(struct json_out *o, struct span bytes);

/* The text that the inside of a JSON string stands for, without quotes: JSON in a JSON string
 * becomes JSON. False, and nothing appended, when it holds half a surrogate pair. */
bool json_out_unescaped(struct json_out *o, struct span raw);

/* The same, only if that text is a JSON object; else false and nothing appended. */
bool json_out_object(struct json_out *o, struct span raw);

/* A literal piece of syntax: json_out_lit(o, "{\"type\":\"text\""). */
#define json_out_lit(o, text) json_out_span((o), SPAN_LIT(text))

#endif
