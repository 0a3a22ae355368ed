/* query.h: parameters behind the question mark of a target (WHATWG URL §5.1, as far as anybody uses
 * it here): "category=llm&q=gpt%205". */
#ifndef SLUICE_SRC_API_QUERY_H
#define SLUICE_SRC_API_QUERY_H

#include "sluice/base/arena.h"

/* The value of the first parameter of that name, decoded in the arena; its `at` is NULL when there is
 * none. A percent sign that is none stays one. */
struct span query_get(struct span query, const char *name, struct arena *a);

#endif
