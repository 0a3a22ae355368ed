/* Are these bytes a stream of that protocol? Written from the protocols' own descriptions (protocols.md
 * §3.3, §4.3, §5.3) with a JSON library, so that it shares nothing with the writers it judges. What the
 * stream said is put together on the way: texts and calls must come out of every protocol alike. */
#ifndef SLUICE_TEST_TURN_GRAMMAR_H
#define SLUICE_TEST_TURN_GRAMMAR_H

#include "sluice/codec/fault.h"
#include "sluice/format/sse.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <yyjson.h>

enum { SAID_CALLS_MAX = 64 };

struct said {
    struct buf text, reasoning;
    struct {
        struct buf name, arguments;
        char item[96];
        bool is_done;
    } calls[SAID_CALLS_MAX];
    unsigned ncalls;
    bool has_failed;
    uint64_t input_tokens, output_tokens;
    char stop[40];
};

struct grammar {
    struct said said;
    char problem[200]; /* empty: none so far */
    /* state */
    unsigned events;
    bool has_started, has_finished, is_over;
    int open;      /* Messages: index of the open block, or -1 */
    unsigned next; /* Messages: index of the next block */
    bool open_is_call;
    unsigned ndetails; /* Chat: elements of reasoning_details, and what the last one is */
    char detail[32];
    uint64_t sequence; /* Responses */
    unsigned weighed;  /* Responses: tokens of the open part */
    struct {
        char id[96];
        bool is_done, part_open;
        unsigned parts;
    } items[256];
    unsigned nitems;
};

static inline void grammar_init(struct grammar *g)
{
    memset(g, 0, sizeof *g);
    g->open = -1;
}

static inline void said_fini(struct said *s)
{
    buf_fini(&s->text);
    buf_fini(&s->reasoning);
    for (unsigned i = 0; i < s->ncalls; i++) {
        buf_fini(&s->calls[i].name);
        buf_fini(&s->calls[i].arguments);
    }
}

__attribute__((format(printf, 2, 3))) static inline void wrong(struct grammar *g,
                                                               const char *format, ...)
{
    va_list args;
    if (g->problem[0] != '\0')
        return;
    va_start(args, format);
    vsnprintf(g->problem, sizeof g->problem, format, args);
    va_end(args);
}

static inline const char *str(yyjson_val *object, const char *key)
{
    const char *s = yyjson_get_str(yyjson_obj_get(object, key));
    return s != NULL ? s : "";
}

static inline void append(struct buf *to, yyjson_val *value)
{
    if (yyjson_is_str(value) &&
        buf_add(to, span_of(yyjson_get_str(value), yyjson_get_len(value))) < 0)
        abort();
}

static inline void new_call(struct grammar *g, const char *name, const char *item)
{
    if (g->said.ncalls == SAID_CALLS_MAX) {
        wrong(g, "more calls than a test can hold");
        return;
    }
    snprintf(g->said.calls[g->said.ncalls].item, 96, "%s", item);
    if (name[0] == '\0')
        wrong(g, "a call without a name");
    if (buf_add_text(&g->said.calls[g->said.ncalls++].name, name) < 0)
        abort();
}

/* A list of tokens and how probable they were; how many. */
static inline unsigned check_logprobs(struct grammar *g, yyjson_val *list)
{
    yyjson_val *token;
    size_t i, n;
    if (!yyjson_is_arr(list))
        wrong(g, "logprobs are no list");
    yyjson_arr_foreach(list, i, n, token)
    {
        if (!yyjson_is_str(yyjson_obj_get(token, "token")) ||
            !yyjson_is_num(yyjson_obj_get(token, "logprob")) ||
            yyjson_obj_get(token, "bytes") == NULL ||
            !yyjson_is_arr(yyjson_obj_get(token, "top_logprobs")))
            wrong(g, "a token without all its members");
    }
    return (unsigned)yyjson_arr_size(list);
}

/* --- chat ----------------------------------------------------------------------------------------- */

static inline void check_chat_call(struct grammar *g, yyjson_val *call)
{
    yyjson_val *index = yyjson_obj_get(call, "index"), *function = yyjson_obj_get(call, "function");
    bool is_custom = function == NULL;
    if (is_custom)
        function = yyjson_obj_get(call, "custom");
    uint64_t i = yyjson_get_uint(index);
    if (!yyjson_is_uint(index) || i > g->said.ncalls)
        wrong(g, "tool call indexes are not dense");
    else if (i == g->said.ncalls) {
        new_call(g, str(function, "name"), str(call, "id"));
        if (str(call, "id")[0] == '\0' || str(call, "type")[0] == '\0')
            wrong(g, "a tool call begins without id or type");
    } else if (yyjson_obj_get(call, "id") != NULL) {
        wrong(g, "a tool call begins twice");
    }
    if (g->problem[0] == '\0')
        append(&g->said.calls[i].arguments,
               yyjson_obj_get(function, is_custom ? "input" : "arguments"));
}

