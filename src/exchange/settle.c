#include "exchange_priv.h"

#include "sluice/base/log.h"

#include <stdio.h>
#include <time.h>

/* After the last byte: what it cost, what the metrics say, and the one record of the request. */

enum { RECORD_ROOM = 4096, FLUSH_MS = 50 };

struct record {
    uint8_t *at;
    size_t len;
};

static void put(struct record *r, struct span s)
{
    if (s.len > RECORD_ROOM - 2 - r->len)
        return; /* cannot happen with the bounds below; never write past the room */
    if (s.len > 0)
        memcpy(r->at + r->len, s.at, s.len);
    r->len += s.len;
}

static void put_number(struct record *r, struct span before, uint64_t n)
{
    uint8_t digits[20];
    size_t i = sizeof digits;
    do
        digits[--i] = (uint8_t)('0' + n % 10);
    while ((n /= 10) > 0);
    put(r, before);
    put(r, span_of(digits + i, sizeof digits - i));
}

/* Our own words and configured names are safe; what a client or a provider chose is made so. */
static void put_text(struct record *r, struct span before, struct span text)
{
    put(r, before);
    put(r, SPAN_LIT("\""));
    for (size_t i = 0; i < text.len && i < 256; i++) {
        uint8_t c = text.at[i];
        if (c == '"' || c == '\\')
            put(r, SPAN_LIT("\\"));
        if (c < ' ' || c == 0x7f)
            c = ' ';
        put(r, span_of(&c, 1));
    }
    put(r, SPAN_LIT("\""));
}

/* A name that needs no escapes: appended in one piece. */
static void put_word(struct record *r, struct span before, const char *word)
{
    put(r, before);
    if (word == NULL) {
        put(r, SPAN_LIT("null"));
        return;
    }
    put(r, SPAN_LIT("\""));
    put(r, span_text(word));
    put(r, SPAN_LIT("\""));
}

/* RFC 3339 with milliseconds; the part up to the second is made once a second. */
static void put_time(struct record *r, uint64_t unix_ms)
{
    static uint64_t second;
    static char text[24];
    if (unix_ms / 1000 != second || second == 0) {
        second = unix_ms / 1000;
        time_t t = (time_t)second;
        struct tm tm;
        gmtime_r(&t, &tm);
        strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &tm);
    }
    put(r, span_text(text));
    unsigned ms = (unsigned)(unix_ms % 1000);
    char fraction[5] = {'.', (char)('0' + ms / 100), (char)('0' + ms / 10 % 10),
                        (char)('0' + ms % 10), 'Z'};
    put(r, span_of(fraction, sizeof fraction));
}

static void put_attempts(struct record *r, const struct exchange *x)
{
    put(r, SPAN_LIT(",\"attempts\":["));
    for (unsigned i = 0; i < x->ntried; i++) {
        put_word(r, i > 0 ? SPAN_LIT(",{\"endpoint\":") : SPAN_LIT("{\"endpoint\":"),
                 x->tried[i].endpoint);
        put_word(r, SPAN_LIT(",\"result\":"), x->tried[i].type);
        put_number(r, SPAN_LIT(",\"status\":"), x->tried[i].status);
        put_number(r, SPAN_LIT(",\"ms\":"), x->tried[i].latency_ms);
        put(r, SPAN_LIT("}"));
    }
    put(r, SPAN_LIT("]"));
}

struct timings {
    uint64_t duration_us, overhead_us, ttft_us;
};

static void write_json(const struct exchange *x, const struct timings *t, struct record *r)
{
    const struct attempt *a = &x->attempt;
    const struct target *target = x->nattempts > 0 ? a->target : NULL;
    put(r, SPAN_LIT("{\"ts\":\""));
    put_time(r, x->opened_unix_ms);
    put(r, SPAN_LIT("\",\"request_id\":\""));
    put(r, span_of(x->request_id, 32));
    put(r, SPAN_LIT("\""));
    if (x->client_request_id.len > 0)
        put_text(r, SPAN_LIT(",\"client_request_id\":"), x->client_request_id);
    put_word(r, SPAN_LIT(",\"key\":"), x->key != NULL ? x->key->name : NULL);
    put_word(r, SPAN_LIT(",\"client\":"), server_peer(x->sink));
    put_word(r, SPAN_LIT(",\"method\":"), http_method_name(x->method));
    put_text(r, SPAN_LIT(",\"path\":"), x->path);
    put_number(r, SPAN_LIT(",\"status\":"), x->status);
    put_word(r, SPAN_LIT(",\"api\":"), x->kind->label);
    put(r, x->is_stream ? SPAN_LIT(",\"stream\":true") : SPAN_LIT(",\"stream\":false"));
    if (target != NULL) {
        put_text(r, SPAN_LIT(",\"model\":"), target->model_id);
        put_word(r, SPAN_LIT(",\"endpoint\":"), target->provider->name);
    }
    put_attempts(r, x);
    put_word(r, SPAN_LIT(",\"outcome\":"), outcome_name(x->outcome));
    if (x->finish_reason[0] != '\0')
        put_text(r, SPAN_LIT(",\"finish_reason\":"), span_text(x->finish_reason));
    if (x->error_type != NULL)
        put_word(r, SPAN_LIT(",\"error_type\":"), x->error_type);
    put_number(r, SPAN_LIT(",\"duration_ms\":"), t->duration_us / 1000);
    put_number(r, SPAN_LIT(",\"overhead_us\":"), t->overhead_us);
    if (t->ttft_us > 0)
        put_number(r, SPAN_LIT(",\"ttft_ms\":"), t->ttft_us / 1000);
    put_number(r, SPAN_LIT(",\"tokens_in\":"), x->usage.prompt);
    put_number(r, SPAN_LIT(",\"tokens_out\":"), x->usage.completion);
    put_number(r, SPAN_LIT(",\"tokens_cached\":"), x->usage.cached);
    put_number(r, SPAN_LIT(",\"tokens_reasoning\":"), x->usage.reasoning);
    put_word(r, SPAN_LIT(",\"usage_source\":"), usage_source_name(x->usage.source));
    put_number(r, SPAN_LIT(",\"cost_pd\":"), x->cost.total_pd);
    put_number(r, SPAN_LIT(",\"bytes_in\":"), x->bytes_in);
    put_number(r, SPAN_LIT(",\"bytes_out\":"), x->sink->bytes_out);
    if (a->upstream_request_id.len > 0)
        put_text(r, SPAN_LIT(",\"upstream_request_id\":"), a->upstream_request_id);
    put(r, SPAN_LIT("}"));
}

