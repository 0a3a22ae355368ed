/* turn_calls.h: calls of tools and their results, brought together.
 *
 * The last step of reading a request: every upstream wants each call answered by exactly one
 * result before the assistant speaks again, and most want ids that are unique in the request
 * (protocols.md §6.3), which not all of those hold that make them. */
#ifndef SLUICE_CODEC_TURN_CALLS_H
#define SLUICE_CODEC_TURN_CALLS_H

#include "sluice/codec/turn_request.h"

/* Sets `result` of every call, and gives calls (and their results) ids of their own where an id comes
 * again: "call_1", "call_1_2", always the same for the same conversation. A call and a result find each
 * other by id, in order. False with a 400 for a result without a call; a call without a result gets one
 * that says so, as an error, where `o` wants it, and is refused, too, elsewhere. */
bool turn_pair_calls(struct turn_request *r, const struct translation_options *o, struct arena *a,
                     struct fault *why);

#endif