/* Elements are numbered densely, and go on only where nothing came between. */
static inline void check_chat_detail(struct grammar *g, yyjson_val *detail)
{
    yyjson_val *index = yyjson_obj_get(detail, "index");
    uint64_t i = yyjson_get_uint(index);
    const char *type = str(detail, "type");
    bool goes_on = g->ndetails > 0 && i == g->ndetails - 1 && strcmp(g->detail, type) == 0;
    if (!yyjson_is_uint(index) || (i != g->ndetails && !goes_on))
        wrong(g, "indexes of reasoning_details are not dense");
    if (yyjson_obj_get(detail, "id") == NULL || str(detail, "format")[0] == '\0')
        wrong(g, "an element of reasoning_details without id or format");
    g->ndetails = (unsigned)i + 1;
    snprintf(g->detail, sizeof g->detail, "%s", type);
}

static inline void check_chat_choice(struct grammar *g, yyjson_val *choice)
{
    yyjson_val *delta = yyjson_obj_get(choice, "delta"), *calls, *call, *details, *detail,
               *logprobs;
    size_t i, n;
    if (!yyjson_is_uint(yyjson_obj_get(choice, "index")) || !yyjson_is_obj(delta))
        wrong(g, "a choice without index or delta");
    if (!g->has_started && strcmp(str(delta, "role"), "assistant") != 0 && !g->said.has_failed)
        wrong(g, "the first chunk names no role");
    if (g->has_finished && !g->said.has_failed)
        wrong(g, "a choice after the finish chunk");
    g->has_started = true;
    append(&g->said.text, yyjson_obj_get(delta, "content"));
    append(&g->said.text, yyjson_obj_get(delta, "refusal"));
    append(&g->said.reasoning, yyjson_obj_get(delta, "reasoning_content"));
    calls = yyjson_obj_get(delta, "tool_calls");
    yyjson_arr_foreach(calls, i, n, call)
    {
        check_chat_call(g, call);
    }
    details = yyjson_obj_get(delta, "reasoning_details");
    yyjson_arr_foreach(details, i, n, detail)
    {
        check_chat_detail(g, detail);
    }
    logprobs = yyjson_obj_get(choice, "logprobs");
    if (yyjson_is_obj(logprobs))
        (void)check_logprobs(g, yyjson_obj_get(logprobs, "content"));
    if (yyjson_is_str(yyjson_obj_get(choice, "finish_reason"))) {
        g->has_finished = true;
        snprintf(g->said.stop, sizeof g->said.stop, "%s", str(choice, "finish_reason"));
    }
}

static inline void check_chat(struct grammar *g, struct span data, yyjson_val *root)
{
    if (span_eq(data, SPAN_LIT("[DONE]"))) {
        if (!g->has_finished)
            wrong(g, "[DONE] before a finish chunk");
        g->is_over = true;
        return;
    }
    yyjson_val *choices = yyjson_obj_get(root, "choices");
    if (!yyjson_is_arr(choices))
        wrong(g, "a chunk without choices");
    g->said.has_failed |= yyjson_is_obj(yyjson_obj_get(root, "error"));
    if (!g->said.has_failed && strcmp(str(root, "provider"), "p") != 0)
        wrong(g, "a chunk that does not say who served it");
    if (yyjson_arr_size(choices) > 0) {
        check_chat_choice(g, yyjson_arr_get_first(choices));
        return;
    }
    yyjson_val *usage = yyjson_obj_get(root, "usage");
    if (!g->has_finished || usage == NULL)
        wrong(g, "a chunk without a choice is no usage chunk");
    g->said.input_tokens = yyjson_get_uint(yyjson_obj_get(usage, "prompt_tokens"));
    g->said.output_tokens = yyjson_get_uint(yyjson_obj_get(usage, "completion_tokens"));
}

/* --- messages ------------------------------------------------------------------------------------- */

