#include "sluice/base/utf8.h"

/* The second byte alone tells overlong forms, surrogates and values above U+10FFFF from the rest
 * (Unicode table 3-7), so a lead byte is described by its length and that byte's range. */
struct lead {
    unsigned len;
    uint8_t low, high;
};

static struct lead lead_of(uint8_t byte)
{
    if (byte >= 0xc2 && byte <= 0xdf)
        return (struct lead){2, 0x80, 0xbf};
    if (byte == 0xe0)
        return (struct lead){3, 0xa0, 0xbf};
    if (byte == 0xed)
        return (struct lead){3, 0x80, 0x9f};
    if (byte >= 0xe1 && byte <= 0xef)
        return (struct lead){3, 0x80, 0xbf};
    if (byte == 0xf0)
        return (struct lead){4, 0x90, 0xbf};
    if (byte >= 0xf1 && byte <= 0xf3)
        return (struct lead){4, 0x80, 0xbf};
    if (byte == 0xf4)
        return (struct lead){4, 0x80, 0x8f};
    return (struct lead){0, 0, 0};
}

int utf8_sequence(struct span s)
{
    if (s.at[0] < 0x80)
        return 1;
    struct lead lead = lead_of(s.at[0]);
    if (lead.len == 0)
        return -1;
    for (unsigned i = 1; i < lead.len; i++) {
        if (i == s.len || s.at[i] < lead.low || s.at[i] > lead.high)
            return -(int)i;
        lead.low = 0x80;
        lead.high = 0xbf;
    }
    return (int)lead.len;
}

unsigned utf8_encode(uint32_t code_point, uint8_t out[4])
{
    if (code_point < 0x80) {
        out[0] = (uint8_t)code_point;
        return 1;
    }
    unsigned len = code_point < 0x800 ? 2 : code_point < 0x10000 ? 3 : 4;
    for (unsigned i = len - 1; i > 0; i--) {
        out[i] = (uint8_t)(0x80 | (code_point & 0x3f));
        code_point >>= 6;
    }
    static const uint8_t mark[] = {[2] = 0xc0, [3] = 0xe0, [4] = 0xf0};
    out[0] = (uint8_t)(mark[len] | code_point);
    return len;
}

static size_t skip_ascii(struct span s, size_t i)
{
    static const uint64_t high = 0x8080808080808080;
    for (uint64_t eight; i + sizeof eight <= s.len; i += sizeof eight) {
        memcpy(&eight, s.at + i, sizeof eight);
        if ((eight & high) != 0)
            break;
    }
    while (i < s.len && s.at[i] < 0x80)
        i++;
    return i;
}

size_t utf8_valid_length(struct span s)
{
    size_t i = 0;
    while ((i = skip_ascii(s, i)) < s.len) {
        int n = utf8_sequence(span_skip(s, i));
        if (n < 0)
            return i;
        i += (size_t)n;
    }
    return s.len;
}

int utf8_mend(struct span s, struct buf *out)
{
    int rc = 0;
    while (rc == 0 && s.len > 0) {
        size_t good = utf8_valid_length(s);
        rc = buf_add(out, span_sub(s, 0, good));
        s = span_skip(s, good);
        if (rc < 0 || s.len == 0)
            break;
        rc = buf_add_text(out, "\xef\xbf\xbd");
        s = span_skip(s, (size_t)-utf8_sequence(s));
    }
    return rc;
}
