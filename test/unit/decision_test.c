/* A decision is written down, read back and made again: the same one, whatever it was. */
#include "unit.h"

#include "sluice/base/rng.h"
#include "sluice/config/capabilities.h"
#include "sluice/route/decision.h"

#include <errno.h>

/* --- a fleet, at random --------------------------------------------------------------------------- */

enum { PROVIDERS = 9, MODELS = 12, ENDPOINTS_MAX = 11, FLEETS = 6 };

static const char *const names[PROVIDERS] = {
    "azure",  "anthropic", "openai", "minimax", "amazon-bedrock",
    "vertex", "Small One", "302ai",  "open",
};
static const char *const model_ids[MODELS] = {
    "x/one",   "x/two", "x/three", "four",  "x/five", "y/six",
    "y/seven", "eight", "x/nine",  "x/ten", "best",   "any",
};
static const char *const variants[] = {NULL, "fp8", "a/b", "lightning", "Turbo"};

struct fleet {
    struct provider_options providers[PROVIDERS];
    struct model_options models[MODELS];
    struct endpoint_options endpoints[MODELS][ENDPOINTS_MAX];
    unsigned alias[2][3];
    struct snapshot snapshot;
    struct catalog *catalog;
};

static unsigned below(struct rng *r, unsigned n)
{
    return (unsigned)rng_below(r, n);
}

static bool one_in(struct rng *r, unsigned n)
{
    return below(r, n) == 0;
}

static void make_endpoint(struct rng *r, struct endpoint_options *e)
{
    *e = (struct endpoint_options){
        .provider = below(r, PROVIDERS - 1),
        .upstream_model = one_in(r, 2) ? "m" : "accounts/m \"quoted\"",
        .variant = variants[below(r, ROWS(variants))],
        .enabled = !one_in(r, 8),
        .context = one_in(r, 3) ? 1000 + below(r, 20000) : 0,
        .max_output = one_in(r, 3) ? 100 + below(r, 4000) : 0,
        .quantization = below(r, 7),
        .data_policy = {.zdr = one_in(r, 2), .known = below(r, 8)},
    };
    if (!one_in(r, 5))
        e->price = (struct price_options){.input = below(r, 9), .output = below(r, 99), .known = 3};
    if (one_in(r, 4)) {
        e->known = ENDPOINT_PARAMS | ENDPOINT_INPUT;
        e->params = (unsigned)rng_next(r);
        e->input = MODALITY_TEXT | below(r, 16);
    }
}

static void make_fleet(struct rng *r, struct fleet *f)
{
    *f = (struct fleet){.snapshot = {.nproviders = PROVIDERS, .nmodels = MODELS}};
    for (unsigned i = 0; i < PROVIDERS; i++)
        f->providers[i] = (struct provider_options){.name = names[i],
                                                    .any_model = i == PROVIDERS - 1};
    for (unsigned i = 0; i < MODELS; i++) {
        struct model_options *m = &f->models[i];
        *m = (struct model_options){.id = model_ids[i], .distillable = one_in(r, 2)};
        m->known = one_in(r, 2) ? MODEL_OUTPUT : 0;
        m->output = MODALITY_TEXT | below(r, 32);
        if (i >= MODELS - 2) {
            m->alias = f->alias[i - (MODELS - 2)];
            m->nalias = 3;
            for (unsigned k = 0; k < 3; k++)
                m->alias[k] = below(r, MODELS - 2);
            continue;
        }
        m->endpoints = f->endpoints[i];
        m->nendpoints = 1 + below(r, ENDPOINTS_MAX);
        for (unsigned k = 0; k < m->nendpoints; k++)
            make_endpoint(r, &m->endpoints[k]);
    }
    f->snapshot.providers = f->providers;
    f->snapshot.models = f->models;
    f->catalog = catalog_new(&f->snapshot);
}

/* --- how it does, at random, and the same whenever it is asked ------------------------------------ */

struct doing {
    uint64_t seed;
    struct quantiles kept[256];
    unsigned nkept;
};

/* Any digits at all, or as few as figures have. */
static double any_figure(struct rng *r)
{
    double v = (double)(rng_next(r) >> 11) * 0x1p-53 * 20;
    return one_in(r, 2) ? v : (double)(uint64_t)(v * 1e6) / 1e6;
}

