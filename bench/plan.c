/* bench/plan.c: how long a plan takes: plan_make over the endpoints of one model, with their real
 * statistics and circuits, in the shapes that requests come in.
 *
 *     bench_plan [--rounds 41]      a table in Markdown, nanoseconds of CPU time, medians
 *
 * The one program of bench/ that is made of the product's own parts. Reading the request's wishes
 * and sending it are not in the figures; the arenas a plan is made in are. */
#include "health.h"
#include "options.h"

#include "sluice/net/loop.h"
#include "sluice/route/plan.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { MOST = 200, PLANS = 100 /* in a round, whose time is one sample */, ROUNDS_MAX = 1001 };

static const unsigned sizes[] = {1, 8, 50, MOST};
enum { SIZES = sizeof sizes / sizeof sizes[0] };

struct shape {
    const char *name, *provider; /* NULL: no wish; "64": that many names in `order` */
    const char *sticky;
};
static const struct shape shapes[] = {
    {"by score", NULL, NULL},
    {"sticky", NULL, "maker-0/fp8"},
    {"`sort: price`", "{\"sort\":\"price\"}", NULL},
    {"`sort: throughput`", "{\"sort\":\"throughput\"}", NULL},
    {"`order`, 4 names", "{\"order\":[\"maker-3\",\"maker-90/fp8\",\"maker-41/bf16\",\"maker-0\"]}",
     NULL},
    {"`order`, 64 names", "64", NULL},
    {"`order`, no fallbacks", "{\"order\":[\"maker-3\",\"maker-0\"],\"allow_fallbacks\":false}",
     NULL},
    {"`only`, 4 names", "{\"only\":[\"maker-0\",\"maker-3\",\"maker-24\",\"maker-98/fp8\"]}", NULL},
    {"`ignore`, 4 names", "{\"ignore\":[\"maker-1\",\"maker-3\",\"maker-24\",\"maker-98/fp8\"]}",
     NULL},
    {"cut-offs",
     "{\"preferred_max_latency\":{\"p50\":0.7,\"p90\":2},\"preferred_min_throughput\":40}", NULL},
    {"filters", "{\"quantizations\":[\"fp8\"],\"data_collection\":\"deny\",\"zdr\":true}", NULL},
};
enum { SHAPES = sizeof shapes / sizeof shapes[0] };

/* --- a fleet -------------------------------------------------------------------------------------- */

struct fleet {
    struct provider_options providers[MOST];
    char names[MOST][16];
    struct endpoint_options endpoints[MOST];
    struct model_options model;
    struct snapshot snapshot;
    struct catalog *catalog;
    struct health_table *health;
    struct health_time now; /* of the plan under way */
};

/* Two endpoints a provider, all different, none of them out of the question. */
static void describe(struct fleet *f, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        struct endpoint_options *e = &f->endpoints[i];
        snprintf(f->names[i / 2], sizeof f->names[0], "maker-%u", i / 2);
        f->providers[i / 2] = (struct provider_options){.name = f->names[i / 2]};
        *e = (struct endpoint_options){
            .provider = i / 2,
            .upstream_model = "model",
            .variant = i % 2 == 0 ? "fp8" : "bf16",
            .quantization = i % 2 == 0 ? QUANTIZATION_FP8 : QUANTIZATION_BF16,
            .price = {.input = 100000 + i * 7919 % 997,
                      .output = 400000 + i * 104729 % 3989,
                      .known = 3},
            .enabled = true,
            .context = 200000,
            .data_policy = {.zdr = i % 3 == 0, .known = POLICY_ZDR},
        };
    }
    f->model = (struct model_options){.id = "x/model", .endpoints = f->endpoints, .nendpoints = n};
    f->snapshot = (struct snapshot){
        .providers = f->providers, .nproviders = (n + 1) / 2, .models = &f->model, .nmodels = 1};
}

static void use(struct fleet *f, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        struct health *h = health_of(f->health, catalog_group(f->catalog, &f->model).first + i);
        for (uint64_t k = 1; k <= 20; k++) {
            health_begin(h);
            health_note(h, &(struct health_figures){.is_stream = true,
                                                    .first_token_us = 20000 * k + i * 1000,
                                                    .total_us = 4000000 + i * 5000,
                                                    .output_tokens = 100 + i * 31 % 101});
            health_end(h, RESULT_OK, 200);
        }
    }
}

