/* trace_context.h: which piece of whose work a request is (W3C Trace Context, Level 2).
 *
 *     traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01
 *                  version  trace                      parent's span  flags
 *
 * Ids stay the text they came as: lowercase hex is how they travel on, and how OTLP's JSON wants them. */
#ifndef SLUICE_FORMAT_TRACE_CONTEXT_H
#define SLUICE_FORMAT_TRACE_CONTEXT_H

#include "sluice/base/rng.h"
#include "sluice/base/span.h"

enum {
    TRACE_ID_LEN = 32,
    TRACE_SPAN_LEN = 16,
    TRACEPARENT_LEN = 55,
    TRACESTATE_MAX = 512, /* as much as everybody should pass on (§3.3.1.5) */
};

enum { TRACE_SAMPLED = 1, TRACE_RANDOM = 2 };

struct trace_context {
    char trace[TRACE_ID_LEN];
    char parent[TRACE_SPAN_LEN]; /* the span of whoever asks */
    unsigned flags;              /* of the two above */
};

/* False for what is no traceparent: `out` stays. A later version is read as far as this one goes. */
bool traceparent_parse(struct span value, struct trace_context *out);

/* Of this version, for somebody who is asked from within `span`. */
void traceparent_write(const struct trace_context *c, uint64_t span, char out[TRACEPARENT_LEN]);

/* Is it a list of members as §3.3.1 has them, and short enough to be passed on? */
bool tracestate_is_good(struct span value);

/* A new trace, of which nobody is the parent: its id is random in all its bits. */
void trace_begin(struct trace_context *c, struct rng *r);

/* Whether a trace belongs to that share of all. Everybody who looks at the same id with the same share
 * finds the same (the rightmost 56 bits are the random ones). */
bool trace_is_in_share(const struct trace_context *c, unsigned ppm);

/* A span's id: never 0. */
uint64_t trace_span_new(struct rng *r);
void trace_span_write(uint64_t span, char out[TRACE_SPAN_LEN]);

#endif
