#include "sluice/codec/turn_event.h"

#include <stdio.h>

bool turn_event_give_up(turn_event_fn next, void *arg, const char *problem)
{
    struct fault f = {.kind = FAULT_UPSTREAM};
    struct turn_event e = {.kind = TURN_FAULT, .fault = &f};
    snprintf(f.message, sizeof f.message, "%s", problem);
    (void)next(arg, &e);
    return false;
}
