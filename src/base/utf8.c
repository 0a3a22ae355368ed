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
