#include "columns.h"
#include "loaded.h"
#include "terminal.h"
#include "verbs.h"

#include "sluice/catalog/catalog.h"
#include "sluice/catalog/facts.h"
#include "sluice/config/capabilities.h"
#include "sluice/meter/cost.h"

#include <stdlib.h>

struct listing {
    const struct snapshot *snapshot;
    const struct catalog *catalog;
    const char *wanted; /* part of a name; NULL: all */
};

static void must(int rc)
{
    if (rc < 0)
        abort(); /* as large as the configuration */
}

/* ── which ───────────────────────────────────────────────────────────────────────────────────── */

static bool holds(struct span text, struct span part)
{
    for (size_t i = 0; i + part.len <= text.len; i++) {
        if (span_ieq(span_sub(text, i, part.len), part))
            return true;
    }
    return false;
}

static bool is_listed(const struct listing *l, const struct model_options *m)
{
    struct span part = span_text(l->wanted != NULL ? l->wanted : "");
    struct target_group g = catalog_group(l->catalog, m);
    if (part.len == 0 || holds(span_text(m->id), part))
        return true;
    for (unsigned i = 0; i < g.n; i++) {
        if (holds(g.first[i].slug, part))
            return true;
    }
    return false;
}

static unsigned count_listed(const struct listing *l)
{
    unsigned n = 0;
    for (unsigned i = 0; i < l->snapshot->nmodels; i++)
        n += is_listed(l, &l->snapshot->models[i]);
    return n;
}

/* ── a table ─────────────────────────────────────────────────────────────────────────────────── */

static const struct column table_columns[] = {
    {.title = "MODEL"},
    {.title = "ENDPOINT"},
    {.title = "CONTEXT", .is_number = true, .may_go = true},
    {.title = "$/M IN", .is_number = true},
    {.title = "$/M OUT", .is_number = true},
    {.title = "CAN", .may_go = true},
    {.title = "POLICY", .may_go = true},
};
enum { TABLE_COLUMNS = sizeof table_columns / sizeof table_columns[0] };

static const char *text_of(struct buf *text, struct arena *a)
{
    const char *kept = arena_printf(a, "%.*s", SPAN_FMT(buf_span(text)));
    buf_fini(text);
    return kept;
}

static const char *price_text(const struct price_options *p, unsigned bit, uint64_t pd_per_token,
                              struct arena *a)
{
    struct buf text = {0};
    if ((p->known & bit) == 0)
        return "-";
    must(cost_write_per_million(pd_per_token, &text));
    return text_of(&text, a);
}

/* The abilities people choose by. */
static const char *abilities(const struct target *t, struct arena *a)
{
    unsigned params = facts_params(t), input = t->input == UINT32_MAX ? 0 : t->input;
    const struct {
        bool has;
        const char *word;
    } words[] = {
        {params & CAN_TOOLS, "tools"},      {params & CAN_FOLLOW_SCHEMAS, "schemas"},
        {params & CAN_REASON, "reasoning"}, {params & CAN_SEARCH, "search"},
        {input & MODALITY_IMAGE, "images"}, {input & MODALITY_FILE, "files"},
        {input & MODALITY_AUDIO, "audio"},  {input & MODALITY_VIDEO, "video"},
    };
    struct buf text = {0};
    if (t->model->category != CATEGORY_LLM)
        return category_name(t->model->category);
    for (unsigned i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (words[i].has)
            must(buf_addf(&text, "%s%s", buf_len(&text) > 0 ? " " : "", words[i].word));
    }
    return text_of(&text, a);
}

static const char *policy_text(const struct target *t)
{
    return !t->enabled        ? "disabled"
           : t->policy.zdr    ? "zdr"
           : t->policy.trains ? "-"
           : t->policy.stores ? "no training"
                              : "keeps nothing";
}

static void add_endpoint_row(struct columns *c, const struct target *t, const char *model)
{
    const char *context = t->context > 0
                              ? arena_printf(c->a, "%llu", (unsigned long long)t->context)
                              : "-";
    const char *cells[TABLE_COLUMNS] = {
        model,
        arena_printf(c->a, "%.*s", SPAN_FMT(t->slug)),
        context,
        price_text(t->price, PRICE_INPUT, t->price->input, c->a),
        price_text(t->price, PRICE_OUTPUT, t->price->output, c->a),
        abilities(t, c->a),
        policy_text(t),
    };
    columns_add(c, cells);
}

static void add_alias_row(struct columns *c, const struct snapshot *s,
                          const struct model_options *m)
{
    struct buf text = {0};
    for (unsigned i = 0; i < m->nalias; i++)
        must(buf_addf(&text, "%s%s", i == 0 ? "alias of " : ", then ", s->models[m->alias[i]].id));
    columns_add_prose(c, m->id, text_of(&text, c->a));
}

static void print_table(const struct listing *l, struct arena *a)
{
    const struct snapshot *s = l->snapshot;
    struct columns c = {.columns = table_columns, .n = TABLE_COLUMNS, .a = a};
    for (unsigned i = 0; i < s->nmodels; i++) {
        const struct model_options *m = &s->models[i];
        if (!is_listed(l, m))
            continue;
        struct target_group g = catalog_group(l->catalog, m);
        for (unsigned k = 0; k < g.n; k++)
            add_endpoint_row(&c, &g.first[k], k == 0 ? m->id : "");
        if (m->nalias > 0)
            add_alias_row(&c, s, m);
    }
    if (c.nrows > 0)
        columns_print(&c, columns_of_terminal(stdout), stdout);
    for (unsigned i = 0; i < s->nproviders && l->wanted == NULL; i++)
        if (s->providers[i].any_model)
            printf("%s/… reaches any model of %s\n", s->providers[i].name,
                   s->providers[i].base_url);
}