static uint64_t number_of(struct span s)
{
    uint64_t n = 1469598103934665603u;
    for (size_t i = 0; i < s.len; i++)
        n = (n ^ s.at[i]) * 1099511628211u;
    return n;
}

static void look(void *arg, const struct target *t, struct target_health *out)
{
    struct doing *d = arg;
    struct rng r;
    rng_seed(&r, d->seed ^ number_of(t->slug) ^ number_of(t->model_id) << 1 ^
                     number_of(t->upstream_model));
    assert_true(d->nkept + 2 <= ROWS(d->kept));
    struct quantiles *pair = &d->kept[d->nkept];
    d->nkept += 2;
    for (unsigned i = 0; i < 2; i++) {
        pair[i] = (struct quantiles){.samples = one_in(&r, 4) ? 0 : below(&r, 1000)};
        for (unsigned q = 0; q < QUANTILES && pair[i].samples > 0; q++)
            pair[i].at[q] = any_figure(&r);
    }
    *out = (struct target_health){.latency = &pair[0],
                                  .throughput = &pair[1],
                                  .outcomes = {below(&r, 1000), one_in(&r, 2) ? below(&r, 9) : 0},
                                  .is_open = one_in(&r, 8)};
}

static void look_at_nothing(void *arg, const struct target *t, struct target_health *out)
{
    static const struct quantiles nothing;
    (void)arg;
    (void)t;
    *out = (struct target_health){.latency = &nothing, .throughput = &nothing};
}

static bool is_able(void *arg, const struct target *t)
{
    const struct doing *d = arg;
    return (number_of(t->slug) ^ d->seed) % 7 != 0;
}

static bool has_own_key(void *arg, const struct target *t)
{
    const struct doing *d = arg;
    return (number_of(t->slug) ^ d->seed) % 5 == 0;
}

static bool is_own_open(void *arg, const struct target *t)
{
    const struct doing *d = arg;
    return (number_of(t->slug) ^ d->seed) % 3 == 0;
}

/* --- what is asked, at random --------------------------------------------------------------------- */

static void add_list(struct rng *r, const char *name, struct buf *out)
{
    static const char *const slugs[] = {"azure",   "anthropic", "openai/fp8",  "MiniMax",
                                        "bedrock", "nobody",    "minimax/fp8", "!!!",
                                        "302ai",   "small one"};
    assert_int_equal(buf_addf(out, ",\"%s\":[", name), 0);
    for (unsigned i = below(r, 4); i > 0; i--)
        assert_int_equal(buf_addf(out, "\"%s\"%s", slugs[below(r, ROWS(slugs))], i > 1 ? "," : ""),
                         0);
    assert_int_equal(buf_add_text(out, "]"), 0);
}

static void add_wishes(struct rng *r, struct buf *out)
{
    static const char *const more[] = {
        ",\"sort\":\"price\"",
        ",\"sort\":\"throughput\"",
        ",\"sort\":{\"by\":\"latency\"}",
        ",\"allow_fallbacks\":false",
        ",\"require_parameters\":false",
        ",\"data_collection\":\"deny\"",
        ",\"zdr\":true",
        ",\"enforce_distillable_text\":true",
        ",\"quantizations\":[\"fp8\",\"none\",\"bf16\"]",
        ",\"preferred_max_latency\":{\"p50\":3.1415926535897931,\"p99\":12}",
        ",\"preferred_min_throughput\":1e-7",
        ",\"preferred_min_throughput\":{\"p90\":7.000001}",
        ",\"preferred_max_latency\":{}",
    };
    assert_int_equal(buf_add_text(out, "{\"x\":0"), 0);
    if (one_in(r, 5))
        add_list(r, "order", out);
    if (one_in(r, 9))
        add_list(r, "ignore", out);
    if (one_in(r, 12))
        add_list(r, "only", out);
    for (unsigned i = below(r, 3); i > 0; i--)
        assert_int_equal(buf_add_text(out, more[below(r, ROWS(more))]), 0);
    assert_int_equal(buf_add_text(out, "}"), 0);
}

static const char *any_model(struct rng *r)
{
    static const char *const odd[] = {
        "open/anything \"at\" all", "azure/one", "nope", "open/\xff", "openai/x/two",
        "open/two\nlines"};
    return one_in(r, 6) ? odd[below(r, ROWS(odd))] : model_ids[below(r, MODELS)];
}

