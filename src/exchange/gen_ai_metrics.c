#include "gen_ai_metrics.h"

#include "gen_ai.h"

/* The boundaries that the conventions advise. */
static const double tokens[] = {1,     4,     16,     64,      256,     1024,     4096,
                                16384, 65536, 262144, 1048576, 4194304, 16777216, 67108864};
static const double duration[] = {0.01, 0.02, 0.04, 0.08,  0.16,  0.32,  0.64,
                                  1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92};
static const double first_token[] = {0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1,
                                     0.25,  0.5,   0.75, 1,    2.5,  5,    7.5,  10};
static const double per_token[] = {0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2,
                                   0.3,  0.4,   0.5,  0.75,  1,   2.5};

#define BUCKETS(table) table, sizeof table / sizeof table[0]
#define LABELS "gen_ai_operation_name,gen_ai_provider_name,gen_ai_request_model"

void gen_ai_families_init(struct gen_ai_families *f, struct metric_registry *r)
{
    f->tokens = metric_declare(r, METRIC_HISTOGRAM, "gen_ai_client_token_usage",
                               "Number of input and output tokens used.",
                               LABELS ",gen_ai_token_type", BUCKETS(tokens));
    f->duration = metric_declare(r, METRIC_HISTOGRAM, "gen_ai_server_request_duration_seconds",
                                 "Generative AI request duration, to the last byte.",
                                 LABELS ",error_type", BUCKETS(duration));
    f->first_token = metric_declare(
        r, METRIC_HISTOGRAM, "gen_ai_server_time_to_first_token_seconds",
        "Time to the first token of successful streams.", LABELS, BUCKETS(first_token));
    f->per_token = metric_declare(
        r, METRIC_HISTOGRAM, "gen_ai_server_time_per_output_token_seconds",
        "Time per output token after the first of successful streams.", LABELS, BUCKETS(per_token));
}

static struct metric_series *series(const struct gen_ai_series *s, struct metric_family *f,
                                    const char *last)
{
    return metric_series(f, (const char *[]){s->operation, s->provider, s->model, last});
}

void gen_ai_series_init(struct gen_ai_series *s, const struct gen_ai_families *f, const char *api,
                        const struct provider_options *provider, const char *model)
{
    s->operation = gen_ai_operation(api);
    s->provider = gen_ai_provider(provider);
    s->model = model;
    s->input = series(s, f->tokens, "input");
    s->output = series(s, f->tokens, "output");
    s->first_token = series(s, f->first_token, NULL);
    s->per_token = series(s, f->per_token, NULL);
}

/* An empty label is none (error.type of what went well). */
static struct metric_series *duration_of(struct gen_ai_series *s, const struct gen_ai_families *f,
                                         enum outcome o)
{
    if (s->duration[o] == NULL)
        s->duration[o] = series(s, f->duration, o == OUTCOME_OK ? "" : outcome_name(o));
    return s->duration[o];
}

void gen_ai_series_record(struct gen_ai_series *s, const struct gen_ai_families *f,
                          const struct request_figures *r)
{
    metric_observe(duration_of(s, f, r->outcome), (double)r->duration_us * 1e-6);
    if (r->outcome != OUTCOME_OK || r->ttft_us == 0)
        return;
    metric_observe(s->first_token, (double)r->ttft_us * 1e-6);
    double each = request_seconds_per_token(r);
    if (each > 0)
        metric_observe(s->per_token, each);
}

void gen_ai_series_meter(struct gen_ai_series *s, const struct usage *u)
{
    if (u->source == USAGE_NONE)
        return;
    metric_observe(s->input, (double)u->prompt);
    if (u->completion > 0) /* embeddings write none */
        metric_observe(s->output, (double)u->completion);
}
