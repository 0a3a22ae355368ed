#include "log_record.h"

#include "sluice/base/timestamp.h"
#include "sluice/meter/cost.h"

#include <stdio.h>

/* --- numbers -------------------------------------------------------------------------------------- */

void log_usd(struct json_out *o, uint64_t pd)
{
    if (o->rc == 0)
        o->rc = cost_write_usd(pd, o->buf);
}

void log_ms(struct json_out *o, uint64_t us)
{
    json_out_u64(o, us / 1000);
    unsigned rest = (unsigned)(us % 1000);
    if (rest > 0 && o->rc == 0)
        o->rc = rest % 100 == 0  ? buf_addf(o->buf, ".%u", rest / 100)
                : rest % 10 == 0 ? buf_addf(o->buf, ".%02u", rest / 10)
                                 : buf_addf(o->buf, ".%03u", rest);
}

static double to_millionths(double v)
{
    return (double)(long long)(v * 1e6 + (v < 0 ? -0.5 : 0.5)) / 1e6;
}

void log_share(struct json_out *o, uint64_t n, uint64_t all)
{
    double share = all == 0 ? 0 : (double)n / (double)all;
    json_out_double(o, to_millionths(share));
}

/* How much less than the list it was; more, where writing to a cache was dearer than it saved. */
static void write_savings(struct json_out *o, const struct history_record *r)
{
    double list = (double)r->number[HISTORY_LIST_COST_PD];
    double saved = list - (double)r->number[HISTORY_FINAL_COST_PD];
    json_out_double(o, list > 0 ? to_millionths(saved / list * 100) : 0);
}

/* --- columns -------------------------------------------------------------------------------------- */

enum kind {
    TIME,
    ID,
    TEXT,  /* null when there is none */
    EXTRA, /* a text that is left out when there is none */
    STATUS,
    NUMBER,
    TOTAL_TOKENS,
    MS,
    MS_IF_ANY, /* null when it is 0 */
    USD,
    HIT_RATE,
    SAVINGS,
    FLAG,
    ATTEMPTS,
};

/* In the contract's order. */
static const struct column {
    const char *name;
    enum kind kind;
    unsigned which;
} columns[] = {
    {"time", TIME, 0},
    {"request_id", ID, 0},
    {"client_request_id", EXTRA, HISTORY_CLIENT_REQUEST_ID},
    {"endpoint_row", TEXT, HISTORY_ENDPOINT_ROW},
    {"model", TEXT, HISTORY_MODEL},
    {"upstream_model", TEXT, HISTORY_UPSTREAM_MODEL},
    {"provider", TEXT, HISTORY_PROVIDER},
    {"endpoint", TEXT, HISTORY_ENDPOINT},
    {"key_id", TEXT, HISTORY_KEY_ID},
    {"key_name", TEXT, HISTORY_KEY_NAME},
    {"status", STATUS, 0},
    {"http_status", NUMBER, HISTORY_HTTP_STATUS},
    {"error_type", EXTRA, HISTORY_ERROR_TYPE},
    {"finish_reason", TEXT, HISTORY_FINISH_REASON},
    {"native_finish_reason", TEXT, HISTORY_NATIVE_FINISH_REASON},
    {"stream", FLAG, CALL_STREAMED},
    {"input_tokens", NUMBER, HISTORY_INPUT_TOKENS},
    {"output_tokens", NUMBER, HISTORY_OUTPUT_TOKENS},
    {"total_tokens", TOTAL_TOKENS, 0},
    {"cached_tokens", NUMBER, HISTORY_CACHED_TOKENS},
    {"cache_write_tokens", NUMBER, HISTORY_CACHE_WRITE_TOKENS},
    {"reasoning_tokens", NUMBER, HISTORY_REASONING_TOKENS},
    {"usage_estimated", FLAG, CALL_USAGE_ESTIMATED},
    {"duration_ms", MS, HISTORY_DURATION_US},
    {"ttft_ms", MS_IF_ANY, HISTORY_TTFT_US},
    {"gateway_overhead_ms", MS, HISTORY_OVERHEAD_US},
    {"list_cost", USD, HISTORY_LIST_COST_PD},
    {"discounted_cost", USD, HISTORY_DISCOUNTED_COST_PD},
    {"final_cost", USD, HISTORY_FINAL_COST_PD},
    {"cache_hit_rate", HIT_RATE, 0},
    {"savings_pct", SAVINGS, 0},
    {"is_byok", FLAG, CALL_ON_OWN_KEY},
    {"byok_cost", USD, HISTORY_BYOK_COST_PD},
    {"insured", FLAG, CALL_INSURED},
    {"attempts", ATTEMPTS, 0},
    {"sticky", FLAG, CALL_STICKY},
    {"batch_id", EXTRA, HISTORY_BATCH_ID},
};
enum { COLUMNS = sizeof columns / sizeof columns[0] };

