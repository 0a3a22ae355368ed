#include "data_url.h"

#include "sluice/base/digest.h"
#include "sluice/format/json_scan.h"
#include "sluice/format/url.h"

enum { HEAD_MAX = 256 };

static bool cut_suffix(struct span *text, struct span suffix)
{
    if (text->len < suffix.len || !span_ieq(span_skip(*text, text->len - suffix.len), suffix))
        return false;
    text->len -= suffix.len;
    return true;
}

static bool encode(struct span raw, struct arena *a, struct span *base64)
{
    struct buf out = {0};
    char *text = arena_alloc(a, raw.len + 1);
    long n = json_unescape(raw, text, raw.len + 1);
    size_t len = n < 0 ? 0 : (size_t)n;
    bool is_good = n > 0 && percent_decode((uint8_t *)text, &len) &&
                   digest_base64(span_of(text, len), &out) == 0;
    if (is_good)
        *base64 = arena_keep(a, buf_span(&out));
    buf_fini(&out);
    return is_good;
}

enum data_url_kind data_url_read(struct span raw, struct arena *a, struct data_url *out)
{
    if (!span_ieq(span_sub(raw, 0, 5), SPAN_LIT("data:")))
        return DATA_URL_NONE;
    struct span rest = span_skip(raw, 5);
    size_t comma = span_find(span_sub(rest, 0, HEAD_MAX), SPAN_LIT(","));
    if (comma == SIZE_MAX)
        return DATA_URL_BAD;
    struct span head = span_sub(rest, 0, comma);
    out->data = span_skip(rest, comma + 1);
    bool is_base64 = cut_suffix(&head, SPAN_LIT(";base64"));
    out->media_type = span_cut(&head, ';');
    if (is_base64)
        return out->media_type.len > 0 && out->data.len > 0 ? DATA_URL_READ : DATA_URL_BAD;
    if (out->media_type.len == 0)
        out->media_type = SPAN_LIT("text/plain"); /* RFC 2397 §2 */
    return encode(out->data, a, &out->data) ? DATA_URL_READ : DATA_URL_BAD;
}