static struct fleet *fleet_new(unsigned n)
{
    struct fleet *f = xcalloc(1, sizeof *f);
    describe(f, n);
    f->catalog = catalog_new(&f->snapshot);
    f->health = health_table_new(f->catalog, &f->snapshot, NULL);
    use(f, n);
    return f;
}

static void fleet_free(struct fleet *f)
{
    health_table_free(f->health);
    catalog_free(f->catalog);
    free(f);
}

/* --- what is asked -------------------------------------------------------------------------------- */

static void look(void *arg, const struct target *t, struct target_health *out)
{
    const struct fleet *f = arg;
    health_look(f->health, t, true, &f->now, out);
}

static void die(const char *what)
{
    fprintf(stderr, "bench_plan: %s\n", what);
    exit(1);
}

static void read_wishes(const char *provider, struct arena *a, struct preferences *out)
{
    struct fault why;
    char long_order[64 * 20] = "{\"order\":[";
    if (provider != NULL && strcmp(provider, "64") == 0) {
        for (size_t i = 0, at = strlen(long_order); i < 64; i++)
            at += (size_t)snprintf(long_order + at, sizeof long_order - at, "\"maker-%zu\"%s",
                                   (i * 37) % 100, i < 63 ? "," : "]}");
        provider = long_order;
    }
    if (!preferences_read(provider != NULL ? span_text(provider) : SPAN_NONE, SPAN_NONE, a, out,
                          &why))
        die(why.message);
}

static uint64_t cpu_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* One plan, as exchange.c makes it. */
static void plan_once(struct plan_question *q, struct fleet *f)
{
    enum { SENDING_BLOCK = 2048 };
    struct arena kept, scratch;
    struct plan plan;
    struct fault why;
    uint8_t room[2048];
    arena_init(&kept, room, sizeof room);
    arena_init(&scratch, NULL, SENDING_BLOCK);
    f->now = health_now();
    q->seed++;
    if (!plan_make(q, &kept, &scratch, &plan, &why) && why.kind != FAULT_NO_PROVIDER)
        die(why.message);
    arena_fini(&scratch);
    arena_fini(&kept);
}

static int by_value(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

static uint64_t median_ns(struct fleet *f, const struct shape *s, unsigned rounds)
{
    static uint64_t took[ROUNDS_MAX];
    struct preferences wishes;
    struct arena a;
    arena_init(&a, NULL, 4096);
    read_wishes(s->provider, &a, &wishes);
    struct plan_question q = {
        .catalog = f->catalog,
        .model = span_text(f->model.id),
        .preferences = &wishes,
        .prompt_tokens = 1000,
        .output_tokens = 500,
        .sticky = s->sticky != NULL ? span_text(s->sticky) : SPAN_NONE,
        .weights = {40, 20, 20, 20},
        .look = look,
        .arg = f,
    };
    for (unsigned i = 0; i < PLANS; i++)
        plan_once(&q, f);
    for (unsigned r = 0; r < rounds; r++) {
        uint64_t begin = cpu_ns();
        for (unsigned i = 0; i < PLANS; i++)
            plan_once(&q, f);
        took[r] = (cpu_ns() - begin) / PLANS;
    }
    arena_fini(&a);
    qsort(took, rounds, sizeof took[0], by_value);
    return took[rounds / 2];
}

int main(int argc, char **argv)
{
    unsigned rounds = 41;
    struct fleet *fleets[SIZES];
    const struct option_row options[] = {{"rounds", OPTION_COUNT, &rounds, NULL}, {NULL}};
    options_parse(options, argc, argv, "bench_plan [--rounds N]: how long a plan takes, in ns\n");
    if (rounds == 0 || rounds > ROUNDS_MAX)
        die("--rounds is from 1 to 1001");
    for (unsigned k = 0; k < SIZES; k++)
        fleets[k] = fleet_new(sizes[k]);
    printf("| what is asked |");
    for (unsigned k = 0; k < SIZES; k++)
        printf(" %u endpoint%s |", sizes[k], sizes[k] == 1 ? "" : "s");
    printf("\n|---|--:|--:|--:|--:|\n");
    for (unsigned i = 0; i < SHAPES; i++) {
        printf("| %s |", shapes[i].name);
        for (unsigned k = 0; k < SIZES; k++)
            printf(" %llu |", (unsigned long long)median_ns(fleets[k], &shapes[i], rounds));
        printf("\n");
    }
    for (unsigned k = 0; k < SIZES; k++)
        fleet_free(fleets[k]);
    return 0;
}
