#include "endpoint_card.h"
#include "rows.h"

#include "sluice/config/known_providers.h"
#include "sluice/format/json_out.h"

#include <stdlib.h>

/* GET /v1/providers (contract META-5): who is configured, as requests name them; and the slugs of all
 * that people know, which mean nothing until somebody configures them. Where a provider is and how it
 * is paid is nobody's business but the operator's. */

/* What a key may reach of one provider. */
struct reach {
    unsigned models, endpoints, open; /* open: those whose circuit is */
};

static struct reach reach_of(const struct exchange *x, const struct provider_options *p)
{
    unsigned n;
    const struct target *targets = catalog_targets(exchange_deployment(x)->catalog, &n);
    const struct model_options *last = NULL;
    struct reach r = {0};
    for (unsigned i = 0; i < n; i++) {
        const struct target *t = &targets[i];
        struct target_health health;
        if (t->provider != p || !t->enabled || !plan_key_reaches(exchange_key(x), t->model_id))
            continue;
        (void)exchange_look_at(x, t, &health);
        r.endpoints++;
        r.open += health.is_open;
        r.models += t->model != last; /* endpoints of one model are neighbours */
        last = t->model;
    }
    return r;
}

static bool is_shown(const struct exchange *x, const struct provider_options *p,
                     const struct reach *r)
{
    return r->models > 0 || p->any_model || plan_key_reaches(exchange_key(x), SPAN_LIT("*"));
}

static const char *status_of(const struct reach *r)
{
    return r->open == 0 ? "up" : r->open < r->endpoints ? "degraded" : "down";
}

static void add_aliases(struct json_out *o, struct span slug, const char *name)
{
    struct known_provider k = {.slug = ""};
    unsigned i = 0;
    while (known_provider_at(i, &k) && !span_eq(span_text(k.slug), slug))
        i++;
    struct span rest = span_text(k.also != NULL && span_eq(span_text(k.slug), slug) ? k.also : "");
    bool has_name = !span_eq(span_text(name), slug);
    json_out_lit(o, ",\"aliases\":[");
    if (has_name)
        json_out_bytes(o, span_text(name));
    for (bool is_first = !has_name; rest.len > 0; is_first = false) {
        struct span one = span_cut(&rest, ' ');
        json_out_span(o, is_first ? SPAN_NONE : SPAN_LIT(","));
        json_out_bytes(o, one);
    }
    json_out_lit(o, "]");
}

static void add_policy(struct json_out *o, const struct provider_options *p)
{
    const struct data_policy_options *said = &p->data_policy;
    json_out_lit(o, ",\"data_policy\":{");
    if (o->rc == 0)
        o->rc = policy_write_members(catalog_policy(p), o->buf);
    if (said->known & POLICY_RETENTION) {
        json_out_lit(o, ",\"retention_days\":");
        json_out_u64(o, (said->retention_ms + 86399999) / 86400000);
    }
    if (said->region != NULL) {
        json_out_lit(o, ",\"region\":");
        json_out_bytes(o, span_text(said->region));
    }
    json_out_lit(o, "}");
}

static void add_provider(struct json_out *o, const struct exchange *x,
                         const struct provider_options *p, const struct reach *r)
{
    struct span slug = catalog_slug(exchange_deployment(x)->catalog, p);
    json_out_lit(o, "{\"slug\":");
    json_out_bytes(o, slug);
    json_out_lit(o, ",\"name\":");
    json_out_bytes(o, span_text(p->name));
    add_aliases(o, slug, p->name);
    json_out_lit(o, ",\"protocol\":");
    json_out_bytes(o, span_text(protocol_name(p->protocol)));
    json_out_lit(o, ",\"models\":");
    json_out_u64(o, r->models);
    json_out_span(o, p->any_model ? SPAN_LIT(",\"any_model\":true")
                                  : SPAN_LIT(",\"any_model\":false"));
    json_out_lit(o, ",\"status\":");
    json_out_bytes(o, span_text(status_of(r)));
    add_policy(o, p);
    json_out_lit(o, "}");
}

static void add_known(struct json_out *o)
{
    struct known_provider k;
    json_out_lit(o, "],\"known\":[");
    for (unsigned i = 0; known_provider_at(i, &k); i++) {
        json_out_span(o, i > 0 ? SPAN_LIT(",") : SPAN_NONE);
        json_out_bytes(o, span_text(k.slug));
    }
    json_out_lit(o, "]}");
}

void providers_list(const struct row *row, const struct call *call)
{
    struct exchange *x = call_open(row, call);
    if (x == NULL)
        return;
    const struct snapshot *s = exchange_deployment(x)->snapshot;
    struct buf out = {0};
    struct json_out o = json_out_to(&out);
    bool is_first = true;
    json_out_lit(&o, "{\"object\":\"list\",\"data\":[");
    for (unsigned i = 0; i < s->nproviders; i++) {
        const struct provider_options *p = &s->providers[i];
        struct reach r = reach_of(x, p);
        if (!is_shown(x, p, &r))
            continue;
        json_out_span(&o, is_first ? SPAN_NONE : SPAN_LIT(","));
        add_provider(&o, x, p, &r);
        is_first = false;
    }
    add_known(&o);
    if (o.rc < 0)
        abort(); /* as large as the configuration */
    exchange_reply(x, 200, "application/json", buf_span(&out));
    buf_fini(&out);
}