/* ── JSON ────────────────────────────────────────────────────────────────────────────────────── */

static void add_text(struct buf *out, const char *name, struct span text)
{
    must(buf_addf(out, "\"%s\":\"", name));
    must(buf_add_json(out, text));
    must(buf_add_byte(out, '"'));
}

/* What a translated request will be made for. */
static void add_facts(struct buf *out, const struct target *t)
{
    unsigned facts = facts_of(t);
    must(buf_add_text(out, ",\"facts\":{"));
    for (unsigned i = 0; i < MODEL_FACTS; i++) {
        enum model_fact fact = (enum model_fact)(1u << i);
        must(buf_addf(out, "%s\"%s\":%s", i == 0 ? "" : ",", model_fact_name(fact),
                      (facts & fact) != 0 ? "true" : "false"));
    }
    must(buf_add_byte(out, '}'));
}

static void add_names(struct buf *out, const char *member, unsigned bits,
                      const char *(*name)(unsigned bit), unsigned n)
{
    const char *between = "";
    must(buf_addf(out, ",\"%s\":[", member));
    for (unsigned bit = 0; bit < n; bit++) {
        if ((bits & 1u << bit) == 0)
            continue;
        must(buf_addf(out, "%s\"%s\"", between, name(bit)));
        between = ",";
    }
    must(buf_add_byte(out, ']'));
}

static void add_endpoint(struct buf *out, const struct target *t)
{
    const struct price_options *p = t->price;
    must(buf_add_byte(out, '{'));
    add_text(out, "provider", span_text(t->provider->name));
    must(buf_add_byte(out, ','));
    add_text(out, "slug", t->slug);
    must(buf_add_byte(out, ','));
    add_text(out, "upstream_model", t->upstream_model);
    if (p->known & PRICE_INPUT) {
        must(buf_add_text(out, ",\"input_usd_per_million\":"));
        must(cost_write_per_million(p->input, out));
    }
    if (p->known & PRICE_OUTPUT) {
        must(buf_add_text(out, ",\"output_usd_per_million\":"));
        must(cost_write_per_million(p->output, out));
    }
    if (t->context > 0)
        must(buf_addf(out, ",\"context\":%llu", (unsigned long long)t->context));
    if (t->max_output > 0)
        must(buf_addf(out, ",\"max_output\":%llu", (unsigned long long)t->max_output));
    add_names(out, "params", facts_params(t), capability_name, CAPABILITIES);
    if (t->input != UINT32_MAX)
        add_names(out, "input", t->input, modality_name, MODALITIES);
    must(buf_addf(out, ",\"enabled\":%s,\"stores\":%s,\"trains\":%s,\"zdr\":%s",
                  t->enabled ? "true" : "false", t->policy.stores ? "true" : "false",
                  t->policy.trains ? "true" : "false", t->policy.zdr ? "true" : "false"));
    add_facts(out, t);
    must(buf_add_byte(out, '}'));
}

static void add_model(struct buf *out, const struct listing *l, const struct model_options *m)
{
    struct target_group g = catalog_group(l->catalog, m);
    must(buf_add_byte(out, '{'));
    add_text(out, "id", span_text(m->id));
    if (m->context > 0)
        must(buf_addf(out, ",\"context\":%llu", (unsigned long long)m->context));
    must(buf_add_text(out, ",\"endpoints\":["));
    for (unsigned i = 0; i < g.n; i++) {
        must(buf_add_text(out, i == 0 ? "" : ","));
        add_endpoint(out, &g.first[i]);
    }
    must(buf_add_text(out, "],\"alias\":["));
    for (unsigned i = 0; i < m->nalias; i++) {
        must(buf_add_text(out, i == 0 ? "\"" : ",\""));
        must(buf_add_json(out, span_text(l->snapshot->models[m->alias[i]].id)));
        must(buf_add_byte(out, '"'));
    }
    must(buf_add_text(out, "]}"));
}

/* {"models":[…],"any_model_of":["openai"]}: the second are providers whose every model is offered. */
static void print_json(const struct listing *l)
{
    const struct snapshot *s = l->snapshot;
    struct buf out = {0};
    const char *between = "";
    bool is_first = true;
    must(buf_add_text(&out, "{\"models\":["));
    for (unsigned i = 0; i < s->nmodels; i++) {
        if (!is_listed(l, &s->models[i]))
            continue;
        must(buf_add_text(&out, is_first ? "\n " : ",\n "));
        add_model(&out, l, &s->models[i]);
        is_first = false;
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

static int list(const struct listing *l, bool json)
{
    struct arena a;
    if (l->wanted != NULL && count_listed(l) == 0) {
        terminal_error("no model has \"%.100s\" in its name, or in that of a provider", l->wanted);
        return EXIT_FAILED;
    }
    arena_init(&a, NULL, 4096);
    if (json)
        print_json(l);
    else
        print_table(l, &a);
    arena_fini(&a);
    return terminal_finish();
}

int verb_models(int argc, char **argv)
{
    struct cli cli;
    if (!cli_parse(&cli, "models", argc, argv))
        return cli.status;
    struct snapshot *s = snapshot_for_verb(&cli, true);
    if (s == NULL)
        return EXIT_BAD_CONFIG;
    struct catalog *c = catalog_new(s);
    const struct listing l = {
        .snapshot = s, .catalog = c, .wanted = cli.nargs > 0 ? cli.args[0] : NULL};
    int code = list(&l, cli_flag(&cli, "json"));
    catalog_free(c);
    snapshot_unref(s);
    return code;
}