static inline void check_block_start(struct grammar *g, yyjson_val *root)
{
    yyjson_val *block = yyjson_obj_get(root, "content_block");
    const char *type = str(block, "type");
    if (g->open >= 0 || yyjson_get_uint(yyjson_obj_get(root, "index")) != g->next)
        wrong(g, "a block begins inside another, or with a gap");
    g->open = (int)g->next++;
    g->open_is_call = strcmp(type, "tool_use") == 0;
    if (g->open_is_call) {
        new_call(g, str(block, "name"), str(block, "id"));
        if (!yyjson_is_obj(yyjson_obj_get(block, "input")) || str(block, "id")[0] == '\0')
            wrong(g, "a tool_use without input or id");
    } else if (strcmp(type, "text") != 0 && strcmp(type, "thinking") != 0 &&
               strcmp(type, "redacted_thinking") != 0) {
        wrong(g, "a block of type %s", type);
    }
}

static inline void check_block_delta(struct grammar *g, yyjson_val *root)
{
    yyjson_val *delta = yyjson_obj_get(root, "delta");
    const char *type = str(delta, "type");
    if (g->open < 0 || yyjson_get_uint(yyjson_obj_get(root, "index")) != (uint64_t)g->open)
        wrong(g, "a delta for a block that is not open");
    if (strcmp(type, "input_json_delta") == 0) {
        if (!g->open_is_call || g->said.ncalls == 0)
            wrong(g, "arguments outside a tool_use");
        else
            append(&g->said.calls[g->said.ncalls - 1].arguments,
                   yyjson_obj_get(delta, "partial_json"));
    } else if (g->open_is_call) {
        wrong(g, "a %s inside a tool_use", type);
    }
    append(&g->said.text, yyjson_obj_get(delta, "text"));
    append(&g->said.reasoning, yyjson_obj_get(delta, "thinking"));
}

static inline void check_message_end(struct grammar *g, yyjson_val *root)
{
    yyjson_val *usage = yyjson_obj_get(root, "usage");
    if (g->open >= 0 || !yyjson_is_uint(yyjson_obj_get(usage, "output_tokens")))
        wrong(g, "message_delta inside a block, or without usage");
    g->has_finished = true;
    snprintf(g->said.stop, sizeof g->said.stop, "%s",
             str(yyjson_obj_get(root, "delta"), "stop_reason"));
    g->said.input_tokens = yyjson_get_uint(yyjson_obj_get(usage, "input_tokens")) +
                           yyjson_get_uint(yyjson_obj_get(usage, "cache_read_input_tokens")) +
                           yyjson_get_uint(yyjson_obj_get(usage, "cache_creation_input_tokens"));
    g->said.output_tokens = yyjson_get_uint(yyjson_obj_get(usage, "output_tokens"));
}

static inline void check_message_start(struct grammar *g, yyjson_val *root)
{
    yyjson_val *message = yyjson_obj_get(root, "message");
    if (g->has_started)
        wrong(g, "a second message_start");
    if (!yyjson_is_arr(yyjson_obj_get(message, "content")) ||
        !yyjson_is_uint(yyjson_obj_get(yyjson_obj_get(message, "usage"), "input_tokens")))
        wrong(g, "message_start without content or usage");
    g->has_started = true;
}

static inline void check_messages(struct grammar *g, const char *type, yyjson_val *root)
{
    bool is_start = strcmp(type, "message_start") == 0;
    if (strcmp(type, "error") == 0) {
        g->said.has_failed = g->is_over = true;
        if (!yyjson_is_obj(yyjson_obj_get(root, "error")))
            wrong(g, "an error event without an error");
        return;
    }
    if (!g->has_started && !is_start)
        wrong(g, "%s before message_start", type);
    if (g->has_finished && strcmp(type, "message_stop") != 0)
        wrong(g, "%s after message_delta", type);
    if (is_start) {
        check_message_start(g, root);
    } else if (strcmp(type, "content_block_start") == 0) {
        check_block_start(g, root);
    } else if (strcmp(type, "content_block_delta") == 0) {
        check_block_delta(g, root);
    } else if (strcmp(type, "content_block_stop") == 0) {
        if (g->open < 0 || yyjson_get_uint(yyjson_obj_get(root, "index")) != (uint64_t)g->open)
            wrong(g, "a block ends that is not open");
        g->open = -1;
    } else if (strcmp(type, "message_delta") == 0) {
        check_message_end(g, root);
    } else if (strcmp(type, "message_stop") == 0) {
        if (!g->has_finished)
            wrong(g, "message_stop before message_delta");
        g->is_over = true;
    } else if (strcmp(type, "ping") != 0) {
        wrong(g, "an event of type %s", type);
    }
}

/* --- responses ------------------------------------------------------------------------------------ */

