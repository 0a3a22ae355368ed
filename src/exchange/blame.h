/* blame.h: whose fault it is that an attempt failed: should another endpoint be asked, and does it say
 * something of how this one does? The contract's list (2.1, fallback loop) stands here and nowhere
 * else. */
#ifndef SLUICE_EXCHANGE_BLAME_H
#define SLUICE_EXCHANGE_BLAME_H

#include "sluice/codec/fault.h"

enum blame {
    BLAME_ENDPOINT, /* another may do better, and this one is not well */
    BLAME_MATCH,    /* another may do better: this one is well, and not for this request */
    BLAME_REQUEST,  /* no other would do better */
};

/* An answer of status 400 or more, or an error inside another (status below 400), and what its words
 * mean. */
enum blame blame_for(unsigned status, enum fault_kind said);

static inline bool blame_leaves_hope(enum blame b)
{
    return b != BLAME_REQUEST;
}

#endif
