/* key_request.h: what POST and PATCH of /v1/keys say of a key (contract 2.25). Members nobody knows are
 * left alone, as everywhere. */
#ifndef SLUICE_SRC_API_KEY_REQUEST_H
#define SLUICE_SRC_API_KEY_REQUEST_H

#include "sluice/admit/managed_key.h"
#include "sluice/catalog/catalog.h"
#include "sluice/codec/fault.h"

enum { KEY_OVERLAP_MAX_S = 86400 };

/* What is looked at besides: names must be there, limits within the plan, times to come. */
struct key_terms {
    const struct snapshot *snapshot;
    const struct catalog *catalog;
    uint64_t now_unix_ms;
};

/* A key as nobody has said anything of it. */
void key_request_init(struct managed_key *k, struct arena *a);
/* Texts are kept in the arena. False and *why, which names the member; *k may be half changed. */
bool key_request_take(struct managed_key *k, bool is_new, struct span body,
                      const struct key_terms *terms, struct arena *a, struct fault *why);
/* How long a replaced secret works on; the body may be empty. */
bool key_request_overlap(struct span body, uint64_t *out_ms, struct fault *why);

#endif
