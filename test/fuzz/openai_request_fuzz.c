/* A request body: refused with a reason, or spliced so that yyjson sees exactly the changes that
 * were meant: every member of the client's in its order, the model renamed, ours gone. The first
 * byte chooses the protocol. */
#include "sluice/codec/openai_request.h"

#include <stdlib.h>
#include <yyjson.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define UPSTREAM "up/\"stream\""

static void must(bool condition)
{
    if (!condition)
        abort();
}

static struct buf spliced(const struct openai_request *r, struct span body, unsigned unwanted,
                          struct arena *a)
{
    struct json_splice splice;
    struct span spans[2 * SPLICE_EDITS_MAX + 1];
    struct buf out = {0};
    size_t total;
    const struct openai_wanted wanted = {.model = SPAN_LIT(UPSTREAM), .unwanted = unwanted};
    openai_request_splice(r, body, &wanted, a, &splice);
    unsigned n = splice_spans(&splice, body, spans, &total);
    for (unsigned i = 0; i < n; i++)
        must(buf_add(&out, spans[i]) == 0);
    must(buf_len(&out) == total);
    return out;
}

static bool is_gateways(const char *key, enum api_protocol api)
{
    static const char *const names[] = {"provider",   "models",          "usage",
                                        "session_id", "idempotency_key", "cache_strategy"};
    for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (strcmp(key, names[i]) == 0)
            return true;
    return api == API_IMAGES && strcmp(key, "async") == 0;
}

static bool asks_for_usage(yyjson_val *options)
{
    bool asks = false;
    size_t i, n;
    yyjson_val *key, *value;
    yyjson_obj_foreach(options, i, n, key, value)
    {
        if (yyjson_equals_str(key, "include_usage"))
            asks = yyjson_is_true(value); /* the last one counts */
    }
    return asks;
}

static void check_member(yyjson_val *key, yyjson_val *before, yyjson_val *after, bool asked_for)
{
    if (yyjson_equals_str(key, "model"))
        must(yyjson_equals_str(after, UPSTREAM));
    else if (yyjson_equals_str(key, "stream_options") && asked_for)
        must(asks_for_usage(after) &&
             yyjson_obj_size(after) <= (yyjson_is_obj(before) ? yyjson_obj_size(before) : 0) + 1);
    else
        must(yyjson_equals(before, after));
}

static void check(const struct openai_request *r, yyjson_val *before, yyjson_val *after,
                  enum api_protocol api)
{
    bool has_usage_chunk = api == API_CHAT || api == API_COMPLETIONS;
    bool asked_for = has_usage_chunk && r->stream && !r->wants_usage;
    yyjson_obj_iter results = yyjson_obj_iter_with(after);
    size_t i, n;
    yyjson_val *key, *value, *other;
    if (r->lacks_model) {
        other = yyjson_obj_iter_next(&results);
        must(yyjson_equals_str(other, "model"));
        must(yyjson_equals_str(yyjson_obj_iter_get_val(other), UPSTREAM));
    }
    if (asked_for && !r->has_options) {
        other = yyjson_obj_iter_next(&results);
        must(yyjson_equals_str(other, "stream_options"));
        must(asks_for_usage(yyjson_obj_iter_get_val(other)));
    }
    yyjson_obj_foreach(before, i, n, key, value)
    {
        if (is_gateways(yyjson_get_str(key), api))
            continue;
        other = yyjson_obj_iter_next(&results);
        must(other != NULL && yyjson_equals(key, other));
        check_member(key, value, yyjson_obj_iter_get_val(other), asked_for);
    }
    must(yyjson_obj_iter_next(&results) == NULL);
}

/* For an endpoint that takes no parameter at all but tools: none is left. */
static void check_bare(const struct openai_request *r, struct span body, enum api_protocol api,
                       struct arena *a)
{
    struct openai_request again;
    struct fault why;
    struct buf out = spliced(r, body, UINT32_MAX, a);
    must(openai_request_read(buf_span(&out), api, a, &again, &why));
    must((again.asked.params & ~(unsigned)(CAN_TOOLS | CAN_CHOOSE_TOOLS)) == 0);
    must(span_eq(again.model, SPAN_LIT(UPSTREAM)) && again.has_subject);
    buf_fini(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const enum api_protocol apis[] = {API_CHAT, API_COMPLETIONS, API_EMBEDDINGS};
    static const enum api_protocol media[] = {API_IMAGES, API_SPEECH};
    struct openai_request r;
    struct arena a;
    struct fault why;
    if (size == 0)
        return 0;
    enum api_protocol api = data[0] < 'a' ? apis[data[0] % 3] : media[data[0] % 2];
    struct span body = span_of(data + 1, size - 1);
    arena_init(&a, NULL, 256);
    if (openai_request_read(body, api, &a, &r, &why) && openai_request_is_complete(&r, api, &why)) {
        struct buf out = spliced(&r, body, 0, &a);
        /* yyjson also looks into UTF-8, surrogates and the range of numbers: then it says no. */
        yyjson_doc *before = yyjson_read((const char *)body.at, body.len,
                                         YYJSON_READ_NUMBER_AS_RAW);
        yyjson_doc *after = yyjson_read((const char *)out.at, buf_len(&out),
                                        YYJSON_READ_NUMBER_AS_RAW);
        if (before != NULL) {
            must(after != NULL);
            check(&r, yyjson_doc_get_root(before), yyjson_doc_get_root(after), api);
        }
        yyjson_doc_free(before);
        yyjson_doc_free(after);
        buf_fini(&out);
        check_bare(&r, body, api, &a);
    } else {
        must(fault_status(&why) == 400 && why.message[0] != '\0' && why.param != NULL);
    }
    arena_fini(&a);
    return 0;
}