static const char *everything[] = {"*"}, *some[] = {"x/one", "best", "eight \"x\"", "y/six"};
static const struct key_options keys[] = {{.models = {everything, 1}}, {.models = {some, 4}}};

struct asked {
    struct arena a;
    struct buf wishes;
    struct preferences preferences;
    struct doing doing;
    struct plan_question q;
};

static void ask(struct rng *r, const struct fleet *f, struct asked *g)
{
    struct fault why;
    char models[200];
    const char *first = any_model(r);
    arena_init(&g->a, NULL, 4096);
    buf_clear(&g->wishes);
    add_wishes(r, &g->wishes);
    snprintf(models, sizeof models, "[\"%s\",\"%s\"]", model_ids[below(r, MODELS)],
             one_in(r, 9) ? "absent" : model_ids[below(r, MODELS)]);
    assert_true(preferences_read(one_in(r, 3) ? SPAN_NONE : buf_span(&g->wishes),
                                 one_in(r, 8) ? span_text(models) : SPAN_NONE, &g->a,
                                 &g->preferences, &why));
    g->doing.seed = rng_next(r);
    g->doing.nkept = 0;
    g->q = (struct plan_question){
        .catalog = f->catalog,
        .key = one_in(r, 2) ? NULL : &keys[below(r, 2)],
        .model = span_text(first),
        .preferences = &g->preferences,
        .used = one_in(r, 3) ? (unsigned)rng_next(r) & below(r, 1u << CAPABILITIES) : 0,
        .shown = one_in(r, 4) ? below(r, 32) : 0,
        .wanted = one_in(r, 9) ? below(r, 32) : 0,
        .prompt_tokens = one_in(r, 5) ? below(r, 40000) : below(r, 2000),
        .output_tokens = below(r, 501),
        .max_tokens = one_in(r, 4) ? below(r, 5000) : 0,
        .denies_collection = one_in(r, 20),
        .wants_zdr = one_in(r, 20),
        .max_cost_multiplier = one_in(r, 9) ? any_figure(r) : 0,
        .sticky = one_in(r, 3) ? SPAN_LIT("openai/fp8") : SPAN_NONE,
        .weights = {below(r, 100), below(r, 50), below(r, 50), below(r, 50)},
        .seed = rng_next(r),
        .tells_all = true,
        .look = look,
        .is_able = one_in(r, 9) ? is_able : NULL,
        .has_own_key = one_in(r, 4) ? has_own_key : NULL,
        .is_own_open = is_own_open,
        .arg = &g->doing,
    };
}

static bool write_one(struct asked *g, struct plan *plan, struct fault *why, struct buf *line)
{
    if (g->q.has_own_key == NULL)
        g->q.is_own_open = NULL;
    bool made = plan_make(&g->q, &g->a, &g->a, plan, why);
    assert_true(made == (plan->n > 0));
    const struct decision_note note = {
        .at_unix_ms = 1763737239123,
        .request_id = SPAN_LIT("0190"),
        .config = SPAN_LIT("abc"),
        .question = &g->q,
        .plan = plan,
        .why = made ? NULL : why,
    };
    buf_clear(line);
    assert_int_equal(decision_write(&note, line), 0);
    return made;
}

/* --- promises ------------------------------------------------------------------------------------- */

static void assert_replays(const struct fleet *f, struct span line, unsigned i)
{
    struct arena a;
    struct decision d;
    struct plan plan;
    struct fault why;
    struct err problem = {0};
    struct buf said = {0};
    arena_init(&a, NULL, 4096);
    uint8_t *copy = exact_copy(line);
    bool read = decision_read(span_of(copy, line.len), &a, &d, &problem);
    free(copy); /* nothing of it is borrowed */
    if (!read)
        print_error("%s\n%.*s\n", problem.text, SPAN_FMT(line));
    assert_row(i, read);
    bool made = decision_remake(&d, f->catalog, NULL, &a, &plan, &why);
    assert_int_equal(decision_write_difference(&d, &plan, made ? NULL : &why, &said), 0);
    if (buf_len(&said) > 0)
        print_error("%.*s\n%.*s\n", SPAN_FMT(buf_span(&said)), SPAN_FMT(line));
    assert_row(i, decision_compare(&d, &plan, made ? NULL : &why) == DIFFERENCE_NONE);
    assert_row(i, buf_len(&said) == 0);
    buf_fini(&said);
    arena_fini(&a);
}

