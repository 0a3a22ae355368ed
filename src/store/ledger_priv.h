/* ledger_priv.h: what the files of the ledger share, and how the store makes and ends it.
 *
 *   ledger.c         admission, settling, coming and going
 *   ledger_look.c    showing
 *   ledger_credit.c  crediting */
#ifndef SLUICE_STORE_LEDGER_PRIV_H
#define SLUICE_STORE_LEDGER_PRIV_H

#include "embedded.h"
#include "keeper.h"
#include "redis.h"
#include "sluice/store/ledger.h"
#include "teller.h"

struct ledger;

/* Counted in `redis`, else in memory, with its sums in `disk`. What is named here outlives the ledger. */
struct ledger_seat {
    struct loop *loop;
    const struct store_options *options;
    struct embedded *memory;
    struct disk *disk;   /* or NULL */
    struct redis *redis; /* or NULL */
    struct metric_registry *metrics;
    struct metric_series *errors;
    void (*ready)(
        void *owner); /* Redis has been connected to, and knows what this process did before */
    void *owner;
};
/* NULL and *why when the file cannot be read. */
struct ledger *ledger_new(const struct ledger_seat *seat, struct err *why);
/* Waiting calls are dropped. `closed` comes when Redis has what it was to be told, or was given up; at
 * once when there is nothing. */
void ledger_close(struct ledger *l, void (*closed)(void *owner));
void ledger_free(struct ledger *l); /* not in the turn it was closed in. NULL is fine */

void ledger_up(struct ledger *l);   /* Redis is connected to */
void ledger_down(struct ledger *l); /* it is away, or still is */

struct ledger *store_ledger(struct store *s);

/* --- of the ledger's own files --------------------------------------------------------------------- */

struct ledger {
    struct ledger_seat seat;
    struct loop *loop;
    struct redis *redis;
    struct disk *disk;
    struct metric_series *untold;
    unsigned shown;              /* of them, there */
    void (*closed)(void *owner); /* while closing */
    struct tallies tallies;
    struct teller teller; /* with Redis */
    struct keeper keeper; /* with a disk */
    struct ring calls;    /* those that wait, and those nobody waits for any more */
    struct ring credits;  /* on their way to the disk */
    struct deadline closing;
};

/* The first member of every call; on the heap. */
struct ledger_call {
    struct ring link; /* first: in ledger.calls */
    struct ledger *ledger;
    void (*drop)(struct ledger_call *c);
    struct redis_eval eval;
};
void ledger_call_start(struct ledger_call *c, struct ledger *l,
                       void (*drop)(struct ledger_call *c));
void ledger_call_end(struct ledger_call *c);
void ledger_call_drop(struct ledger_call *c); /* of one that Redis was asked */

/* "<prefix><kind><name>" */
struct span ledger_name(const struct ledger *l, const char *kind, const char *name,
                        char room[REDIS_NAME_BYTES]);

void ledger_credits_close(struct ledger *l);

#endif
