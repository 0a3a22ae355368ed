#include "sluice/codec/openai_request.h"

#include "sluice/codec/embeddings_request.h"
#include "sluice/codec/raw_text.h"
#include "sluice/format/json_walk.h"

#include <stdio.h>
#include <stdlib.h>

/* Members that are the gateway's own and mean nothing, or something else, to a provider. */
static const char *const gateway_only[] = {
    "provider", "models", "usage", "session_id", "idempotency_key", "cache_strategy",
};

enum { OWN_TEXT_MAX = 2048 }; /* an idempotency key has 255 bytes, escapes perhaps */

/* Each noted member once, each parameter's share, and what is put behind the opening brace. */
_Static_assert(OPENAI_NOTED_MAX + ASKED_EDITS_MAX * OPENAI_PARAMETERS_MAX + 8 <= SPLICE_EDITS_MAX,
               "the list of edits has room");

/* What a request of each API is about. */
static const char *const subjects[] = {
    [API_CHAT] = "messages",       [API_COMPLETIONS] = "prompt",    [API_EMBEDDINGS] = "input",
    [API_MESSAGES] = "messages",   [API_COUNT_TOKENS] = "messages", [API_RESPONSES] = "input",
    [API_INFRAI] = "messages",     [API_IMAGES] = "prompt",         [API_SPEECH] = "input",
    [API_TRANSCRIPTIONS] = "file", [API_TRANSLATIONS] = "file",     [API_OTHER] = "",
};

static bool reject(struct fault *why, const char *param, const char *message)
{
    *why = (struct fault){.kind = FAULT_INVALID_REQUEST, .param = param};
    snprintf(why->message, sizeof why->message, "%s", message);
    return false;
}

static bool note(struct openai_request *r, const struct json_member *m, enum noted_role role,
                 struct fault *why)
{
    if (r->nnoted == sizeof r->noted / sizeof r->noted[0])
        return reject(why, "", "the same members are repeated too often");
    r->noted[r->nnoted].member = *m;
    r->noted[r->nnoted++].role = role;
    return true;
}

static void add_parameter(struct openai_request *r, const struct json_member *m, unsigned params,
                          struct arena *a)
{
    struct noted_parameter *p = ARENA_NEW(a, struct noted_parameter);
    *p = (struct noted_parameter){.member = *m, .params = params};
    if (r->last_parameter != NULL)
        r->last_parameter->next = p;
    else
        r->parameters = p;
    r->last_parameter = p;
    r->nparameters++;
}

/* Some endpoint may not take it. One that must have it is never asked without: tools. */
static bool note_parameter(struct openai_request *r, const struct json_member *m, unsigned params,
                           struct arena *a, struct fault *why)
{
    if ((params & ~(unsigned)(CAN_TOOLS | CAN_CHOOSE_TOOLS)) == 0)
        return true;
    if (r->nparameters == OPENAI_PARAMETERS_MAX)
        return reject(why, "", "the same members are repeated too often");
    add_parameter(r, m, params, a);
    return true;
}

/* The name goes on into answer heads, logs and metrics. */
static bool holds_controls(struct span name)
{
    for (size_t i = 0; i < name.len; i++) {
        if (name.at[i] < ' ' || name.at[i] == 0x7f)
            return true;
    }
    return false;
}

bool openai_request_check_name(struct span name, struct fault *why)
{
    if (name.len == 0 || name.len > 512)
        return reject(why, "model", "\"model\" must have 1 to 512 characters");
    return !holds_controls(name) ||
           reject(why, "model", "\"model\" must not hold control characters");
}

