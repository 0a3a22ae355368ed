/* health.h: how every endpoint of a deployment does: its figures of the last five minutes and its
 * circuit. An endpoint that a reload leaves as it is keeps both. A provider that offers everything has
 * one health for all its models: there is nobody else to ask for those anyway. */
#ifndef SLUICE_EXCHANGE_HEALTH_H
#define SLUICE_EXCHANGE_HEALTH_H

#include "sluice/exchange/instruments.h"
#include "sluice/route/plan.h"

struct health;
struct health_table;

/* `before` may be NULL. The catalog and the snapshot are not needed after the call. */
struct health_table *health_table_new(const struct catalog *c, const struct snapshot *s,
                                      const struct health_table *before);
void health_table_free(struct health_table *t); /* NULL is fine */

/* One beside the table, of an endpoint asked with a caller's own credential: only its outcomes count. */
struct health *health_own_new(const struct target *t);
struct health *health_ref(struct health *h);
void health_unref(struct health *h); /* NULL is fine */
bool health_is_open(const struct health *h);

/* Lives as long as the table. */
struct health *health_of(const struct health_table *t, const struct target *target);

/* For the plan: latency as it counts for streams, or for whole answers; of the other kind where there
 * is none (contract D-32). */
void health_look(struct health *h, bool is_stream, struct target_health *out);

/* An attempt begins, and has ended. `status`: of the response, 0: none came. */
void health_begin(struct health *h);
void health_end(struct health *h, enum attempt_result result, unsigned status);
/* The provider asked to be left alone for so long. */
void health_cool(struct health *h, uint64_t for_ms);

/* What a good answer was like. Times in µs from dispatch; first_token 0: there was none to see. */
struct health_figures {
    bool is_stream;
    uint64_t first_token_us, total_us, output_tokens;
};
void health_note(struct health *h, const struct health_figures *f);

/* "closed", "open", "half-open", "cooling" */
const char *health_word(const struct health *h);

#endif
