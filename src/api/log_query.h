/* log_query.h: which records a request is about: `from`, `to`, `model`, `provider`, `key_id`, `status`
 * behind the question mark (contract 2.25). */
#ifndef SLUICE_SRC_API_LOG_QUERY_H
#define SLUICE_SRC_API_LOG_QUERY_H

#include "sluice/base/arena.h"
#include "sluice/codec/fault.h"
#include "sluice/store/history.h"

/* From `from` on and before `to`; the two that are left out are `otherwise_from` and `otherwise_to`.
 * Texts of the filter lie in the arena. False and *why, which names the parameter. */
bool log_query_read(struct span query, uint64_t otherwise_from, uint64_t otherwise_to,
                    struct arena *a, struct history_query *out, struct fault *why);

/* One of these words, or where it is not said `otherwise`; below 0 and *why when it is another. */
int log_query_word(struct span query, const char *name, const char *const *words, unsigned nwords,
                   int otherwise, struct arena *a, struct fault *why);

struct fault log_fault(enum fault_kind kind, const char *param, const char *text);

#endif
