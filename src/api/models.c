#include "endpoint_card.h"
#include "model_card.h"
#include "query.h"
#include "rows.h"

#include "sluice/admit/scope.h"
#include "sluice/config/capabilities.h"
#include "sluice/route/plan.h"

#include <stdlib.h>

/* GET /v1/models, /v1/models/{id} and /v1/models/{id}/endpoints (contract META-1, META-3, META-4). */

static void must(int rc)
{
    if (rc < 0)
        abort(); /* as large as the configuration */
}

/* Who is asked first. */
static const struct model_options *first_of(const struct snapshot *s, const struct model_options *m)
{
    return m->nalias > 0 ? first_of(s, &s->models[m->alias[0]]) : m;
}

static struct model_card card_of(const struct deployment *d, const struct model_options *m)
{
    const struct model_options *first = first_of(d->snapshot, m);
    return (struct model_card){
        .id = span_text(m->id),
        .owner = d->snapshot->providers[first->endpoints[0].provider].name,
        .created = m->created != 0 ? m->created : d->since_unix,
        .model = m,
        .group = catalog_group(d->catalog, first),
    };
}

/* --- filters ------------------------------------------------------------------------------------- */

struct wanted {
    struct span category, words; /* `at` NULL: any */
    unsigned params;
    bool is_impossible; /* a parameter nobody has heard of */
};

static struct wanted wanted_of(struct span query, struct arena *a)
{
    struct wanted w = {.category = query_get(query, "category", a),
                       .words = query_get(query, "q", a)};
    struct span params = query_get(query, "supported_parameters", a);
    while (params.len > 0) {
        unsigned one = capability_of(span_trim(span_cut(&params, ',')));
        w.is_impossible |= one == 0;
        w.params |= one;
    }
    return w;
}

static bool holds_word(struct span text, struct span word)
{
    for (size_t i = 0; i + word.len <= text.len; i++) {
        if (span_ieq(span_sub(text, i, word.len), word))
            return true;
    }
    return false;
}

static bool has_endpoint(const struct model_card *c)
{
    for (unsigned i = 0; i < c->group.n; i++) {
        if (c->group.first[i].enabled)
            return true;
    }
    return false;
}

static bool is_wanted(const struct wanted *w, const struct model_card *c)
{
    const char *name = c->model->name != NULL ? c->model->name : "";
    if (w->is_impossible || (w->params & ~model_card_params(c)) != 0)
        return false;
    if (w->category.len > 0 &&
        !span_ieq(w->category, span_text(category_name(c->group.first->model->category))))
        return false;
    return w->words.len == 0 || holds_word(c->id, w->words) ||
           holds_word(span_text(name), w->words);
}

/* --- one model ---------------------------------------------------------------------------------- */

static const struct model_options *model_named(const struct snapshot *s, struct span name)
{
    for (unsigned i = 0; i < s->nmodels; i++) {
        if (span_eq(span_text(s->models[i].id), name))
            return &s->models[i];
    }
    return NULL;
}

/* `found` is to live as long as the card: it may hold the endpoint. */
static bool find_card(const struct exchange *x, struct span name, struct resolution *found,
                      struct model_card *card)
{
    const struct deployment *d = exchange_deployment(x);
    const struct key_options *key = exchange_key(x);
    if (name.len == 0 || !catalog_resolve(d->catalog, name, found))
        return false;
    const struct target *t = found->groups[0].first;
    if (!plan_key_reaches(key, t->model_id) && !plan_key_reaches(key, name))
        return false;
    if (key != NULL && key->scope == SCOPE_PIPELINE &&
        !scope_is_within(d->catalog, name, span_text(key->pipeline)))
        return false;
    const struct model_options *m = model_named(d->snapshot, name);
    if (m == NULL)
        m = t->model;
    *card = (struct model_card){.owner = t->provider->name, .created = d->since_unix};
    if (m != NULL)
        *card = card_of(d, m);
    card->id = name; /* as it was asked for */
    return true;
}

static void fail_unknown(struct exchange *x, struct span name)
{
    struct fault why;
    fault_unknown_model(&why, name, "model");
    exchange_fail(x, &why);
}

/* As the plan has it: a key may name an alias, and not what is behind it. */
static bool reaches(const struct exchange *x, struct span asked, const struct target *t)
{
    return plan_key_reaches(exchange_key(x), asked) ||
           plan_key_reaches(exchange_key(x), t->model_id);
}

