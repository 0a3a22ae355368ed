/* owner.h: from a member that travels alone (a deadline, a call) back to the object it is part of. */
#ifndef SLUICE_STORE_OWNER_H
#define SLUICE_STORE_OWNER_H

#include <stddef.h>

#define OWNER(type, member, pointer) ((type *)((char *)(pointer) - offsetof(type, member)))

#endif
