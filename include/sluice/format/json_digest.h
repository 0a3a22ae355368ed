/* json_digest.h: what a JSON text says, in 32 bytes: two that say the same have the same.
 *
 * The order of an object's members, white space and escapes in strings make no difference; anything else
 * does. Numbers are compared as they are written: 1.0 is not 1. Members of one name stay in their order.
 * One pass, its memory is bounded by the text's and its depth by JSON_DEPTH_MAX. */
#ifndef SLUICE_FORMAT_JSON_DIGEST_H
#define SLUICE_FORMAT_JSON_DIGEST_H

#include "sluice/base/digest.h"

enum { JSON_DIGEST_MEMBERS_MAX = 64 * 1024 }; /* of all objects that are open at one place */

/* `without`: names of members of the outermost object that are left out; NULL behind the last. False
 * when it is no JSON, has more members than that, or memory is out. */
bool json_digest(struct span text, const char *const *without, uint8_t out[SHA256_BYTES])
    __attribute__((warn_unused_result));

#endif
