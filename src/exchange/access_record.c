#include "access_record.h"

#include "exchange_priv.h"
#include "sluice/base/log.h"
#include "sluice/base/timestamp.h"
#include "sluice/format/json_line.h"

#include <assert.h>
#include <stdio.h>

/* Room for one record, not checked piece by piece: texts are cut to TEXT_MAX characters (twice that
 * when every one is escaped), there are at most 8 + ATTEMPTS_MAX of them, and the rest is ours and
 * below 1.5 KiB. */
enum { RECORD_ROOM = 8 * 1024, TEXT_MAX = 128, FLUSH_MS = 50 };

#define PUT(r, text) JSON_LINE_PUT(r, text)

#define PUT_NUMBER(r, before, n) \
    do {                         \
        PUT(r, before);          \
        json_line_u64(r, n);     \
    } while (0)

/* What a client or a provider chose, made safe for a line of JSON. */
static void put_text(struct json_line *r, struct span text)
{
    text = span_sub(text, 0, TEXT_MAX);
    *r->at++ = '"';
    if (json_is_plain(text)) {
        json_line_put(r, text);
        *r->at++ = '"';
        return;
    }
    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = text.at[i];
        if (c == '"' || c == '\\')
            *r->at++ = '\\';
        *r->at++ = c < ' ' || c >= 0x7f ? '?' : c;
    }
    *r->at++ = '"';
}

/* Our own words: no need to look. */
static void put_word(struct json_line *r, const char *word)
{
    *r->at++ = '"';
    json_line_put(r, span_text(word));
    *r->at++ = '"';
}

#define PUT_TEXT(r, before, text) \
    do {                          \
        PUT(r, before);           \
        put_text(r, text);        \
    } while (0)
#define PUT_WORD(r, before, word) \
    do {                          \
        PUT(r, before);           \
        put_word(r, word);        \
    } while (0)

/* RFC 3339 with milliseconds; the calendar is asked once a second. */
static void put_time(struct json_line *r, uint64_t unix_ms)
{
    enum { MS_AT = TIMESTAMP_BYTES - 4 };
    static uint64_t second = UINT64_MAX;
    static char text[TIMESTAMP_BYTES];
    unsigned ms = (unsigned)(unix_ms % 1000);
    if (unix_ms / 1000 != second) {
        second = unix_ms / 1000;
        timestamp_write(unix_ms, text);
    }
    for (unsigned i = 3; i > 0; i--, ms /= 10)
        text[MS_AT + i - 1] = (char)('0' + ms % 10);
    json_line_put(r, span_of(text, sizeof text));
}

static void put_attempt(struct json_line *r, const struct fault_attempt *a)
{
    PUT_TEXT(r, "{\"endpoint\":", span_text(a->endpoint));
    PUT_WORD(r, ",\"result\":", a->type);
    PUT_NUMBER(r, ",\"status\":", a->status);
    PUT_NUMBER(r, ",\"ms\":", a->latency_ms);
    if (a->estimated_cost_pd > 0)
        PUT_NUMBER(r, ",\"estimated_cost_pd\":", a->estimated_cost_pd);
    PUT(r, "}");
}

/* Those that failed, and the one that answered. */
static void put_attempts(struct json_line *r, const struct exchange *x)
{
    PUT(r, ",\"attempts\":[");
    for (unsigned i = 0; i < x->ntried; i++) {
        if (i > 0)
            PUT(r, ",");
        put_attempt(r, &x->tried[i]);
    }
    if (x->nattempts > x->ntried) {
        const struct attempt *a = x->attempt;
        const struct fault_attempt told = attempt_told(a, a->result, a->ended_us);
        if (x->ntried > 0)
            PUT(r, ",");
        put_attempt(r, &told);
    }
    PUT(r, "]");
}

/* What most answers have none of. */
static void put_rare_usage(struct json_line *r, const struct usage *u)
{
    uint64_t any = u->cache_write | u->in.audio | u->in.image | u->in.video | u->out.audio |
                   u->out.image | u->searches | u->tool_calls | u->images | u->characters |
                   u->audio_ms | u->stated_pd;
    if (any == 0)
        return;
    const struct {
        const char *name;
        uint64_t n;
    } rare[] = {
        {",\"tokens_cache_write\":", u->cache_write},
        {",\"tokens_cache_write_1h\":", u->cache_write_1h},
        {",\"tokens_audio_in\":", u->in.audio},
        {",\"tokens_audio_out\":", u->out.audio},
        {",\"tokens_image_in\":", u->in.image},
        {",\"tokens_image_out\":", u->out.image},
        {",\"tokens_video_in\":", u->in.video},
        {",\"searches\":", u->searches},
        {",\"tool_calls\":", u->tool_calls},
        {",\"images\":", u->images},
        {",\"characters\":", u->characters},
        {",\"audio_ms\":", u->audio_ms},
        {",\"provider_cost_pd\":", u->stated_pd},
    };
    for (unsigned i = 0; i < sizeof rare / sizeof rare[0]; i++) {
        if (rare[i].n == 0)
            continue;
        json_line_put(r, span_text(rare[i].name));
        json_line_u64(r, rare[i].n);
    }
}

