/* What a client asks, in any protocol, written for every upstream: refused with a reason, or JSON. */
#include "sluice/codec/media_type.h"
#include "sluice/codec/openai_request.h"
#include "sluice/codec/proof.h"
#include "sluice/codec/structured_output.h"
#include "sluice/codec/turn_codec.h"
#include "sluice/codec/turn_media.h"

#include <stdlib.h>
#include <yyjson.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool condition)
{
    if (!condition)
        abort();
}

/* Bytes that are no UTF-8 and half surrogate pairs pass through; the library that judges the
   structure loses its way among the former and takes none of the latter. */
static bool is_json(struct buf *out)
{
    struct span s = buf_span(out);
    if (span_find(s, SPAN_LIT("\\ud")) != SIZE_MAX || span_find(s, SPAN_LIT("\\uD")) != SIZE_MAX)
        return true;
    for (size_t i = 0; i < out->tail; i++)
        if (out->at[i] >= 0x80)
            out->at[i] = 'x';
    yyjson_doc *doc = yyjson_read((const char *)out->at, out->tail, YYJSON_READ_NUMBER_AS_RAW);
    yyjson_doc_free(doc);
    return doc != NULL;
}

/* As an operator might have chosen: each of its members is a bool. */
static struct translation_options choose(unsigned seed)
{
    struct translation_options o;
    uint8_t bools[sizeof o];
    for (size_t i = 0; i < sizeof o; i++)
        bools[i] = seed >> i & 1;
    memcpy(&o, bools, sizeof o);
    return o;
}

/* As if what has a URL that can be one had been fetched. */
static void inline_media(enum upstream_api to, const struct turn_request *r,
                         const struct wire_options *o, struct arena *a)
{
    struct turn_media missing = turn_media_missing(r, upstream_codec_for(to), o, a);
    for (unsigned i = 0; i < missing.n; i++) {
        struct turn_part *p = missing.parts[i];
        struct span url = turn_media_url(p, a), type = media_type_of_name(url);
        must(p->url.len > 0 && turn_is_media(p->kind));
        if (media_type_fits(p->kind, type))
            turn_media_inline(p, type, SPAN_LIT("QUJD"));
    }
}

static void write_for(enum upstream_api to, unsigned facts, struct translation_options translation,
                      struct turn_request *r, struct arena *a)
{
    const struct wire_options options = {.model = SPAN_LIT("m\"odel"),
                                         .default_max_tokens = 2000,
                                         .facts = facts,
                                         .translation = translation};
    struct turn_notes notes = {.n = 0};
    struct buf out = {0};
    inline_media(to, r, &options, a);
    struct fault why = {.kind = FAULT_INTERNAL};
    const struct upstream_codec *up = upstream_codec_for(to);
    if (structured_output_prepare(r, &options, up->knows_json_object, a, &notes, &why) &&
        up->write(r, &options, a, &out, &notes, &why)) {
        must(is_json(&out));
    } else {
        must(why.message[0] != '\0' && why.kind != FAULT_INTERNAL);
    }
    buf_fini(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const enum api_protocol apis[] = {API_CHAT, API_MESSAGES, API_RESPONSES,
                                             API_COMPLETIONS};
    if (size == 0)
        return 0;
    enum api_protocol api = apis[data[0] % 4];
    /* as if each were known of some model */
    unsigned facts = data[0] / 4 * 2654435761u >> (32 - MODEL_FACTS);
    struct span body = span_of(data + 1, size - 1);
    struct translation_options translation = choose(data[0] * 2246822519u >> 12);
    for (enum upstream_api to = UPSTREAM_CHAT; to <= UPSTREAM_CONVERSE; to++) {
        struct arena a;
        struct openai_request seen;
        struct turn_request r;
        struct fault why = {.message = ""};
        arena_init(&a, NULL, 1024);
        if (openai_request_read(body, api, &a, &seen, &why) &&
            openai_request_is_complete(&seen, api, &why)) {
            if (client_codec_for(api)->read(body, &translation, &a, &r, &why)) {
                bool is_signed = to == UPSTREAM_CHAT && (facts & FACT_THOUGHT_SIGNATURES) != 0;
                proof_keep(&r, is_signed ? PROOF_GEMINI : upstream_codec_for(to)->family);
                write_for(to, facts, translation, &r, &a);
            } else {
                must(why.message[0] != '\0');
            }
        }
        arena_fini(&a);
    }
    return 0;
}