static bool read_model(struct openai_request *r, struct span value, struct arena *a,
                       struct fault *why)
{
    if (r->named.at != NULL) /* two readers could pick different ones */
        return reject(why, "model", "\"model\" is given twice");
    if (value.len < 2 || value.at[0] != '"')
        return reject(why, "model", "\"model\" must be a string");
    struct span inside = span_sub(value, 1, value.len - 2);
    if (inside.len == 0 || inside.len > 512)
        return reject(why, "model", "\"model\" must have 1 to 512 characters");
    r->named = inside;
    if (memchr(inside.at, '\\', inside.len) != NULL) {
        char *text = arena_alloc(a, inside.len + 1);
        long len = json_string(value, text, inside.len + 1);
        if (len <= 0)
            return reject(why, "model", "\"model\" is not valid text");
        r->named = span_of(text, (size_t)len);
    }
    return openai_request_check_name(r->named, why);
}

static bool read_bool(enum json_kind kind, const char *param, bool *out, struct fault *why)
{
    if (kind != JSON_TRUE && kind != JSON_FALSE && kind != JSON_NULL) {
        reject(why, param, "");
        snprintf(why->message, sizeof why->message, "\"%s\" must be true or false", param);
        return false;
    }
    *out = kind == JSON_TRUE;
    return true;
}

bool openai_request_read_own(struct openai_request *r, const char *own, struct span text,
                             struct fault *why)
{
    if (strcmp(own, "cache_strategy") == 0)
        return cache_strategy_read(text, &r->cache, why);
    if (strcmp(own, "idempotency_key") != 0)
        return true;
    if (r->idempotency_key.at != NULL)
        return reject(why, own, "\"idempotency_key\" is given twice");
    r->idempotency_key = text;
    return true;
}

/* Our own texts: null is as good as nothing. */
static bool read_own_text(struct openai_request *r, const char *own, struct span value,
                          enum json_kind kind, struct arena *a, struct fault *why)
{
    bool is_ours = strcmp(own, "cache_strategy") == 0 || strcmp(own, "idempotency_key") == 0;
    if (!is_ours || kind == JSON_NULL)
        return true;
    char *text = arena_alloc(a, value.len + 1);
    long len = value.len <= OWN_TEXT_MAX ? json_string(value, text, value.len + 1) : -1;
    if (len >= 0)
        return openai_request_read_own(r, own, span_of(text, (size_t)len), why);
    reject(why, own, "");
    snprintf(why->message, sizeof why->message, "\"%s\" must be a string, and not too long", own);
    return false;
}

static bool read_stream_options(struct openai_request *r, struct span value, enum json_kind kind,
                                struct fault *why)
{
    struct json_member m;
    if (r->has_options)
        return reject(why, "stream_options", "\"stream_options\" is given twice");
    r->has_options = true;
    if (kind == JSON_NULL)
        return true;
    if (kind != JSON_OBJECT)
        return reject(why, "stream_options", "\"stream_options\" must be an object");
    if (json_get(value, "include_usage", &m)) {
        r->include_usage = json_value(value, &m);
        return read_bool(m.kind, "stream_options.include_usage", &r->wants_usage, why);
    }
    return true;
}

static bool read_usage_switch(struct openai_request *r, struct span value, enum json_kind kind,
                              struct fault *why)
{
    struct json_member m;
    if (kind != JSON_OBJECT && kind != JSON_NULL)
        return reject(why, "usage", "\"usage\" must be an object: {\"include\": true}");
    if (kind == JSON_OBJECT && json_get(value, "include", &m))
        return read_bool(m.kind, "usage.include", &r->wants_cost, why);
    return true;
}

const char *openai_request_own_member(struct span key)
{
    for (unsigned i = 0; i < sizeof gateway_only / sizeof gateway_only[0]; i++) {
        if (json_key_is(key, gateway_only[i]))
            return gateway_only[i];
    }
    return NULL;
}

/* The first letters that any member we look at can begin with; keys written with escapes pass too. */
static bool may_concern_us(struct span key)
{
    return key.len > 0 && memchr("mspuicbedan\\", key.at[0], 12) != NULL;
}