/* Whether somebody wants to know more or not. */
static void assert_plans_the_same_untold(struct asked *g, const struct plan *told, unsigned i)
{
    struct plan plan;
    struct fault why;
    g->q.tells_all = false;
    g->doing.nkept = 0;
    (void)plan_make(&g->q, &g->a, &g->a, &plan, &why);
    assert_row(i, plan.n == told->n && plan.nconsidered == told->nconsidered);
    for (unsigned k = 0; k < plan.n; k++)
        assert_row(i, plan.attempts[k].considered == told->attempts[k].considered &&
                          plan.attempts[k].with_own_key == told->attempts[k].with_own_key &&
                          plan.attempts[k].place == told->attempts[k].place);
    for (unsigned k = 0; k < plan.nconsidered; k++)
        assert_row(i, plan.considered[k].dropped_by == told->considered[k].dropped_by);
}

static void a_hundred_thousand_decisions_are_made_again_without_a_difference(void **state)
{
    (void)state;
    enum { N = 100000 };
    static struct fleet fleets[FLEETS];
    static struct asked g;
    struct buf line = {0};
    struct rng r;
    unsigned made = 0, places[PLACES] = {0}, filters[FILTERS] = {0};
    rng_seed(&r, 7);
    for (unsigned i = 0; i < FLEETS; i++)
        make_fleet(&r, &fleets[i]);
    for (unsigned i = 0; i < N; i++) {
        const struct fleet *f = &fleets[i % FLEETS];
        struct plan plan;
        struct fault why;
        ask(&r, f, &g);
        made += write_one(&g, &plan, &why, &line);
        assert_int_equal(line.at[line.tail - 1], '\n');
        assert_replays(f, span_sub(buf_span(&line), 0, buf_len(&line) - 1), i);
        if (i % 4 == 0)
            assert_plans_the_same_untold(&g, &plan, i);
        for (unsigned k = 0; k < plan.n; k++)
            places[plan.attempts[k].place]++;
        for (unsigned k = 0; k < plan.nconsidered; k++)
            filters[plan.considered[k].dropped_by]++;
        arena_fini(&g.a);
    }
    assert_in_range(made, N / 3, N - N / 20); /* neither all in vain nor all the same */
    for (unsigned v = 0; v < PLACES; v++)
        assert_row(v, places[v] > 0);
    for (unsigned v = 0; v < FILTERS; v++)
        assert_row(v, filters[v] > 0);
    for (unsigned i = 0; i < FLEETS; i++)
        catalog_free(fleets[i].catalog);
    buf_fini(&line);
    buf_fini(&g.wishes);
}

/* A line longer than any reader takes is not written at all. */
static void a_decision_without_end_is_not_written(void **state)
{
    (void)state;
    static char name[2 * DECISION_MAX];
    static struct span many[PREFERENCES_LIST_MAX];
    static const size_t lengths[] = {DECISION_MAX / 2, DECISION_MAX, sizeof name};
    struct preferences preferences = {.allows_fallbacks = true};
    struct plan_question q = {.preferences = &preferences};
    struct plan plan = {.n = 0};
    struct buf out = {0};
    const struct decision_note note = {.question = &q, .plan = &plan};
    memset(name, '\x01', sizeof name); /* six bytes each */
    assert_int_equal(buf_add_text(&out, "before"), 0);
    for (unsigned i = 0; i < ROWS(lengths); i++) {
        q.model = span_of(name, lengths[i]);
        assert_row(i, decision_write(&note, &out) == -EMSGSIZE);
        assert_span(buf_span(&out), "before");
    }
    q.model = SPAN_LIT("x");
    for (unsigned i = 0; i < PREFERENCES_LIST_MAX; i++)
        many[i] = span_of("aaaaaaaa", 8);
    many[0] = span_of(memset(name, 'a', sizeof name), sizeof name);
    preferences.order = (struct slugs){.at = many, .n = PREFERENCES_LIST_MAX, .is_said = true};
    assert_int_equal(decision_write(&note, &out), -EMSGSIZE);
    assert_span(buf_span(&out), "before");
    preferences.order.at++;
    preferences.order.n--;
    assert_int_equal(decision_write(&note, &out), 0);
    buf_fini(&out);
}

