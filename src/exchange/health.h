/* health.h: how every endpoint of a deployment does: its figures of the last five minutes and its
 * circuit. An endpoint that a reload leaves as it is keeps both. A provider that offers everything has
 * one health for all its models: there is nobody else to ask for those anyway. */
#ifndef SLUICE_EXCHANGE_HEALTH_H
#define SLUICE_EXCHANGE_HEALTH_H

#include "blame.h"

#include "sluice/catalog/circuit.h"
#include "sluice/exchange/instruments.h"
#include "sluice/route/plan.h"

struct health;
struct health_table;

/* `before` may be NULL. The catalog and the snapshot are not needed after the call. With Redis for a
 * store, what this process saw itself is kept apart, too. */
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

/* When a plan is made: one reading of both clocks for all endpoints. */
struct health_time {
    uint64_t unix_ms; /* of statistics */
    uint64_t ms;      /* of circuits: a clock that does not go back */
};
struct health_time health_now(void);

/* For the plan: latency as it counts for streams, or for whole answers; of the other kind where there
 * is none (contract D-32). */
void health_look(const struct health_table *t, const struct target *target, bool is_stream,
                 const struct health_time *now, struct target_health *out);

/* An attempt begins, and has ended; when it failed, by whose fault. */
void health_begin(struct health *h);
void health_end(struct health *h, enum attempt_result result, enum blame blame);
/* It was ended without a word of the provider's, after so long: by a client that left, as a rule. Clients
 * are often less patient than our deadlines, and an endpoint that only ever keeps them waiting would never
 * be found out: what is far later than usual counts as a failure. */
void health_given_up(struct health *h, uint64_t waited_us, bool is_stream);
/* The provider asked to be left alone for so long. */
void health_cool(struct health *h, uint64_t for_ms);

/* What a good answer was like. Times in µs from dispatch; first_token 0: there was none to see. */
struct health_figures {
    bool is_stream;
    uint64_t first_token_us, total_us, output_tokens;
};
void health_note(struct health *h, const struct health_figures *f);

/* After how long most are over, in ms: so many per cent of its first tokens, or of its whole answers, came
 * within that. 0: too few were seen to tell. */
unsigned health_patience_ms(const struct health *h, bool is_stream, unsigned percent);
/* An answer took at least so long, and was then waited for no longer. */
void health_note_wait(struct health *h, bool is_stream, uint64_t waited_us);

/* "closed", "half-open", "open", "cooling" */
const char *health_word(const struct health *h);
enum circuit_state health_state(const struct health *h);
/* Its figures of the last five minutes, those of other replicas included. */
const struct figures *health_figures(struct health *h);

/* --- between replicas (sharing.h) ----------------------------------------------------------------- */

/* What this process saw in a slice, as entries of endpoint, length and packed slice: as many as fit
 * into `most` bytes are appended, of the endpoints from *cursor on. False when there was nothing
 * left. What others saw is never among it, and circuits are not. */
bool health_pack(const struct health_table *t, uint64_t slice, unsigned *cursor, size_t most,
                 struct buf *out);
/* Adds the entries of another process; endpoints that are not known here, and what is damaged, are
 * left out. */
void health_add(const struct health_table *t, uint64_t slice, struct span entries);

#endif