static void write_json(const struct exchange *x, uint64_t duration_us, struct json_line *r)
{
    const struct attempt *a = x->attempt;
    const struct target *target = x->nattempts > 0 ? a->target : NULL;
    PUT(r, "{\"ts\":\"");
    put_time(r, x->opened_unix_ms);
    PUT(r, "\",\"request_id\":\"");
    json_line_put(r, span_of(x->request_id, 32));
    PUT(r, "\"");
    if (x->client_request_id.len > 0)
        PUT_TEXT(r, ",\"client_request_id\":", x->client_request_id);
    const struct span trace = trace_id(x);
    if (trace.len > 0)
        PUT_TEXT(r, ",\"trace_id\":", trace);
    if (x->key != NULL) {
        PUT_TEXT(r, ",\"key\":", span_text(x->key->name));
        PUT_WORD(r, ",\"key_id\":", x->key->id);
    } else {
        PUT(r, ",\"key\":null,\"key_id\":null");
    }
    PUT_WORD(r, ",\"client\":", server_peer(x->sink));
    PUT_WORD(r, ",\"method\":", http_method_name(x->method));
    PUT_TEXT(r, ",\"path\":", x->path);
    PUT_NUMBER(r, ",\"status\":", x->status);
    PUT_WORD(r, ",\"api\":", x->kind->label);
    bool is_stream = x->is_stream || x->replays_stream;
    json_line_put(r, is_stream ? SPAN_LIT(",\"stream\":true") : SPAN_LIT(",\"stream\":false"));
    if (target != NULL) {
        PUT_TEXT(r, ",\"model\":", target->model_id);
        PUT_TEXT(r, ",\"endpoint\":", target->slug);
    }
    put_attempts(r, x);
    PUT_WORD(r, ",\"outcome\":", outcome_name(x->outcome));
    if (a->finish_reason[0] != '\0')
        PUT_TEXT(r, ",\"finish_reason\":", span_text(a->finish_reason));
    if (x->error_type != NULL)
        PUT_WORD(r, ",\"error_type\":", x->error_type);
    if (continuation_result(x) != NULL)
        PUT_WORD(r, ",\"continuation\":", continuation_result(x));
    if (x->idempotency != NULL && x->idempotency->is_replayed)
        PUT(r, ",\"replayed\":true");
    if (response_cache_word(x) != NULL)
        PUT_WORD(r, ",\"cache\":", response_cache_word(x));
    PUT_NUMBER(r, ",\"duration_ms\":", duration_us / 1000);
    PUT_NUMBER(r, ",\"overhead_us\":", x->overhead_us);
    if (x->ttft_us > 0)
        PUT_NUMBER(r, ",\"ttft_ms\":", x->ttft_us / 1000);
    PUT_NUMBER(r, ",\"tokens_in\":", a->usage.prompt);
    PUT_NUMBER(r, ",\"tokens_out\":", a->usage.completion);
    PUT_NUMBER(r, ",\"tokens_cached\":", a->usage.cached);
    PUT_NUMBER(r, ",\"tokens_reasoning\":", a->usage.reasoning);
    put_rare_usage(r, &a->usage);
    PUT_WORD(r, ",\"usage_source\":", usage_source_name(a->usage.source));
    PUT_NUMBER(r, ",\"cost_pd\":", x->cost.total_pd);
    if (x->cost.is_insured)
        PUT_NUMBER(r, ",\"insured\":true,\"insured_pd\":", x->cost.sum_pd);
    if (x->cost.is_byok)
        PUT_NUMBER(r, ",\"is_byok\":true,\"byok_cost_pd\":", x->cost.byok_pd);
    PUT_NUMBER(r, ",\"bytes_in\":", x->bytes_in);
    PUT_NUMBER(r, ",\"bytes_out\":", x->sink->bytes_out);
    if (a->upstream_request_id.len > 0)
        PUT_TEXT(r, ",\"upstream_request_id\":", a->upstream_request_id);
    PUT(r, "}");
}

static void write_text(const struct exchange *x, uint64_t duration_us, struct json_line *r)
{
    char line[640];
    const struct attempt *a = x->attempt;
    const struct target *target = x->nattempts > 0 ? a->target : NULL;
    put_time(r, x->opened_unix_ms);
    int n = snprintf(line, sizeof line,
                     " %u %s %.*s %.*s%s%s %s %.1f ms, ttft %.1f ms, gateway %.0f us, "
                     "tokens %llu+%llu %s%s id=%s",
                     x->status, http_method_name(x->method), SPAN_FMT(x->path),
                     SPAN_FMT(target != NULL ? span_sub(target->model_id, 0, 128) : SPAN_LIT("-")),
                     target != NULL ? " via " : "", target != NULL ? target_name(target) : "",
                     outcome_name(x->outcome), (double)duration_us / 1e3, (double)x->ttft_us / 1e3,
                     (double)x->overhead_us, (unsigned long long)a->usage.prompt,
                     (unsigned long long)a->usage.completion, x->error_type != NULL ? "error=" : "",
                     x->error_type != NULL ? x->error_type : "", x->request_id);
    for (int i = 0; i < n && i < (int)sizeof line - 1; i++) {
        if ((uint8_t)line[i] < ' ')
            line[i] = '?'; /* the path is the client's */
    }
    json_line_put(r, span_of(line, strnlen(line, sizeof line)));
}

void access_record_write(const struct exchange *x, uint64_t duration_us)
{
    struct gateway *g = x->gateway;
    if (g->access_log == NULL)
        return;
    uint8_t *room = log_sink_room(g->access_log, RECORD_ROOM);
    struct json_line r = {room};
    if (room == NULL) {
        metric_add(g->instruments.log_dropped, 1);
        return;
    }
    if (g->access_log_text)
        write_text(x, duration_us, &r);
    else
        write_json(x, duration_us, &r);
    *r.at++ = '\n';
    assert(r.at - room <= RECORD_ROOM);
    log_sink_commit(g->access_log, (size_t)(r.at - room));
    if (!deadline_armed(&g->log_flush)) /* many records a write */
        deadline_set(&g->log_flush, g->access_log_text ? 1 : FLUSH_MS);
}
