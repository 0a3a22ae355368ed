/* An answer with vectors in it, written anew both ways: it stays the JSON it was, there is nothing to
 * do a second time, and what is pointed at lies inside the data. */
#include "sluice/codec/embeddings.h"

#include <stdlib.h>
#include <yyjson.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool condition)
{
    if (!condition)
        abort();
}

static bool is_json(struct span text)
{
    yyjson_doc *doc = yyjson_read((const char *)text.at, text.len, YYJSON_READ_NUMBER_AS_RAW);
    yyjson_doc_free(doc);
    return doc != NULL;
}

static void look(struct span answer)
{
    struct passing_event e = embeddings_look(answer);
    struct buf out = {0};
    if (e.kind != EVENT_CHUNK)
        return;
    must(answer.at[e.open] == '{' && answer.at[e.end] == '}');
    must(embeddings_write_missing(&e, SPAN_LIT("7"), SPAN_LIT("m"), &out) == 0);
    must(buf_len(&out) == 0 || out.at[out.tail - 1] == ',');
    buf_clear(&out);
    if (e.usage.len > 0 && is_json(answer)) {
        must(buf_add_byte(&out, '{') == 0);
        must(embeddings_write_missing_usage(e.usage, &out) == 0);
        must(buf_add(&out, span_skip(e.usage, 1)) == 0);
        must(is_json(buf_span(&out)));
    }
    buf_fini(&out);
}

static void recode(bool to_base64, struct span answer)
{
    struct buf once = {0}, twice = {0};
    (void)embeddings_need_recoding(to_base64, answer);
    if (embeddings_recode(to_base64, answer, &once)) {
        must(is_json(buf_span(&once)) || !is_json(answer));
        must(!embeddings_recode(to_base64, buf_span(&once), &twice));
    }
    must(buf_len(&twice) == 0);
    buf_fini(&once);
    buf_fini(&twice);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span answer = span_of(data, size);
    look(answer);
    recode(true, answer);
    recode(false, answer);
    return 0;
}
