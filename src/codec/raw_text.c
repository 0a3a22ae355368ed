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

/* --- code points ---------------------------------------------------------------------------------- */

static uint32_t hex_of(const uint8_t *digits)
{
    uint32_t n = 0;
    for (unsigned i = 0; i < 4; i++) {
        uint8_t c = digits[i];
        n = n << 4 | ((c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10) & 15u);
    }
    return n;
}

/* `\\uXXXX`, with its second half where it has one; bytes taken. */
static size_t read_hex(struct span raw, uint32_t *code)
{
    *code = hex_of(raw.at + 2);
    bool is_high = *code >= 0xd800 && *code < 0xdc00;
    if (!is_high || raw.len < 12 || raw.at[6] != '\\' || raw.at[7] != 'u' ||
        !is_low_half(span_skip(raw, 6)))
        return 6;
    *code = 0x10000 + ((*code - 0xd800) << 10) + (hex_of(raw.at + 8) - 0xdc00);
    return 12;
}

static size_t read_escape(struct span raw, uint32_t *code)
{
    static const char letters[] = "nrtbf", values[] = "\n\r\t\b\f";
    if (raw.at[1] == 'u' && raw.len >= 6)
        return read_hex(raw, code);
    const char *letter = memchr(letters, raw.at[1], sizeof letters - 1);
    *code = letter != NULL ? (uint32_t)values[letter - letters] : raw.at[1];
    return 2;
}

/* Texts are valid UTF-8; a byte that fits nowhere stands for itself. */
static size_t read_utf8(struct span raw, uint32_t *code)
{
    uint8_t c = raw.at[0];
    size_t n = c >= 0xf0 ? 4 : c >= 0xe0 ? 3 : c >= 0xc0 ? 2 : 1;
    *code = n == 1 ? c : c & (0xffu >> (n + 1));
    if (n > raw.len)
        return 1;
    for (size_t i = 1; i < n; i++)
        *code = *code << 6 | (raw.at[i] & 0x3fu);
    return n;
}

bool raw_text_next(struct span *raw, uint32_t *code)
{
    if (raw->len == 0)
        return false;
    bool is_escape = raw->at[0] == '\\' && raw->len > 1;
    *raw = span_skip(*raw, is_escape ? read_escape(*raw, code) : read_utf8(*raw, code));
    return true;
}

size_t raw_text_blank_tail(struct span raw)
{
    size_t tail = 0, before = raw.len;
    uint32_t code;
    while (raw_text_next(&raw, &code)) {
        bool is_blank = code < 0x80 && strchr(" \n\r\t\f", (int)code) != NULL && code != 0;
        tail = is_blank ? tail + before - raw.len : 0;
        before = raw.len;
    }
    return tail;
}
