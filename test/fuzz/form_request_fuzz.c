/* A transcription's form: refused with a reason, or spliced so that reading the result shows the fields of
 * the client in their order, the model renamed, ours gone. The first byte says whether the path fixes it. */
#include "sluice/codec/form_request.h"
#include "sluice/format/multipart.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define UPSTREAM SPAN_LIT("up/stream")

static void must(bool condition)
{
    if (!condition)
        abort();
}

static struct buf spliced(const struct openai_request *r, struct span body, struct arena *a)
{
    struct json_splice splice;
    struct span spans[2 * SPLICE_EDITS_MAX + 1];
    struct buf out = {0};
    size_t total;
    form_request_splice(r, UPSTREAM, a, &splice);
    unsigned n = splice_spans(&splice, body, spans, &total);
    for (unsigned i = 0; i < n; i++)
        must(buf_add(&out, spans[i]) == 0);
    must(buf_len(&out) == total);
    return out;
}

static bool next_of_theirs(struct multipart *m)
{
    enum multipart_status status;
    while ((status = multipart_next(m)) == MULTIPART_PART) {
        struct span rest = m->part.name;
        if (openai_request_own_member(span_cut(&rest, '[')) == NULL)
            return true;
    }
    must(status == MULTIPART_END);
    return false;
}

static void check(const struct openai_request *r, struct span before, struct span after)
{
    struct multipart old, new;
    multipart_init(&old, before, r->boundary);
    multipart_init(&new, after, r->boundary);
    if (r->lacks_model) {
        must(multipart_next(&new) == MULTIPART_PART);
        must(span_eq(new.part.name, SPAN_LIT("model")) && span_eq(new.part.value, UPSTREAM));
    }
    while (next_of_theirs(&old)) {
        must(multipart_next(&new) == MULTIPART_PART);
        must(span_eq(old.part.name, new.part.name));
        bool is_model = span_eq(old.part.name, SPAN_LIT("model"));
        must(span_eq(new.part.value, is_model ? UPSTREAM : old.part.value));
    }
    must(multipart_next(&new) == MULTIPART_END);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct openai_request r;
    struct arena a;
    struct fault why;
    if (size == 0)
        return 0;
    const struct form form = {
        .body = span_of(data + 1, size - 1),
        .boundary = SPAN_LIT("b"),
        .path_model = data[0] % 2 == 0 ? SPAN_NONE : SPAN_LIT("bot"),
        .file_max_bytes = 1000,
    };
    arena_init(&a, NULL, 256);
    if (form_request_read(&form, &r, &why)) {
        struct buf out = spliced(&r, form.body, &a);
        check(&r, form.body, buf_span(&out));
        buf_fini(&out);
    } else {
        unsigned status = fault_status(&why);
        must((status == 400 || status == 413) && why.message[0] != '\0' && why.param != NULL);
    }
    arena_fini(&a);
    return 0;
}
