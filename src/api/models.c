#include "rows.h"

#include "sluice/meter/cost.h"
#include "sluice/route/plan.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

/* GET /v1/models and /v1/models/{id}: one shape that OpenAI's and Anthropic's readers both
 * understand (contract META-1, META-3). */

static void must(int rc)
{
    if (rc < 0)
        abort(); /* as large as the configuration */
}

static void add_price(struct buf *out, const char *name, uint64_t pd, bool known, bool *first)
{
    if (!known)
        return;
    must(buf_addf(out, "%s\"%s\":\"", *first ? "" : ",", name));
    must(cost_write_usd(pd, out));
    must(buf_add_byte(out, '"'));
    *first = false;
}

/* The first endpoint's price: the one a request tries first. */
static void add_pricing(struct buf *out, const struct model_options *m)
{
    const struct price_options *p = m->nendpoints > 0 ? &m->endpoints[0].price : NULL;
    if (p == NULL || p->known == 0)
        return;
    bool first = true;
    must(buf_add_text(out, ",\"pricing\":{"));
    add_price(out, "prompt", p->input, (p->known & 1) != 0, &first);
    add_price(out, "completion", p->output, (p->known & 2) != 0, &first);
    add_price(out, "cache_read", p->cache_read, (p->known & 4) != 0, &first);
    add_price(out, "cache_write", p->cache_write, (p->known & 8) != 0, &first);
    must(buf_add_byte(out, '}'));
}

static void add_model(struct buf *out, struct span id, const char *name, const char *owner,
                      uint64_t created, const struct model_options *m)
{
    char created_at[32];
    time_t t = (time_t)created;
    struct tm tm;
    gmtime_r(&t, &tm);
    strftime(created_at, sizeof created_at, "%Y-%m-%dT%H:%M:%SZ", &tm);

    must(buf_add_text(out, "{\"id\":\""));
    must(buf_add_json(out, id));
    must(buf_addf(out,
                  "\",\"object\":\"model\",\"type\":\"model\",\"created\":%llu,"
                  "\"created_at\":\"%s\",\"owned_by\":\"",
                  (unsigned long long)created, created_at));
    must(buf_add_json(out, span_text(owner)));
    must(buf_add_text(out, "\",\"display_name\":\""));
    must(buf_add_json(out, name != NULL ? span_text(name) : id));
    must(buf_add_byte(out, '"'));
    if (m != NULL) {
        if (m->context > 0)
            must(buf_addf(out, ",\"context_length\":%llu", (unsigned long long)m->context));
        if (m->nendpoints > 0 && m->endpoints[0].max_output > 0)
            must(buf_addf(out, ",\"max_output_tokens\":%llu",
                          (unsigned long long)m->endpoints[0].max_output));
        add_pricing(out, m);
        must(buf_addf(out, ",\"endpoints_count\":%u", m->nendpoints));
    }
    must(buf_add_byte(out, '}'));
}

static const char *owner_of(const struct snapshot *s, const struct model_options *m)
{
    if (m->nendpoints > 0)
        return s->providers[m->endpoints[0].provider].name;
    return m->nalias > 0 ? owner_of(s, &s->models[m->alias[0]]) : "sluice";
}

/* An exchange for the record and the key; NULL when the key was refused. */
static struct exchange *open_local(const struct row *row, const struct call *call)
{
    struct exchange *x = exchange_open(call->api->gateway, call->sink, row->kind, call->head);
    if (call->fields.len > 0)
        exchange_add_fields(x, call->fields);
    return exchange_authenticate(x, call->head) ? x : NULL;
}

void models_list(const struct row *row, const struct call *call)
{
    struct exchange *x = open_local(row, call);
    if (x == NULL)
        return;
    const struct snapshot *s = exchange_deployment(x)->snapshot;
    struct buf out = {0};
    const char *first = NULL, *last = NULL;
    must(buf_add_text(&out, "{\"object\":\"list\",\"data\":["));
    for (unsigned i = 0; i < s->nmodels; i++) {
        const struct model_options *m = &s->models[i];
        if (!plan_key_reaches(exchange_key(x), span_text(m->id)))
            continue;
        if (first != NULL)
            must(buf_add_byte(&out, ','));
        add_model(&out, span_text(m->id), m->name, owner_of(s, m),
                  m->created != 0 ? m->created : exchange_deployment(x)->since_unix, m);
        last = m->id;
        if (first == NULL)
            first = m->id;
    }
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

void models_one(const struct row *row, const struct call *call)
{
    struct exchange *x = open_local(row, call);
    if (x == NULL)
        return;
    const struct deployment *d = exchange_deployment(x);
    struct resolution found;
    if (call->rest.len == 0 || !catalog_resolve(d->catalog, call->rest, &found) ||
        !plan_key_reaches(exchange_key(x), found.groups[0].first->model_id)) {
        struct fault why = {.kind = FAULT_MODEL_NOT_FOUND, .param = "model"};
        snprintf(why.message, sizeof why.message,
                 "no model is named \"%.*s\" here; GET /v1/models lists those that are",
                 (int)(call->rest.len < 200 ? call->rest.len : 200), (const char *)call->rest.at);
        exchange_fail(x, &why);
        return;
    }
    const struct target *t = found.groups[0].first;
    struct buf out = {0};
    add_model(&out, call->rest, t->model != NULL ? t->model->name : NULL, t->provider->name,
              t->model != NULL && t->model->created != 0 ? t->model->created : d->since_unix,
              t->model);
    exchange_reply(x, 200, "application/json", buf_span(&out));
    buf_fini(&out);
}