static void write_time(struct json_out *o, const struct history_record *r)
{
    char text[TIMESTAMP_BYTES];
    timestamp_write(r->time_unix_ms, text);
    json_out_span(o, span_of(text, sizeof text));
}

static void write_id(struct json_out *o, const struct history_record *r)
{
    char text[2 * HISTORY_ID_BYTES];
    history_id_write(r->id, text);
    json_out_span(o, span_of(text, sizeof text));
}

/* What is the same in both forms. */
static void write_plain(struct json_out *o, const struct column *c, const struct history_record *r)
{
    switch (c->kind) {
    case TIME:
        write_time(o, r);
        break;
    case ID:
        write_id(o, r);
        break;
    case STATUS:
        json_out_span(
            o, span_text(history_status_name((enum history_status)r->number[HISTORY_STATUS])));
        break;
    case NUMBER:
        json_out_u64(o, r->number[c->which]);
        break;
    case TOTAL_TOKENS:
        json_out_u64(o, r->number[HISTORY_INPUT_TOKENS] + r->number[HISTORY_OUTPUT_TOKENS]);
        break;
    case MS:
    case MS_IF_ANY:
        log_ms(o, r->number[c->which]);
        break;
    case USD:
        log_usd(o, r->number[c->which]);
        break;
    case HIT_RATE:
        log_share(o, r->number[HISTORY_CACHED_TOKENS], r->number[HISTORY_INPUT_TOKENS]);
        break;
    case SAVINGS:
        write_savings(o, r);
        break;
    case FLAG:
        json_out_span(o,
                      r->number[HISTORY_FLAGS] & c->which ? SPAN_LIT("true") : SPAN_LIT("false"));
        break;
    case TEXT:
    case EXTRA:
    case ATTEMPTS:
        break; /* not the same */
    }
}

/* --- JSON ----------------------------------------------------------------------------------------- */

static void write_attempts(struct json_out *o, const struct history_record *r)
{
    json_out_lit(o, "[");
    for (unsigned i = 0; i < r->nattempts; i++) {
        json_out_span(o, i > 0 ? SPAN_LIT(",{\"endpoint\":") : SPAN_LIT("{\"endpoint\":"));
        json_out_bytes(o, r->attempts[i].endpoint);
        json_out_lit(o, ",\"result\":");
        json_out_bytes(o, r->attempts[i].result);
        json_out_lit(o, ",\"status\":");
        json_out_u64(o, r->attempts[i].status);
        json_out_lit(o, ",\"latency_ms\":");
        json_out_u64(o, r->attempts[i].latency_ms);
        json_out_lit(o, "}");
    }
    json_out_lit(o, "]");
}

