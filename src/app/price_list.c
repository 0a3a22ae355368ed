#include "price_list.h"

#include "price_entry.h"

#include "sluice/base/arena.h"
#include "sluice/catalog/slug.h"
#include "sluice/config/known_providers.h"
#include "sluice/format/json_walk.h"
#include "sluice/meter/cost.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Who answers for an entry: configured, or only known. */
struct host {
    const char *name;
    bool is_configured;
};

struct offer { /* an endpoint to be */
    struct offer *next;
    struct host host;
    struct span upstream_model;
    const struct price_entry *entry;
};

struct listed { /* a model to be */
    struct listed *next;
    struct span id;
    struct offer *offers, **end;
};

struct list {
    const struct price_list_asked *asked;
    struct price_list_counts *n;
    struct arena arena;
    struct map by_id, unread;
    struct listed *models, **end;
    struct buf *says;
};

static void must(int rc)
{
    if (rc < 0)
        abort(); /* as large as the list, which was read into memory before */
}

/* --- who ------------------------------------------------------------------------------------------ */

/* Not what their names begin with. */
static bool is_another_service(struct span name)
{
    static const struct span others[] = {SPAN_LIT("azure-ai"), SPAN_LIT("azure-text"),
                                         SPAN_LIT("bedrock-mantle")};
    for (unsigned i = 0; i < sizeof others / sizeof others[0]; i++) {
        if (span_eq(name, others[i]))
            return true;
    }
    return false;
}

static struct span cut_last_word(struct span name)
{
    while (name.len > 0 && name.at[name.len - 1] != '-')
        name.len--;
    return span_sub(name, 0, name.len > 0 ? name.len - 1 : 0);
}

/* "vertex-ai-anthropic-models" is google-vertex; NULL: nobody we know. */
static const char *slug_of(const char *provider)
{
    struct span name = span_text(provider);
    const char *slug = NULL;
    while (slug == NULL && name.len > 0 && !is_another_service(name)) {
        slug = known_provider_slug(name);
        name = cut_last_word(name);
    }
    return slug;
}

static bool is_named(const struct list *l, const char *name, struct span slug)
{
    const char *wanted = l->asked->provider;
    return wanted == NULL || strcmp(wanted, name) == 0 || span_eq(span_text(wanted), slug);
}

static bool find_configured(struct list *l, struct span slug, struct host *out)
{
    const struct snapshot *s = l->asked->snapshot;
    for (unsigned i = 0; i < s->nproviders; i++) {
        const struct provider_options *p = &s->providers[i];
        struct span own = slug_make(span_text(p->preset != NULL ? p->preset : p->name), &l->arena);
        if (!span_eq(own, slug) || !is_named(l, p->name, slug))
            continue;
        *out = (struct host){.name = p->name, .is_configured = true};
        return true;
    }
    return false;
}

/* Of a provider that needs nothing but a key. */
static bool find_known(const struct list *l, struct span slug, struct host *out)
{
    struct known_provider k;
    for (unsigned i = 0; known_provider_at(i, &k); i++) {
        if (!span_eq(span_text(k.slug), slug) || k.name == NULL || k.needs_more)
            continue;
        *out = (struct host){.name = k.name};
        return (l->asked->all || l->asked->provider != NULL) && is_named(l, k.name, slug);
    }
    return false;
}

static bool find_host(struct list *l, const char *slug, struct host *out)
{
    struct span s = span_text(slug != NULL ? slug : "");
    return s.len > 0 && (find_configured(l, s, out) || find_known(l, s, out));
}

/* --- what ----------------------------------------------------------------------------------------- */

/* Without the provider the list puts before most names: "vertex_ai/…". */
static struct span upstream_name(const struct price_entry *e, const char *slug)
{
    char first[PRICE_NAME_MAX];
    struct span behind = span_text(e->name), before = span_cut(&behind, '/');
    if (behind.len == 0)
        return before;
    snprintf(first, sizeof first, "%.*s", SPAN_FMT(before));
    for (char *c = first; *c != '\0'; c++)
        *c = *c == '_' ? '-' : *c;
    const char *named = known_provider_slug(span_text(first));
    return named != NULL && strcmp(named, slug) == 0 ? behind : span_text(e->name);
}

/* These have no slashes in their names: what has is the price of a region, a size or a quality. */
static bool has_plain_names(const char *slug)
{
    return strcmp(slug, "openai") == 0 || strcmp(slug, "azure") == 0 ||
           strcmp(slug, "amazon-bedrock") == 0;
}

static bool is_a_model(const struct price_entry *e, struct span upstream, const char *slug)
{
    bool has_slash = memchr(upstream.at, '/', upstream.len) != NULL;
    return e->category >= 0 && upstream.len > 0 && !(has_slash && has_plain_names(slug)) &&
           strncmp(e->name, "ft:", 3) != 0; /* of whoever trained it */
}

