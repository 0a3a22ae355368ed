#include "sluice/codec/responses_object.h"

#include "usage_wire.h"

#include "sluice/codec/raw_text.h"
#include "sluice/format/json_walk.h"

#include <stddef.h>

/* --- the echo ------------------------------------------------------------------------------------- */

static const struct {
    const char *key;
    size_t offset;
} echoed[] = {
#define ECHO(name) {#name, offsetof(struct responses_echo, name)}
    ECHO(instructions),
    ECHO(max_output_tokens),
    ECHO(max_tool_calls),
    ECHO(metadata),
    ECHO(parallel_tool_calls),
    ECHO(prompt_cache_key),
    ECHO(reasoning),
    ECHO(safety_identifier),
    ECHO(service_tier),
    ECHO(temperature),
    ECHO(text),
    ECHO(tool_choice),
    ECHO(tools),
    ECHO(top_logprobs),
    ECHO(top_p),
    ECHO(truncation),
    ECHO(presence_penalty),
    ECHO(frequency_penalty),
    ECHO(user),
};

void responses_echo_read(struct responses_echo *e, struct span request)
{
    struct json_walk w;
    *e = (struct responses_echo){.wants_encrypted = false};
    json_walk_init(&w, request);
    while (json_walk_next(&w)) {
        if (w.kind == JSON_NULL)
            continue;
        if (json_walk_is(&w, "include"))
            e->wants_encrypted = span_find(w.value, SPAN_LIT("\"reasoning.encrypted_content\"")) !=
                                 SIZE_MAX;
        for (unsigned i = 0; i < sizeof echoed / sizeof echoed[0]; i++) {
            if (json_walk_is(&w, echoed[i].key))
                *(struct span *)(void *)((char *)e + echoed[i].offset) = w.value;
        }
    }
}

/* `,"key":lexeme`, or what stands for it when the request was silent. */
static void put_echo(struct json_out *o, const char *key, struct span lexeme, const char *otherwise)
{
    json_out_lit(o, ",\"");
    json_out_span(o, span_text(key));
    json_out_lit(o, "\":");
    json_out_line(o, lexeme.len > 0 ? lexeme : span_text(otherwise));
}

/* Every member a function can have, null where the client said nothing; strict is the default. */
static void put_function_tool(struct json_out *o, struct span tool)
{
    struct json_walk w;
    struct span name = SPAN_LIT("\"\""), description = SPAN_LIT("null"),
                parameters = SPAN_LIT("null"), strict = SPAN_LIT("true");
    json_walk_init(&w, tool);
    while (json_walk_next(&w)) {
        if (json_walk_is(&w, "name"))
            name = w.value;
        else if (json_walk_is(&w, "description"))
            description = w.value;
        else if (json_walk_is(&w, "parameters"))
            parameters = w.value;
        else if (json_walk_is(&w, "strict") && w.kind != JSON_NULL)
            strict = w.value;
    }
    json_out_lit(o, "{\"type\":\"function\"");
    put_echo(o, "name", name, "");
    put_echo(o, "description", description, "");
    put_echo(o, "parameters", parameters, "");
    put_echo(o, "strict", strict, "");
    json_out_lit(o, "}");
}

static void put_tools(struct json_out *o, struct span tools)
{
    struct json_member type;
    struct span tool;
    size_t cursor = 0;
    bool is_first = true;
    json_out_lit(o, ",\"tools\":[");
    while (json_each(tools, &cursor, &tool)) {
        if (!is_first)
            json_out_lit(o, ",");
        is_first = false;
        if (json_get(tool, "type", &type) &&
            span_eq(json_value(tool, &type), SPAN_LIT("\"function\"")))
            put_function_tool(o, tool);
        else
            json_out_line(o, tool);
    }
    json_out_lit(o, "]");
}

static void put_text_options(struct json_out *o, struct span text)
{
    struct json_member m;
    json_out_lit(o, ",\"text\":{\"format\":");
    if (text.len > 0 && json_get(text, "format", &m) && m.kind == JSON_OBJECT)
        json_out_line(o, json_value(text, &m));
    else
        json_out_lit(o, "{\"type\":\"text\"}");
    if (text.len > 0 && json_get(text, "verbosity", &m) && m.kind == JSON_STRING) {
        json_out_lit(o, ",\"verbosity\":");
        json_out_span(o, json_value(text, &m));
    }
    json_out_lit(o, "}");
}

