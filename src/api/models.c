#include "endpoint_card.h"
#include "model_card.h"
#include "query.h"
#include "rows.h"

#include "sluice/config/capabilities.h"
#include "sluice/route/plan.h"

#include <stdio.h>
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

void models_list(const struct row *row, const struct call *call)
{
    struct exchange *x = call_open(row, call);
    if (x == NULL)
        return;
    const struct deployment *d = exchange_deployment(x);
    const struct snapshot *s = d->snapshot;
    struct arena a;
    arena_init(&a, NULL, 256);
    struct wanted wanted = wanted_of(call->query, &a);
    struct buf out = {0};
    const char *first = NULL, *last = NULL;
    must(buf_add_text(&out, "{\"object\":\"list\",\"data\":["));
    for (unsigned i = 0; i < s->nmodels; i++) {
        struct model_card card = card_of(d, &s->models[i]);
        if (!plan_key_reaches(exchange_key(x), card.id) || !has_endpoint(&card) ||
            !is_wanted(&wanted, &card))
            continue;
        if (first != NULL)
            must(buf_add_byte(&out, ','));
        must(model_card_write(&card, &out));
        last = s->models[i].id;
        if (first == NULL)
            first = last;
    }
    arena_fini(&a);
    must(buf_add_text(&out, "],\"has_more\":false,\"first_id\":"));
    if (first == NULL) {
        must(buf_add_text(&out, "null,\"last_id\":null}"));
    } else {
        must(buf_add_byte(&out, '"'));
        must(buf_add_json(&out, span_text(first)));
        must(buf_add_text(&out, "\",\"last_id\":\""));
        must(buf_add_json(&out, span_text(last)));
        must(buf_add_text(&out, "\"}"));
    }
    exchange_reply(x, 200, "application/json", buf_span(&out));
    buf_fini(&out);
}

static void fail_unknown(struct exchange *x, struct span model)
{
    struct fault why = {.kind = FAULT_MODEL_NOT_FOUND, .param = "model"};
    snprintf(why.message, sizeof why.message,
             "no model is named \"%.*s\" here; GET /v1/models lists those that are",
             (int)(model.len < 200 ? model.len : 200), (const char *)model.at);
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
    if (x == NULL)
        return;
    const struct deployment *d = exchange_deployment(x);
    struct resolution found;
    if (call->rest.len == 0 || !catalog_resolve(d->catalog, call->rest, &found) ||
        !reaches(x, call->rest, found.groups[0].first)) {
        fail_unknown(x, call->rest);
        return;
    }
    const struct target *t = found.groups[0].first;
    struct model_card card = {.owner = t->provider->name, .created = d->since_unix};
    if (t->model != NULL)
        card = card_of(d, t->model);
    card.id = call->rest; /* as it was asked for */
    struct buf out = {0};
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
    if (x == NULL)
        return;
    struct resolution found = {.n = 0};
    struct buf out = {0};
    unsigned n = 0;
    if (call->rest.len > 0)
        (void)catalog_resolve(exchange_deployment(x)->catalog, call->rest, &found);
    must(buf_add_text(&out, "{\"id\":\""));
    must(buf_add_json(&out, call->rest));
    must(buf_add_text(&out, "\",\"endpoints\":["));
    for (unsigned i = 0; i < found.n; i++)
        n = add_endpoints(x, call->rest, &found.groups[i], n, &out);
    must(buf_add_text(&out, "]}"));
    if (n > 0)
        exchange_reply(x, 200, "application/json", buf_span(&out));
    else
        fail_unknown(x, call->rest);
    buf_fini(&out);
}
