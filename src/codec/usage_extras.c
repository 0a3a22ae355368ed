#include "sluice/codec/usage_extras.h"

#include "sluice/format/json_scan.h"

void usage_put_tools(struct json_out *o, const struct usage *u, const char *before)
{
    json_out_span(o, span_text(before));
    json_out_lit(o, "{\"web_search_requests\":");
    json_out_u64(o, u->searches);
    json_out_lit(o, ",\"web_fetch_requests\":");
    json_out_u64(o, u->fetches);
    json_out_lit(o, "}");
}

static void put_count(struct json_out *o, const char *name, uint64_t n, struct span given)
{
    struct json_member unused;
    if (given.len > 0 && json_get(given, name, &unused))
        return;
    json_out_lit(o, "\"");
    json_out_span(o, span_text(name));
    json_out_lit(o, "\":");
    json_out_u64(o, n);
    json_out_lit(o, ",");
}

void usage_put_extras(struct json_out *o, const struct usage *u, uint64_t ttft_ms,
                      enum api_protocol api, struct span given)
{
    struct json_member unused;
    if (api != API_MESSAGES && api != API_RESPONSES) { /* those have them, in their own sense */
        put_count(o, "input_tokens", usage_uncached(u), given);
        put_count(o, "output_tokens", u->completion, given);
    }
    put_count(o, "ttft", ttft_ms, given);
    if (given.len > 0 && json_get(given, "server_tool_use", &unused))
        return;
    usage_put_tools(o, u, "\"server_tool_use\":");
    json_out_lit(o, ",");
}
