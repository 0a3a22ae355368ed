#include "reply.h"

#include "terminal.h"

#include "sluice/format/json_scan.h"
#include "sluice/net/loop.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { EVENT_BYTES_MAX = 16 << 20 };

void reply_init(struct reply *r)
{
    *r = (struct reply){.sent_us = clock_us()};
    sse_init(&r->sse, EVENT_BYTES_MAX);
}

void reply_fini(struct reply *r)
{
    sse_fini(&r->sse);
    buf_fini(&r->text);
    buf_fini(&r->body);
}

/* ── members ─────────────────────────────────────────────────────────────────────────────────── */

static struct span first_choice(struct span data)
{
    struct span choice = SPAN_NONE;
    size_t cursor = 0;
    return json_each(json_find(data, "choices"), &cursor, &choice) ? choice : SPAN_NONE;
}

/* ── what it says ────────────────────────────────────────────────────────────────────────────── */

static void note_problem(struct reply *r, struct span error)
{
    char message[512];
    if (r->problem[0] != '\0')
        return;
    caller_text(error.len > 0 && error.at[0] == '"' ? error : json_find(error, "message"), message,
                sizeof message);
    snprintf(r->problem, sizeof r->problem, "%s",
             message[0] != '\0' ? message : "an error without a message");
}

static void note_usage(struct reply *r, struct span data)
{
    struct span usage = json_find(data, "usage");
    if (usage.len == 0 || usage.at[0] != '{')
        return;
    r->has_usage = json_u64(json_find(usage, "completion_tokens"), &r->tokens_out);
    json_u64(json_find(usage, "prompt_tokens"), &r->tokens_in);
    struct span cost = json_find(data, "cost");
    if (cost.len == 0)
        cost = json_find(usage, "cost");
    if (cost.len > 0 && cost.at[0] >= '0' && cost.at[0] <= '9')
        snprintf(r->cost, sizeof r->cost, "%.*s", SPAN_FMT(cost));
}

/* Decodes a JSON string behind what `out` holds; false when it is none, or empty. */
static bool add_decoded(struct buf *out, struct span value)
{
    if (value.len <= 2 || value.at[0] != '"' || buf_reserve(out, value.len) < 0)
        return false;
    long len = json_string(value, (char *)out->at + out->tail, value.len);
    if (len <= 0)
        return false;
    out->tail += (size_t)len;
    return true;
}

static void note_time(struct reply *r)
{
    r->last_us = clock_us();
    if (r->first_us == 0)
        r->first_us = r->last_us;
}

static void end_thought(struct reply *r)
{
    if (r->in_thought)
        fprintf(stderr, "%s\n", terminal_style(stderr, STYLE_NONE));
    r->in_thought = false;
}

static void show_thought(struct reply *r, struct span value)
{
    struct buf thought = {0};
    if (add_decoded(&thought, value)) {
        note_time(r);
        if (isatty(STDERR_FILENO)) {
            if (!r->in_thought)
                fputs(terminal_style(stderr, STYLE_DIM), stderr);
            r->in_thought = true;
            terminal_write(stderr, buf_span(&thought));
        }
    }
    buf_fini(&thought);
}

static void show_text(struct reply *r, struct span value)
{
    size_t before = buf_len(&r->text);
    if (!add_decoded(&r->text, value))
        return;
    note_time(r);
    end_thought(r);
    terminal_write(stdout, span_skip(buf_span(&r->text), before));
}

/* A chunk of a stream, or (with "message") a whole answer. */
static void read_answer(struct reply *r, struct span data, const char *holder)
{
    struct span error = json_find(data, "error");
    if (error.len > 0 && !span_eq(error, SPAN_LIT("null")))
        note_problem(r, error);
    struct span choice = first_choice(data), said = json_find(choice, holder);
    struct span finish = json_find(choice, "finish_reason");
    if (finish.len > 0 && finish.at[0] == '"')
        r->is_done = true; /* some servers leave out [DONE] */
    struct span thought = json_find(said, "reasoning_content");
    show_thought(r, thought.len > 0 ? thought : json_find(said, "reasoning"));
    show_text(r, json_find(said, "content"));
    note_usage(r, data);
}

/* ── events of the call ──────────────────────────────────────────────────────────────────────── */

