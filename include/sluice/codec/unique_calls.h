/* unique_calls.h: every call of an answer gets an id of its own.
 *
 * Some servers number the calls of each answer anew, and some give two of one answer the same id; a
 * client could not say which of them a result is for. A filter between reader and writer: an id that
 * comes again gets a number, as turn_calls.h does it in histories. */
#ifndef SLUICE_CODEC_UNIQUE_CALLS_H
#define SLUICE_CODEC_UNIQUE_CALLS_H

#include "sluice/base/arena.h"
#include "sluice/base/map.h"
#include "sluice/codec/turn_event.h"

enum { CALLS_OF_AN_ANSWER_MAX = 4096 };

struct unique_calls {
    struct map known; /* id → itself, in the arena */
    struct arena ids;
};

void unique_calls_init(struct unique_calls *u);
void unique_calls_fini(struct unique_calls *u);

/* Hands `e` on to `next`; false when that said so. Too many calls, or no memory: `next` gets a
 * TURN_FAULT instead, and false is returned. */
bool unique_calls_event(struct unique_calls *u, const struct turn_event *e, turn_event_fn next,
                        void *arg);

#endif
