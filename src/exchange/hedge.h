/* hedge.h: a second attempt beside a slow first one (routing.hedge).
 *
 *   first attempt ──nothing of content for so long──▶ a rival: the next of the plan
 *                        the first of the two with content answers, the other is cancelled at once
 *
 * So the few requests that hit a bad moment of their endpoint take as long as the others, for a few
 * per cent more attempts. A rival is never more than this: it is only started at an endpoint that is
 * well, has the same model and is paid for by the same people, its failure concerns nobody, and when
 * the first attempt fails it goes on in its place. */
#ifndef SLUICE_EXCHANGE_HEDGE_H
#define SLUICE_EXCHANGE_HEDGE_H

#include "exchange_priv.h"

/* A request that has been planned: what it earns, and whether it is one to be hedged. */
void hedge_open(struct exchange *x);
/* An attempt was started: it has so long. */
void hedge_watch(struct exchange *x);
/* This attempt answers: the other one ends, and is noted. */
void hedge_decide(struct attempt *winner);
/* One of the two has failed, and was noted and ended: the other one goes on as if it were alone. */
void hedge_go_on_without(struct attempt *failed);
/* A rival that cannot be told what the request holds has asked nobody: its endpoint is the next of the plan
 * again. */
bool hedge_takes_back(struct attempt *failed, enum attempt_result result);
/* No second attempt from here on: the one under way ends. */
void hedge_stop(struct exchange *x);
/* The exchange goes. */
void hedge_close(struct exchange *x);

#endif