/* Whose a model is, by what its name begins with. */
static const char *author_of(struct span name)
{
    static const struct {
        const char *begins, *author;
    } families[] = {
        {"claude", "anthropic"},
        {"gpt-oss", "openai"},
        {"gpt-", "openai"},
        {"chatgpt", "openai"},
        {"o1", "openai"},
        {"o3", "openai"},
        {"o4", "openai"},
        {"text-embedding-3", "openai"},
        {"text-embedding-ada", "openai"},
        {"tts-1", "openai"},
        {"whisper", "openai"},
        {"gemini", "google"},
        {"gemma", "google"},
        {"mistral", "mistralai"},
        {"ministral", "mistralai"},
        {"magistral", "mistralai"},
        {"codestral", "mistralai"},
        {"pixtral", "mistralai"},
        {"devstral", "mistralai"},
        {"deepseek", "deepseek"},
        {"grok", "x-ai"},
        {"kimi", "moonshotai"},
        {"glm", "z-ai"},
        {"qwen", "qwen"},
        {"llama", "meta-llama"},
        {"minimax", "minimax"},
        {"command", "cohere"},
    };
    for (unsigned i = 0; i < sizeof families / sizeof families[0]; i++) {
        size_t len = strlen(families[i].begins);
        if (name.len >= len && span_ieq(span_sub(name, 0, len), span_text(families[i].begins)))
            return families[i].author;
    }
    return NULL;
}

static struct span id_of(struct list *l, struct span upstream, const char *slug)
{
    struct span parts[3] = {SPAN_NONE}, rest = upstream;
    unsigned n = 0;
    while (rest.len > 0) {
        struct span part = span_cut(&rest, '/');
        parts[n < 2 ? n : 2] = part;
        n++;
    }
    struct span name = n > 2 ? parts[2] : n == 2 ? parts[1] : parts[0];
    const char *author = author_of(name);
    char *id = n == 2 ? arena_printf(&l->arena, "%.*s", SPAN_FMT(upstream))
                      : arena_printf(&l->arena, "%s/%.*s", author != NULL ? author : slug,
                                     SPAN_FMT(name));
    for (char *c = id; *c != '\0'; c++)
        *c = *c >= 'A' && *c <= 'Z' ? (char)(*c | 0x20) : *c;
    return span_text(id);
}

static bool is_configured(const struct list *l, struct span id)
{
    const struct snapshot *s = l->asked->snapshot;
    for (unsigned i = 0; i < s->nmodels; i++) {
        if (span_eq(span_text(s->models[i].id), id))
            return true;
    }
    return false;
}

/* --- the list ------------------------------------------------------------------------------------- */

static struct listed *find_model(struct list *l, struct span id)
{
    struct listed *m = map_get(&l->by_id, id);
    if (m != NULL)
        return m;
    m = ARENA_NEW(&l->arena, struct listed);
    m->id = id;
    m->end = &m->offers;
    *l->end = m;
    l->end = &m->next;
    must(map_put(&l->by_id, id, m));
    l->n->models++;
    return m;
}

/* The one provider calls it by two names, or in letters of another size. */
static bool has_offer_of(const struct listed *m, const struct host *h)
{
    for (const struct offer *o = m->offers; o != NULL; o = o->next) {
        if (strcmp(o->host.name, h->name) == 0)
            return true;
    }
    return false;
}

static void add_offer(struct list *l, struct span id, const struct host *h, struct span upstream,
                      const struct price_entry *e)
{
    struct listed *m = find_model(l, id);
    if (has_offer_of(m, h)) {
        l->n->twice++;
        return;
    }
    struct price_entry *kept = ARENA_NEW(&l->arena, struct price_entry);
    struct offer *o = ARENA_NEW(&l->arena, struct offer);
    *kept = *e;
    *o = (struct offer){
        .host = *h, .upstream_model = arena_keep(&l->arena, upstream), .entry = kept};
    *m->end = o;
    m->end = &o->next;
    l->n->endpoints++;
}

static void add_entry(struct list *l, const struct price_entry *e)
{
    const char *slug = slug_of(e->provider);
    struct host host;
    if (!find_host(l, slug, &host)) {
        l->n->elsewhere++;
        return;
    }
    struct span upstream = upstream_name(e, slug), id;
    if (!is_a_model(e, upstream, slug)) {
        l->n->odd++;
    } else if (e->over[0] != '\0' && strcmp(e->over, l->asked->today) < 0) {
        l->n->over++;
    } else if (is_configured(l, id = id_of(l, upstream, slug))) {
        l->n->configured++;
    } else {
        add_offer(l, id, &host, upstream, e);
    }
}

