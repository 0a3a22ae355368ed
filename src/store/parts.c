#include "parts.h"

#include <stdlib.h>

void parts_fini(struct parts *p)
{
    free(p->at);
    *p = (struct parts){0};
}

static struct part *find(const struct parts *p, const char *name)
{
    for (unsigned i = 0; i < p->n; i++) {
        if (strcmp(p->at[i].name, name) == 0)
            return &p->at[i];
    }
    return NULL;
}

uint64_t parts_horizon(const struct parts *p)
{
    const struct part *base = find(p, PARTS_BASE);

    return base != NULL ? base->era : 0;
}

static bool is_base(const struct part *one)
{
    return strcmp(one->name, PARTS_BASE) == 0;
}

static void forget_folded(struct parts *p, uint64_t horizon)
{
    unsigned kept = 0;

    for (unsigned i = 0; i < p->n; i++) {
        if (is_base(&p->at[i]) || p->at[i].era > horizon)
            p->at[kept++] = p->at[i];
    }
    p->n = kept;
}

static bool has_room(struct parts *p)
{
    unsigned room = p->room > 0 ? 2 * p->room : 2;
    struct part *more;

    if (p->n < p->room)
        return true;
    if (room > PARTS_MAX)
        return false;
    more = realloc(p->at, room * sizeof(*more));
    if (more == NULL)
        return false;
    p->at = more;
    p->room = room;
    return true;
}

void parts_see(struct parts *p, const struct part *one)
{
    struct part *known = find(p, one->name);

    if (!is_base(one) && one->era <= parts_horizon(p))
        return;
    if (is_base(one) && (known == NULL || one->era > known->era)) {
        forget_folded(p, one->era);
        known = find(p, one->name);
    }
    if (known != NULL) {
        sums_keep_larger(&known->sums, &one->sums);
        known->era = one->era > known->era ? one->era : known->era;
    } else if (has_room(p)) {
        p->at[p->n++] = *one;
    }
}