/* Do streams of this API say their usage in a chunk that has to be asked for? */
static bool has_usage_chunk(enum api_protocol api)
{
    return api == API_CHAT || api == API_COMPLETIONS;
}

/* Responses are stored unless they say otherwise; those made in the background have to be. */
static bool read_keeping(struct openai_request *r, struct span key, const struct json_member *m,
                         struct fault *why)
{
    bool yes;
    if (json_key_is(key, "include")) {
        r->has_include = true;
        return note(r, m, NOTED_INCLUDE, why);
    }
    if (json_key_is(key, "background")) {
        if (!read_bool(m->kind, "background", &yes, why))
            return false;
        r->is_kept = r->is_kept && !yes;
    }
    if (json_key_is(key, "store")) {
        if (!read_bool(m->kind, "store", &yes, why) || !note(r, m, NOTED_STORE, why))
            return false;
        r->has_store = true;
        r->is_kept = r->is_kept && m->kind == JSON_NULL;
    }
    return true;
}

/* Members only embeddings have. */
static bool read_of_embeddings(struct openai_request *r, struct span key, struct span value,
                               enum json_kind kind, struct arena *a, struct fault *why)
{
    if (json_key_is(key, "input"))
        return embeddings_request_input(value, kind, a, why);
    if (json_key_is(key, "encoding_format"))
        return embeddings_request_format(value, kind, &r->wants_base64, why);
    if (json_key_is(key, "dimensions"))
        return embeddings_request_dimensions(value, kind, why);
    return true;
}

/* Speech has a word of its own for events; `stream`, where servers know it there, is about how the sound
 * is sent. Pictures may be asked for as a task (contract D-02). */
static bool read_of_media(struct openai_request *r, struct span key, struct span value,
                          const struct json_member *m, enum api_protocol api, struct fault *why)
{
    if (api == API_SPEECH && json_key_is(key, "stream_format"))
        r->stream = span_eq(value, SPAN_LIT("\"sse\""));
    if (api == API_SPEECH && json_key_is(key, "input"))
        r->characters = raw_text_code_points(json_raw(value));
    if (api == API_IMAGES && json_key_is(key, "n"))
        (void)json_u64(value, &r->asked.answers);
    if (api == API_IMAGES && json_key_is(key, "stream"))
        return read_bool(m->kind, "stream", &r->stream, why);
    if (api == API_IMAGES && json_key_is(key, "async"))
        return read_bool(m->kind, "async", &r->wants_task, why) &&
               note(r, m, NOTED_GATEWAY_ONLY, why);
    return true;
}

static bool is_generation(enum api_protocol api)
{
    return api != API_EMBEDDINGS && api != API_OTHER && !api_is_media(api);
}

/* Are its messages a list? */
static bool is_conversation(enum api_protocol api)
{
    return api == API_CHAT || api == API_INFRAI || api_is_anthropics(api);
}

