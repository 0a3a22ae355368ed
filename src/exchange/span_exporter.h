/* span_exporter.h: finished spans on their way to a collector (OTLP/HTTP with JSON).
 *
 *     room, commit ──▶ open batch ──512 spans, or a second──▶ sealed ──▶ one POST at a time
 *                      └───────── at most 2048 spans together ─────────┘
 *
 * A request only appends text here; all that is sent is sent from deadlines. What finds no room, what a
 * collector refuses for good and what it has not taken within five minutes is dropped and counted
 * (sluice_trace_spans_dropped_total). 429, 502, 503, 504 and no answer at all are tried again, as OTLP
 * wants it: after the wait the collector names, else with growing, jittered pauses.
 * exchange/tracing.h opens and closes it. */
#ifndef SLUICE_SRC_EXCHANGE_SPAN_EXPORTER_H
#define SLUICE_SRC_EXCHANGE_SPAN_EXPORTER_H

#include "sluice/exchange/tracing.h"

/* Where the next span is written to, until commit; NULL: there is no room, and it is counted. */
struct buf *span_exporter_room(struct span_exporter *e) __attribute__((warn_unused_result));
/* It is written; `rc` below 0: it found no memory, and is dropped. */
void span_exporter_commit(struct span_exporter *e, int rc);

#endif