/* Numbers that validators want as numbers get the provider's defaults. */
static void put_echoes(struct json_out *o, const struct responses_echo *e)
{
    put_echo(o, "instructions", e->instructions, "null");
    put_echo(o, "max_output_tokens", e->max_output_tokens, "null");
    put_echo(o, "max_tool_calls", e->max_tool_calls, "null");
    put_echo(o, "metadata", e->metadata, "{}");
    put_echo(o, "parallel_tool_calls", e->parallel_tool_calls, "true");
    put_echo(o, "prompt_cache_key", e->prompt_cache_key, "null");
    put_echo(o, "reasoning", e->reasoning, "{\"effort\":null,\"summary\":null}");
    put_echo(o, "safety_identifier", e->safety_identifier, "null");
    put_echo(o, "service_tier", e->service_tier, "\"default\"");
    put_echo(o, "temperature", e->temperature, "1");
    put_text_options(o, e->text);
    put_echo(o, "tool_choice", e->tool_choice, "\"auto\"");
    put_tools(o, e->tools);
    put_echo(o, "top_logprobs", e->top_logprobs, "0");
    put_echo(o, "top_p", e->top_p, "1");
    put_echo(o, "truncation", e->truncation, "\"disabled\"");
    put_echo(o, "presence_penalty", e->presence_penalty, "0");
    put_echo(o, "frequency_penalty", e->frequency_penalty, "0");
    put_echo(o, "user", e->user, "null");
    json_out_lit(o, ",\"previous_response_id\":null,\"store\":false,\"background\":false");
}

/* --- items ---------------------------------------------------------------------------------------- */

static bool is_text(const struct answer_block *b)
{
    return b->kind == ANSWER_TEXT || b->kind == ANSWER_REFUSAL;
}

unsigned responses_item_blocks(const struct turn_answer *a, unsigned i)
{
    unsigned n = 1;
    while (is_text(&a->blocks[i]) && i + n < a->n && is_text(&a->blocks[i + n]))
        n++;
    return n;
}

bool responses_is_item(const struct responses_echo *echo, const struct answer_block *b)
{
    if (b->kind == ANSWER_REDACTED)
        return echo->wants_encrypted;
    if (b->kind == ANSWER_REASONING)
        return buf_len(&b->text) > 0 || (echo->wants_encrypted && buf_len(&b->proof) > 0);
    return true;
}

void responses_put_item_id(struct json_out *o, const struct answer_identity *who,
                           const struct answer_block *b, unsigned index)
{
    static const char *const prefixes[] = {
        [ANSWER_TEXT] = "msg_",    [ANSWER_REFUSAL] = "msg_", [ANSWER_REASONING] = "rs_",
        [ANSWER_REDACTED] = "rs_", [ANSWER_CALL] = "fc_",
    };
    json_out_lit(o, "\"");
    json_out_span(o, span_text(b->is_custom ? "ctc_" : prefixes[b->kind]));
    json_out_span(o, who->id);
    json_out_lit(o, "_");
    json_out_u64(o, index);
    json_out_lit(o, "\"");
}

void responses_put_annotation(struct json_out *o, const struct answer_citation *c, size_t end)
{
    json_out_lit(o, "{\"type\":\"url_citation\",\"start_index\":0,\"end_index\":");
    json_out_u64(o, end);
    json_out_lit(o, ",\"url\":");
    json_out_raw(o, buf_span(&c->url));
    json_out_lit(o, ",\"title\":");
    json_out_raw(o, buf_span(&c->title));
    json_out_lit(o, "}");
}

void responses_put_part(struct json_out *o, const struct answer_block *b)
{
    struct span text = buf_span(&b->text);
    if (b->kind == ANSWER_REFUSAL) {
        json_out_lit(o, "{\"type\":\"refusal\",\"refusal\":");
        json_out_raw(o, text);
        json_out_lit(o, "}");
        return;
    }
    json_out_lit(o, "{\"type\":\"output_text\",\"text\":");
    json_out_raw(o, text);
    json_out_lit(o, ",\"annotations\":[");
    size_t length = b->ncitations > 0 ? raw_text_code_points(text) : 0;
    for (unsigned i = 0; i < b->ncitations; i++) {
        if (i > 0)
            json_out_lit(o, ",");
        responses_put_annotation(o, &b->citations[i], length);
    }
    json_out_lit(o, "],\"logprobs\":[");
    json_out_span(o, buf_span(&b->logprobs));
    json_out_lit(o, "]}");
}

