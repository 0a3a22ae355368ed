#include "sluice/codec/embeddings.h"

#include "sluice/base/digest.h"
#include "sluice/format/json_out.h"
#include "sluice/format/json_walk.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool wants_base64(struct span request)
{
    struct json_member m;
    return json_get(request, "encoding_format", &m) &&
           span_eq(json_value(request, &m), SPAN_LIT("\"base64\""));
}

/* --- one vector ----------------------------------------------------------------------------------- */

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

static bool read_number(struct span text, float *out)
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

/* A list of numbers → "base64". */
static bool pack(struct span list, struct json_out *o)
{
    struct buf bytes = {0};
    struct span item;
    size_t cursor = 0;
    bool is_good = true;
    while (is_good && json_each(list, &cursor, &item)) {
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

/* "base64" → a list of numbers, each with as many digits as tell it from its neighbours. */
static bool unpack(struct span text, struct json_out *o)
{
    struct buf bytes = {0};
    bool is_good = digest_unbase64(json_raw(text), &bytes) && buf_len(&bytes) % 4 == 0;
    struct span all = buf_span(&bytes);
    json_out_lit(o, "[");
    for (size_t i = 0; is_good && i < all.len; i += 4) {
        char digits[32];
        int n = snprintf(digits, sizeof digits, "%s%.9g", i > 0 ? "," : "",
                         (double)take_float(all.at + i));
        is_good = strpbrk(digits, "in") == NULL; /* JSON has no infinity and no NaN */
        json_out_span(o, span_of(digits, (size_t)n));
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

bool embeddings_recode(struct span request, struct span answer, struct buf *out)
{
    struct json_out o = json_out_to(out);
    struct json_member data;
    struct span item;
    size_t before = buf_len(out), cursor = 0, at;
    unsigned changed = 0;
    bool to_base64 = wants_base64(request), is_good = true;
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
