/* json_string.h: the inside of JSON strings, many bytes at a time. What the scanner and the skipping
 * of long strings share. */
#ifndef SLUICE_FORMAT_JSON_STRING_H
#define SLUICE_FORMAT_JSON_STRING_H

#include "sluice/base/span.h"
#include "sluice/base/vec.h"

/* From inside a string as far as it goes without anything to decide or to remember: to its closing
 * quote, to a control byte or an escape that is none, or into the last few bytes before `end`. */
const uint8_t *json_skip_inside(const uint8_t *p, const uint8_t *end);

/* 0xff where a byte ends a plain run: a quote, a backslash or a control. Flipping bit 1 moves the
 * quote (0x22) right behind the controls (0x00 to 0x1f), so that one comparison finds both. */
static inline vec specials(vec v)
{
    return (vec)((v ^ 2) <= 0x20) | (vec)(v == '\\');
}

static inline bool is_hex(uint8_t c)
{
    return (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'f');
}

static inline bool is_escape(uint8_t c)
{
    static const bool known[256] = {['"'] = true, ['\\'] = true, ['/'] = true, ['b'] = true,
                                    ['f'] = true, ['n'] = true,  ['r'] = true, ['t'] = true};
    return known[c];
}

#endif