static int read_list(struct list *l, struct span json, struct err *why)
{
    struct json_walk w;
    struct price_entry e;
    const char *problem;
    json_walk_init(&w, json);
    while (json_walk_next(&w)) {
        if (json_walk_is(&w, "sample_spec")) /* describes the others */
            continue;
        if (price_entry_read(w.key, w.value, &e, &l->unread, &problem)) {
            add_entry(l, &e);
            continue;
        }
        l->n->bad++;
        must(buf_addf(l->says, "\"%.*s\": %s%s\n", SPAN_FMT(span_sub(w.key, 0, 100)), problem,
                      problem[0] == 'i' && problem[1] == 't' ? "" : " is not what it should be"));
    }
    l->n->unread = (unsigned)l->unread.len;
    return json_walk_is_complete(&w)
               ? 0
               : err_set(why, "it is not a JSON object: %s at byte %zu",
                         w.scan.problem != NULL ? w.scan.problem : "it ends too early",
                         w.scan.offset);
}

/* --- as YAML -------------------------------------------------------------------------------------- */

static void add_text(struct buf *out, const char *before, struct span text)
{
    char copy[2 * PRICE_NAME_MAX];
    snprintf(copy, sizeof copy, "%.*s", SPAN_FMT(text));
    must(buf_add_text(out, before));
    must(yaml_write_scalar(out, copy));
}

static void add_names(struct buf *out, const char *before, unsigned bits,
                      const char *(*name)(unsigned bit), unsigned n)
{
    const char *between = "";
    must(buf_addf(out, "%s[", before));
    for (unsigned bit = 0; bit < n; bit++) {
        if ((bits & 1u << bit) == 0)
            continue;
        must(buf_addf(out, "%s%s", between, name(bit)));
        between = ", ";
    }
    must(buf_add_byte(out, ']'));
}

static void add_prices(struct buf *out, const struct price_options *p)
{
    const char *between = ",\n          price: { ";
    if (p->known == 0)
        return;
    for (unsigned i = 0; i < PRICE_PARTS; i++) {
        if ((p->known & 1u << i) == 0)
            continue;
        uint64_t pd = price_part_pd(p, i);
        must(buf_addf(out, "%s%s: \"", between, price_part_name(i)));
        must(price_part_is_each(i) ? cost_write_usd(pd, out) : cost_write_per_million(pd, out));
        must(buf_add_byte(out, '"'));
        between = ", ";
    }
    if (p->long_context)
        must(buf_addf(out, "%slong_context: true", between));
    must(buf_add_text(out, " }"));
}

static void add_endpoint(struct buf *out, const struct offer *o)
{
    const struct price_entry *e = o->entry;
    bool talks = e->category == CATEGORY_LLM;
    add_text(out, "      - { provider: ", span_text(o->host.name));
    add_text(out, ", upstream_model: ", o->upstream_model);
    if (e->context > 0)
        must(buf_addf(out, ", context: %llu", (unsigned long long)e->context));
    if (e->max_output > 0 && talks)
        must(buf_addf(out, ", max_output: %llu", (unsigned long long)e->max_output));
    add_prices(out, &e->price);
    if (talks) {
        add_names(out, ",\n          input: ", e->input, modality_name, MODALITIES);
        add_names(out, ",\n          params: ", e->params, capability_name, CAPABILITIES);
    }
    must(buf_add_text(out, " }\n"));
}

static void add_model(struct buf *out, const struct listed *m)
{
    const struct price_entry *first = m->offers->entry;
    add_text(out, "  ", m->id);
    must(buf_add_text(out, ":\n"));
    if (first->category != CATEGORY_LLM)
        must(buf_addf(out, "    category: %s\n", category_name((enum category)first->category)));
    if (first->output != MODALITY_TEXT) {
        add_names(out, "    output: ", first->output, modality_name, MODALITIES);
        must(buf_add_byte(out, '\n'));
    }
    must(buf_add_text(out, "    endpoints:\n"));
    for (const struct offer *o = m->offers; o != NULL; o = o->next)
        add_endpoint(out, o);
}

/* Those the file needs and does not have, each once: their keys are in the environment. */
static void add_providers(struct list *l, struct buf *out)
{
    struct map seen = {0};
    for (const struct listed *m = l->models; m != NULL; m = m->next) {
        for (const struct offer *o = m->offers; o != NULL; o = o->next) {
            struct span name = span_text(o->host.name);
            if (o->host.is_configured || map_get(&seen, name) != NULL)
                continue;
            must(buf_addf(out, "%s  %s: {}\n", seen.len == 0 ? "providers:\n" : "", o->host.name));
            must(map_put(&seen, name, (void *)(uintptr_t)""));
        }
    }
    map_fini(&seen);
}

int price_list_write(struct span json, const struct price_list_asked *asked, struct buf *out,
                     struct buf *says, struct price_list_counts *n, struct err *why)
{
    struct list l = {.asked = asked, .n = n, .says = says};
    l.end = &l.models;
    *n = (struct price_list_counts){.models = 0};
    arena_init(&l.arena, NULL, 4096);
    int rc = read_list(&l, json, why);
    if (rc == 0 && l.models != NULL) {
        add_providers(&l, out);
        must(buf_add_text(out, "models:\n"));
        for (const struct listed *m = l.models; m != NULL; m = m->next)
            add_model(out, m);
    }
    map_fini(&l.by_id);
    map_fini(&l.unread);
    arena_fini(&l.arena);
    return rc;
}
