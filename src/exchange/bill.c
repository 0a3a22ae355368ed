#include "bill.h"

#include "exchange_priv.h"

#include "sluice/codec/usage_extras.h"

int bill_write_cost(const struct attempt *a, struct buf *out)
{
    struct cost cost = attempt_cost(a);
    return cost_write_members(&cost, out);
}

static bool is_empty(struct span object)
{
    size_t i = 1;
    while (i < object.len && memchr(" \t\r\n", object.at[i], 4) != NULL)
        i++;
    return i < object.len && object.at[i] == '}';
}

int bill_write_usage(const struct attempt *a, struct span usage, struct buf *out)
{
    struct json_out o = json_out_to(out);
    usage_put_extras(&o, &a->usage, attempt_ttft_ms(a), a->x->kind->api, usage);
    if (o.rc == 0 && is_empty(usage))
        out->tail--; /* nothing follows the last comma */
    return o.rc;
}

/* A line break between two members would end the line that the event is written in. */
static int add_line(struct buf *out, struct span json)
{
    size_t from = out->tail;
    int rc = buf_add(out, json);
    for (size_t i = from; rc == 0 && i < out->tail; i++) {
        if (out->at[i] == '\n' || out->at[i] == '\r')
            out->at[i] = ' ';
    }
    return rc;
}

static int add_name(struct buf *out, struct span name)
{
    return name.len == 0 ? 0 : buf_addf(out, "event: %.*s\n", SPAN_FMT(name));
}

/* What is told of the request stands in the object that has the usage; in Chat its number, too. */
static int add_members(struct attempt *a, const struct passing_event *e, struct buf *out)
{
    int rc = 0;
    if (!e->has_request_id)
        rc = buf_addf(out, "\"request_id\":\"%s\",", a->x->request_id);
    if (rc == 0)
        rc = bill_write_cost(a, out);
    return rc == 0 ? buf_add_byte(out, ',') : rc;
}

struct span bill_event(struct attempt *a, struct span name, struct span data,
                       const struct passing_event *e)
{
    struct buf made = {0};
    struct span kept = data;
    size_t host = e->host + 1, usage = (size_t)(e->usage.at - data.at) + 1;
    if (add_name(&made, name) == 0 && buf_add_text(&made, "data: ") == 0 &&
        add_line(&made, span_sub(data, 0, host)) == 0 && add_members(a, e, &made) == 0 &&
        add_line(&made, span_sub(data, host, usage - host)) == 0 &&
        bill_write_usage(a, e->usage, &made) == 0 && add_line(&made, span_skip(data, usage)) == 0 &&
        buf_add_text(&made, "\n\n") == 0)
        kept = arena_keep(&a->x->arena, buf_span(&made));
    buf_fini(&made);
    return kept;
}

void bill_keep_beginning(struct attempt *a, struct span data)
{
    size_t choices = span_find(data, SPAN_LIT("\"choices\""));
    if (choices != SIZE_MAX)
        a->lane.beginning = arena_keep(&a->x->arena, span_sub(data, 0, choices));
}

static void put_identity(struct json_out *o, const struct attempt *a)
{
    const struct exchange *x = a->x;
    bool is_text = x->kind->api == API_COMPLETIONS;
    if (a->lane.beginning.len > 0) {
        json_out_span(o, a->lane.beginning);
        return;
    }
    json_out_lit(o, "{\"id\":\"gen-");
    json_out_span(o, span_of(x->request_id, 32));
    json_out_span(o, is_text ? SPAN_LIT("\",\"object\":\"text_completion\",\"created\":")
                             : SPAN_LIT("\",\"object\":\"chat.completion.chunk\",\"created\":"));
    json_out_u64(o, x->opened_unix_ms / 1000);
    json_out_lit(o, ",\"model\":");
    json_out_bytes(o, a->target->model_id);
    json_out_lit(o, ",");
}

struct span bill_last_chunk(struct attempt *a)
{
    struct buf made = {0};
    struct json_out o = json_out_to(&made);
    const struct usage *u = &a->usage;
    struct span kept = SPAN_NONE;
    attempt_estimate_usage(a, true);
    json_out_lit(&o, "data: ");
    put_identity(&o, a);
    json_out_lit(&o, "\"choices\":[],\"usage\":{");
    usage_put_extras(&o, u, attempt_ttft_ms(a), a->x->kind->api, SPAN_NONE);
    json_out_lit(&o, "\"prompt_tokens\":");
    json_out_u64(&o, u->prompt);
    json_out_lit(&o, ",\"completion_tokens\":");
    json_out_u64(&o, u->completion);
    json_out_lit(&o, ",\"total_tokens\":");
    json_out_u64(&o, u->prompt + u->completion);
    json_out_lit(&o, "},\"request_id\":\"");
    json_out_span(&o, span_of(a->x->request_id, 32));
    json_out_lit(&o, "\",");
    if (o.rc == 0 && bill_write_cost(a, &made) == 0 &&
        buf_add_text(&made, "}\n\ndata: [DONE]\n\n") == 0)
        kept = arena_keep(&a->x->arena, buf_span(&made));
    buf_fini(&made);
    return kept;
}
