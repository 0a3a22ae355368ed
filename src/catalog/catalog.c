#include "sluice/catalog/catalog.h"

#include "sluice/base/map.h"
#include "sluice/catalog/facts.h"
#include "sluice/catalog/slug.h"
#include "sluice/config/known_providers.h"

#include <stdlib.h>

/* Three tables: ids, bare names (the part behind the author's slash; a marker where two models
 * share one), provider slugs; and all endpoints in a row, those of one model next to each other. */

struct catalog {
    const struct snapshot *snapshot;
    struct map by_id, by_bare_name, providers;
    struct map slug_numbers; /* each is one more, for it to be no NULL */
    struct arena arena;      /* holds slugs */
    struct span *slugs;      /* by provider */
    struct target *targets;
    unsigned *first_of; /* by model: where its endpoints begin */
    unsigned ntargets;
    bool describes_input, offers_choice;
};

static const struct model_options shared_name; /* marker: a bare name more than one model has */
static const struct price_options no_price;

static struct span bare_name(struct span id)
{
    struct span rest = id;
    (void)span_cut(&rest, '/');
    return rest.len > 0 ? rest : id;
}

static void must_put(struct map *m, struct span key, const void *value)
{
    if (map_put(m, key, (void *)(uintptr_t)value) < 0)
        abort(); /* as large as the configuration, at start or reload */
}

/* --- endpoints ------------------------------------------------------------------------------------ */

/* Each member as the endpoint says, else as its provider does, else the worst. */
static struct data_policy policy_of(const struct data_policy_options *endpoint,
                                    const struct data_policy_options *provider)
{
    unsigned own = endpoint != NULL ? endpoint->known : 0;
    const struct data_policy_options *zdr = own & POLICY_ZDR ? endpoint : provider;
    const struct data_policy_options *training = own & POLICY_TRAINING ? endpoint : provider;
    const struct data_policy_options *retention = own & POLICY_RETENTION ? endpoint : provider;
    struct data_policy p = {.zdr = zdr->zdr};
    p.trains = !p.zdr && !((training->known & POLICY_TRAINING) && !training->training);
    p.stores = !p.zdr && !((retention->known & POLICY_RETENTION) && retention->retention_ms == 0);
    return p;
}

static const char *region_of(const struct endpoint_options *e, const struct provider_options *p)
{
    return e->data_policy.region != NULL ? e->data_policy.region : p->data_policy.region;
}

/* Of a slug that may be new; it lies in the arena. */
static unsigned number_slug(struct catalog *c, struct span slug)
{
    unsigned number = catalog_slug_number(c, slug);
    if (number != SLUG_UNKNOWN)
        return number;
    number = (unsigned)c->slug_numbers.len;
    must_put(&c->slug_numbers, slug, (const void *)((uintptr_t)number + 1));
    return number;
}

struct data_policy catalog_policy(const struct provider_options *p)
{
    return policy_of(NULL, &p->data_policy);
}

struct span catalog_slug(const struct catalog *c, const struct provider_options *p)
{
    return c->slugs[p - c->snapshot->providers];
}

static struct span slug_of(struct catalog *c, const struct endpoint_options *e)
{
    const struct provider_options *p = &c->snapshot->providers[e->provider];
    if (e->variant == NULL)
        return c->slugs[e->provider];
    return slug_make(span_text(arena_printf(&c->arena, "%s/%s", p->name, e->variant)), &c->arena);
}

static unsigned input_of(const struct model_options *m, const struct endpoint_options *e)
{
    if (e->known & ENDPOINT_INPUT)
        return e->input;
    return m->known & MODEL_INPUT ? m->input : UINT32_MAX;
}

static void keep_prices(struct target *t)
{
    enum { BOTH = PRICE_INPUT | PRICE_OUTPUT };
    bool are_known = (t->price->known & BOTH) == BOTH;
    t->input_pd = are_known ? (double)t->price->input : -1;
    t->output_pd = are_known ? (double)t->price->output : -1;
}

static unsigned output_of(const struct model_options *m)
{
    return m->known & (MODEL_OUTPUT | MODEL_CATEGORY) ? m->output : UINT32_MAX;
}

