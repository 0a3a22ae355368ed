/* embeddings_request.h: what an embeddings request says, as far as it can be wrong for certain.
 *
 * Whether a text is too long, how many dimensions there are, or what an empty input means is for the
 * provider to say; objects are inputs of models that see pictures, in shapes of their own, and are
 * not looked into (contract 2.17). */
#ifndef SLUICE_CODEC_EMBEDDINGS_REQUEST_H
#define SLUICE_CODEC_EMBEDDINGS_REQUEST_H

#include "sluice/base/arena.h"
#include "sluice/codec/fault.h"
#include "sluice/format/json_scan.h"

#define EMBEDDINGS_ITEMS_MAX 2048

/* One value, valid JSON. False with *why, a 400 whose param is the path of what is wrong, in the arena
 * where it has an index. */
bool embeddings_request_input(struct span value, enum json_kind kind, struct arena *a,
                              struct fault *why);
bool embeddings_request_format(struct span value, enum json_kind kind, bool *wants_base64,
                               struct fault *why);
bool embeddings_request_dimensions(struct span value, enum json_kind kind, struct fault *why);

#endif
