#include "sluice/config/plans.h"

#include "object.h"

#include <stdio.h>

/* The numbers of contract 0.3; it has none for tasks. */
static const struct plan_options built_in[] = {
    {.name = "starter"},
    {.name = "pro", .has_access = true, .rpm = 500, .rpm_ceiling = 1000, .tasks = 10},
    {.name = "team", .has_access = true, .rpm = 5000, .rpm_ceiling = 10000, .tasks = 50},
    {.name = "enterprise", .has_access = true, .rpm = 50000, .rpm_ceiling = 100000, .tasks = 200},
};

static const struct plan_options *find(const struct plan_options *list, unsigned n,
                                       const char *name)
{
    for (unsigned i = 0; i < n; i++) {
        if (strcmp(list[i].name, name) == 0)
            return &list[i];
    }
    return NULL;
}

static const struct plan_options *find_built_in(const char *name)
{
    return find(built_in, sizeof built_in / sizeof built_in[0], name);
}

const struct plan_options *plan_named(const struct snapshot *s, const char *name)
{
    const struct plan_options *p = find(s->plans, s->nplans, name);
    return p != NULL ? p : find_built_in(name);
}

const struct plan_options *plan_of_key(const struct snapshot *s, const struct key_options *key)
{
    const char *name = key != NULL && key->plan != NULL ? key->plan : s->account.plan;
    return name == NULL ? NULL : plan_named(s, name);
}

unsigned plan_rpm(const struct plan_options *plan, unsigned rpm)
{
    if (plan == NULL)
        return rpm;
    if (rpm == 0)
        rpm = plan->rpm;
    bool is_beyond = plan->rpm_ceiling != 0 && (rpm == 0 || rpm > plan->rpm_ceiling);
    return is_beyond ? plan->rpm_ceiling : rpm;
}

/* ── in the file ─────────────────────────────────────────────────────────────────────────────── */

void plan_begin(const struct node *n, void *at)
{
    (void)n;
    struct plan_options *p = at;
    const struct plan_options *known = find_built_in(p->name);
    if (known != NULL)
        *p = (struct plan_options){p->name, known->has_access, known->rpm, known->rpm_ceiling,
                                   known->tasks};
}

void plan_finish(struct reader *r, const struct node *n, void *at)
{
    const struct plan_options *p = at;
    if (strspn(p->name, "abcdefghijklmnopqrstuvwxyz0123456789-_") != strlen(p->name) ||
        p->name[0] == '\0')
        reader_error(r, n, "not a name for a plan: lowercase letters, digits, - and _");
    if (p->rpm_ceiling != 0 && p->rpm > p->rpm_ceiling)
        reader_error_in(r, n, "rpm", "more than the plan's ceiling");
}

static void check_plan(struct reader *r, const struct node *n, const char *name)
{
    char text[160];
    if (name == NULL || plan_named(r->snap, name) != NULL)
        return;
    snprintf(text, sizeof text,
             "no plan named \"%.60s\" (starter, pro, team, enterprise, or add it under plans)",
             name);
    reader_error_in(r, n, "plan", text);
}

static void check_prefix(struct reader *r, const struct node *root)
{
    static const char letters[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_";
    const char *prefix = r->snap->key_prefix;
    size_t len = strlen(prefix);
    if (len < 2 || len > 24 || strspn(prefix, letters) != len)
        reader_error_in(r, root, "key_prefix",
                        "not a beginning for keys (2 to 24 letters, digits, - and _)");
}

void plans_check(struct reader *r, const struct node *root)
{
    const struct snapshot *s = r->snap;
    const struct node *keys = node_get(root, "keys");
    size_t before = reader_enter(r, SPAN_LIT("account"));
    check_plan(r, node_get(root, "account"), s->account.plan);
    reader_leave(r, before);
    before = reader_enter(r, SPAN_LIT("keys"));
    for (unsigned i = 0; i < s->nkeys; i++) {
        size_t inner = reader_enter_item(r, i);
        check_plan(r, keys->entries[i].value, s->keys[i].plan);
        reader_leave(r, inner);
    }
    reader_leave(r, before);
    check_prefix(r, root);
}