static bool read_member(struct openai_request *r, struct span body, const struct json_member *m,
                        enum api_protocol api, struct arena *a, struct fault *why)
{
    struct span key = span_sub(body, m->key.start, m->key.end - m->key.start);
    struct span value = json_value(body, m);
    if (is_generation(api)) {
        conversation_note(&r->clues, key, value);
        if (!note_parameter(r, m, asked_note(&r->asked, key, value, m->kind), a, why))
            return false;
    }
    if (!may_concern_us(key) && memchr(key.at, '\\', key.len) == NULL)
        return true;
    if (json_key_is(key, "model"))
        return read_model(r, value, a, why) && note(r, m, NOTED_MODEL, why);
    if (api_is_media(api) && !read_of_media(r, key, value, m, api, why))
        return false;
    if (json_key_is(key, "stream") && !api_is_media(api)) {
        if (!read_bool(m->kind, "stream", &r->stream, why))
            return false;
        if (r->stream && api == API_EMBEDDINGS)
            return reject(why, "stream", "embeddings cannot be streamed");
        return api != API_MESSAGES || note(r, m, NOTED_STREAM, why);
    }
    if (json_key_is(key, "stream_options") && has_usage_chunk(api))
        return read_stream_options(r, value, m->kind, why) && note(r, m, NOTED_STREAM_OPTIONS, why);
    if (json_key_is(key, "stream_options") &&
        api == API_MESSAGES) /* unknown there: contract 2.14 */
        return note(r, m, NOTED_GATEWAY_ONLY, why);
    if (json_key_is(key, "anthropic_version") && api_is_anthropics(api))
        return note(r, m, NOTED_VERSION, why);
    if (json_key_is(key, "anthropic_beta") && api_is_anthropics(api)) {
        r->betas = m->kind == JSON_ARRAY ? value : SPAN_NONE;
        return note(r, m, NOTED_BETAS, why);
    }
    if (api == API_RESPONSES && !read_keeping(r, key, m, why))
        return false;
    if (json_key_is(key, subjects[api]))
        r->has_subject = true;
    if (api == API_EMBEDDINGS && !read_of_embeddings(r, key, value, m->kind, a, why))
        return false;
    if (json_key_is(key, "messages") && api == API_INFRAI && m->kind == JSON_STRING)
        return value.len > 2 || reject(why, "messages", "\"messages\" must not be empty");
    if (json_key_is(key, "messages") && is_conversation(api)) {
        if (m->kind != JSON_ARRAY)
            return reject(why, "messages", "\"messages\" must be an array");
        if (!json_array_is_filled(value))
            return reject(why, "messages", "\"messages\" must not be empty");
        return true;
    }
    if (json_key_is(key, "usage") && !read_usage_switch(r, value, m->kind, why))
        return false;
    if (json_key_is(key, "provider"))
        r->provider = value;
    if (json_key_is(key, "models"))
        r->models = value;
    const char *own = openai_request_own_member(key);
    if (own == NULL)
        return true;
    return read_own_text(r, own, value, m->kind, a, why) && note(r, m, NOTED_GATEWAY_ONLY, why);
}

static bool read_members(struct span body, enum api_protocol api, struct arena *a,
                         struct openai_request *out, struct fault *why)
{
    struct json_scan scan;
    struct span rest = body;
    enum json_status status;

    *out = (struct openai_request){
        .needs_asking = has_usage_chunk(api),
        .is_kept = api == API_RESPONSES,
    };
    json_scan_init(&scan);
    while ((status = json_scan_next(&scan, &rest)) == JSON_MEMBER) {
        if (!read_member(out, body, &scan.member, api, a, why))
            return false;
    }
    if (status == JSON_INVALID || status == JSON_MORE) {
        reject(why, "", "");
        snprintf(why->message, sizeof why->message, "the body is not valid JSON: %s at byte %zu",
                 status == JSON_MORE ? "it ends too early" : scan.problem, scan.offset);
        return false;
    }
    if (scan.root != JSON_OBJECT)
        return reject(why, "", "the body must be a JSON object");
    out->open = scan.open + 1;
    return true;
}

/* A list stands in its place (D-11), or what the model is for (contract 2.16). */
static bool names_models_otherwise(const struct openai_request *r)
{
    struct json_member m;
    bool has_list = r->models.len > 0 && r->models.at[0] != 'n';
    bool has_purpose = (json_get(r->provider, "task", &m) && m.kind == JSON_STRING) ||
                       (json_get(r->provider, "prefer", &m) && m.kind == JSON_STRING);
    return has_list || has_purpose;
}

static bool refuse_task(struct fault *why)
{
    reject(why, "async", "tasks are not offered yet; without \"async\" the answer is the picture");
    why->kind = FAULT_UNSUPPORTED_PARAMETER;
    return false;
}

