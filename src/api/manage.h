/* manage.h: who may manage (design ruling 7): on an admin listener its token, on an api listener a key
 * of the scope admin, or where no key is asked for whoever the admin rows would answer. */
#ifndef SLUICE_SRC_API_MANAGE_H
#define SLUICE_SRC_API_MANAGE_H

#include "rows.h"

/* The token of the snapshot; without one only this machine. */
bool manage_is_operator(const struct call *call);

/* False: the exchange has failed, and is gone. */
bool manage_admit(const struct call *call, struct exchange *x);
/* The same for what every key of the workspace may know; one of a pipeline is no such key. */
bool manage_admit_reader(const struct call *call, struct exchange *x);

#endif
