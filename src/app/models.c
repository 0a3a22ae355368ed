#include "loaded.h"
#include "terminal.h"
#include "verbs.h"

#include "sluice/catalog/facts.h"
#include "sluice/meter/cost.h"

#include <stdlib.h>

enum { KNOWN_INPUT = 1, KNOWN_OUTPUT = 2 }; /* bits of price_options.known */

static void must(int rc)
{
    if (rc < 0)
        abort(); /* as large as the configuration */
}

/* Prices are kept for one token and talked about for a million. */
static void add_per_million(struct buf *out, uint64_t pd_per_token)
{
    uint64_t pd;
    if (__builtin_mul_overflow(pd_per_token, 1000000u, &pd))
        pd = UINT64_MAX;
    must(cost_write_usd(pd, out));
}

/* ── a table ─────────────────────────────────────────────────────────────────────────────────── */

static void print_price(const struct price_options *p, unsigned bit, uint64_t pd_per_token)
{
    struct buf text = {0};
    if (p->known & bit)
        add_per_million(&text, pd_per_token);
    else
        must(buf_add_byte(&text, '-'));
    printf(" %9.*s", SPAN_FMT(buf_span(&text)));
    buf_fini(&text);
}

static void print_row(const char *id, int width, uint64_t context, const struct price_options *p,
                      const char *provider, const char *upstream)
{
    printf("%-*s ", width, id);
    if (context > 0)
        printf("%9llu", (unsigned long long)context);
    else
        printf("%9s", "-");
    print_price(p, KNOWN_INPUT, p->input);
    print_price(p, KNOWN_OUTPUT, p->output);
    printf("  %s: %s\n", provider, upstream);
}

static void print_model(const struct snapshot *s, const struct model_options *m, int width)
{
    for (unsigned i = 0; i < m->nendpoints; i++) {
        const struct endpoint_options *e = &m->endpoints[i];
        print_row(i == 0 ? m->id : "", width, i == 0 ? m->context : 0, &e->price,
                  s->providers[e->provider].name, e->upstream_model);
    }
    if (m->nalias == 0)
        return;
    printf("%-*s %9s %9s %9s  alias of ", width, m->id, "", "", "");
    for (unsigned i = 0; i < m->nalias; i++)
        printf("%s%s", i == 0 ? "" : ", then ", s->models[m->alias[i]].id);
    putchar('\n');
}

static int id_width(const struct snapshot *s)
{
    size_t width = strlen("MODEL");
    for (unsigned i = 0; i < s->nmodels; i++) {
        size_t len = strlen(s->models[i].id);
        width = len > width ? len : width;
    }
    return (int)width;
}

static void print_table(const struct snapshot *s)
{
    int width = id_width(s);
    printf("%s%-*s %9s %9s %9s  %s%s\n", terminal_style(stdout, STYLE_BOLD), width, "MODEL",
           "CONTEXT", "$/M IN", "$/M OUT", "ENDPOINT", terminal_style(stdout, STYLE_NONE));
    for (unsigned i = 0; i < s->nmodels; i++)
        print_model(s, &s->models[i], width);
    for (unsigned i = 0; i < s->nproviders; i++)
        if (s->providers[i].any_model)
            printf("%s/… reaches any model of %s\n", s->providers[i].name,
                   s->providers[i].base_url);
}

/* ── JSON ────────────────────────────────────────────────────────────────────────────────────── */

static void add_text(struct buf *out, const char *name, const char *text)
{
    must(buf_addf(out, "\"%s\":\"", name));
    must(buf_add_json(out, span_text(text)));
    must(buf_add_byte(out, '"'));
}

/* What a translated request will be made for. */
static void add_facts(struct buf *out, const struct snapshot *s, const struct endpoint_options *e)
{
    const struct target target = {
        .provider = &s->providers[e->provider],
        .upstream_model = span_text(e->upstream_model),
        .facts = &e->facts,
    };
    unsigned facts = facts_of(&target);
    must(buf_add_text(out, ",\"facts\":{"));
    for (unsigned i = 0; i < MODEL_FACTS; i++) {
        enum model_fact fact = (enum model_fact)(1u << i);
        must(buf_addf(out, "%s\"%s\":%s", i == 0 ? "" : ",", model_fact_name(fact),
                      (facts & fact) != 0 ? "true" : "false"));
    }
    must(buf_add_byte(out, '}'));
}

static void add_endpoint(struct buf *out, const struct snapshot *s,
                         const struct endpoint_options *e)
{
    must(buf_add_byte(out, '{'));
    add_text(out, "provider", s->providers[e->provider].name);
    must(buf_add_byte(out, ','));
    add_text(out, "upstream_model", e->upstream_model);
    if (e->price.known & KNOWN_INPUT) {
        must(buf_add_text(out, ",\"input_usd_per_million\":"));
        add_per_million(out, e->price.input);
    }
    if (e->price.known & KNOWN_OUTPUT) {
        must(buf_add_text(out, ",\"output_usd_per_million\":"));
        add_per_million(out, e->price.output);
    }
    if (e->max_output > 0)
        must(buf_addf(out, ",\"max_output\":%llu", (unsigned long long)e->max_output));
    add_facts(out, s, e);
    must(buf_add_byte(out, '}'));
}

static void add_model(struct buf *out, const struct snapshot *s, const struct model_options *m)
{
    must(buf_add_byte(out, '{'));
    add_text(out, "id", m->id);
    if (m->context > 0)
        must(buf_addf(out, ",\"context\":%llu", (unsigned long long)m->context));
    must(buf_add_text(out, ",\"endpoints\":["));
    for (unsigned i = 0; i < m->nendpoints; i++) {
        must(buf_add_text(out, i == 0 ? "" : ","));
        add_endpoint(out, s, &m->endpoints[i]);
    }
    must(buf_add_text(out, "],\"alias\":["));
    for (unsigned i = 0; i < m->nalias; i++) {
        must(buf_add_text(out, i == 0 ? "\"" : ",\""));
        must(buf_add_json(out, span_text(s->models[m->alias[i]].id)));
        must(buf_add_byte(out, '"'));
    }
    must(buf_add_text(out, "]}"));
}

/* {"models":[…],"any_model_of":["openai"]}: the second are providers whose every model is offered. */
static void print_json(const struct snapshot *s)
{
    struct buf out = {0};
    const char *between = "";
    must(buf_add_text(&out, "{\"models\":["));
    for (unsigned i = 0; i < s->nmodels; i++) {
        must(buf_add_text(&out, i == 0 ? "\n " : ",\n "));
        add_model(&out, s, &s->models[i]);
    }
    must(buf_add_text(&out, "],\n \"any_model_of\":["));
    for (unsigned i = 0; i < s->nproviders; i++) {
        if (!s->providers[i].any_model)
            continue;
        must(buf_addf(&out, "%s\"", between));
        must(buf_add_json(&out, span_text(s->providers[i].name)));
        must(buf_add_byte(&out, '"'));
        between = ",";
    }
    must(buf_add_text(&out, "]}\n"));
    fwrite(out.at, 1, buf_len(&out), stdout);
    buf_fini(&out);
}

int verb_models(int argc, char **argv)
{
    struct cli cli;
    if (!cli_parse(&cli, "models", argc, argv))
        return cli.status;
    struct snapshot *s = snapshot_for_verb(&cli, true);
    if (s == NULL)
        return EXIT_BAD_CONFIG;
    if (cli_flag(&cli, "json"))
        print_json(s);
    else
        print_table(s);
    snapshot_unref(s);
    return terminal_finish();
}
