/* reservation.h: how many tokens and how much money a request may take, before anybody knows.
 * Of pictures and speech the money only: how many tokens they have, a limit is not held against. */
#ifndef SLUICE_SRC_EXCHANGE_RESERVATION_H
#define SLUICE_SRC_EXCHANGE_RESERVATION_H

#include <stdbool.h>
#include <stdint.h>

struct exchange;

struct reservation {
    uint64_t tokens, cost_pd;
    uint64_t
        least_tokens; /* of those, what is no guess: the prompt, and an answer's length where it was said */
    bool has_own; /* the caller's own credential is asked first, by one of the plan's attempts */
};

/* Makes a plan as if nobody had asked yet, and takes the dearest of its attempts. Nothing where there is
 * no plan: the request will fail for that reason. */
struct reservation reservation_make(struct exchange *x);

#endif
