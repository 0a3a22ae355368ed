#include "endpoint_card.h"

#include "model_card.h"

#include "sluice/catalog/facts.h"
#include "sluice/config/capabilities.h"

#include <stdio.h>

static void add_fixed(struct json_out *o, int decimals, double value)
{
    char text[64];
    snprintf(text, sizeof text, "%.*f", decimals, value);
    json_out_span(o, span_text(text));
}

/* A number, or null when nobody knows. */
static void add_count(struct json_out *o, const char *member, uint64_t n)
{
    json_out_span(o, span_text(member));
    if (n > 0)
        json_out_u64(o, n);
    else
        json_out_lit(o, "null");
}

static void add_quantiles(struct json_out *o, const char *member, const struct quantiles *q)
{
    static const char *const names[QUANTILES] = {
        "{\"p50\":", ",\"p75\":", ",\"p90\":", ",\"p99\":"};
    json_out_span(o, span_text(member));
    if (q->samples == 0) {
        json_out_lit(o, "null");
        return;
    }
    for (unsigned i = 0; i < QUANTILES; i++) {
        json_out_span(o, span_text(names[i]));
        add_fixed(o, 3, q->at[i]);
    }
    json_out_lit(o, "}");
}

static void add_stats(struct json_out *o, const struct target_health *h)
{
    uint64_t samples = (uint64_t)h->outcomes.ok + h->outcomes.failed;
    add_quantiles(o, ",\"stats\":{\"latency\":", h->latency);
    add_quantiles(o, ",\"throughput\":", h->throughput);
    json_out_lit(o, ",\"success_rate\":");
    if (samples > 0)
        add_fixed(o, 4, (double)h->outcomes.ok / (double)samples);
    else
        json_out_lit(o, "null");
    json_out_lit(o, ",\"samples\":");
    json_out_u64(o, samples);
    json_out_lit(o, "}");
}

int policy_write_members(struct data_policy p, struct buf *out)
{
    return buf_addf(out, "\"stores\":%s,\"trains\":%s,\"zdr\":%s", p.stores ? "true" : "false",
                    p.trains ? "true" : "false", p.zdr ? "true" : "false");
}

static void add_policy(struct json_out *o, struct data_policy p)
{
    json_out_lit(o, ",\"data_collection\":");
    json_out_bytes(o, p.stores || p.trains ? SPAN_LIT("allow") : SPAN_LIT("deny"));
    json_out_span(o, p.zdr ? SPAN_LIT(",\"zdr\":true") : SPAN_LIT(",\"zdr\":false"));
}

int endpoint_card_write(const struct target *t, const struct target_health *h, const char *status,
                        struct buf *out)
{
    struct json_out o = json_out_to(out);
    json_out_lit(&o, "{\"provider\":");
    json_out_bytes(&o, span_text(t->provider->name));
    json_out_lit(&o, ",\"slug\":");
    json_out_bytes(&o, t->slug);
    json_out_lit(&o, ",\"quantization\":");
    json_out_bytes(&o, span_text(quantization_name((enum quantization)t->quantization)));
    add_count(&o, ",\"context_length\":", t->context);
    add_count(&o, ",\"max_output\":", t->max_output);
    card_add_pricing(&o, t->price);
    card_add_names(&o, ",\"supported_parameters\":[", facts_params(t), capability_name,
                   CAPABILITIES);
    add_policy(&o, t->policy);
    json_out_lit(&o, ",\"status\":");
    json_out_bytes(&o, span_text(t->enabled ? status : "disabled"));
    add_stats(&o, h);
    json_out_lit(&o, "}");
    return o.rc;
}