static void write_text(const struct exchange *x, const struct timings *t, struct record *r)
{
    char line[640];
    const struct target *target = x->nattempts > 0 ? x->attempt.target : NULL;
    put_time(r, x->opened_unix_ms);
    int n = snprintf(line, sizeof line,
                     " %u %s %.*s %.*s%s%s %s %.1f ms, ttft %.1f ms, gateway %.0f us, "
                     "tokens %llu+%llu %s%s id=%s",
                     x->status, http_method_name(x->method), SPAN_FMT(x->path),
                     SPAN_FMT(target != NULL ? span_sub(target->model_id, 0, 128) : SPAN_LIT("-")),
                     target != NULL ? " via " : "", target != NULL ? target->provider->name : "",
                     outcome_name(x->outcome), (double)t->duration_us / 1e3,
                     (double)t->ttft_us / 1e3, (double)t->overhead_us,
                     (unsigned long long)x->usage.prompt, (unsigned long long)x->usage.completion,
                     x->error_type != NULL ? "error=" : "", x->error_type != NULL ? x->error_type : "",
                     x->request_id);
    for (int i = 0; i < n && i < (int)sizeof line - 1; i++) {
        if ((uint8_t)line[i] < ' ')
            line[i] = '?'; /* the path is the client's */
    }
    put(r, span_of(line, strnlen(line, sizeof line)));
}

static void write_record(const struct exchange *x, const struct timings *t)
{
    struct gateway *g = x->gateway;
    struct record r = {0};
    if (g->access_log == NULL)
        return;
    r.at = log_sink_room(g->access_log, RECORD_ROOM);
    if (r.at == NULL) {
        metric_add(g->instruments.log_dropped, 1);
        return;
    }
    if (g->access_log_text)
        write_text(x, t, &r);
    else
        write_json(x, t, &r);
    r.at[r.len++] = '\n';
    log_sink_commit(g->access_log, r.len);
    if (!deadline_armed(&g->log_flush)) /* many records a write */
        deadline_set(&g->log_flush, g->access_log_text ? 1 : FLUSH_MS);
}

/* What the provider never counted is estimated from what was delivered, and says so. */
static void estimate_usage(struct exchange *x)
{
    if (x->usage.source == USAGE_NONE && x->events > 0) {
        x->usage.completion = x->events;
        x->usage.source = USAGE_ESTIMATED;
    }
}

void settle(struct exchange *x)
{
    struct instruments *i = &x->gateway->instruments;
    uint64_t now = clock_us();
    const struct attempt *a = &x->attempt;
    const struct target *target = x->nattempts > 0 ? a->target : NULL;
    struct timings t = {.duration_us = now - x->opened_us};
    uint64_t until = x->first_write_us != 0 ? x->first_write_us : now;
    uint64_t elsewhere = a->connect_us;
    if (a->sent_us != 0)
        elsewhere += (a->head_us != 0 ? a->head_us : until) - a->sent_us;
    t.overhead_us = until - x->opened_us > elsewhere ? until - x->opened_us - elsewhere : 0;
    if (x->first_token_us != 0 && a->sent_us != 0)
        t.ttft_us = x->first_token_us - a->sent_us;

    if (x->outcome == OUTCOME_CLIENT_GONE && !x->head_sent)
        x->status = 499; /* nginx's word for it: no status was ever sent */
    estimate_usage(x);
    if (target != NULL)
        x->cost = cost_of(&x->usage, target->price);
    struct request_figures figures = {
        .outcome = x->outcome,
        .status = x->status,
        .stream = x->is_stream,
        .duration_us = t.duration_us,
        .ttft_us = t.ttft_us,
        .usage = &x->usage,
        .cost = &x->cost,
    };
    route_series_record(instruments_route(i, x->kind->label, target), &figures);
    if (x->dispatched_us != 0) {
        metric_observe(i->overhead[OVERHEAD_DISPATCH], (double)(x->dispatched_us - x->opened_us) * 1e-6);
        if (a->head_us != 0 && x->first_write_us > a->head_us)
            metric_observe(i->overhead[OVERHEAD_FIRST_WRITE],
                           (double)(x->first_write_us - a->head_us) * 1e-6);
    }
    write_record(x, &t);
}