static void write_value(struct json_out *o, const struct column *c, const struct history_record *r)
{
    bool is_word = c->kind == TIME || c->kind == ID || c->kind == STATUS;
    bool is_null = (c->kind == TEXT && r->text[c->which].len == 0) ||
                   (c->kind == MS_IF_ANY && r->number[c->which] == 0);
    if (is_null) {
        json_out_lit(o, "null");
    } else if (c->kind == TEXT || c->kind == EXTRA) {
        json_out_bytes(o, r->text[c->which]);
    } else if (c->kind == ATTEMPTS) {
        write_attempts(o, r);
    } else {
        json_out_span(o, is_word ? SPAN_LIT("\"") : SPAN_NONE);
        write_plain(o, c, r);
        json_out_span(o, is_word ? SPAN_LIT("\"") : SPAN_NONE);
    }
}

void log_record_write(struct json_out *o, const struct history_record *r)
{
    struct span before = SPAN_LIT("{\"");
    for (unsigned i = 0; i < COLUMNS; i++) {
        const struct column *c = &columns[i];
        if (c->kind == EXTRA && r->text[c->which].len == 0)
            continue;
        json_out_span(o, before);
        json_out_span(o, span_text(c->name));
        json_out_lit(o, "\":");
        write_value(o, c, r);
        before = SPAN_LIT(",\"");
    }
    json_out_lit(o, "}");
}

/* --- CSV ------------------------------------------------------------------------------------------ */

/* What spreadsheets begin a formula with (OWASP, "CSV injection"); a quote before it makes it a text. */
static bool begins_formula(struct span text)
{
    return text.len > 0 && memchr("=+-@\t\r\n", text.at[0], 7) != NULL;
}

void csv_text(struct json_out *o, struct span text)
{
    bool is_plain = !begins_formula(text);
    for (size_t i = 0; is_plain && i < text.len; i++)
        is_plain = text.at[i] >= ' ' && text.at[i] != '"' && text.at[i] != ',';
    if (is_plain) {
        json_out_span(o, text);
        return;
    }
    json_out_lit(o, "\"");
    if (begins_formula(text))
        json_out_lit(o, "'");
    while (text.at != NULL) {
        struct span part = span_cut(&text, '"');
        json_out_span(o, part);
        if (text.at != NULL)
            json_out_lit(o, "\"\"");
    }
    json_out_lit(o, "\"");
}

/* "a status_5xx 500 12; b ok 200 340" */
static void write_attempts_cell(struct json_out *o, const struct history_record *r)
{
    char cell[HISTORY_ATTEMPTS_MAX * 320];
    size_t len = 0;
    for (unsigned i = 0; i < r->nattempts; i++) {
        const struct history_attempt *a = &r->attempts[i];
        int n = snprintf(cell + len, sizeof cell - len, "%s%.*s %.*s %llu %llu", i > 0 ? "; " : "",
                         SPAN_FMT(a->endpoint), SPAN_FMT(a->result), (unsigned long long)a->status,
                         (unsigned long long)a->latency_ms);
        len += n > 0 && (size_t)n < sizeof cell - len ? (size_t)n : 0;
    }
    csv_text(o, span_of(cell, len));
}

void log_record_write_names(struct json_out *o)
{
    for (unsigned i = 0; i < COLUMNS; i++) {
        json_out_span(o, i > 0 ? SPAN_LIT(",") : SPAN_NONE);
        json_out_span(o, span_text(columns[i].name));
    }
    json_out_lit(o, "\r\n");
}

void log_record_write_line(struct json_out *o, const struct history_record *r)
{
    for (unsigned i = 0; i < COLUMNS; i++) {
        const struct column *c = &columns[i];
        json_out_span(o, i > 0 ? SPAN_LIT(",") : SPAN_NONE);
        if (c->kind == TEXT || c->kind == EXTRA)
            csv_text(o, r->text[c->which]);
        else if (c->kind == ATTEMPTS)
            write_attempts_cell(o, r);
        else if (c->kind != MS_IF_ANY || r->number[c->which] > 0)
            write_plain(o, c, r);
    }
    json_out_lit(o, "\r\n");
}
