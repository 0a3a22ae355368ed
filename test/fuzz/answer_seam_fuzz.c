/* What one upstream sends until it breaks off, and what another one sends that is to go on, written to
 * every client: whatever it is, one stream of the client's protocol leaves, to its end, and its text is
 * what was kept of it. The first two bytes choose the protocols, how the text is handed over and where
 * the first stream ends. */
#include "../unit/turn_bed.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool is_so, const struct grammar *g, enum api_protocol api, struct span out)
{
    if (is_so)
        return;
    fprintf(stderr, "to %d: %s\n%.*s\n", api, g->problem, SPAN_FMT(out));
    abort();
}

static void end_with_fault(struct bed *b)
{
    struct fault gone = {.kind = FAULT_UPSTREAM, .message = "gone"};
    b->keeps_faults = false;
    (void)bed_write(b, &(struct turn_event){.kind = TURN_FAULT, .fault = &gone});
}

static void play(enum upstream_api first, enum upstream_api second, bool echoes,
                 enum api_protocol to, struct span broken, struct span rest)
{
    struct answer_seam seam;
    struct grammar g;
    struct bed b;
    bed_init(&b, to, true);
    answer_seam_init(&seam);
    b.seam = &seam;
    b.keeps_faults = true;
    bed_stream(&b, first, broken, broken.len + 1);
    if (!b.has_ended && answer_seam_is_good(&seam)) {
        answer_seam_cut(&seam, echoes);
        bed_stream(&b, second, rest, rest.len + 1);
    }
    struct span kept = buf_span(&seam.text);
    bool is_plain = answer_seam_is_good(&seam) && kept.len > 0 &&
                    memchr(kept.at, '\\', kept.len) == NULL;
    if (!b.has_ended)
        end_with_fault(&b);
    check_stream(&g, to, buf_span(&b.out));
    must(g.problem[0] == '\0' || strncmp(g.problem, "more calls", 10) == 0, &g, to,
         buf_span(&b.out));
    if (is_plain && g.problem[0] == '\0')
        must(span_eq(kept, buf_span(&g.said.text)), &g, to, buf_span(&b.out));
    said_fini(&g.said);
    answer_seam_fini(&seam);
    bed_fini(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2)
        return 0;
    enum upstream_api first = (enum upstream_api)(data[0] % 4); /* those whose streams are SSE */
    enum upstream_api second = (enum upstream_api)(data[0] / 4 % 4);
    bool echoes = data[0] / 32 % 2;
    struct span bytes = span_of(data + 2, size - 2);
    size_t at = bytes.len * data[1] / 256;
    for (unsigned c = 0; c < sizeof clients / sizeof clients[0]; c++)
        play(first, second, echoes, clients[c], span_sub(bytes, 0, at), span_skip(bytes, at));
    return 0;
}