static void add_targets(struct catalog *c, const struct model_options *m)
{
    c->offers_choice = c->offers_choice || m->nendpoints > 1;
    for (unsigned i = 0; i < m->nendpoints; i++) {
        const struct endpoint_options *e = &m->endpoints[i];
        const struct provider_options *p = &c->snapshot->providers[e->provider];
        struct target *t = &c->targets[c->ntargets];
        *t = (struct target){
            .provider = p,
            .provider_index = e->provider,
            .index = c->ntargets,
            .price = &e->price,
            .model = m,
            .model_id = span_text(m->id),
            .upstream_model = span_text(e->upstream_model),
            .slug = slug_of(c, e),
            .provider_slug_number = number_slug(c, c->slugs[e->provider]),
            .context = e->context > 0 ? e->context : m->context,
            .max_output = e->max_output,
            .params = e->known & ENDPOINT_PARAMS ? e->params : UINT32_MAX,
            .input = input_of(m, e),
            .output = output_of(m),
            .quantization = e->quantization,
            .policy = policy_of(&e->data_policy, &p->data_policy),
            .region = region_of(e, p),
            .enabled = e->enabled,
            .distillable = m->distillable,
            .facts = &e->facts,
        };
        t->slug_number = number_slug(c, t->slug);
        facts_keep(t);
        keep_prices(t);
        c->describes_input = c->describes_input || input_of(m, e) != UINT32_MAX;
        c->ntargets++;
    }
}

struct catalog *catalog_new(const struct snapshot *s)
{
    struct catalog *c = xcalloc(1, sizeof *c);
    size_t total = 0;
    c->snapshot = s;
    arena_init(&c->arena, NULL, 1024);
    c->slugs = xcalloc(s->nproviders + 1, sizeof *c->slugs);
    for (unsigned i = 0; i < s->nproviders; i++) {
        const struct provider_options *p = &s->providers[i];
        c->slugs[i] = arena_keep(&c->arena, slug_make(span_text(p->name), &c->arena));
        (void)number_slug(c, c->slugs[i]);
        must_put(&c->providers, span_text(p->name), p);
    }
    for (unsigned i = 0; i < s->nproviders; i++) { /* two may share a slug: the first has it */
        if (map_get(&c->providers, c->slugs[i]) == NULL)
            must_put(&c->providers, c->slugs[i], &s->providers[i]);
    }
    for (unsigned i = 0; i < s->nmodels; i++)
        total += s->models[i].nendpoints;
    c->targets = xcalloc(total + 1, sizeof *c->targets);
    c->first_of = xcalloc(s->nmodels + 1, sizeof *c->first_of);
    for (unsigned i = 0; i < s->nmodels; i++) {
        const struct model_options *m = &s->models[i];
        struct span id = span_text(m->id), bare = bare_name(id);
        c->first_of[i] = c->ntargets;
        add_targets(c, m);
        must_put(&c->by_id, id, m);
        if (m->nalias == 0 || !span_eq(bare, id))
            must_put(&c->by_bare_name, bare, map_get(&c->by_bare_name, bare) ? &shared_name : m);
    }
    return c;
}

void catalog_free(struct catalog *c)
{
    if (c == NULL)
        return;
    map_fini(&c->by_id);
    map_fini(&c->by_bare_name);
    map_fini(&c->providers);
    map_fini(&c->slug_numbers);
    arena_fini(&c->arena);
    free(c->slugs);
    free(c->targets);
    free(c->first_of);
    free(c);
}

unsigned catalog_slugs(const struct catalog *c)
{
    return (unsigned)c->slug_numbers.len;
}

unsigned catalog_slug_number(const struct catalog *c, struct span slug)
{
    uintptr_t above = (uintptr_t)map_get(&c->slug_numbers, slug);
    return above > 0 ? (unsigned)(above - 1) : SLUG_UNKNOWN;
}

struct span catalog_provider_slug(const struct catalog *c, unsigned provider)
{
    return c->slugs[provider];
}

const struct target *catalog_targets(const struct catalog *c, unsigned *n)
{
    *n = c->ntargets;
    return c->targets;
}

bool catalog_describes_input(const struct catalog *c)
{
    return c->describes_input;
}

bool catalog_offers_choice(const struct catalog *c)
{
    return c->offers_choice;
}

struct target_group catalog_group(const struct catalog *c, const struct model_options *m)
{
    return (struct target_group){.first = &c->targets[c->first_of[m - c->snapshot->models]],
                                 .n = m->nendpoints};
}

/* --- names ---------------------------------------------------------------------------------------- */

