/* A provider's stream: read as events, each looked at plainly and with what earlier chunks had in
 * common; the two may not differ, and what they point at lies inside the data. */
#include "sluice/codec/openai_stream.h"
#include "sluice/format/sse.h"
#include "sluice/meter/usage.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool condition)
{
    if (!condition)
        abort();
}

static bool same_place(struct span a, struct span b)
{
    return a.len == b.len && (a.len == 0 || a.at == b.at);
}

static void must_lie_in(struct span outer, struct span inner)
{
    must(inner.len == 0 || (inner.at >= outer.at && inner.at + inner.len <= outer.at + outer.len));
}

static void look(struct openai_prefix *p, struct span data)
{
    struct passing_event plain = openai_event_look(data), quick = openai_chunk_look(p, data);
    must(plain.kind == quick.kind && plain.has_content == quick.has_content);
    must(plain.open == quick.open && plain.end == quick.end && plain.is_empty == quick.is_empty);
    must(plain.has_request_id == quick.has_request_id && plain.has_provider == quick.has_provider);
    must(same_place(plain.usage, quick.usage) && same_place(plain.finish, quick.finish) &&
         same_place(plain.error, quick.error));
    must_lie_in(data, plain.usage);
    must_lie_in(data, plain.finish);
    must_lie_in(data, plain.error);
    if (plain.kind == EVENT_CHUNK)
        must(plain.open < plain.end && plain.end < data.len && data.at[plain.open] == '{' &&
             data.at[plain.end] == '}');
    if (plain.has_content)
        (void)openai_choices_only_open(plain.content);
    struct usage u = {.source = USAGE_NONE};
    if (plain.usage.len > 0 && usage_read_openai(&u, plain.usage))
        must(u.cached + u.cache_write <= u.prompt && u.reasoning <= u.completion);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct openai_prefix p;
    struct sse s;
    struct span input = span_of(data, size);
    openai_prefix_init(&p);
    sse_init(&s, 1u << 20);
    while (sse_next(&s, &input) == SSE_EVENT)
        look(&p, s.data);
    if (sse_finish(&s))
        look(&p, s.data);
    sse_fini(&s);
    return 0;
}
