#include "activity_sums_priv.h"

#include <stdio.h>
#include <stdlib.h>

enum { ERRORS_MAX = 1000 }; /* kinds of them: types, codes and rows are words of ours */

/* --- adding --------------------------------------------------------------------------------------- */

uint64_t activity_steps(const struct activity_range *r)
{
    if (r->until_unix_ms <= r->from_unix_ms)
        return 0;
    return (r->until_unix_ms - 1) / r->step_ms - r->from_unix_ms / r->step_ms + 1;
}

static void add_up(struct sums *s, const struct history_record *r)
{
    s->requests++;
    s->succeeded += r->number[HISTORY_STATUS] == CALL_SUCCEEDED;
    s->input += r->number[HISTORY_INPUT_TOKENS];
    s->output += r->number[HISTORY_OUTPUT_TOKENS];
    s->cached += r->number[HISTORY_CACHED_TOKENS];
    s->spend_pd += r->number[HISTORY_FINAL_COST_PD];
    s->latency_us += r->number[HISTORY_DURATION_US];
    s->ttft_us += r->number[HISTORY_TTFT_US];
    s->nttft += r->number[HISTORY_TTFT_US] > 0;
}

static bool make_room(void *list, unsigned n, unsigned *room)
{
    void **at = list;
    unsigned more = *room > 0 ? 2 * *room : 64;
    if (n < *room)
        return true;
    void *grown = realloc(*at, more * sizeof(void *));
    if (grown == NULL)
        return false;
    *at = grown;
    *room = more;
    return true;
}

/* NULL: memory is out. */
static struct part *part_of(struct activity_sums *s, struct parts *p, struct span name)
{
    struct part *found = map_get(&p->by_name, name);
    if (found != NULL)
        return found;
    void *list = p->at;
    if (!make_room(&list, p->n, &p->room))
        return NULL;
    p->at = list;
    found = ARENA_NEW(&s->arena, struct part);
    found->name = arena_keep(&s->arena, name);
    found->number = p->n;
    if (map_put(&p->by_name, found->name, found) < 0)
        return NULL;
    return p->at[p->n++] = found;
}

static struct span group_of(enum activity_group by, const struct history_record *r)
{
    switch (by) {
    case GROUP_BY_MODEL:
        return r->text[HISTORY_MODEL];
    case GROUP_BY_PROVIDER:
        return r->text[HISTORY_PROVIDER];
    case GROUP_BY_KEY:
        return r->text[HISTORY_KEY_ID];
    case GROUP_BY_STATUS:
        return span_text(history_status_name((enum history_status)r->number[HISTORY_STATUS]));
    case GROUP_BY_ERROR:
        return r->text[HISTORY_ERROR_TYPE];
    case GROUP_BY_NOTHING:
    case ACTIVITY_GROUPS:
        break;
    }
    return SPAN_NONE;
}

static void note_key_name(struct activity_sums *s, struct part *group,
                          const struct history_record *r)
{
    if (s->range.by == GROUP_BY_KEY && group->key_name.len == 0)
        group->key_name = arena_keep(&s->arena, r->text[HISTORY_KEY_NAME]);
}

static struct cell *cell_of(struct activity_sums *s, uint32_t step, uint32_t group)
{
    const uint32_t key[2] = {step, group};
    struct cell *found = map_get(&s->by_key, span_of(key, sizeof key));
    if (found != NULL)
        return found;
    void *list = s->cells;
    if (!make_room(&list, s->ncells, &s->room))
        return NULL;
    s->cells = list;
    found = ARENA_NEW(&s->arena, struct cell);
    found->step = step;
    found->group = group;
    found->number = s->ncells;
    if (map_put(&s->by_key, span_of(&found->step, sizeof key), found) < 0)
        return NULL;
    return s->cells[s->ncells++] = found;
}

static bool add_error(struct activity_sums *s, const struct history_record *r)
{
    char name[2 * HISTORY_TEXT_MAX_BYTES + 24];
    struct span type = r->text[HISTORY_ERROR_TYPE], row = r->text[HISTORY_ENDPOINT_ROW];
    if (r->number[HISTORY_STATUS] == CALL_SUCCEEDED || s->errors.n >= ERRORS_MAX)
        return true;
    int n = snprintf(name, sizeof name, "%.*s\n%.*s\n%llu", SPAN_FMT(type), SPAN_FMT(row),
                     (unsigned long long)r->number[HISTORY_HTTP_STATUS]);
    struct part *p = part_of(s, &s->errors, span_of(name, (size_t)n));
    if (p == NULL)
        return false;
    if (p->sums.requests == 0) {
        p->error = arena_keep(&s->arena, type);
        p->row = arena_keep(&s->arena, row);
        p->code = r->number[HISTORY_HTTP_STATUS];
    }
    add_up(&p->sums, r);
    return true;
}

static enum activity_result add_one(struct activity_sums *s, const struct history_record *r)
{
    const struct activity_range *range = &s->range;
    uint32_t step =
        (uint32_t)(r->time_unix_ms / range->step_ms - range->from_unix_ms / range->step_ms);
    struct part *group = part_of(s, &s->groups, group_of(range->by, r));
    struct part *model = part_of(s, &s->models, r->text[HISTORY_MODEL]);
    struct cell *cell = group != NULL ? cell_of(s, step, group->number) : NULL;
    if (cell == NULL || model == NULL || !add_error(s, r) ||
        !digest_add(&s->latency, cell->number, r->number[HISTORY_DURATION_US]) ||
        (r->number[HISTORY_TTFT_US] > 0 &&
         !digest_add(&s->ttft, cell->number, r->number[HISTORY_TTFT_US])))
        return ACTIVITY_NO_MEMORY;
    note_key_name(s, group, r);
    add_up(&cell->sums, r);
    add_up(&group->sums, r);
    add_up(&model->sums, r);
    add_up(&s->all, r);
    return s->ncells <= ACTIVITY_CELLS_MAX ? ACTIVITY_ADDED : ACTIVITY_TOO_MANY;
}

enum activity_result activity_sums_add(struct activity_sums *s, struct span frames)
{
    enum activity_result result = ACTIVITY_ADDED;
    struct history_record r;
    while (result == ACTIVITY_ADDED && history_record_next(&frames, &r)) {
        if (r.time_unix_ms >= s->range.from_unix_ms && r.time_unix_ms < s->range.until_unix_ms)
            result = add_one(s, &r);
    }
    return result;
}

/* --- life ----------------------------------------------------------------------------------------- */

struct activity_sums *activity_sums_new(const struct activity_range *range)
{
    struct activity_sums *s = calloc(1, sizeof *s);
    if (s == NULL)
        return NULL;
    s->range = *range;
    arena_init(&s->arena, NULL, 4096);
    return s;
}

static void parts_fini(struct parts *p)
{
    map_fini(&p->by_name);
    free(p->at);
}

void activity_sums_free(struct activity_sums *s)
{
    if (s == NULL)
        return;
    parts_fini(&s->groups);
    parts_fini(&s->models);
    parts_fini(&s->errors);
    map_fini(&s->by_key);
    free(s->cells);
    digest_fini(&s->latency);
    digest_fini(&s->ttft);
    arena_fini(&s->arena);
    free(s);
}