static void put_message(struct json_out *o, const struct turn_answer *a, unsigned i, bool is_begun)
{
    json_out_lit(o, ",\"type\":\"message\",\"role\":\"assistant\",\"content\":[");
    for (unsigned k = 0, n = is_begun ? 0 : responses_item_blocks(a, i); k < n; k++) {
        if (k > 0)
            json_out_lit(o, ",");
        responses_put_part(o, &a->blocks[i + k]);
    }
    json_out_lit(o, "]");
}

void responses_put_reasoning_part(struct json_out *o, const struct answer_identity *who,
                                  struct span text)
{
    json_out_span(o, who->reasons_raw ? SPAN_LIT("{\"type\":\"reasoning_text\",\"text\":")
                                      : SPAN_LIT("{\"type\":\"summary_text\",\"text\":"));
    json_out_raw(o, text);
    json_out_lit(o, "}");
}

static void put_reasoning(struct json_out *o, const struct answer_identity *who,
                          const struct responses_echo *echo, const struct answer_block *b,
                          bool is_begun)
{
    bool has_text = b->kind == ANSWER_REASONING && buf_len(&b->text) > 0 && !is_begun;
    struct span hidden = buf_span(b->kind == ANSWER_REDACTED ? &b->text : &b->proof);
    json_out_lit(o, ",\"type\":\"reasoning\",\"summary\":[");
    if (who->reasons_raw)
        json_out_lit(o, "],\"content\":[");
    if (has_text)
        responses_put_reasoning_part(o, who, buf_span(&b->text));
    json_out_lit(o, "]");
    if (echo->wants_encrypted && hidden.len > 0 && !is_begun) {
        json_out_lit(o, ",\"encrypted_content\":");
        json_out_raw(o, hidden);
    }
}

/* The namespace whose function this is: Codex finds its tools by both names. */
static struct span namespace_of(struct span tools, struct span name)
{
    struct json_member m;
    struct span group, tool;
    for (size_t g = 0; json_each(tools, &g, &group);) {
        if (!json_get(group, "type", &m) ||
            !span_eq(json_value(group, &m), SPAN_LIT("\"namespace\"")) ||
            !json_get(group, "tools", &m))
            continue;
        struct span list = json_value(group, &m);
        for (size_t t = 0; json_each(list, &t, &tool);) {
            if (json_get(tool, "name", &m) && span_eq(json_raw(json_value(tool, &m)), name))
                return json_get(group, "name", &m) ? json_value(group, &m) : SPAN_NONE;
        }
    }
    return SPAN_NONE;
}

static void put_call(struct json_out *o, const struct responses_echo *echo,
                     const struct answer_block *b, bool is_begun)
{
    struct span group = namespace_of(echo->tools, buf_span(&b->name));
    json_out_span(o, span_text(b->is_custom ? ",\"type\":\"custom_tool_call\",\"call_id\":"
                                            : ",\"type\":\"function_call\",\"call_id\":"));
    json_out_raw(o, buf_span(&b->id));
    json_out_lit(o, ",\"name\":");
    json_out_raw(o, buf_span(&b->name));
    if (group.len > 0)
        put_echo(o, "namespace", group, "");
    json_out_span(o, span_text(b->is_custom ? ",\"input\":" : ",\"arguments\":"));
    bool is_empty = buf_len(&b->text) == 0 && !b->is_custom && !is_begun;
    json_out_raw(o, is_empty ? SPAN_LIT("{}") : buf_span(&b->text));
}

void responses_put_item(struct json_out *o, const struct answer_identity *who,
                        const struct responses_echo *echo, const struct turn_answer *a, unsigned i,
                        unsigned index, const char *status)
{
    const struct answer_block *b = &a->blocks[i];
    bool is_begun = strcmp(status, "in_progress") == 0;
    json_out_lit(o, "{\"id\":");
    responses_put_item_id(o, who, b, index);
    json_out_lit(o, ",\"status\":");
    json_out_raw(o, span_text(status));
    if (is_text(b))
        put_message(o, a, i, is_begun);
    else if (b->kind == ANSWER_CALL)
        put_call(o, echo, b, is_begun);
    else
        put_reasoning(o, who, echo, b, is_begun);
    json_out_lit(o, "}");
}

