/* trace.h: the spans of one exchange (OpenTelemetry; gen_ai.h says which conventions).
 *
 *     SERVER "POST chat"                 what the client asked and got: http.*, sluice.*
 *      ├─ CLIENT "chat gpt-5-mini"       the first attempt: gen_ai.*, server.*, sluice.*
 *      └─ CLIENT "chat claude-…"         the next one, or one beside it
 *     fallbacks, hedges and continuations are events of the first, first tokens of the others
 *
 * Whether there are any is decided when the head is read: by the caller's traceparent, else by lot
 * (observability.tracing.sample). `x->trace` is NULL where nobody is to know: that is all that an
 * untraced request pays. Spans are written when an attempt has come to nothing and when the exchange
 * settles, never before the client has its answer, and hold no text of a prompt or an answer. */
#ifndef SLUICE_SRC_EXCHANGE_TRACE_H
#define SLUICE_SRC_EXCHANGE_TRACE_H

#include "sluice/exchange/instruments.h"
#include "sluice/http/head.h"

struct attempt;
struct exchange;

/* A field of the request that is about tracing (FIELD_TRACE). */
void trace_note_field(struct exchange *x, const struct http_field *f);
/* All of them are read. */
void trace_open(struct exchange *x);
/* 32 hex digits; empty where the request is of no trace that anybody knows. */
struct span trace_id(const struct exchange *x);

/* x->trace is not NULL. */
void trace_attempt_started(struct attempt *a);
/* The model that answers, by its own word: the inside of a JSON string, or the whole answer, or one of its
 * first events. */
void trace_note_model(struct attempt *a, struct span name);
void trace_look_for_model(struct attempt *a, struct span answer);
/* Field lines for the provider, valid until the next call. */
struct span trace_lines(const struct attempt *a);
/* It has come to nothing, or to this answer. */
void trace_attempt(const struct attempt *a, enum attempt_result result);
void trace_settle(const struct exchange *x, uint64_t duration_us);

#endif