static bool has_any_of(const struct target_group *g)
{
    bool has = g->pinned == NULL && g->n > 0;
    for (unsigned i = 0; i < g->n && !has; i++)
        has = g->first[i].provider == g->pinned;
    return has;
}

/* The endpoints of a model, or of one of its providers only (`pinned`, NULL: all). */
static void add_model(const struct catalog *c, const struct model_options *m,
                      const struct provider_options *pinned, struct resolution *out)
{
    struct target_group g = catalog_group(c, m);
    g.pinned = pinned;
    if (has_any_of(&g) && out->n < RESOLUTION_GROUPS_MAX)
        out->groups[out->n++] = g;
    for (unsigned i = 0; i < m->nalias; i++)
        add_model(c, &c->snapshot->models[m->alias[i]], pinned, out);
}

/* The models of that bare name, as far as the provider serves them. */
static void add_pinned(const struct catalog *c, struct span bare, const struct provider_options *p,
                       struct resolution *out)
{
    const struct model_options *m = map_get(&c->by_bare_name, bare);
    if (m != NULL && m != &shared_name)
        add_model(c, m, p, out);
    for (unsigned i = 0; m == &shared_name && i < c->snapshot->nmodels; i++) {
        const struct model_options *each = &c->snapshot->models[i];
        if (span_eq(bare_name(span_text(each->id)), bare))
            add_model(c, each, p, out);
    }
}

/* By its own name, by its slug, or by another name that stands for that. */
static const struct provider_options *find_provider(const struct catalog *c, struct span name)
{
    const struct provider_options *p = map_get(&c->providers, name);
    const char *slug = p == NULL ? known_provider_slug(name) : NULL;
    return slug != NULL ? map_get(&c->providers, span_text(slug)) : p;
}

/* "provider/name": a model of that bare name which the provider serves, or anything at all when the
 * provider was made from the environment. */
static void resolve_pinned(const struct catalog *c, struct span name, struct resolution *out)
{
    struct span bare = name, slug = span_cut(&bare, '/');
    const struct provider_options *p = find_provider(c, slug);
    if (p == NULL || bare.len == 0)
        return;
    add_pinned(c, bare, p, out);
    if (out->n > 0 || !p->any_model)
        return;
    struct span provider_slug = c->slugs[p - c->snapshot->providers];
    unsigned number = catalog_slug_number(c, provider_slug);
    out->made = (struct target){
        .provider = p,
        .provider_index = (unsigned)(p - c->snapshot->providers),
        .index = TARGET_UNLISTED,
        .price = &no_price,
        .model_id = name,
        .upstream_model = bare,
        .slug = provider_slug,
        .slug_number = number,
        .provider_slug_number = number,
        .params = UINT32_MAX,
        .input = UINT32_MAX,
        .output = UINT32_MAX,
        .policy = catalog_policy(p),
        .region = p->data_policy.region,
        .enabled = true,
    };
    keep_prices(&out->made);
    out->groups[out->n++] = (struct target_group){.first = &out->made, .n = 1};
}

static bool resolve_once(const struct catalog *c, struct span name, struct resolution *out)
{
    const struct model_options *m = map_get(&c->by_id, name);
    if (m != NULL)
        add_model(c, m, NULL, out);
    if (out->n == 0)
        resolve_pinned(c, name, out);
    if (out->n == 0) {
        m = map_get(&c->by_bare_name, name);
        if (m != NULL && m != &shared_name)
            add_model(c, m, NULL, out);
    }
    return out->n > 0;
}

bool catalog_resolve(const struct catalog *c, struct span name, struct resolution *out)
{
    static const struct span strippable[] = {SPAN_LIT("openai/"), SPAN_LIT("sluice/")};
    out->n = 0;
    if (resolve_once(c, name, out))
        return true;
    for (unsigned i = 0; i < sizeof strippable / sizeof strippable[0]; i++) {
        if (span_starts(name, strippable[i]))
            return resolve_once(c, span_skip(name, strippable[i].len), out);
    }
    return false;
}

bool catalog_offers_choice_of(const struct catalog *c, struct span name)
{
    struct resolution found;
    bool has = false;
    if (!c->offers_choice || !catalog_resolve(c, name, &found))
        return false;
    for (unsigned i = 0; i < found.n; i++)
        has = has || found.groups[i].n > 1;
    return has;
}
