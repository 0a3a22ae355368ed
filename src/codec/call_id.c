#include "sluice/codec/call_id.h"

#include "sluice/base/digest.h"

enum { OPENAI_MAX = 64, KEPT = 55, HASH_BYTES = 4, NINE = 9 };

static bool is_plain(uint8_t c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '-';
}

static bool is_plain_text(struct span s)
{
    for (size_t i = 0; i < s.len; i++) {
        if (!is_plain(s.at[i]))
            return false;
    }
    return s.len > 0;
}

/* The first `most` characters, made plain where asked, and what tells it from its likes. */
static struct span with_hash(struct arena *a, struct span raw, size_t most, bool plain)
{
    uint8_t digest[32];
    char hex[2 * HASH_BYTES + 1];
    digest_sha256(raw, digest);
    digest_hex(digest, HASH_BYTES, hex);
    size_t n = raw.len < most ? raw.len : most;
    char *text = arena_alloc(a, n + 1 + 2 * HASH_BYTES + 1);
    for (size_t i = 0; i < n; i++)
        text[i] = !plain || is_plain(raw.at[i]) ? (char)raw.at[i] : '_';
    text[n] = '_';
    memcpy(text + n + 1, hex, 2 * HASH_BYTES);
    return span_of(text, n + 1 + 2 * HASH_BYTES);
}

struct span call_id_for_messages(struct arena *a, struct span raw)
{
    if (raw.len <= OPENAI_MAX && is_plain_text(raw))
        return raw;
    return with_hash(a, raw, KEPT, true);
}

struct span call_id_for_responses(struct arena *a, struct span raw)
{
    if (raw.len <= OPENAI_MAX)
        return raw;
    return with_hash(a, raw, KEPT, true);
}

static bool is_nine(struct span raw)
{
    for (size_t i = 0; i < raw.len; i++) {
        if (!is_plain(raw.at[i]) || raw.at[i] == '_' || raw.at[i] == '-')
            return false;
    }
    return raw.len == NINE;
}

struct span call_id_of_nine(struct arena *a, struct span raw)
{
    static const char digits[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    if (is_nine(raw))
        return raw;
    uint8_t digest[32];
    uint64_t number = 0;
    digest_sha256(raw, digest);
    for (size_t i = 0; i < sizeof number; i++)
        number = number << 8 | digest[i];
    char *text = arena_alloc(a, NINE);
    for (size_t i = 0; i < NINE; i++, number /= 62)
        text[i] = digits[number % 62];
    return span_of(text, NINE);
}
