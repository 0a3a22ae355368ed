#include "activity_sums_priv.h"
#include "log_record.h"

#include "sluice/base/timestamp.h"

#include <stdlib.h>

static const char *const group_names[ACTIVITY_GROUPS] = {
    [GROUP_BY_MODEL] = "model",   [GROUP_BY_PROVIDER] = "provider", [GROUP_BY_KEY] = "key",
    [GROUP_BY_STATUS] = "status", [GROUP_BY_ERROR] = "error_type",
};

/* --- JSON ----------------------------------------------------------------------------------------- */

/* By step, then by group in the order of their names. */
static int in_order(const void *a, const void *b)
{
    const struct cell *x = *(struct cell *const *)a, *y = *(struct cell *const *)b;
    if (x->step != y->step)
        return x->step < y->step ? -1 : 1;
    return x->group < y->group ? -1 : x->group > y->group;
}

static int most_requests(const void *a, const void *b)
{
    const struct part *x = *(struct part *const *)a, *y = *(struct part *const *)b;
    if (x->sums.requests != y->sums.requests)
        return x->sums.requests > y->sums.requests ? -1 : 1;
    return x->number < y->number ? -1 : x->number > y->number;
}

static void sort_parts(struct parts *p)
{
    if (p->n > 0)
        qsort(p->at, p->n, sizeof(void *), most_requests);
}