void models_one(const struct row *row, const struct call *call)
{
    struct exchange *x = call_open(row, call);
    struct resolution found;
    struct model_card card;
    struct buf out = {0};
    if (x == NULL)
        return;
    if (!find_card(x, call->rest, &found, &card)) {
        fail_unknown(x, call->rest);
        return;
    }
    must(model_card_write(&card, &out));
    exchange_reply(x, 200, "application/json", buf_span(&out));
    buf_fini(&out);
}

/* --- endpoints ------------------------------------------------------------------------------------ */

static unsigned add_endpoints(const struct exchange *x, struct span asked,
                              const struct target_group *g, unsigned before, struct buf *out)
{
    unsigned n = before;
    for (unsigned i = 0; i < g->n; i++) {
        const struct target *t = &g->first[i];
        struct target_health health;
        if ((g->pinned != NULL && g->pinned != t->provider) || !reaches(x, asked, t))
            continue;
        if (n++ > 0)
            must(buf_add_byte(out, ','));
        const char *status = exchange_look_at(x, t, &health);
        must(endpoint_card_write(t, &health, status, out));
    }
    return n;
}

void models_endpoints(const struct row *row, const struct call *call)
{
    struct exchange *x = call_open(row, call);
    struct resolution found;
    struct model_card card;
    struct buf out = {0};
    unsigned n = 0;
    if (x == NULL)
        return;
    if (!find_card(x, call->rest, &found, &card)) {
        fail_unknown(x, call->rest);
        return;
    }
    must(buf_add_text(&out, "{\"id\":\""));
    must(buf_add_json(&out, call->rest));
    must(buf_add_text(&out, "\",\"endpoints\":["));
    for (unsigned i = 0; i < found.n; i++)
        n = add_endpoints(x, call->rest, &found.groups[i], n, &out);
    must(buf_add_text(&out, "]}"));
    exchange_reply(x, 200, "application/json", buf_span(&out));
    buf_fini(&out);
}

/* --- all of them -------------------------------------------------------------------------------- */

struct listing {
    struct wanted wanted;
    struct buf out;
    struct span first, last; /* ids */
};

static void list_card(struct listing *l, const struct model_card *card)
{
    if (card->group.n == 0 || !has_endpoint(card) || !is_wanted(&l->wanted, card))
        return;
    if (l->first.len > 0)
        must(buf_add_byte(&l->out, ','));
    else
        l->first = card->id;
    l->last = card->id;
    must(model_card_write(card, &l->out));
}

static void list_all(struct listing *l, const struct exchange *x)
{
    const struct deployment *d = exchange_deployment(x);
    for (unsigned i = 0; i < d->snapshot->nmodels; i++) {
        struct model_card card = card_of(d, &d->snapshot->models[i]);
        if (plan_key_reaches(exchange_key(x), card.id))
            list_card(l, &card);
    }
}

static void list_id(struct listing *l, const char *before, struct span id)
{
    must(buf_add_text(&l->out, before));
    if (id.len == 0) {
        must(buf_add_text(&l->out, "null"));
        return;
    }
    must(buf_add_byte(&l->out, '"'));
    must(buf_add_json(&l->out, id));
    must(buf_add_byte(&l->out, '"'));
}

/* The path's, else the key's. */
static struct span only_model(const struct exchange *x, const struct call *call)
{
    const struct key_options *key = exchange_key(x);
    bool is_keys = call->pipeline.len == 0 && key != NULL && key->scope == SCOPE_PIPELINE;
    return is_keys ? span_text(key->pipeline) : call->pipeline;
}

void models_list(const struct row *row, const struct call *call)
{
    struct exchange *x = call_open(row, call);
    struct resolution found;
    struct model_card card;
    struct arena a;
    if (x == NULL)
        return;
    struct span only = only_model(x, call);
    if (only.len > 0 && !find_card(x, only, &found, &card)) {
        fail_unknown(x, only);
        return;
    }
    arena_init(&a, NULL, 256);
    struct listing l = {.wanted = wanted_of(call->query, &a)};
    must(buf_add_text(&l.out, "{\"object\":\"list\",\"data\":["));
    if (only.len > 0)
        list_card(&l, &card);
    else
        list_all(&l, x);
    arena_fini(&a);
    list_id(&l, "],\"has_more\":false,\"first_id\":", l.first);
    list_id(&l, ",\"last_id\":", l.last);
    must(buf_add_byte(&l.out, '}'));
    exchange_reply(x, 200, "application/json", buf_span(&l.out));
    buf_fini(&l.out);
}