bool openai_request_read(struct span body, enum api_protocol api, struct arena *a,
                         struct openai_request *out, struct fault *why)
{
    if (!read_members(body, api, a, out, why))
        return false;
    if (out->wants_task)
        return refuse_task(why);
    out->model = out->named;
    if (out->model.at == NULL && names_models_otherwise(out)) {
        out->lacks_model = true;
        out->model = SPAN_LIT("");
    }
    return out->model.at != NULL ||
           reject(why, "model", "\"model\" is missing; GET /v1/models lists what there is");
}

bool openai_request_read_for(struct span model, struct span body, enum api_protocol api,
                             struct arena *a, struct openai_request *out, struct fault *why)
{
    if (!read_members(body, api, a, out, why))
        return false;
    out->lacks_model = out->named.at == NULL;
    out->model = model;
    return true;
}

bool openai_request_read_open(struct span body, enum api_protocol api, struct arena *a,
                              struct openai_request *out, struct fault *why)
{
    if (!read_members(body, api, a, out, why))
        return false;
    out->lacks_model = out->named.at == NULL;
    out->takes_default = out->lacks_model && !names_models_otherwise(out);
    out->model = out->lacks_model ? SPAN_LIT("") : out->named;
    return true;
}

struct openai_request *openai_request_keep(const struct openai_request *r, struct arena *a)
{
    struct openai_request *kept = ARENA_NEW(a, struct openai_request);
    *kept = *r;
    kept->model = arena_keep(a, r->model);
    kept->named = arena_keep(a, r->named);
    kept->boundary = arena_keep(a, r->boundary);
    kept->parameters = kept->last_parameter = NULL;
    for (const struct noted_parameter *p = r->parameters; p != NULL; p = p->next)
        add_parameter(kept, &p->member, p->params, a);
    kept->nparameters = r->nparameters;
    return kept;
}

bool openai_request_is_complete(const struct openai_request *r, enum api_protocol api,
                                struct fault *why)
{
    if (r->has_subject)
        return true;
    reject(why, subjects[api], "");
    snprintf(why->message, sizeof why->message, "\"%s\" is missing", subjects[api]);
    return false;
}

/* Puts `first`, which ends in a comma, at the beginning of an object or an array. */
static void insert_first(struct span body, const struct json_member *m, struct span first,
                         struct json_splice *out)
{
    size_t at = m->value.start + 1;
    bool is_empty = true; /* JSON's white space is more than HTTP's */
    for (size_t i = at; i < m->value.end - 1 && is_empty; i++)
        is_empty = memchr(" \t\r\n", body.at[i], 4) != NULL;
    splice_insert(out, at, is_empty ? span_sub(first, 0, first.len - 1) : first);
}

/* stream_options with include_usage: true, whatever it held before. */
static void ask_for_usage(const struct openai_request *r, struct span body,
                          const struct json_member *options, struct json_splice *out)
{
    if (options->kind != JSON_OBJECT) {
        splice_replace(out, options->value.start, options->value.end,
                       SPAN_LIT("{\"include_usage\":true}"));
    } else if (r->include_usage.at != NULL) {
        size_t at = (size_t)(r->include_usage.at - body.at);
        splice_replace(out, at, at + r->include_usage.len, SPAN_LIT("true"));
    } else {
        insert_first(body, options, SPAN_LIT("\"include_usage\":true,"), out);
    }
}

static struct span quoted(struct span text, struct arena *a)
{
    struct buf out = {0};
    if (buf_add_byte(&out, '"') < 0 || buf_add_json(&out, text) < 0 || buf_add_byte(&out, '"') < 0)
        abort(); /* a name out of the configuration */
    struct span kept = arena_keep(a, buf_span(&out));
    buf_fini(&out);
    return kept;
}

/* The body does not name the model: the path did. */
static void insert_model(const struct openai_request *r, const struct openai_wanted *wanted,
                         struct arena *a, struct json_splice *out)
{
    if (wanted->instead.len > 0) {
        splice_insert(out, r->open, wanted->instead);
    } else {
        splice_insert(out, r->open, SPAN_LIT("\"model\":"));
        splice_insert(out, r->open, quoted(wanted->model, a));
    }
    splice_insert(out, r->open, SPAN_LIT(","));
}