#define WHOLE                                                                                \
    "{\"v\":1,\"ts\":1,\"id\":\"i\",\"config\":\"c\",\"model\":\"x\",\"weights\":[1,2,3,4]," \
    "\"seed\":5,\"endpoints\":[{\"model\":\"x\",\"endpoint\":\"e\",\"as\":\"m\",\"ok\":1,"   \
    "\"failed\":0,\"latency\":[1,2,3,4,5]}],\"plan\":[{\"at\":0,\"place\":\"only\"}]}"

/* WHOLE with one piece replaced. */
static void replaced(const char *piece, const char *by, char *out, size_t size)
{
    const char *at = strstr(WHOLE, piece);
    assert_non_null(at);
    snprintf(out, size, "%.*s%s%s", (int)(at - WHOLE), WHOLE, by, at + strlen(piece));
}

static void damaged_lines_are_told_by_their_member(void **state)
{
    (void)state;
    static const struct {
        const char *piece, *by, *why; /* NULL: it can be read */
    } rows[] = {
        {"{\"v\":1", "{\"v\":1", NULL},
        {"{\"v\":1", "{\"later\":[{}],\"v\":1", NULL},
        {"{\"v\":1", "{\"v\":2", "\"v\" is not 1"},
        {"\"v\":1,", "", "members are missing"},
        {"\"seed\":5,", "", "members are missing"},
        {"\"seed\":5", "\"seed\":-5", "\"seed\" must be a whole number"},
        {"\"seed\":5", "\"seed\":\"5\"", "\"seed\" must be a whole number"},
        {"\"model\":\"x\",\"w", "\"model\":5,\"w", "\"model\" must be a text"},
        {"[1,2,3,4],", "[1,2,3],", "\"weights\" must be four numbers"},
        {"[1,2,3,4],", "[1,2,3,4,5],", "\"weights\" must be four numbers"},
        {"[1,2,3,4,5]", "[1,2,3,4]", "\"endpoints.latency\" must be five numbers"},
        {"[1,2,3,4,5]", "[1,2,3,4,5,6]", "\"endpoints.latency\" has too many"},
        {"[1,2,3,4,5]", "[1,-2,3,4,5]", "\"endpoints.latency\" must be a number"},
        {"\"ok\":1", "\"ok\":4294967296", "\"endpoints.ok\" is too large"},
        {"\"only\"", "\"lonely\"", "\"plan.place\" is a word that is not known"},
        {"\"at\":0", "\"at\":1", "\"plan.at\" names none"},
        {"{\"v\":1", "{\"v\":1,\"provider\":{\"sort\":5}", "\"provider.sort\" must be"},
        {"{\"v\":1", "{\"v\":1,\"uses\":[\"wings\"]", "\"uses\" is a word"},
        {"{\"v\":1", "{\"v\":1,\"reach\":[1]", "\"reach\" must be a text"},
        {"{\"v\":1", "{\"v\":1,\"reach\":[\"a\",\"b\",\"c\"],\"reach\":[\"a\"]", NULL},
        {"]}", "]", "it is cut off"},
        {"{\"v\":1", "", "it is cut off"},
    };
    for (unsigned i = 0; i < ROWS(rows); i++) {
        struct arena a;
        struct decision d;
        struct err why = {0};
        char line[1024];
        replaced(rows[i].piece, rows[i].by, line, sizeof line);
        arena_init(&a, NULL, 0);
        bool read = decision_read(span_text(line), &a, &d, &why);
        if (read != (rows[i].why == NULL) || (!read && strstr(why.text, rows[i].why) == NULL))
            print_error("%s\n", why.text);
        assert_row(i, read == (rows[i].why == NULL));
        assert_row(i, read || strstr(why.text, rows[i].why) != NULL);
        arena_fini(&a);
    }
}

static void no_cut_off_line_is_read(void **state)
{
    (void)state;
    struct span whole = SPAN_LIT(WHOLE);
    for (size_t len = 0; len < whole.len; len++) {
        struct arena a;
        struct decision d;
        struct err why = {0};
        uint8_t *copy = exact_copy(span_sub(whole, 0, len));
        arena_init(&a, NULL, 0);
        assert_row(len, !decision_read(span_of(copy, len), &a, &d, &why) && err_is_set(&why));
        arena_fini(&a);
        free(copy);
    }
}

