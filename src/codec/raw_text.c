#include "sluice/codec/raw_text.h"

/* \uDC00 to \uDFFF: the second half of a pair, counted with the first. */
static bool is_low_half(struct span escape)
{
    return escape.len >= 4 && (escape.at[2] | 0x20) == 'd' &&
           ((escape.at[3] | 0x20) >= 'c' && (escape.at[3] | 0x20) <= 'f');
}

size_t raw_text_code_points(struct span raw)
{
    size_t n = 0;
    for (size_t i = 0; i < raw.len; i++) {
        uint8_t c = raw.at[i];
        if (c == '\\' && i + 1 < raw.len) {
            bool is_hex = raw.at[i + 1] == 'u';
            n += !(is_hex && is_low_half(span_skip(raw, i)));
            i += is_hex ? 5 : 1;
        } else {
            n += (c & 0xc0) != 0x80; /* not in the middle of a UTF-8 sequence */
        }
    }
    return n;
}

bool raw_text_is_blank(struct span raw)
{
    for (size_t i = 0; i < raw.len; i++) {
        bool is_escape = raw.at[i] == '\\' && i + 1 < raw.len;
        uint8_t c = is_escape ? raw.at[++i] : raw.at[i];
        if (is_escape ? strchr("nrtf", c) == NULL : c != ' ')
            return false;
    }
    return true;
}