static inline void check_item_added(struct grammar *g, yyjson_val *root)
{
    yyjson_val *item = yyjson_obj_get(root, "item");
    const char *type = str(item, "type");
    if (yyjson_get_uint(yyjson_obj_get(root, "output_index")) != g->nitems || g->nitems == 256)
        wrong(g, "output indexes are not dense");
    else
        snprintf(g->items[g->nitems++].id, 96, "%s", str(item, "id"));
    if (str(item, "id")[0] == '\0' || strcmp(str(item, "status"), "in_progress") != 0)
        wrong(g, "an item begins without id or status");
    if (strcmp(type, "function_call") == 0 || strcmp(type, "custom_tool_call") == 0)
        new_call(g, str(item, "name"), str(item, "id"));
    else if (strcmp(type, "message") != 0 && strcmp(type, "reasoning") != 0)
        wrong(g, "an item of type %s", type);
}

/* Index of the item an event is about, which must be open. */
static inline unsigned item_of(struct grammar *g, yyjson_val *root, const char *id)
{
    uint64_t i = yyjson_get_uint(yyjson_obj_get(root, "output_index"));
    if (i >= g->nitems || g->items[i].is_done || strcmp(g->items[i].id, id) != 0) {
        wrong(g, "%s is about an item that is not open", str(root, "type"));
        return 0;
    }
    return (unsigned)i;
}

static inline void check_call_delta(struct grammar *g, yyjson_val *root)
{
    for (unsigned i = 0; i < g->said.ncalls; i++) {
        if (strcmp(g->said.calls[i].item, str(root, "item_id")) == 0) {
            append(&g->said.calls[i].arguments, yyjson_obj_get(root, "delta"));
            return;
        }
    }
    wrong(g, "arguments for a call that never began");
}

/* What is said to be whole is what came in pieces. */
static inline void check_call_done(struct grammar *g, yyjson_val *root, const char *member)
{
    yyjson_val *whole = yyjson_obj_get(root, member);
    for (unsigned i = 0; i < g->said.ncalls; i++) {
        if (strcmp(g->said.calls[i].item, str(root, "item_id")) != 0)
            continue;
        struct span said = buf_span(&g->said.calls[i].arguments);
        if (!span_eq(said, span_of(yyjson_get_str(whole), yyjson_get_len(whole))))
            wrong(g, "arguments are not what their pieces were");
        g->said.calls[i].is_done = true;
    }
}

static inline void check_response_end(struct grammar *g, const char *type, yyjson_val *root)
{
    yyjson_val *response = yyjson_obj_get(root, "response");
    yyjson_val *usage = yyjson_obj_get(response, "usage");
    g->is_over = true;
    g->said.has_failed |= strcmp(type, "response.failed") == 0;
    if (strcmp(str(response, "status"), type + strlen("response.")) != 0)
        wrong(g, "%s with status %s", type, str(response, "status"));
    if (g->said.has_failed) {
        if (!yyjson_is_obj(yyjson_obj_get(response, "error")))
            wrong(g, "a failed response without an error");
        return;
    }
    for (unsigned i = 0; i < g->nitems; i++) {
        if (!g->items[i].is_done)
            wrong(g, "an item is still open at the end");
    }
    if (yyjson_arr_size(yyjson_obj_get(response, "output")) != g->nitems)
        wrong(g, "the last object has other items than the stream");
    g->said.input_tokens = yyjson_get_uint(yyjson_obj_get(usage, "input_tokens"));
    g->said.output_tokens = yyjson_get_uint(yyjson_obj_get(usage, "output_tokens"));
    snprintf(g->said.stop, sizeof g->said.stop, "%s", str(response, "status"));
}

static inline void check_inside_item(struct grammar *g, const char *kind, yyjson_val *root)
{
    unsigned i = item_of(g, root, str(root, "item_id"));
    bool is_part = strcmp(kind, "content_part.added") == 0 ||
                   strcmp(kind, "reasoning_summary_part.added") == 0;
    bool is_end = strcmp(kind, "content_part.done") == 0 ||
                  strcmp(kind, "reasoning_summary_part.done") == 0;
    if (strstr(kind, "arguments.delta") != NULL || strstr(kind, "input.delta") != NULL) {
        check_call_delta(g, root);
    } else if (strstr(kind, "arguments.done") != NULL) {
        check_call_done(g, root, "arguments");
    } else if (strstr(kind, "input.done") != NULL) {
        check_call_done(g, root, "input");
    } else if (is_part) {
        yyjson_val *index = yyjson_obj_get(root, "content_index");
        if (g->items[i].part_open || (index != NULL && yyjson_get_uint(index) != g->items[i].parts))
            wrong(g, "a part begins inside another, or with a gap");
        g->items[i].part_open = true;
        g->items[i].parts++;
        g->weighed = 0;
    } else if (!g->items[i].part_open) {
        wrong(g, "%s outside a part", kind);
    } else if (is_end) {
        g->items[i].part_open = false;
    } else if (strcmp(kind, "output_text.delta") == 0) {
        append(&g->said.text, yyjson_obj_get(root, "delta"));
        g->weighed += check_logprobs(g, yyjson_obj_get(root, "logprobs"));
    } else if (strcmp(kind, "output_text.done") == 0) {
        if (check_logprobs(g, yyjson_obj_get(root, "logprobs")) != g->weighed)
            wrong(g, "the tokens of a part are not those of its deltas");
    } else if (strcmp(kind, "refusal.delta") == 0) {
        append(&g->said.text, yyjson_obj_get(root, "delta"));
    } else if (strcmp(kind, "reasoning_summary_text.delta") == 0 ||
               strcmp(kind, "reasoning_text.delta") == 0) {
        append(&g->said.reasoning, yyjson_obj_get(root, "delta"));
    } else if (strstr(kind, ".done") == NULL && strstr(kind, "annotation") == NULL) {
        wrong(g, "an event of type %s", kind);
    }
}

