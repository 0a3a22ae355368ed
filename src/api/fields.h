/* fields.h: members of what a management row is sent, with errors that name them. A member that is not
 * there leaves what there was. */
#ifndef SLUICE_SRC_API_FIELDS_H
#define SLUICE_SRC_API_FIELDS_H

#include "sluice/base/arena.h"
#include "sluice/codec/fault.h"

#include <yyjson.h>

/* Each of these is false when *why was filled. */
bool field_refuse(struct fault *why, const char *name, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

bool field_bool(yyjson_val *root, const char *name, bool *out, struct fault *why);
/* At most `max` bytes, no control characters; kept in the arena. */
bool field_text(struct arena *a, yyjson_val *root, const char *name, size_t max, const char **out,
                struct fault *why);
/* From 1 to `max`; null is 0. */
bool field_count(yyjson_val *root, const char *name, uint64_t max, uint64_t *out,
                 struct fault *why);

#endif
