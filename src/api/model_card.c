#include "model_card.h"

#include "sluice/catalog/facts.h"
#include "sluice/config/capabilities.h"
#include "sluice/meter/cost.h"

#include <time.h>

/* --- what is known -------------------------------------------------------------------------------- */

unsigned model_card_params(const struct model_card *c)
{
    unsigned params = 0;
    for (unsigned i = 0; i < c->group.n; i++)
        params |= c->group.first[i].enabled ? facts_params(&c->group.first[i]) : 0;
    return params;
}

/* The most any endpoint can: routing finds the one that does. */
static uint64_t most(const struct target_group *g, uint64_t (*of)(const struct target *t))
{
    uint64_t most = 0;
    for (unsigned i = 0; i < g->n; i++) {
        uint64_t value = of(&g->first[i]);
        if (g->first[i].enabled && value > most)
            most = value;
    }
    return most;
}

static uint64_t context_of(const struct target *t)
{
    return t->context;
}

static uint64_t max_output_of(const struct target *t)
{
    return t->max_output;
}

/* Text, when nobody said. */
static unsigned inputs_of(const struct model_card *c)
{
    unsigned input = 0;
    for (unsigned i = 0; i < c->group.n; i++)
        input |= c->group.first[i].input != UINT32_MAX ? c->group.first[i].input : 0;
    return input != 0 ? input : MODALITY_TEXT;
}

/* --- writing -------------------------------------------------------------------------------------- */

static void add_text(struct json_out *o, const char *text)
{
    json_out_span(o, span_text(text));
}

/* Under OpenAI's gateways' name for it and under Anthropic's; nothing when it is not known. */
static void add_count(struct json_out *o, const char *name, const char *also, uint64_t n)
{
    if (n == 0)
        return;
    add_text(o, name);
    json_out_u64(o, n);
    add_text(o, also);
    json_out_u64(o, n);
}

void card_add_names(struct json_out *o, const char *member, unsigned bits,
                    const char *(*name)(unsigned bit), unsigned n)
{
    bool is_first = true;
    add_text(o, member);
    for (unsigned bit = 0; bit < n; bit++) {
        if ((bits & 1u << bit) == 0)
            continue;
        add_text(o, is_first ? "\"" : ",\"");
        add_text(o, name(bit));
        add_text(o, "\"");
        is_first = false;
    }
    add_text(o, "]");
}

/* Of the cheapest endpoint that has one. */
static const struct price_options *price_of(const struct target_group *g)
{
    const struct price_options *best = NULL;
    for (unsigned i = 0; i < g->n; i++) {
        const struct price_options *p = g->first[i].price;
        if (p->known != 0 && (best == NULL || p->input + p->output < best->input + best->output))
            best = p;
    }
    return best;
}

/* Two of them have other names than in a configuration (contract, META-1). */
static const char *pricing_name(unsigned part)
{
    switch (1u << part) {
    case PRICE_INPUT:
        return "prompt";
    case PRICE_OUTPUT:
        return "completion";
    default:
        return price_part_name(part);
    }
}

void card_add_pricing(struct json_out *o, const struct price_options *p)
{
    if (p == NULL || p->known == 0)
        return;
    const char *between = ",\"pricing\":{\"";
    for (unsigned i = 0; i < PRICE_PARTS; i++) {
        if ((p->known & 1u << i) == 0)
            continue;
        add_text(o, between);
        add_text(o, pricing_name(i));
        add_text(o, "\":\"");
        if (o->rc == 0)
            o->rc = cost_write_usd(price_part_pd(p, i), o->buf);
        add_text(o, "\"");
        between = ",\"";
    }
    add_text(o, "}");
}

static void add_identity(struct json_out *o, const struct model_card *c)
{
    char created_at[32];
    time_t t = (time_t)c->created;
    struct tm tm;
    gmtime_r(&t, &tm);
    strftime(created_at, sizeof created_at, "%Y-%m-%dT%H:%M:%SZ", &tm);
    const char *name = c->model != NULL ? c->model->name : NULL;
    json_out_lit(o, "{\"id\":");
    json_out_bytes(o, c->id);
    json_out_lit(o, ",\"object\":\"model\",\"type\":\"model\",\"created\":");
    json_out_u64(o, c->created);
    json_out_lit(o, ",\"created_at\":");
    json_out_bytes(o, span_text(created_at));
    json_out_lit(o, ",\"owned_by\":");
    json_out_bytes(o, span_text(c->owner));
    json_out_lit(o, ",\"display_name\":");
    json_out_bytes(o, name != NULL ? span_text(name) : c->id);
}

static void add_abilities(struct json_out *o, const struct model_card *c)
{
    const struct model_options *m = c->group.first->model;
    add_text(o, ",\"category\":\"");
    add_text(o, category_name(m->category));
    add_text(o, "\"");
    add_count(o, ",\"context_length\":", ",\"max_input_tokens\":", most(&c->group, context_of));
    add_count(o, ",\"max_output_tokens\":", ",\"max_tokens\":", most(&c->group, max_output_of));
    card_add_names(o, ",\"input_modalities\":[", inputs_of(c), modality_name, MODALITIES);
    card_add_names(o, ",\"output_modalities\":[", m->output, modality_name, MODALITIES);
    card_add_names(o, ",\"supported_parameters\":[", model_card_params(c), capability_name,
                   CAPABILITIES);
    card_add_pricing(o, price_of(&c->group));
    add_text(o, m->distillable ? ",\"distillable\":true" : ",\"distillable\":false");
    json_out_lit(o, ",\"endpoints_count\":");
    json_out_u64(o, c->group.n);
}

int model_card_write(const struct model_card *c, struct buf *out)
{
    struct json_out o = json_out_to(out);
    add_identity(&o, c);
    if (c->group.n > 0)
        add_abilities(&o, c);
    json_out_lit(&o, "}");
    return o.rc;
}