static void replace_model(const struct openai_request *r, const struct json_member *m,
                          const struct openai_wanted *wanted, struct arena *a,
                          struct json_splice *out)
{
    if (wanted->instead.len > 0) /* the key's quotes included */
        splice_replace(out, m->key.start - 1, m->value.end, wanted->instead);
    else if (!span_eq(r->named, wanted->model))
        splice_replace(out, m->value.start, m->value.end, quoted(wanted->model, a));
}

#define ENCRYPTED "\"reasoning.encrypted_content\""

/* What the provider will not remember has to come along with the answer. */
static void ask_for_reasoning(struct span body, const struct json_member *include,
                              struct json_splice *out)
{
    if (include->kind != JSON_ARRAY)
        splice_replace(out, include->value.start, include->value.end, SPAN_LIT("[" ENCRYPTED "]"));
    else if (span_find(json_value(body, include), SPAN_LIT(ENCRYPTED)) == SIZE_MAX)
        insert_first(body, include, SPAN_LIT(ENCRYPTED ","), out);
}

/* Parameters that are not wanted, as far as `end`; returns the first behind it. Edits go in order. */
static const struct noted_parameter *take_out_before(struct span body,
                                                     const struct noted_parameter *p, size_t end,
                                                     unsigned unwanted, struct json_splice *out)
{
    for (; p != NULL && p->member.key.start < end; p = p->next) {
        if ((p->params & unwanted) != 0)
            asked_take_out(body, &p->member, unwanted, out);
    }
    return p;
}

void openai_request_splice(const struct openai_request *r, struct span body,
                           const struct openai_wanted *wanted, struct arena *a,
                           struct json_splice *out)
{
    bool asked = !r->stream || r->wants_usage || !r->needs_asking;
    bool forgets = r->is_kept && wanted->keeps_nothing;
    bool encrypts = forgets && wanted->encrypts_reasoning;
    const struct noted_parameter *p = r->parameters;
    out->nedits = 0;
    if (r->lacks_model)
        insert_model(r, wanted, a, out);
    if (forgets && !r->has_store)
        splice_insert(out, r->open, SPAN_LIT("\"store\":false,"));
    if (encrypts && !r->has_include)
        splice_insert(out, r->open, SPAN_LIT("\"include\":[" ENCRYPTED "],"));
    if (!asked && !r->has_options) {
        splice_insert(out, r->open, SPAN_LIT("\"stream_options\":{\"include_usage\":true},"));
        asked = true;
    }
    for (unsigned i = 0; i < r->nnoted; i++) {
        const struct json_member *m = &r->noted[i].member;
        p = take_out_before(body, p, m->key.start, wanted->unwanted, out);
        switch (r->noted[i].role) {
        case NOTED_MODEL:
            replace_model(r, m, wanted, a, out);
            break;
        case NOTED_STREAM_OPTIONS:
            if (!asked)
                ask_for_usage(r, body, m, out);
            asked = true;
            break;
        case NOTED_STORE:
            if (forgets)
                splice_replace(out, m->value.start, m->value.end, SPAN_LIT("false"));
            break;
        case NOTED_INCLUDE:
            if (encrypts)
                ask_for_reasoning(body, m, out);
            break;
        case NOTED_GATEWAY_ONLY:
            splice_remove_member(out, m);
            break;
        case NOTED_VERSION:
            if (wanted->instead.len > 0)
                splice_remove_member(out, m);
            break;
        case NOTED_STREAM:
        case NOTED_BETAS:
            if (wanted->invokes)
                splice_remove_member(out, m);
            break;
        }
    }
    (void)take_out_before(body, p, body.len, wanted->unwanted, out);
}
