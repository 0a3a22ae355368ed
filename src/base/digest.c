#include "sluice/base/digest.h"

#include <assert.h>
#include <mbedtls/base64.h>
#include <mbedtls/md.h>
#include <mbedtls/sha256.h>

void digest_sha256(struct span data, uint8_t out[SHA256_BYTES])
{
    static const uint8_t nothing[1];
    int rc = mbedtls_sha256(data.len == 0 ? nothing : data.at, data.len, out, 0);
    assert(rc == 0); /* fails only where an accelerator does; we build without any */
    (void)rc;
}

void digest_hmac_sha256(struct span key, struct span data, uint8_t out[SHA256_BYTES])
{
    static const uint8_t nothing[1];
    int rc = mbedtls_md_hmac(mbedtls_md_info_from_type(MBEDTLS_MD_SHA256),
                             key.len == 0 ? nothing : key.at, key.len,
                             data.len == 0 ? nothing : data.at, data.len, out);
    assert(rc == 0); /* fails only without memory for its two blocks */
    (void)rc;
}

void digest_hex(const uint8_t *bytes, size_t n, char *out)
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < n; i++) {
        *out++ = digits[bytes[i] >> 4];
        *out++ = digits[bytes[i] & 15];
    }
    *out = '\0';
}

static int hex_value(uint8_t c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool digest_unhex(struct span text, uint8_t *out, size_t n)
{
    if (text.len != 2 * n)
        return false;
    for (size_t i = 0; i < n; i++) {
        int high = hex_value(text.at[2 * i]), low = hex_value(text.at[2 * i + 1]);
        if (high < 0 || low < 0)
            return false;
        out[i] = (uint8_t)(high << 4 | low);
    }
    return true;
}

int digest_base64(struct span bytes, struct buf *out)
{
    size_t room = (bytes.len + 2) / 3 * 4 + 1, made = 0;
    int rc = buf_reserve(out, room);
    if (rc < 0)
        return rc;
    rc = mbedtls_base64_encode(out->at + out->tail, room, &made, bytes.at, bytes.len);
    assert(rc == 0); /* the room is what it takes */
    out->tail += made;
    return 0;
}

int digest_base64url(struct span bytes, struct buf *out)
{
    size_t from = out->tail - out->head; /* growing may move what is unread */
    int rc = digest_base64(bytes, out);
    if (rc < 0)
        return rc;
    while (buf_len(out) > from && out->at[out->tail - 1] == '=')
        out->tail--;
    for (size_t i = out->head + from; i < out->tail; i++)
        out->at[i] = out->at[i] == '+' ? '-' : out->at[i] == '/' ? '_' : out->at[i];
    return 0;
}

#define DIGIT 0x40 /* marks a digit in the table: what is none is 0 */

static const uint8_t base64_digits[256] = {
#define D(n) (DIGIT | (n))
    ['A'] = D(0), D(1),  D(2),          D(3),  D(4),          D(5),  D(6),          D(7),
    D(8),         D(9),  D(10),         D(11), D(12),         D(13), D(14),         D(15),
    D(16),        D(17), D(18),         D(19), D(20),         D(21), D(22),         D(23),
    D(24),        D(25), ['a'] = D(26), D(27), D(28),         D(29), D(30),         D(31),
    D(32),        D(33), D(34),         D(35), D(36),         D(37), D(38),         D(39),
    D(40),        D(41), D(42),         D(43), D(44),         D(45), D(46),         D(47),
    D(48),        D(49), D(50),         D(51), ['0'] = D(52), D(53), D(54),         D(55),
    D(56),        D(57), D(58),         D(59), D(60),         D(61), ['+'] = D(62), ['/'] = D(63),
#undef D
};

/* Four characters as three bytes; false when one of them is no digit. */
static bool unbase64_group(const uint8_t *from, uint8_t *to)
{
    static const uint32_t marks = (DIGIT << 18) + (DIGIT << 12) + (DIGIT << 6) + DIGIT;
    uint32_t a = base64_digits[from[0]], b = base64_digits[from[1]], c = base64_digits[from[2]],
             d = base64_digits[from[3]];
    if ((a & b & c & d & DIGIT) == 0)
        return false;
    uint32_t bits = (a << 18) + (b << 12) + (c << 6) + d - marks;
    to[0] = (uint8_t)(bits >> 16);
    to[1] = (uint8_t)(bits >> 8);
    to[2] = (uint8_t)bits;
    return true;
}

/* Not mbedTLS's: that takes care that its time tells nothing, and many times as long. */
bool digest_unbase64(struct span text, struct buf *out)
{
    unsigned padding = 0;
    if (text.len % 4 != 0 || buf_reserve(out, text.len / 4 * 3 + 1) < 0)
        return false;
    while (padding < 2 && padding < text.len && text.at[text.len - 1 - padding] == '=')
        padding++;
    uint8_t *to = out->at + out->tail;
    size_t whole = padding > 0 ? text.len - 4 : text.len;
    for (size_t at = 0; at < whole; at += 4, to += 3) {
        if (!unbase64_group(text.at + at, to))
            return false;
    }
    if (padding > 0) {
        uint8_t last[4] = {'A', 'A', 'A', 'A'}, bytes[3];
        memcpy(last, text.at + whole, 4 - padding);
        if (!unbase64_group(last, bytes))
            return false;
        memcpy(to, bytes, 3 - padding);
        to += 3 - padding;
    }
    out->tail = (size_t)(to - out->at);
    return true;
}
