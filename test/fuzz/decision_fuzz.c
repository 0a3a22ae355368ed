/* A line of a record of decisions: refused with a reason, or made again, and what differs told, under a
 * configuration that knows some of its names; and written anew it is the same decision. */
#include "sluice/route/decision.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct provider_options providers[] = {
    {.name = "alpha"}, {.name = "beta"}, {.name = "open", .any_model = true}};
static struct endpoint_options endpoints[] = {
    {.provider = 0,
     .upstream_model = "m",
     .enabled = true,
     .price = {.input = 1, .output = 2, .known = 3}},
    {.provider = 1, .upstream_model = "m", .enabled = true, .variant = "fp8"},
};
static struct model_options model = {.id = "x", .endpoints = endpoints, .nendpoints = 2};
static const struct snapshot snapshot = {
    .providers = providers, .nproviders = 3, .models = &model, .nmodels = 1};

static void must(bool condition)
{
    if (!condition)
        abort();
}

static void look(void *arg, const struct target *t, struct target_health *out)
{
    static const struct quantiles some = {{0.1, 0.2, 0.3, 1.0 / 3}, 4};
    (void)arg;
    (void)t;
    *out = (struct target_health){.latency = &some, .throughput = &some, .outcomes = {1, 2}};
}

/* Its question once more, as the gateway would have it. */
static void write_anew(const struct decision *d, const struct catalog *c, struct arena *a)
{
    struct plan_question q = d->question;
    struct plan plan, again;
    struct fault why, fault;
    struct decision back;
    struct err problem = {0};
    struct buf line = {0};
    q.catalog = c;
    q.preferences = &d->preferences;
    q.key = d->question.key != NULL ? &d->key : NULL;
    q.look = look;
    bool made = plan_make(&q, a, a, &plan, &why);
    const struct decision_note note = {
        .config = SPAN_LIT("c"), .question = &q, .plan = &plan, .why = made ? NULL : &why};
    if (decision_write(&note, &line) == 0) {
        must(decision_read(buf_span(&line), a, &back, &problem));
        const struct fault *error = decision_remake(&back, c, NULL, a, &again, &fault) ? NULL
                                                                                       : &fault;
        must(decision_compare(&back, &again, error) == DIFFERENCE_NONE);
    }
    buf_fini(&line);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct catalog *c;
    struct arena a;
    struct decision d;
    struct plan plan;
    struct fault why;
    struct err problem = {0};
    struct buf text = {0};
    if (c == NULL)
        c = catalog_new(&snapshot);
    arena_init(&a, NULL, 1024);
    if (!decision_read(span_of(data, size), &a, &d, &problem)) {
        must(err_is_set(&problem));
    } else {
        const struct fault *error = decision_remake(&d, c, NULL, &a, &plan, &why) ? NULL : &why;
        bool differs = decision_compare(&d, &plan, error) != DIFFERENCE_NONE;
        must(decision_write_difference(&d, &plan, error, &text) == 0);
        must((buf_len(&text) > 0) == differs);
        write_anew(&d, c, &a);
    }
    buf_fini(&text);
    arena_fini(&a);
    return 0;
}