static void put_output(struct json_out *o, const struct answer_identity *who,
                       const struct responses_echo *echo, const struct turn_answer *a,
                       enum response_status status)
{
    unsigned index = 0;
    json_out_lit(o, ",\"output\":[");
    for (unsigned i = 0, n; status != RESPONSE_IN_PROGRESS && i < a->n; i += n) {
        n = responses_item_blocks(a, i);
        if (!responses_is_item(echo, &a->blocks[i]))
            continue;
        if (index > 0)
            json_out_lit(o, ",");
        /* What had ended before the answer was cut is whole. */
        const struct answer_block *b = &a->blocks[i];
        bool is_cut = status != RESPONSE_COMPLETED && !b->has_ended &&
                      (i + n == a->n || b->kind == ANSWER_CALL);
        responses_put_item(o, who, echo, a, i, index++, is_cut ? "incomplete" : "completed");
    }
    json_out_lit(o, "]");
}

/* --- the object ----------------------------------------------------------------------------------- */

static bool has_refusal_text(const struct turn_answer *a)
{
    for (unsigned i = 0; i < a->n; i++) {
        if (a->blocks[i].kind == ANSWER_REFUSAL)
            return true;
    }
    return false;
}

enum response_status responses_status(const struct turn_answer *a)
{
    switch (turn_answer_stop(a)) {
    case STOP_LENGTH:
    case STOP_CONTEXT:
        return RESPONSE_INCOMPLETE;
    case STOP_REFUSAL:
        return has_refusal_text(a) ? RESPONSE_COMPLETED : RESPONSE_INCOMPLETE;
    default:
        return RESPONSE_COMPLETED;
    }
}

static void put_bill(struct json_out *o, const struct usage *u, const struct answer_identity *who)
{
    json_out_lit(o, ",");
    usage_put_responses(o, u, who);
    usage_put_cost(o, who);
}

static void put_error(struct json_out *o, const struct fault *why)
{
    json_out_lit(o, ",\"error\":");
    if (why == NULL) {
        json_out_lit(o, "null");
        return;
    }
    json_out_lit(o, "{\"code\":");
    json_out_raw(o, span_text(fault_openai_code(why)));
    json_out_lit(o, ",\"message\":");
    json_out_bytes(o, span_text(why->message));
    json_out_lit(o, "}");
}

static void put_incomplete(struct json_out *o, const struct turn_answer *a,
                           enum response_status status)
{
    if (status != RESPONSE_INCOMPLETE)
        json_out_lit(o, ",\"incomplete_details\":null");
    else if (turn_answer_stop(a) == STOP_REFUSAL)
        json_out_lit(o, ",\"incomplete_details\":{\"reason\":\"content_filter\"}");
    else
        json_out_lit(o, ",\"incomplete_details\":{\"reason\":\"max_output_tokens\"}");
}

void responses_put_object(struct json_out *o, const struct answer_identity *who,
                          const struct responses_echo *echo, const struct turn_answer *a,
                          enum response_status status, const struct fault *why)
{
    static const char *const words[] = {
        [RESPONSE_IN_PROGRESS] = "in_progress",
        [RESPONSE_COMPLETED] = "completed",
        [RESPONSE_INCOMPLETE] = "incomplete",
        [RESPONSE_FAILED] = "failed",
    };
    json_out_lit(o, "{\"id\":\"resp_");
    json_out_span(o, who->id);
    json_out_lit(o, "\",\"object\":\"response\",\"created_at\":");
    json_out_u64(o, who->created);
    json_out_lit(o, ",\"completed_at\":");
    if (status == RESPONSE_COMPLETED) /* the clock may have been set back meanwhile */
        json_out_u64(o, who->ended > who->created ? who->ended : who->created);
    else
        json_out_lit(o, "null");
    json_out_lit(o, ",\"status\":");
    json_out_raw(o, span_text(words[status]));
    json_out_lit(o, ",\"model\":");
    json_out_raw(o, who->model);
    put_error(o, why);
    put_incomplete(o, a, status);
    put_output(o, who, echo, a, status);
    if (status == RESPONSE_IN_PROGRESS || a->usage.source == USAGE_NONE)
        json_out_lit(o, ",\"usage\":null");
    else
        put_bill(o, &a->usage, who);
    put_echoes(o, echo);
    json_out_lit(o, "}");
}