static inline void check_responses(struct grammar *g, const char *type, yyjson_val *root)
{
    if (yyjson_get_uint(yyjson_obj_get(root, "sequence_number")) != g->sequence++)
        wrong(g, "sequence numbers have a gap");
    if (strcmp(type, "error") == 0) {
        g->said.has_failed = true;
        return;
    }
    if (strcmp(type, "keepalive") == 0)
        return;
    const char *kind = strncmp(type, "response.", 9) == 0 ? type + 9 : "";
    if (g->events < 3) {
        if (strcmp(kind, g->events == 1 ? "created" : "in_progress") != 0)
            wrong(g, "it begins with %s", type);
    } else if (strcmp(kind, "output_item.added") == 0) {
        check_item_added(g, root);
    } else if (strcmp(kind, "output_item.done") == 0) {
        unsigned i = item_of(g, root, str(yyjson_obj_get(root, "item"), "id"));
        if (g->items[i].part_open)
            wrong(g, "an item is done before its part");
        g->items[i].is_done = true;
    } else if (strcmp(kind, "completed") == 0 || strcmp(kind, "incomplete") == 0 ||
               strcmp(kind, "failed") == 0) {
        check_response_end(g, type, root);
    } else {
        check_inside_item(g, kind, root);
    }
}

/* --- streams -------------------------------------------------------------------------------------- */

/* The library wants whole surrogate pairs, and pieces of text may end between the halves: such an
 * escape becomes another one that stands alone, the same in every protocol. */
static inline yyjson_doc *parse_event(struct span data)
{
    char *copy = malloc(data.len + 1);
    if (copy == NULL)
        abort();
    if (data.len > 0)
        memcpy(copy, data.at, data.len);
    for (size_t i = 0; i + 2 < data.len; i++) {
        if (copy[i] == '\\' && copy[i + 1] == 'u' && (copy[i + 2] | 0x20) == 'd')
            copy[i + 2] = '0';
    }
    yyjson_doc *doc = yyjson_read(copy, data.len, YYJSON_READ_ALLOW_INVALID_UNICODE);
    free(copy);
    return doc;
}

static inline void check_event(struct grammar *g, enum api_protocol api, struct span name,
                               struct span data)
{
    g->events++;
    if (g->is_over)
        wrong(g, "an event after the end");
    yyjson_doc *doc = parse_event(data);
    yyjson_val *root = yyjson_doc_get_root(doc);
    if (!yyjson_is_obj(root) && !span_eq(data, SPAN_LIT("[DONE]"))) {
        wrong(g, "not an object: %.*s", SPAN_FMT(span_sub(data, 0, 100)));
    } else if (api == API_CHAT) {
        check_chat(g, data, root);
    } else {
        const char *type = str(root, "type");
        if (!span_eq(name, span_text(type)))
            wrong(g, "the event line does not say %s", type);
        if (api == API_MESSAGES)
            check_messages(g, type, root);
        else
            check_responses(g, type, root);
    }
    yyjson_doc_free(doc);
}

/* Judges a whole stream; what it said is the caller's to free with said_fini. */
static inline void check_stream(struct grammar *g, enum api_protocol api, struct span bytes)
{
    struct sse s;
    grammar_init(g);
    sse_init(&s, 1u << 28);
    while (sse_next(&s, &bytes) == SSE_EVENT)
        check_event(g, api, s.name, s.data);
    if (s.pending > 0)
        wrong(g, "it ends inside an event");
    if (!g->is_over)
        wrong(g, "it has no end");
    sse_fini(&s);
}

#endif