static void on_head(void *arg, const struct http_head *head)
{
    struct reply *r = arg;
    r->status = head->status;
    r->is_stream = head->status == 200 &&
                   span_starts(head_value(head, "content-type"), SPAN_LIT("text/event-stream"));
    struct span provider = head_value(head, "x-sluice-provider");
    if (provider.len > 0 && provider.len < sizeof r->provider)
        memcpy(r->provider, provider.at, provider.len);
}

static bool read_stream(struct reply *r, struct span bytes)
{
    enum sse_status status;
    while ((status = sse_next(&r->sse, &bytes)) == SSE_EVENT) {
        if (span_eq(r->sse.data, SPAN_LIT("[DONE]")))
            r->is_done = true;
        else
            read_answer(r, r->sse.data, "delta");
    }
    if (status == SSE_TOO_LARGE)
        snprintf(r->problem, sizeof r->problem, "the gateway sent an event larger than 16 MiB");
    return status == SSE_MORE;
}

static bool on_data(void *arg, struct span bytes)
{
    struct reply *r = arg;
    if (r->is_stream)
        return read_stream(r, bytes) && ferror(stdout) == 0;
    return buf_len(&r->body) + bytes.len <= CALLER_BODY_MAX && buf_add(&r->body, bytes) == 0;
}

const struct caller_events reply_events = {on_head, on_data};

/* ── the end ─────────────────────────────────────────────────────────────────────────────────── */

static void end_line(struct reply *r)
{
    struct span said = buf_span(&r->text);
    end_thought(r);
    if (said.len > 0 && said.at[said.len - 1] != '\n')
        terminal_write(stdout, SPAN_LIT("\n"));
}

static const char *hint(unsigned status)
{
    if (status == 401 && getenv("SLUICE_API_KEY") == NULL)
        return "\nSet SLUICE_API_KEY to a key of this gateway.";
    if (status == 404)
        return "\nIs --url the gateway's base URL? It ends in /v1.";
    return "";
}

static int refuse(struct reply *r)
{
    struct span body = buf_span(&r->body), error = json_find(body, "error");
    char type[64];
    caller_text(json_find(error, "type"), type, sizeof type);
    note_problem(r, error);
    if (error.len == 0)
        terminal_error("the answer is %u %s, and not from sluice%s", r->status,
                       http_reason(r->status), hint(r->status));
    else
        terminal_error("%s (%u%s%s)%s", r->problem, r->status, type[0] != '\0' ? " " : "", type,
                       r->status == 401 ? hint(401) : "");
    return caller_exit_code(r->status);
}

int reply_finish(struct reply *r, enum call_end end, const struct err *why, const char *url)
{
    if (end == CALL_ANSWERED && r->status == 200 && !r->is_stream) {
        read_answer(r, buf_span(&r->body), "message");
    }
    end_line(r);
    if (end == CALL_UNREACHABLE) {
        terminal_error("cannot reach %s: %s\nIs it running? `sluice serve` starts one; --url names "
                       "another.",
                       url, why->text);
        return EXIT_UNREACHABLE;
    }
    if (end == CALL_ANSWERED && r->status != 200)
        return refuse(r);
    if (r->problem[0] != '\0')
        terminal_error("%s", r->problem);
    else if (end == CALL_BROKEN || (end == CALL_ANSWERED && !r->is_done))
        terminal_error("the answer broke off: %s",
                       err_is_set(why) ? why->text : "the stream ended too early");
    else
        return terminal_finish();
    return EXIT_FAILED;
}

void reply_print_stats(const struct reply *r)
{
    if (r->first_us == 0)
        return;
    double total_s = (double)(r->last_us - r->sent_us) / 1e6;
    double text_s = (double)(r->last_us - r->first_us) / 1e6;
    fprintf(stderr, "%sttft %llu ms, %.2f s", terminal_style(stderr, STYLE_DIM),
            (unsigned long long)(r->first_us - r->sent_us) / 1000, total_s);
    if (r->has_usage && r->tokens_out > 1 && text_s > 0)
        fprintf(stderr, ", %.1f tokens/s", (double)(r->tokens_out - 1) / text_s);
    if (r->has_usage)
        fprintf(stderr, ", %llu tokens in, %llu out", (unsigned long long)r->tokens_in,
                (unsigned long long)r->tokens_out);
    if (r->cost[0] != '\0')
        fprintf(stderr, ", $%s", r->cost);
    if (r->provider[0] != '\0')
        fprintf(stderr, ", %s", r->provider);
    fprintf(stderr, "%s\n", terminal_style(stderr, STYLE_NONE));
}
