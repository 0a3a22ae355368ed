#include "sluice/catalog/catalog.h"

#include "sluice/base/arena.h"
#include "sluice/base/map.h"

#include <stdlib.h>

/* Three tables: ids, bare names (the part behind the author's slash; a marker where two models
 * share one), provider slugs. */

struct catalog {
    const struct snapshot *snapshot;
    struct map by_id, by_bare_name, providers;
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

struct catalog *catalog_new(const struct snapshot *s)
{
    struct catalog *c = xcalloc(1, sizeof *c);
    c->snapshot = s;
    for (unsigned i = 0; i < s->nmodels; i++) {
        const struct model_options *m = &s->models[i];
        struct span id = span_text(m->id), bare = bare_name(id);
        must_put(&c->by_id, id, m);
        if (m->nalias == 0 || !span_eq(bare, id))
            must_put(&c->by_bare_name, bare, map_get(&c->by_bare_name, bare) ? &shared_name : m);
    }
    for (unsigned i = 0; i < s->nproviders; i++)
        must_put(&c->providers, span_text(s->providers[i].name), &s->providers[i]);
    return c;
}

void catalog_free(struct catalog *c)
{
    if (c == NULL)
        return;
    map_fini(&c->by_id);
    map_fini(&c->by_bare_name);
    map_fini(&c->providers);
    free(c);
}

static void add_target(struct resolution *out, const struct target *t)
{
    if (out->n < CATALOG_TARGETS_MAX)
        out->targets[out->n++] = *t;
}

/* The endpoints of a model, or of one of its providers only (`pinned`, NULL: all). */
static void add_endpoints(const struct catalog *c, const struct model_options *m,
                          const struct provider_options *pinned, struct resolution *out)
{
    for (unsigned i = 0; i < m->nendpoints; i++) {
        const struct endpoint_options *e = &m->endpoints[i];
        const struct provider_options *p = &c->snapshot->providers[e->provider];
        if (pinned != NULL && pinned != p)
            continue;
        add_target(out, &(struct target){
                            .provider = p,
                            .provider_index = e->provider,
                            .price = &e->price,
                            .model = m,
                            .model_id = span_text(m->id),
                            .upstream_model = span_text(e->upstream_model),
                            .max_output = e->max_output,
                            .facts = &e->facts,
                        });
    }
    for (unsigned i = 0; i < m->nalias; i++)
        add_endpoints(c, &c->snapshot->models[m->alias[i]], pinned, out);
}

/* The models of that bare name, as far as the provider serves them. */
static void add_pinned(const struct catalog *c, struct span bare, const struct provider_options *p,
                       struct resolution *out)
{
    const struct model_options *m = map_get(&c->by_bare_name, bare);
    if (m != NULL && m != &shared_name)
        add_endpoints(c, m, p, out);
    for (unsigned i = 0; m == &shared_name && i < c->snapshot->nmodels; i++) {
        const struct model_options *each = &c->snapshot->models[i];
        if (span_eq(bare_name(span_text(each->id)), bare))
            add_endpoints(c, each, p, out);
    }
}

/* "provider/name": a model of that bare name which the provider serves, or anything at all when the
 * provider was made from the environment. */
static void resolve_pinned(const struct catalog *c, struct span name, struct resolution *out)
{
    struct span bare = name, slug = span_cut(&bare, '/');
    const struct provider_options *p = map_get(&c->providers, slug);
    if (p == NULL || bare.len == 0)
        return;
    add_pinned(c, bare, p, out);
    if (out->n > 0 || !p->any_model)
        return;
    add_target(out, &(struct target){
                        .provider = p,
                        .provider_index = (unsigned)(p - c->snapshot->providers),
                        .price = &no_price,
                        .model_id = name,
                        .upstream_model = bare,
                    });
}

static bool resolve_once(const struct catalog *c, struct span name, struct resolution *out)
{
    const struct model_options *m = map_get(&c->by_id, name);
    if (m != NULL)
        add_endpoints(c, m, NULL, out);
    if (out->n == 0)
        resolve_pinned(c, name, out);
    if (out->n == 0) {
        m = map_get(&c->by_bare_name, name);
        if (m != NULL && m != &shared_name)
            add_endpoints(c, m, NULL, out);
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
