#include "sluice/codec/embeddings.h"

#include "sluice/base/digest.h"
#include "sluice/format/json_out.h"
#include "sluice/format/json_walk.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- one float ------------------------------------------------------------------------------------ */

/* Little-endian whatever the machine is. */
static void put_float(uint8_t out[4], float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    for (unsigned i = 0; i < 4; i++)
        out[i] = (uint8_t)(bits >> (8 * i));
}

static float take_float(const uint8_t in[4])
{
    uint32_t bits = 0;
    float value;
    for (unsigned i = 0; i < 4; i++)
        bits |= (uint32_t)in[i] << (8 * i);
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* With the C library's functions for numbers a large answer takes seconds. Most numbers of vectors are
 * of a kind that is quickly done; the library does the others. */
static const double powers[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22}; /* exact */

/* A decimal of up to 15 digits over a power of ten has one rounding in double; a second one, to
 * float, is wrong only where the first has landed halfway between two floats. */
static bool round_once(uint64_t digits, unsigned fraction, float *out)
{
    enum { HALFWAY = 1u << 28, BELOW_FLOAT = (1u << 29) - 1 };
    if (digits >= UINT64_C(1000000000000000) || fraction >= sizeof powers / sizeof powers[0])
        return false;
    double value = (double)digits / powers[fraction];
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    *out = (float)value;
    return (bits & BELOW_FLOAT) != HALFWAY;
}

static bool read_slowly(struct span text, float *out)
{
    char copy[64];
    if (text.len == 0 || text.len >= sizeof copy)
        return false;
    memcpy(copy, text.at, text.len);
    copy[text.len] = '\0';
    char *end;
    *out = strtof(copy, &end);
    return *end == '\0';
}

/* `text` is a JSON number. */
static bool read_number(struct span text, float *out)
{
    bool is_negative = text.len > 0 && text.at[0] == '-';
    uint64_t digits = 0;
    unsigned fraction = 0;
    size_t i = is_negative, point = SIZE_MAX;
    if (text.len > 19) /* sign, point and 17 digits: more could overflow */
        return read_slowly(text, out);
    for (; i < text.len; i++) {
        uint8_t c = text.at[i];
        if (c == '.')
            point = i;
        else if (c >= '0' && c <= '9')
            digits = digits * 10 + (c - '0');
        else
            return read_slowly(text, out);
    }
    if (point != SIZE_MAX)
        fraction = (unsigned)(text.len - point - 1);
    if (!round_once(digits, fraction, out))
        return read_slowly(text, out);
    if (is_negative)
        *out = -*out;
    return true;
}

/* Nine digits tell any float from its neighbours. Between 0.0001 and 10 they are an integer once the
 * value is multiplied by a power of ten; an error of double's size does not reach the ninth. */
static size_t write_number(float value, char out[32])
{
    double size = value < 0 ? -(double)value : (double)value;
    if (size < 1e-4 || size >= 10)
        return (size_t)snprintf(out, 32, "%.9g", (double)value);
    unsigned fraction = size >= 1       ? 8
                        : size >= 0.1   ? 9
                        : size >= 0.01  ? 10
                        : size >= 0.001 ? 11
                                        : 12;
    uint64_t digits = (uint64_t)(size * powers[fraction] + 0.5);
    while (fraction > 0 && digits % 10 == 0) {
        digits /= 10;
        fraction--;
    }
    char text[32];
    size_t at = sizeof text, len = 0;
    for (unsigned i = 0; i < fraction; i++, digits /= 10)
        text[--at] = (char)('0' + digits % 10);
    if (fraction > 0)
        text[--at] = '.';
    do
        text[--at] = (char)('0' + digits % 10);
    while ((digits /= 10) > 0);
    if (value < 0)
        out[len++] = '-';
    memcpy(out + len, text + at, sizeof text - at);
    return len + sizeof text - at;
}

/* --- one vector ----------------------------------------------------------------------------------- */

/* The next element of a valid list, if that is a number; what stands in for another cannot be read as
 * one. Quicker than json_each, which would check the grammar once more. */
static bool next_number(struct span list, size_t *cursor, struct span *item)
{
    size_t i = *cursor + 1; /* behind '[' or ',' */
    while (i < list.len && list.at[i] <= ' ')
        i++;
    size_t start = i;
    while (i < list.len && list.at[i] > ' ' && list.at[i] != ',' && list.at[i] != ']')
        i++;
    *item = span_sub(list, start, i - start);
    while (i < list.len && list.at[i] != ',')
        i++;
    *cursor = i;
    return item->len > 0;
}

/* A list of numbers → "base64". */
static bool pack(struct span list, struct json_out *o)
{
    struct buf bytes = {0};
    struct span item;
    size_t cursor = 0;
    bool is_good = true;
    while (is_good && next_number(list, &cursor, &item)) {
        uint8_t four[4];
        float value;
        is_good = read_number(item, &value);
        if (is_good)
            put_float(four, value);
        is_good = is_good && buf_add(&bytes, span_of(four, sizeof four)) == 0;
    }
    json_out_lit(o, "\"");
    if (is_good && o->rc == 0)
        o->rc = digest_base64(buf_span(&bytes), o->buf);
    json_out_lit(o, "\"");
    buf_fini(&bytes);
    return is_good;
}

/* "base64" → a list of numbers. */
static bool unpack(struct span text, struct json_out *o)
{
    struct buf bytes = {0};
    bool is_good = digest_unbase64(json_raw(text), &bytes) && buf_len(&bytes) % 4 == 0;
    struct span all = buf_span(&bytes);
    json_out_lit(o, "[");
    for (size_t i = 0; is_good && i < all.len; i += 4) {
        char digits[33] = ",";
        float value = take_float(all.at + i);
        is_good = value - value == 0; /* JSON has no infinity and no NaN */
        size_t len = is_good ? write_number(value, digits + 1) + 1 : 0;
        json_out_span(o, span_skip(span_of(digits, len), i == 0));
    }
    json_out_lit(o, "]");
    buf_fini(&bytes);
    return is_good;
}

/* --- the answer ----------------------------------------------------------------------------------- */

/* One element of `data`, its vector in the other form. */
static bool recode_item(struct span item, bool to_base64, struct json_out *o, unsigned *changed)
{
    struct json_member m;
    if (!json_get(item, "embedding", &m) || m.kind != (to_base64 ? JSON_ARRAY : JSON_STRING)) {
        json_out_span(o, item);
        return true;
    }
    struct span value = json_value(item, &m);
    json_out_span(o, span_sub(item, 0, m.value.start));
    bool is_good = to_base64 ? pack(value, o) : unpack(value, o);
    json_out_span(o, span_skip(item, m.value.end));
    (*changed)++;
    return is_good;
}

bool embeddings_need_recoding(bool to_base64, struct span answer)
{
    struct span value;
    while (json_find_named(&answer, SPAN_LIT("\"embedding\""), &value)) {
        if (value.len > 0 && (value.at[0] == '[' || value.at[0] == '"'))
            return (value.at[0] == '[') == to_base64;
    }
    return false;
}

bool embeddings_recode(bool to_base64, struct span answer, struct buf *out)
{
    struct json_out o = json_out_to(out);
    struct json_member data;
    struct span item;
    size_t before = buf_len(out), cursor = 0, at;
    unsigned changed = 0;
    bool is_good = true;
    if (!json_get(answer, "data", &data) || data.kind != JSON_ARRAY)
        return false;
    struct span list = json_value(answer, &data);
    at = data.value.start;
    json_out_span(&o, span_sub(answer, 0, at));
    const uint8_t *copied = list.at; /* up to here the list has gone out */
    while (is_good && json_each(list, &cursor, &item)) {
        json_out_span(&o, span_of(copied, (size_t)(item.at - copied)));
        is_good = recode_item(item, to_base64, &o, &changed);
        copied = item.at + item.len;
    }
    json_out_span(&o, span_of(copied, (size_t)(answer.at + answer.len - copied)));
    if (is_good && changed > 0 && o.rc == 0)
        return true;
    out->tail = out->head + before;
    return false;
}

struct passing_event embeddings_look(struct span data)
{
    struct passing_event e = {.kind = EVENT_CHUNK};
    struct json_walk w;
    json_walk_init(&w, data);
    while (json_walk_next(&w)) {
        if (json_walk_is(&w, "data") && w.kind == JSON_ARRAY) {
            e.has_content = true;
            e.content = w.value;
        } else if (json_walk_is(&w, "usage") && w.kind == JSON_OBJECT) {
            e.usage = w.value;
        } else if (json_walk_is(&w, "error") && w.kind != JSON_NULL && w.kind != JSON_FALSE) {
            e.kind = EVENT_ERROR;
            e.error = w.value;
        }
        e.has_id |= json_walk_is(&w, "id");
        e.has_object |= json_walk_is(&w, "object");
        e.has_model |= json_walk_is(&w, "model");
        e.has_request_id |= json_walk_is(&w, "request_id");
        e.has_provider |= json_walk_is(&w, "provider");
    }
    if (!json_walk_is_complete(&w))
        return (struct passing_event){.kind = EVENT_MALFORMED};
    e.open = e.host = (uint32_t)w.scan.open;
    e.end = (uint32_t)(w.scan.end - 1);
    e.is_empty = w.scan.members == 0;
    return e;
}

int embeddings_write_missing(const struct passing_event *e, struct span id, struct span model,
                             struct buf *out)
{
    struct json_out o = json_out_to(out);
    if (!e->has_id) {
        json_out_lit(&o, "\"id\":\"gen-");
        json_out_span(&o, id);
        json_out_lit(&o, "\",");
    }
    if (!e->has_object)
        json_out_lit(&o, "\"object\":\"list\",");
    if (!e->has_model) {
        json_out_lit(&o, "\"model\":");
        json_out_bytes(&o, model);
        json_out_lit(&o, ",");
    }
    return o.rc;
}

/* What was read and what was counted in all are the same number here: who says one says both. */
int embeddings_write_missing_usage(struct span usage, struct buf *out)
{
    struct json_out o = json_out_to(out);
    struct json_member prompt, total, written;
    struct json_walk any;
    bool has_prompt = json_get(usage, "prompt_tokens", &prompt);
    bool has_total = json_get(usage, "total_tokens", &total);
    if (!has_prompt && has_total) {
        json_out_lit(&o, "\"prompt_tokens\":");
        json_out_span(&o, json_value(usage, &total));
        json_out_lit(&o, ",");
    }
    if (!json_get(usage, "completion_tokens", &written))
        json_out_lit(&o, "\"completion_tokens\":0,");
    if (has_prompt && !has_total) {
        json_out_lit(&o, "\"total_tokens\":");
        json_out_span(&o, json_value(usage, &prompt));
        json_out_lit(&o, ",");
    }
    json_walk_init(&any, usage);
    if (!json_walk_next(&any) && o.rc == 0)
        out->tail--; /* {}: nothing follows the comma */
    return o.rc;
}