static uint64_t later(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

/* How much of a step lies within what was asked for. */
static uint64_t covered_ms(const struct activity_range *r, uint64_t step)
{
    uint64_t begin = (r->from_unix_ms / r->step_ms + step) * r->step_ms, end = begin + r->step_ms;
    begin = later(begin, r->from_unix_ms);
    end = end < r->until_unix_ms ? end : r->until_unix_ms;
    return end > begin ? end - begin : 0;
}

static void write_name(struct json_out *o, struct span name)
{
    if (name.len > 0)
        json_out_bytes(o, name);
    else
        json_out_lit(o, "null");
}

/* `"model":"…",`; a key's name is told beside its id, for people. */
static void write_group(struct json_out *o, const struct activity_sums *a, const struct part *p)
{
    json_out_lit(o, "\"");
    json_out_span(o, span_text(group_names[a->range.by]));
    json_out_lit(o, "\":");
    write_name(o, p->name);
    if (a->range.by == GROUP_BY_KEY) {
        json_out_lit(o, ",\"key_name\":");
        write_name(o, p->key_name);
    }
    json_out_lit(o, ",");
}

static void write_quantiles(struct json_out *o, const struct digest *d, uint32_t cell,
                            uint64_t sum_us, uint64_t n)
{
    static const struct span names[DIGEST_QUANTILES] = {
        {(const uint8_t *)",\"p50\":", 7},
        {(const uint8_t *)",\"p90\":", 7},
        {(const uint8_t *)",\"p95\":", 7},
        {(const uint8_t *)",\"p99\":", 7},
    };
    struct digest_quantiles q;
    if (n == 0 || !digest_quantiles(d, cell, &q)) {
        json_out_lit(o, "null");
        return;
    }
    json_out_lit(o, "{\"avg\":");
    log_ms(o, sum_us / n);
    for (unsigned i = 0; i < DIGEST_QUANTILES; i++) {
        json_out_span(o, names[i]);
        log_ms(o, q.us[i]);
    }
    json_out_lit(o, "}");
}

/* A rate a minute with two decimals. */
static void write_rate(struct json_out *o, uint64_t n, uint64_t over_ms)
{
    double rate = over_ms == 0 ? 0 : (double)n * 60000.0 / (double)over_ms;
    json_out_double(o, (double)(long long)(rate * 100 + 0.5) / 100);
}

static void write_rates(struct json_out *o, const struct sums *s, uint64_t over_ms)
{
    json_out_lit(o, ",\"tpm\":");
    write_rate(o, s->input + s->output, over_ms);
    json_out_lit(o, ",\"rpm\":");
    write_rate(o, s->requests, over_ms);
}

/* Members, without braces. */
static void write_sums(struct json_out *o, const struct activity_sums *a, const struct sums *s,
                       uint32_t cell, uint64_t over_ms)
{
    json_out_lit(o, "\"requests\":");
    json_out_u64(o, s->requests);
    json_out_lit(o, ",\"success_rate\":");
    if (s->requests > 0)
        log_share(o, s->succeeded, s->requests);
    else
        json_out_lit(o, "null");
    json_out_lit(o, ",\"tokens\":{\"input\":");
    json_out_u64(o, s->input);
    json_out_lit(o, ",\"output\":");
    json_out_u64(o, s->output);
    json_out_lit(o, ",\"total\":");
    json_out_u64(o, s->input + s->output);
    json_out_lit(o, ",\"cached\":");
    json_out_u64(o, s->cached);
    json_out_lit(o, "},\"spend\":");
    log_usd(o, s->spend_pd);
    json_out_lit(o, ",\"latency\":");
    write_quantiles(o, &a->latency, cell, s->latency_us, s->requests);
    json_out_lit(o, ",\"ttft\":");
    write_quantiles(o, &a->ttft, cell, s->ttft_us, s->nttft);
    write_rates(o, s, over_ms);
}

static void write_time(struct json_out *o, const struct activity_range *r, uint64_t step)
{
    char text[TIMESTAMP_BYTES];
    timestamp_write((r->from_unix_ms / r->step_ms + step) * r->step_ms, text);
    json_out_span(o, span_of(text, 19)); /* steps are whole seconds */
    json_out_lit(o, "Z");
}

static void write_item(struct json_out *o, const struct activity_sums *a, uint64_t step,
                       const struct cell *cell)
{
    static const struct sums nothing;
    json_out_lit(o, "{\"time\":\"");
    write_time(o, &a->range, step);
    json_out_lit(o, "\",");
    if (a->range.by != GROUP_BY_NOTHING)
        write_group(o, a, a->groups.at[cell->group]);
    write_sums(o, a, cell != NULL ? &cell->sums : &nothing,
               cell != NULL ? cell->number : UINT32_MAX, covered_ms(&a->range, step));
    json_out_lit(o, "}");
}

/* Steps without a call are there, too, where nothing is grouped: a line is drawn through them. */
static void write_items(struct json_out *o, const struct activity_sums *a)
{
    uint64_t steps = a->range.by == GROUP_BY_NOTHING ? activity_steps(&a->range) : 0;
    uint64_t next = 0;
    bool is_first = true;
    for (unsigned i = 0; i < a->ncells; i++) {
        for (; next < a->cells[i]->step && steps > 0; next++, is_first = false) {
            json_out_span(o, is_first ? SPAN_NONE : SPAN_LIT(","));
            write_item(o, a, next, NULL);
        }
        json_out_span(o, is_first ? SPAN_NONE : SPAN_LIT(","));
        write_item(o, a, a->cells[i]->step, a->cells[i]);
        next = a->cells[i]->step + 1;
        is_first = false;
    }
    for (; next < steps; next++, is_first = false) {
        json_out_span(o, is_first ? SPAN_NONE : SPAN_LIT(","));
        write_item(o, a, next, NULL);
    }
}

static uint32_t name_of_group(void *arg, uint32_t number)
{
    const struct activity_sums *a = arg;
    return a->cells[number]->group;
}

static uint32_t name_of_all(void *arg, uint32_t number)
{
    (void)arg;
    (void)number;
    return 0;
}

static void merge(struct activity_sums *a, uint32_t (*name)(void *arg, uint32_t cell))
{
    digest_merge_cells(&a->latency, name, a);
    digest_merge_cells(&a->ttft, name, a);
}

static void write_groups(struct json_out *o, struct activity_sums *a)
{
    uint64_t over_ms = a->range.until_unix_ms - a->range.from_unix_ms;
    json_out_lit(o, ",\"groups\":[");
    sort_parts(&a->groups);
    for (unsigned i = 0; i < a->groups.n; i++) {
        const struct part *p = a->groups.at[i];
        json_out_span(o, i > 0 ? SPAN_LIT(",{") : SPAN_LIT("{"));
        write_group(o, a, p);
        write_sums(o, a, &p->sums, p->number, over_ms);
        json_out_lit(o, "}");
    }
    json_out_lit(o, "]");
}

static void write_models(struct json_out *o, struct activity_sums *a)
{
    json_out_lit(o, ",\"model_distribution\":[");
    sort_parts(&a->models);
    for (unsigned i = 0; i < a->models.n; i++) {
        const struct part *p = a->models.at[i];
        json_out_span(o, i > 0 ? SPAN_LIT(",{\"model\":") : SPAN_LIT("{\"model\":"));
        write_name(o, p->name);
        json_out_lit(o, ",\"requests\":");
        json_out_u64(o, p->sums.requests);
        json_out_lit(o, ",\"share\":");
        log_share(o, p->sums.requests, a->all.requests);
        json_out_lit(o, ",\"tokens\":");
        json_out_u64(o, p->sums.input + p->sums.output);
        json_out_lit(o, ",\"spend\":");
        log_usd(o, p->sums.spend_pd);
        json_out_lit(o, "}");
    }
    json_out_lit(o, "]");
}

static void write_errors(struct json_out *o, struct activity_sums *a)
{
    json_out_lit(o, ",\"error_distribution\":[");
    sort_parts(&a->errors);
    for (unsigned i = 0; i < a->errors.n; i++) {
        const struct part *p = a->errors.at[i];
        json_out_span(o, i > 0 ? SPAN_LIT(",{\"type\":") : SPAN_LIT("{\"type\":"));
        write_name(o, p->error);
        json_out_lit(o, ",\"code\":");
        json_out_u64(o, p->code);
        json_out_lit(o, ",\"endpoint_row\":");
        write_name(o, p->row);
        json_out_lit(o, ",\"requests\":");
        json_out_u64(o, p->sums.requests);
        json_out_lit(o, ",\"share\":");
        log_share(o, p->sums.requests, a->all.requests);
        json_out_lit(o, "}");
    }
    json_out_lit(o, "]");
}

static void write_moment(struct json_out *o, uint64_t unix_ms)
{
    char text[TIMESTAMP_BYTES];
    timestamp_write(unix_ms, text);
    json_out_bytes(o, span_of(text, sizeof text));
}

static void sort_cells(struct activity_sums *a)
{
    if (a->ncells > 0)
        qsort(a->cells, a->ncells, sizeof(void *), in_order);
    digest_sort(&a->latency);
    digest_sort(&a->ttft);
}

/* Cells have been sorted: so that a number finds its cell again. */
static void number_cells(struct activity_sums *a)
{
    struct cell **by_number = malloc((a->ncells + 1) * sizeof(void *));
    if (by_number == NULL)
        abort(); /* some hundred kilobytes */
    for (unsigned i = 0; i < a->ncells; i++)
        by_number[a->cells[i]->number] = a->cells[i];
    free(a->cells);
    a->cells = by_number;
}

void activity_sums_write(struct activity_sums *a, struct json_out *o)
{
    uint64_t over_ms = a->range.until_unix_ms - a->range.from_unix_ms;
    sort_cells(a);
    json_out_lit(o, "{\"object\":\"activity\",\"from\":");
    write_moment(o, a->range.from_unix_ms);
    json_out_lit(o, ",\"to\":");
    write_moment(o, a->range.until_unix_ms);
    json_out_lit(o, ",\"interval_s\":");
    json_out_u64(o, a->range.step_ms / 1000);
    json_out_lit(o, ",\"percentile_error\":");
    double error = digest_error(&a->latency), other = digest_error(&a->ttft);
    json_out_double(o, error > other ? error : other);
    json_out_lit(o, ",\"data\":[");
    write_items(o, a);
    json_out_lit(o, "]");
    number_cells(a);
    merge(a, name_of_group);
    if (a->range.by != GROUP_BY_NOTHING)
        write_groups(o, a);
    merge(a, name_of_all);
    json_out_lit(o, ",\"totals\":{");
    write_sums(o, a, &a->all, 0, over_ms);
    write_models(o, a);
    write_errors(o, a);
    json_out_lit(o, "}}");
}

/* --- CSV ------------------------------------------------------------------------------------------ */

static void write_csv_quantiles(struct json_out *o, const struct digest *d, uint32_t cell,
                                uint64_t sum_us, uint64_t n)
{
    struct digest_quantiles q;
    if (n == 0 || !digest_quantiles(d, cell, &q)) {
        json_out_lit(o, ",,,,,");
        return;
    }
    json_out_lit(o, ",");
    log_ms(o, sum_us / n);
    for (unsigned i = 0; i < DIGEST_QUANTILES; i++) {
        json_out_lit(o, ",");
        log_ms(o, q.us[i]);
    }
}

static void write_line(struct json_out *o, const struct activity_sums *a, const struct cell *c)
{
    const struct sums *s = &c->sums;
    const uint64_t counts[] = {s->requests, s->succeeded,         s->input,
                               s->output,   s->input + s->output, s->cached};
    uint64_t over_ms = covered_ms(&a->range, c->step);
    write_time(o, &a->range, c->step);
    if (a->range.by != GROUP_BY_NOTHING) {
        json_out_lit(o, ",");
        csv_text(o, a->groups.at[c->group]->name);
    }
    if (a->range.by == GROUP_BY_KEY) {
        json_out_lit(o, ",");
        csv_text(o, a->groups.at[c->group]->key_name);
    }
    for (unsigned i = 0; i < sizeof counts / sizeof counts[0]; i++) {
        json_out_lit(o, ",");
        json_out_u64(o, counts[i]);
    }
    json_out_lit(o, ",");
    log_usd(o, s->spend_pd);
    write_csv_quantiles(o, &a->latency, c->number, s->latency_us, s->requests);
    write_csv_quantiles(o, &a->ttft, c->number, s->ttft_us, s->nttft);
    json_out_lit(o, ",");
    write_rate(o, s->input + s->output, over_ms);
    json_out_lit(o, ",");
    write_rate(o, s->requests, over_ms);
    json_out_lit(o, "\r\n");
}

void activity_sums_write_csv(struct activity_sums *a, struct json_out *o)
{
    sort_cells(a);
    json_out_lit(o, "time");
    if (a->range.by != GROUP_BY_NOTHING) {
        json_out_lit(o, ",");
        json_out_span(o, span_text(group_names[a->range.by]));
    }
    json_out_span(o, a->range.by == GROUP_BY_KEY ? SPAN_LIT(",key_name") : SPAN_NONE);
    json_out_lit(o,
                 ",requests,succeeded,input_tokens,output_tokens,total_tokens,cached_tokens,spend,"
                 "latency_avg_ms,latency_p50_ms,latency_p90_ms,latency_p95_ms,latency_p99_ms,"
                 "ttft_avg_ms,ttft_p50_ms,ttft_p90_ms,ttft_p95_ms,ttft_p99_ms,tpm,rpm\r\n");
    for (unsigned i = 0; i < a->ncells; i++)
        write_line(o, a, a->cells[i]);
}
