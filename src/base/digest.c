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

bool digest_unbase64(struct span text, struct buf *out)
{
    size_t room = text.len / 4 * 3 + 3, made = 0;
    if (buf_reserve(out, room) < 0 ||
        mbedtls_base64_decode(out->at + out->tail, room, &made, text.at, text.len) != 0)
        return false;
    out->tail += made;
    return true;
}
