/* What an upstream sends, in any of the protocols it may speak, read and written to every client:
 * garbage may come in, but only streams of the client's protocol leave, to their end. The first byte
 * chooses the upstream's protocol and how the rest is cut. */
#include "../unit/turn_bed.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must_be_valid(const struct grammar *g, enum api_protocol api, struct span out)
{
    if (g->problem[0] == '\0' || strncmp(g->problem, "more calls", 10) == 0)
        return;
    fprintf(stderr, "to %d: %s\n%.*s\n", api, g->problem, SPAN_FMT(out));
    abort();
}

static void translate(enum upstream_api from, enum api_protocol to, struct span bytes, size_t step)
{
    struct bed b;
    struct grammar g;
    bed_init(&b, to, true);
    bed_stream(&b, from, bytes, step);
    check_stream(&g, to, buf_span(&b.out));
    must_be_valid(&g, to, buf_span(&b.out));
    said_fini(&g.said);
    bed_fini(&b);
}

static void translate_whole(enum upstream_api from, enum api_protocol to, struct span body)
{
    struct bed b;
    bed_init(&b, to, false);
    bed_whole(&b, from, body);
    if (!b.has_ended && !b.has_failed)
        abort();
    if (b.has_ended && b.client->whole_write(b.writer, &b.out) != 0)
        abort();
    bed_fini(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    enum upstream_api from = (enum upstream_api)(data[0] % 4); /* those whose streams are SSE */
    size_t step = data[0] / 4 % 16 == 0 ? size : (size_t)(data[0] / 4 % 16);
    struct span bytes = span_of(data + 1, size - 1);
    for (unsigned c = 0; c < sizeof clients / sizeof clients[0]; c++) {
        translate(from, clients[c], bytes, step);
        translate_whole(from, clients[c], bytes);
    }
    return 0;
}