/* Another configuration: what would be different now. */
static void another_configuration_shows_what_would_change(void **state)
{
    (void)state;
    static struct provider_options providers[] = {{.name = "a"}, {.name = "b"}, {.name = "c"}};
#define AT(p, usd, on)      \
    {.provider = (p),       \
     .upstream_model = "m", \
     .enabled = (on),       \
     .price = {.input = (usd), .output = (usd), .known = 3}}
    static struct endpoint_options then_at[] = {AT(0, 1, true), AT(1, 2, true)},
                                   dearer_at[] = {AT(0, 3, true), AT(1, 2, true)},
                                   more_at[] = {AT(0, 1, true), AT(1, 2, true), AT(2, 3, true)},
                                   off_at[] = {AT(0, 1, true), AT(1, 2, false)},
                                   gone_at[] = {AT(0, 1, false)};
    static const struct {
        struct endpoint_options *at;
        unsigned n;
        enum difference difference;
        const char *said;
    } rows[] = {
        {then_at, 2, DIFFERENCE_NONE, ""},
        {dearer_at, 2, DIFFERENCE_FIRST,
         "was x at a (price) b (price); is x at b (price) a (price)"},
        {more_at, 3, DIFFERENCE_LATER,
         "was x at a (price) b (price); is x at a (price) b (price) c (price); c is new, and kept"},
        {off_at, 2, DIFFERENCE_LATER,
         "was x at a (price) b (price); is x at a (only); b was kept, is disabled"},
        {gone_at, 1, DIFFERENCE_FIRST,
         "was x at a (price) b (price); is no_provider_available; a was kept, is disabled; b was "
         "kept, is gone"},
    };
    struct model_options model = {.id = "x", .endpoints = then_at, .nendpoints = 2};
    struct snapshot snapshot = {
        .providers = providers, .nproviders = 3, .models = &model, .nmodels = 1};
    struct fleet then = {.catalog = catalog_new(&snapshot)};
    static struct asked g;
    struct rng r;
    struct plan plan;
    struct fault why;
    struct buf line = {0};
    rng_seed(&r, 1);
    ask(&r, &then, &g);
    g.q.model = SPAN_LIT("x");
    g.q.key = NULL;
    g.q.used = g.q.shown = 0;
    g.q.denies_collection = g.q.wants_zdr = false;
    g.q.max_cost_multiplier = 0;
    g.q.sticky = SPAN_NONE;
    g.q.has_own_key = NULL;
    g.preferences = (struct preferences){.sort = SORT_PRICE, .allows_fallbacks = true};
    g.q.prompt_tokens = g.q.output_tokens = 100;
    g.q.look = look_at_nothing;
    assert_true(write_one(&g, &plan, &why, &line));
    catalog_free(then.catalog);
    for (unsigned i = 0; i < ROWS(rows); i++) {
        struct arena a;
        struct decision d;
        struct err problem = {0};
        struct buf said = {0};
        model.endpoints = rows[i].at;
        model.nendpoints = rows[i].n;
        struct catalog *now = catalog_new(&snapshot);
        arena_init(&a, NULL, 0);
        assert_true(
            decision_read(span_sub(buf_span(&line), 0, buf_len(&line) - 1), &a, &d, &problem));
        bool made = decision_remake(&d, now, NULL, &a, &plan, &why);
        assert_int_equal(decision_write_difference(&d, &plan, made ? NULL : &why, &said), 0);
        assert_row(i, decision_compare(&d, &plan, made ? NULL : &why) == rows[i].difference);
        assert_span(buf_span(&said), rows[i].said);
        buf_fini(&said);
        arena_fini(&a);
        catalog_free(now);
    }
    arena_fini(&g.a);
    buf_fini(&g.wishes);
    buf_fini(&line);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_hundred_thousand_decisions_are_made_again_without_a_difference),
        cmocka_unit_test(a_decision_without_end_is_not_written),
        cmocka_unit_test(damaged_lines_are_told_by_their_member),
        cmocka_unit_test(no_cut_off_line_is_read),
        cmocka_unit_test(another_configuration_shows_what_would_change),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
