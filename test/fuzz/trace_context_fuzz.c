/* A traceparent in the first line, a tracestate behind it: what is taken goes on as one that is taken. */
#include "sluice/format/trace_context.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool condition)
{
    if (!condition)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct trace_context c, again;
    struct span state = span_of(data, size), parent = span_cut(&state, '\n');
    if (traceparent_parse(parent, &c)) {
        char text[TRACEPARENT_LEN], span[TRACE_SPAN_LEN];
        traceparent_write(&c, 0xfedcba9876543210, text);
        trace_span_write(0xfedcba9876543210, span);
        must(traceparent_parse(span_of(text, sizeof text), &again));
        must(memcmp(c.trace, again.trace, sizeof c.trace) == 0 && c.flags == again.flags);
        must(memcmp(again.parent, span, sizeof span) == 0);
        must(trace_is_in_share(&c, 1000000) && !trace_is_in_share(&c, 0));
    }
    if (tracestate_is_good(state)) {
        must(state.len <= TRACESTATE_MAX);
        for (size_t i = 0; i < state.len; i++)
            must((state.at[i] >= ' ' && state.at[i] <= '~') || state.at[i] == '\t');
    }
    return 0;
}
