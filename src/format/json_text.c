/* Questions to a JSON text that is all there. Every answer is one pass of the scanner. */
#include "sluice/base/utf8.h"
#include "sluice/format/json_scan.h"

bool json_get(struct span text, const char *key, struct json_member *out)
{
    struct json_scan s;
    struct span rest = text;
    enum json_status status;
    bool found = false;
    json_scan_init(&s);
    while ((status = json_scan_next(&s, &rest)) == JSON_MEMBER) {
        struct span raw = span_sub(text, s.member.key.start, s.member.key.end - s.member.key.start);
        if (json_key_is(raw, key)) {
            *out = s.member;
            found = true;
        }
    }
    return found && status == JSON_DONE;
}

struct span json_find(struct span text, const char *key)
{
    struct json_member m;
    return json_get(text, key, &m) ? json_value(text, &m) : SPAN_NONE;
}

static bool is_blank(uint8_t c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

bool json_each(struct span text, size_t *cursor, struct span *element)
{
    size_t at = *cursor;
    while (at < text.len && is_blank(text.at[at]))
        at++;
    if (at == text.len || text.at[at] != (*cursor == 0 ? '[' : ','))
        return false;
    struct json_scan s;
    struct span rest = span_skip(text, at + 1);
    json_scan_init(&s);
    while (json_scan_next(&s, &rest) == JSON_MEMBER)
        continue;
    /* The scanner stopped at what follows the element; it had none when that was the array's end. */
    if (s.end == SIZE_MAX)
        return false;
    *element = span_sub(text, at + 1 + s.open, s.end - s.open);
    *cursor = at + 1 + s.end;
    return true;
}

/* --- strings --------------------------------------------------------------------------------- */

static long hex4(struct span s)
{
    long value = 0;
    if (s.len < 4)
        return -1;
    for (unsigned i = 0; i < 4; i++) {
        uint8_t c = s.at[i], letter = c | 0x20;
        if (c >= '0' && c <= '9')
            value = value * 16 + (c - '0');
        else if (letter >= 'a' && letter <= 'f')
            value = value * 16 + (letter - 'a' + 10);
        else
            return -1;
    }
    return value;
}

/* \uXXXX, or the pair of them that spells a code point above U+FFFF; `*rest` starts behind "\u". */
static int unescape_unicode(struct span *rest, uint8_t out[4])
{
    long unit = hex4(*rest);
    if (unit < 0 || (unit >= 0xdc00 && unit <= 0xdfff))
        return -1;
    *rest = span_skip(*rest, 4);
    if (unit >= 0xd800 && unit <= 0xdbff) {
        long low = span_starts(*rest, SPAN_LIT("\\u")) ? hex4(span_skip(*rest, 2)) : -1;
        if (low < 0xdc00 || low > 0xdfff)
            return -1;
        *rest = span_skip(*rest, 6);
        unit = 0x10000 + ((unit - 0xd800) << 10) + (low - 0xdc00);
    }
    return (int)utf8_encode((uint32_t)unit, out);
}

/* Takes one character off the inside of a string: 1 to 4 bytes in `out`, or -1. */
static int take_char(struct span *rest, uint8_t out[4])
{
    uint8_t c = rest->at[0];
    *rest = span_skip(*rest, 1);
    out[0] = c;
    if (c != '\\')
        return c < 0x20 || c == '"' ? -1 : 1;
    if (rest->len == 0)
        return -1;
    c = rest->at[0];
    *rest = span_skip(*rest, 1);
    if (c == 'u')
        return unescape_unicode(rest, out);
    static const char names[] = "\"\\/bfnrt", bytes[] = "\"\\/\b\f\n\r\t";
    const char *name = c == '\0' ? NULL : strchr(names, c);
    if (name == NULL)
        return -1;
    out[0] = (uint8_t)bytes[name - names];
    return 1;
}

bool json_key_is(struct span raw_key, const char *name)
{
    struct span wanted = span_text(name);
    /* an escape takes more than it stands for */
    if (raw_key.len <= wanted.len || memchr(raw_key.at, '\\', raw_key.len) == NULL)
        return span_eq(raw_key, wanted);
    while (raw_key.len > 0) {
        uint8_t character[4];
        int n = take_char(&raw_key, character);
        if (n < 0 || !span_starts(wanted, span_of(character, (size_t)n)))
            return false;
        wanted = span_skip(wanted, (size_t)n);
    }
    return wanted.len == 0;
}

long json_unescape(struct span raw, char *out, size_t size)
{
    struct span rest = raw;
    size_t len = 0;
    while (rest.len > 0) {
        uint8_t character[4];
        int n = take_char(&rest, character);
        if (n < 0 || size - len < (size_t)n)
            return -1;
        memcpy(out + len, character, (size_t)n);
        len += (size_t)n;
    }
    return (long)len;
}

long json_string(struct span text, char *out, size_t size)
{
    if (text.len < 2 || text.at[0] != '"' || text.at[text.len - 1] != '"')
        return -1;
    return json_unescape(span_sub(text, 1, text.len - 2), out, size);
}

/* --- numbers and literals -------------------------------------------------------------------- */

bool json_u64(struct span text, uint64_t *out)
{
    return !(text.len > 1 && text.at[0] == '0') && span_to_u64(text, out);
}

bool json_is_true(struct span text)
{
    return span_eq(text, SPAN_LIT("true"));
}
