#include "places.h"

_Static_assert(PREFERENCES_LIST_MAX < UINT8_MAX, "a place is one byte");

struct places places_of(const struct slugs *list, const struct catalog *c, struct arena *scratch)
{
    if (list->n == 0)
        return (struct places){NULL};
    uint8_t *at = arena_alloc(scratch, catalog_slugs(c) + 1);
    for (unsigned i = 0; i < list->n; i++) {
        unsigned number = catalog_slug_number(c, list->at[i]);
        if (number != SLUG_UNKNOWN && at[number] == 0)
            at[number] = (uint8_t)(i + 1);
    }
    return (struct places){at};
}
