/* circuit.h: whether an endpoint is worth asking, from how the last attempts went (contract 2.2).
 *
 *     CLOSED ──failures──▶ OPEN ──30 s──▶ HALF_OPEN ──the probe went well──▶ CLOSED
 *                           ▲                 │
 *                           └──it did not─────┘
 *
 * An open circuit never forbids: the plan asks such an endpoint last, when nobody else is left. After
 * its time one request goes there as ever, the probe, and until that has ended the others stay away.
 * A provider that says when to come back (429, Retry-After) is left alone until then, failures or not.
 *
 * Pure: time comes in, in milliseconds of any clock that does not go back. */
#ifndef SLUICE_CATALOG_CIRCUIT_H
#define SLUICE_CATALOG_CIRCUIT_H

#include "sluice/catalog/stats.h"

enum {
    CIRCUIT_STREAK = 5,        /* failures in a row that open it */
    CIRCUIT_SAMPLES = 10,      /* or fewer than half of at least these went well */
    CIRCUIT_WINDOW_MS = 60000, /* in this time */
    CIRCUIT_OPEN_MS = 30000,
    CIRCUIT_PROBE_MS = 60000,     /* a probe nobody heard of again */
    CIRCUIT_COOL_MAX_MS = 600000, /* more than a provider may ask for */
};

struct circuit { /* all zero: closed */
    uint64_t open_until_ms, probing_until_ms, cool_until_ms;
    unsigned streak;
    bool is_open; /* or half open, once its time is over */
};

/* Should others be asked first? A probe that is due makes it no for the first who asks:
 * circuit_begin. */
bool circuit_is_open(const struct circuit *c, uint64_t now_ms);
/* For logs and metrics: the worse, the more. */
enum circuit_state { CIRCUIT_CLOSED, CIRCUIT_HALF_OPEN, CIRCUIT_OPEN, CIRCUIT_COOLING };
enum circuit_state circuit_state(const struct circuit *c, uint64_t now_ms);
/* "closed", "half-open", "open", "cooling" */
const char *circuit_word(const struct circuit *c, uint64_t now_ms);

/* An attempt begins. */
void circuit_begin(struct circuit *c, uint64_t now_ms);
/* It ended; `lately` are the outcomes of CIRCUIT_WINDOW_MS, this one included. True when the circuit
 * opened or closed with it. */
bool circuit_note(struct circuit *c, bool ok, struct outcomes lately, uint64_t now_ms);
/* It came to nothing, which says nothing: the client left, say. */
void circuit_forget(struct circuit *c);
/* The provider wants to be left alone for so long. */
void circuit_cool(struct circuit *c, uint64_t for_ms, uint64_t now_ms);

#endif
