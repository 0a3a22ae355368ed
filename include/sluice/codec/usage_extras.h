/* usage_extras.h: what a client that asked for its costs finds in `usage` beside what the protocol has
 * there (contract 2.5). */
#ifndef SLUICE_CODEC_USAGE_EXTRAS_H
#define SLUICE_CODEC_USAGE_EXTRAS_H

#include "sluice/codec/fault.h"
#include "sluice/format/json_out.h"
#include "sluice/meter/usage.h"

/* Each member with a comma behind it, for behind the brace of the object, but for those that `given`, an
 * object or empty, has already. */
void usage_put_extras(struct json_out *o, const struct usage *u, uint64_t ttft_ms,
                      enum api_protocol api, struct span given);

/* `before`, then {"web_search_requests":…,"web_fetch_requests":…} */
void usage_put_tools(struct json_out *o, const struct usage *u, const char *before);

#endif
