#include "sluice/admit/minted_key.h"

#include "sluice/base/rng.h"

enum { BODY_LEN = 30, RANDOM_LEN = 22, CHECK_LEN = 6, BASE = 62 };

static const char digits[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/* Bytes at or above the largest multiple of 62 are drawn again: every digit is equally likely. */
static char random_digit(void)
{
    uint8_t byte;
    do
        rng_secret_bytes(&byte, 1);
    while (byte >= 256 / BASE * BASE);
    return digits[byte % BASE];
}

/* CRC-32 as in IEEE 802.3, reflected; 62^6 values hold it. */
static uint32_t crc32_of(struct span s)
{
    uint32_t crc = UINT32_MAX;
    for (size_t i = 0; i < s.len; i++) {
        crc ^= s.at[i];
        for (int bit = 0; bit < 8; bit++)
            crc = crc & 1 ? crc >> 1 ^ 0xedb88320u : crc >> 1;
    }
    return ~crc;
}

static void write_check(struct span key, char out[CHECK_LEN])
{
    uint32_t crc = crc32_of(key);
    for (int i = CHECK_LEN - 1; i >= 0; i--, crc /= BASE)
        out[i] = digits[crc % BASE];
}

void minted_key_make(const char *prefix, char out[MINTED_KEY_SIZE])
{
    size_t len = strlen(prefix);
    size_t until = len + RANDOM_LEN > BODY_LEN ? len + RANDOM_LEN : BODY_LEN;
    memcpy(out, prefix, len);
    while (len < until)
        out[len++] = random_digit();
    write_check(span_of(out, len), out + len);
    out[len + CHECK_LEN] = '\0';
}

bool minted_key_is_mistyped(struct span key)
{
    char check[CHECK_LEN];
    if (!span_starts(key, SPAN_LIT(MINTED_KEY_PREFIX)))
        return false;
    if (key.len != BODY_LEN + CHECK_LEN)
        return true;
    write_check(span_sub(key, 0, key.len - CHECK_LEN), check);
    return !span_eq(span_skip(key, key.len - CHECK_LEN), span_of(check, sizeof check));
}
