#include "sluice/format/trace_context.h"

#include <endian.h>

enum { AT_TRACE = 3, AT_PARENT = 36, AT_FLAGS = 53, MEMBERS_MAX = 32, KEY_MAX = 256 };

/* Lowercase only: uppercase is no traceparent (§3.2.2). 16 is no digit. */
static unsigned digit_of(uint8_t c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    return c >= 'a' && c <= 'f' ? c - 'a' + 10u : 16;
}

static bool is_hex(struct span text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (digit_of(text.at[i]) == 16)
            return false;
    }
    return true;
}

static bool is_zero(struct span text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (text.at[i] != '0')
            return false;
    }
    return true;
}

bool traceparent_parse(struct span value, struct trace_context *out)
{
    if (value.len < TRACEPARENT_LEN || value.at[2] != '-' || value.at[AT_PARENT - 1] != '-' ||
        value.at[AT_FLAGS - 1] != '-')
        return false;
    struct span version = span_sub(value, 0, 2), trace = span_sub(value, AT_TRACE, TRACE_ID_LEN),
                parent = span_sub(value, AT_PARENT, TRACE_SPAN_LEN),
                flags = span_sub(value, AT_FLAGS, 2);
    if (!is_hex(version) || !is_hex(trace) || !is_hex(parent) || !is_hex(flags))
        return false;
    if (span_eq(version, SPAN_LIT("ff")) || is_zero(trace) || is_zero(parent))
        return false;
    if (value.len > TRACEPARENT_LEN && (is_zero(version) || value.at[TRACEPARENT_LEN] != '-'))
        return false;
    memcpy(out->trace, trace.at, trace.len);
    memcpy(out->parent, parent.at, parent.len);
    out->flags = digit_of(flags.at[1]) & (TRACE_SAMPLED | TRACE_RANDOM);
    return true;
}

/* Eight digits at once, as every request that is traced or not sampled writes some: half bytes are drawn
 * apart, and those above nine moved to the letters. */
static void write_hex8(uint32_t value, char *out)
{
    uint64_t x = value;
    x = (x << 16 | x) & 0x0000ffff0000ffff;
    x = (x << 8 | x) & 0x00ff00ff00ff00ff;
    x = (x << 4 | x) & 0x0f0f0f0f0f0f0f0f;
    uint64_t is_letter = (x + 0x0606060606060606) >> 4 & 0x0101010101010101;
    x = htobe64(x + 0x3030303030303030 + is_letter * ('a' - '9' - 1));
    memcpy(out, &x, sizeof x);
}

static void write_hex(uint64_t value, char *out)
{
    write_hex8((uint32_t)(value >> 32), out);
    write_hex8((uint32_t)value, out + 8);
}

void trace_span_write(uint64_t span, char out[TRACE_SPAN_LEN])
{
    write_hex(span, out);
}

void traceparent_write(const struct trace_context *c, uint64_t span, char out[TRACEPARENT_LEN])
{
    memcpy(out, "00-", 3);
    memcpy(out + AT_TRACE, c->trace, TRACE_ID_LEN);
    out[AT_PARENT - 1] = '-';
    write_hex(span, out + AT_PARENT);
    out[AT_FLAGS - 1] = '-';
    out[AT_FLAGS] = '0';
    out[AT_FLAGS + 1] = (char)('0' + c->flags);
}

/* --- tracestate ----------------------------------------------------------------------------------- */

static bool is_key(struct span key)
{
    for (size_t i = 0; i < key.len; i++) {
        uint8_t c = key.at[i];
        bool is_alnum = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
        if (!is_alnum && (i == 0 || (c != '_' && c != '-' && c != '*' && c != '/' && c != '@')))
            return false;
    }
    return key.len > 0 && key.len <= KEY_MAX;
}

static bool is_value(struct span value)
{
    for (size_t i = 0; i < value.len; i++) {
        if (value.at[i] < ' ' || value.at[i] > '~' || value.at[i] == '=')
            return false;
    }
    return value.len > 0 && value.len <= KEY_MAX;
}

bool tracestate_is_good(struct span value)
{
    unsigned members = 0;
    if (value.len == 0 || value.len > TRACESTATE_MAX)
        return false;
    while (value.len > 0) {
        struct span member = span_trim(span_cut(&value, ','));
        if (member.len == 0)
            continue; /* empty ones are allowed (§3.3.1.1) */
        struct span key = span_cut(&member, '=');
        if (!is_key(key) || !is_value(member) || ++members > MEMBERS_MAX)
            return false;
    }
    return members > 0;
}

/* --- beginnings ----------------------------------------------------------------------------------- */

uint64_t trace_span_new(struct rng *r)
{
    uint64_t id;
    do
        id = rng_next(r);
    while (id == 0);
    return id;
}

void trace_begin(struct trace_context *c, struct rng *r)
{
    write_hex(rng_next(r), c->trace);
    write_hex(trace_span_new(r), c->trace + TRACE_SPAN_LEN);
    memset(c->parent, '0', sizeof c->parent);
    c->flags = TRACE_RANDOM;
}

bool trace_is_in_share(const struct trace_context *c, unsigned ppm)
{
    uint64_t random = 0;
    for (unsigned i = TRACE_ID_LEN - 14; i < TRACE_ID_LEN; i++)
        random = random << 4 | digit_of((uint8_t)c->trace[i]);
    /* Times a million 56 bits do not fit into 64; the highest 40 of them do, and are plenty. */
    return (random >> 16) * 1000000 >> 40 < ppm;
}
