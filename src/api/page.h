/* page.h: lists in pages (contract 0.7): how many at once, and where the page before ended.
 *
 * A cursor is a position in one list, signed with what the operator keeps secret: nobody but us makes
 * one, any replica of the same configuration reads it, and of another list it is refused. */
#ifndef SLUICE_SRC_API_PAGE_H
#define SLUICE_SRC_API_PAGE_H

#include "sluice/base/arena.h"
#include "sluice/codec/fault.h"
#include "sluice/config/snapshot.h"
#include "sluice/format/json_out.h"

enum { PAGE_LIMIT = 20, PAGE_LIMIT_MAX = 100, PAGE_POSITION_MAX = 64 };

struct page {
    unsigned limit;
    struct span after; /* in the arena; its `at` is NULL: the first page */
};

/* `limit` and `cursor` of a query. False and *why (INVALID_CURSOR, INVALID_REQUEST). */
bool page_read(const struct snapshot *s, const char *list, struct span query, struct arena *a,
               struct page *out, struct fault *why);

/* `,"next_cursor":"…"` for a page whose last item is at this position: 1 to PAGE_POSITION_MAX bytes. */
void page_write_next(const struct snapshot *s, const char *list, struct span position,
                     struct json_out *o);

#endif
