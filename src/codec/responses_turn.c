#include "sluice/codec/responses_turn.h"

#include "responses_tools.h"
#include "turn_calls.h"

#include "sluice/format/json_out.h"

/* --- content parts -------------------------------------------------------------------------------- */

static bool read_text(struct reading *g, struct span part, const char *member,
                      enum turn_part_kind kind, struct turn_part ***end, struct span path)
{
    struct json_member m;
    if (!json_get(part, member, &m) || m.kind != JSON_STRING)
        return reading_refuse(g, reading_path(g, path, member), "it must be a string");
    struct turn_part *p = reading_add_part(g, end, kind, path);
    if (p == NULL)
        return false;
    p->text = json_raw(json_value(part, &m));
    return true;
}

static bool read_image(struct reading *g, struct span part, struct turn_part ***end,
                       struct span path)
{
    struct span url = reading_text_of(part, "image_url");
    struct turn_part *p = reading_add_part(g, end, PART_IMAGE, path);
    if (p == NULL)
        return false;
    p->detail = reading_text_of(part, "detail");
    if (url.len == 0)
        return reading_refuse(g, path,
                              "it needs an image_url: a file id is known where it was "
                              "stored only");
    return reading_location(g, url, p);
}

static bool read_file(struct reading *g, struct span part, struct turn_part ***end,
                      struct span path)
{
    struct span data = reading_text_of(part, "file_data");
    struct turn_part *p = reading_add_part(g, end, PART_DOCUMENT, path);
    if (p == NULL)
        return false;
    p->name = reading_text_of(part, "filename");
    struct span url = reading_text_of(part, "file_url");
    if (url.len == 0 && data.len == 0)
        return reading_refuse(g, path,
                              "it needs file_url or file_data: a file id is known where it "
                              "was stored only");
    return reading_location(g, url.len > 0 ? url : data, p);
}

static bool read_audio(struct reading *g, struct span part, struct turn_part ***end,
                       struct span path)
{
    struct json_member m;
    struct turn_part *p = reading_add_part(g, end, PART_AUDIO, path);
    if (p == NULL)
        return false;
    if (!json_get(part, "input_audio", &m) || m.kind != JSON_OBJECT)
        return reading_refuse(g, path, "it needs input_audio");
    struct span audio = json_value(part, &m);
    struct span format = reading_text_of(audio, "format");
    bool is_mp3 = span_eq(format, SPAN_LIT("mp3"));
    if (!is_mp3 && !span_eq(format, SPAN_LIT("wav")))
        return reading_refuse(g, reading_path(g, path, "input_audio.format"),
                              "it must be wav or mp3");
    p->data = reading_text_of(audio, "data");
    p->media_type = is_mp3 ? SPAN_LIT("audio/mpeg") : SPAN_LIT("audio/wav");
    return p->data.len > 0 || reading_refuse(g, path, "it needs input_audio.data in base64");
}

static bool read_part(struct reading *g, struct span part, struct turn_part ***end,
                      struct span path)
{
    struct span type = reading_text_of(part, "type");
    if (span_eq(type, SPAN_LIT("input_text")) || span_eq(type, SPAN_LIT("output_text")) ||
        span_eq(type, SPAN_LIT("text")))
        return read_text(g, part, "text", PART_TEXT, end, path);
    if (span_eq(type, SPAN_LIT("refusal")))
        return read_text(g, part, "refusal", PART_REFUSAL, end, path);
    if (span_eq(type, SPAN_LIT("input_image")))
        return read_image(g, part, end, path);
    if (span_eq(type, SPAN_LIT("input_file")))
        return read_file(g, part, end, path);
    if (span_eq(type, SPAN_LIT("input_audio")))
        return read_audio(g, part, end, path);
    return reading_refuse(g, reading_path(g, path, "type"),
                          "parts of this type are not known here");
}

static bool read_content(struct reading *g, const struct json_walk *w, struct turn_part **parts,
                         struct span path)
{
    struct turn_part **end = parts;
    struct span part;
    size_t cursor = 0;
    if (w->kind == JSON_STRING) {
        struct turn_part *p = reading_add_part(g, &end, PART_TEXT, path);
        if (p != NULL)
            p->text = json_raw(w->value);
        return p != NULL;
    }
    if (w->kind != JSON_ARRAY)
        return reading_refuse(g, path, "it must be a string or an array of parts");
    for (unsigned i = 0; json_each(w->value, &cursor, &part); i++) {
        if (!read_part(g, part, &end, turn_path(g->a, path, "[%u]", i)))
            return false;
    }
    return true;
}

/* --- items ---------------------------------------------------------------------------------------- */

/* The members any item may have. */
struct item {
    struct span type, role, id, call_id, name, encrypted, summary;
    struct span arguments, input; /* lexemes */
    struct json_walk content, output;
};

static bool read_members(struct reading *g, struct span value, struct span path, struct item *i)
{
    struct json_walk w;
    *i = (struct item){.content = {.kind = JSON_NULL}, .output = {.kind = JSON_NULL}};
    json_walk_init(&w, value);
    while (json_walk_next(&w)) {
        struct span raw = json_raw(w.value);
        if (json_walk_is(&w, "type"))
            i->type = raw;
        else if (json_walk_is(&w, "role"))
            i->role = raw;
        else if (json_walk_is(&w, "id"))
            i->id = raw;
        else if (json_walk_is(&w, "call_id"))
            i->call_id = raw;
        else if (json_walk_is(&w, "name"))
            i->name = raw;
        else if (json_walk_is(&w, "arguments"))
            i->arguments = w.value;
        else if (json_walk_is(&w, "input"))
            i->input = w.value;
        else if (json_walk_is(&w, "encrypted_content"))
            i->encrypted = raw;
        else if (json_walk_is(&w, "summary") && w.kind == JSON_ARRAY)
            i->summary = w.value;
        else if (json_walk_is(&w, "content"))
            i->content = w;
        else if (json_walk_is(&w, "output"))
            i->output = w;
        else if (!json_walk_is(&w, "status") && !json_walk_is(&w, "tools"))
            reading_unread(g, "input[].", &w);
    }
    return json_walk_is_complete(&w) || reading_refuse(g, path, "it must be an object");
}

static bool read_message(struct reading *g, const struct item *i, struct span path)
{
    static const struct {
        const char *word;
        enum turn_role role;
    } roles[] = {{"user", ROLE_USER},
                 {"assistant", ROLE_ASSISTANT},
                 {"system", ROLE_SYSTEM},
                 {"developer", ROLE_DEVELOPER}};
    for (unsigned r = 0; r < sizeof roles / sizeof roles[0]; r++) {
        if (!span_eq(i->role, span_text(roles[r].word)))
            continue;
        struct turn_message *m = reading_add_message(g, roles[r].role, path);
        return m != NULL &&
               read_content(g, &i->content, &m->parts, reading_path(g, path, "content"));
    }
    return reading_refuse(g, reading_path(g, path, "role"),
                          "it must be user, assistant, system or developer");
}

static struct turn_part *add_assistant_part(struct reading *g, enum turn_part_kind kind,
                                            struct span path)
{
    struct turn_message *m = reading_add_message(g, ROLE_ASSISTANT, path);
    if (m == NULL)
        return NULL;
    struct turn_part **end = &m->parts;
    return reading_add_part(g, &end, kind, path);
}

static bool read_call(struct reading *g, const struct item *i, bool is_custom, struct span path)
{
    struct turn_part *p = add_assistant_part(g, PART_CALL, path);
    if (p == NULL)
        return false;
    p->id = i->call_id;
    p->name = i->name;
    p->is_custom = is_custom;
    struct span text = is_custom ? i->input : i->arguments;
    if (text.len > 0 && text.at[0] != '"')
        return reading_refuse(g, reading_path(g, path, is_custom ? "input" : "arguments"),
                              "it must be a string");
    p->arguments_text = json_raw(text);
    return (p->id.len > 0 && p->name.len > 0) ||
           reading_refuse(g, path, "it needs a call_id and a name");
}

static bool read_output(struct reading *g, const struct item *i, bool is_custom, struct span path)
{
    struct turn_message *m = reading_add_message(g, ROLE_TOOL, path);
    if (m == NULL)
        return false;
    struct turn_part **end = &m->parts;
    struct turn_part *p = reading_add_part(g, &end, PART_RESULT, path);
    if (p == NULL)
        return false;
    p->id = i->call_id;
    p->is_custom = is_custom;
    if (p->id.len == 0)
        return reading_refuse(g, path, "it needs the call_id it answers");
    return read_content(g, &i->output, &p->inside, reading_path(g, path, "output"));
}

/* The texts of an array of parts, a blank line between them. */
static struct span join_texts(struct reading *g, struct span parts)
{
    struct json_member m;
    struct buf joined = {0};
    struct json_out o = json_out_to(&joined);
    struct span part;
    size_t cursor = 0;
    while (json_each(parts, &cursor, &part)) {
        if (!json_get(part, "text", &m) || m.kind != JSON_STRING)
            continue;
        if (buf_len(&joined) > 0)
            json_out_lit(&o, "\\n\\n");
        json_out_span(&o, json_raw(json_value(part, &m)));
    }
    struct span text = arena_keep(g->a, o.rc == 0 ? buf_span(&joined) : SPAN_NONE);
    buf_fini(&joined);
    return text;
}

static bool read_reasoning(struct reading *g, const struct item *i, struct span path)
{
    struct turn_part *p = add_assistant_part(g, PART_REASONING, path);
    if (p == NULL)
        return false;
    p->id = i->id;
    p->proof = i->encrypted;
    p->text = join_texts(g, i->summary);
    if (p->text.len == 0 && i->content.kind == JSON_ARRAY) /* models that show it unabridged */
        p->text = join_texts(g, i->content.value);
    return true;
}

/* No part of the conversation: what OpenAI's own tools did, which nobody else could go on from; and
 * additional_tools, which is read with the tools. */
static bool is_passed_over(struct span type)
{
    static const char *const types[] = {
        "web_search_call",       "file_search_call",      "computer_call",   "computer_call_output",
        "code_interpreter_call", "image_generation_call", "mcp_call",        "mcp_list_tools",
        "tool_search_call",      "tool_search_output",    "additional_tools"};
    for (unsigned i = 0; i < sizeof types / sizeof types[0]; i++) {
        if (span_eq(type, span_text(types[i])))
            return true;
    }
    return false;
}

static bool read_item(struct reading *g, struct span value, struct span path)
{
    struct item i;
    if (!read_members(g, value, path, &i))
        return false;
    if (span_eq(i.type, SPAN_LIT("message")) || (i.type.len == 0 && i.role.len > 0))
        return read_message(g, &i, path);
    if (span_eq(i.type, SPAN_LIT("function_call")))
        return read_call(g, &i, false, path);
    if (span_eq(i.type, SPAN_LIT("custom_tool_call")))
        return read_call(g, &i, true, path);
    if (span_eq(i.type, SPAN_LIT("function_call_output")))
        return read_output(g, &i, false, path);
    if (span_eq(i.type, SPAN_LIT("custom_tool_call_output")))
        return read_output(g, &i, true, path);
    if (span_eq(i.type, SPAN_LIT("reasoning")))
        return read_reasoning(g, &i, path);
    if (is_passed_over(i.type)) {
        if (!span_eq(i.type, SPAN_LIT("additional_tools")))
            turn_note_dropped(&g->r->unread, "what ran at OpenAI");
        return true;
    }
    if (span_eq(i.type, SPAN_LIT("item_reference")))
        return turn_refuse(g->why, FAULT_UNSUPPORTED_PARAMETER, reading_path(g, path, "type"),
                           "nothing is stored here: send the item itself; a client that says "
                           "store: false does");
    return turn_refuse(g->why, FAULT_UNSUPPORTED_PARAMETER, reading_path(g, path, "type"),
                       "items of type \"%.*s\" cannot be taken to this model",
                       SPAN_FMT(span_sub(i.type, 0, 64)));
}

static bool read_input(struct reading *g, const struct json_walk *input)
{
    struct span item;
    size_t cursor = 0;
    if (input->kind == JSON_STRING) {
        struct turn_message *m = reading_add_message(g, ROLE_USER, SPAN_LIT("input"));
        return m != NULL && read_content(g, input, &m->parts, SPAN_LIT("input"));
    }
    if (input->kind != JSON_ARRAY)
        return reading_refuse(g, SPAN_LIT("input"), "it must be a string or an array of items");
    for (unsigned i = 0; json_each(input->value, &cursor, &item); i++) {
        if (!read_item(g, item, turn_path(g->a, SPAN_NONE, "input[%u]", i)))
            return false;
    }
    return g->r->messages != NULL || reading_refuse(g, SPAN_LIT("input"), "it is empty");
}

static bool read_instructions(struct reading *g, struct span lexeme)
{
    struct span text = json_raw(lexeme);
    if (lexeme.len > 0 && lexeme.at[0] != '"')
        return reading_refuse(g, SPAN_LIT("instructions"), "it must be a string");
    if (text.len == 0)
        return true;
    struct turn_message *m = reading_add_message(g, ROLE_SYSTEM, SPAN_LIT("instructions"));
    if (m == NULL)
        return false;
    struct turn_part **end = &m->parts;
    struct turn_part *p = reading_add_part(g, &end, PART_TEXT, SPAN_LIT("instructions"));
    if (p != NULL)
        p->text = text;
    return p != NULL;
}

/* --- the request ---------------------------------------------------------------------------------- */

static bool read_format(struct reading *g, struct span format)
{
    struct json_member m;
    struct turn_request *r = g->r;
    struct span type = reading_text_of(format, "type");
    if (span_eq(type, SPAN_LIT("json_object")))
        r->format = FORMAT_JSON;
    if (!span_eq(type, SPAN_LIT("json_schema")))
        return true;
    r->format = FORMAT_SCHEMA;
    r->format_name = reading_text_of(format, "name");
    r->format_description = reading_text_of(format, "description");
    r->format_strict = json_get(format, "strict", &m) && m.kind == JSON_TRUE;
    if (!json_get(format, "schema", &m) || m.kind != JSON_OBJECT)
        return reading_refuse(g, SPAN_LIT("text.format.schema"), "it must be an object");
    r->format_schema = json_value(format, &m);
    return r->format_name.len > 0 ||
           reading_refuse(g, SPAN_LIT("text.format.name"), "it is missing");
}

static bool read_text_options(struct reading *g, struct span text)
{
    struct json_member m;
    if (json_get(text, "verbosity", &m) && m.kind == JSON_STRING)
        g->r->verbosity = json_value(text, &m);
    return !json_get(text, "format", &m) || m.kind != JSON_OBJECT ||
           read_format(g, json_value(text, &m));
}

static bool read_reasoning_options(struct reading *g, struct span reasoning)
{
    struct json_member m;
    struct span word = reading_text_of(reasoning, "effort");
    g->r->thinking_is_hidden = !json_get(reasoning, "summary", &m) || m.kind == JSON_NULL;
    if (word.len == 0)
        return true;
    g->r->effort = turn_effort_of(word);
    return g->r->effort != EFFORT_UNSAID ||
           reading_refuse(g, SPAN_LIT("reasoning.effort"),
                          "it must be none, minimal, low, medium, high, xhigh or max");
}

struct parts {
    struct json_walk input, choice;
    struct span instructions, tools, text, reasoning;
};

/* What needs something that lies at OpenAI. */
static bool needs_state(const struct json_walk *w)
{
    return w->kind != JSON_NULL && w->kind != JSON_FALSE &&
           (json_walk_is(w, "previous_response_id") || json_walk_is(w, "conversation") ||
            json_walk_is(w, "prompt") || json_walk_is(w, "background"));
}

/* Naming a number asks for them; 0 is the default spelled out. */
static bool read_top_logprobs(struct reading *g, const struct json_walk *w)
{
    uint64_t top;
    struct span number = SPAN_NONE;
    if (!reading_number(g, w, SPAN_LIT("top_logprobs"), &number))
        return false;
    if (number.len > 0 && !(json_u64(number, &top) && top == 0)) {
        g->r->top_logprobs = number;
        g->r->logprobs = SPAN_LIT("true");
    }
    return true;
}

/* What else is listed here is read where the answer is written. */
static void read_include(struct reading *g, struct span list)
{
    if (span_find(list, SPAN_LIT("\"message.output_text.logprobs\"")) != SIZE_MAX)
        g->r->logprobs = SPAN_LIT("true");
}

/* By the gateway itself; or what is meant anyway. */
static bool is_read_elsewhere(const struct json_walk *w)
{
    return reading_is_gateways(w) ||
           (json_walk_is(w, "truncation") && span_eq(w->value, SPAN_LIT("\"disabled\"")));
}

static bool read_option(struct reading *g, const struct json_walk *w)
{
    struct turn_request *r = g->r;
    if (needs_state(w))
        return turn_refuse(g->why, FAULT_UNSUPPORTED_PARAMETER, arena_keep(g->a, w->key),
                           "nothing is stored here: send the whole conversation as input");
    if (json_walk_is(w, "max_output_tokens"))
        return reading_number(g, w, SPAN_LIT("max_output_tokens"), &r->max_tokens);
    if (json_walk_is(w, "temperature"))
        return reading_number(g, w, SPAN_LIT("temperature"), &r->temperature);
    if (json_walk_is(w, "top_p"))
        return reading_number(g, w, SPAN_LIT("top_p"), &r->top_p);
    if (json_walk_is(w, "top_k"))
        return reading_number(g, w, SPAN_LIT("top_k"), &r->top_k);
    if (json_walk_is(w, "top_logprobs"))
        return read_top_logprobs(g, w);
    if (json_walk_is(w, "presence_penalty"))
        return reading_number(g, w, SPAN_LIT("presence_penalty"), &r->presence_penalty);
    if (json_walk_is(w, "frequency_penalty"))
        return reading_number(g, w, SPAN_LIT("frequency_penalty"), &r->frequency_penalty);
    if (json_walk_is(w, "stream"))
        return reading_bool(g, w, SPAN_LIT("stream"), &r->stream);
    if (json_walk_is(w, "parallel_tool_calls") && w->kind != JSON_NULL)
        r->parallel = w->kind == JSON_TRUE ? PARALLEL_YES : PARALLEL_NO;
    else if (json_walk_is(w, "user") || json_walk_is(w, "safety_identifier"))
        r->user = json_raw(w->value).len > 0 ? json_raw(w->value) : r->user;
    else if (json_walk_is(w, "prompt_cache_key"))
        r->cache_key = json_raw(w->value);
    else if (json_walk_is(w, "service_tier") && w->kind == JSON_STRING)
        r->service_tier = w->value;
    else if (json_walk_is(w, "metadata") && w->kind == JSON_OBJECT)
        r->metadata = w->value;
    else if (json_walk_is(w, "include"))
        read_include(g, w->value);
    else if (!is_read_elsewhere(w))
        reading_unread(g, "", w);
    return true;
}

static bool read_member(struct reading *g, const struct json_walk *w, struct parts *p)
{
    if (json_walk_is(w, "input"))
        p->input = *w;
    else if (json_walk_is(w, "tool_choice"))
        p->choice = *w;
    else if (json_walk_is(w, "instructions"))
        p->instructions = w->kind == JSON_NULL ? SPAN_NONE : w->value;
    else if (json_walk_is(w, "tools"))
        return reading_array(g, w, SPAN_LIT("tools"), &p->tools);
    else if (json_walk_is(w, "text"))
        return reading_object(g, w, SPAN_LIT("text"), &p->text);
    else if (json_walk_is(w, "reasoning"))
        return reading_object(g, w, SPAN_LIT("reasoning"), &p->reasoning);
    else
        return read_option(g, w);
    return true;
}

static const struct turn_names names = {"input", "stop", "text.format", ".arguments", "include"};

bool responses_turn_read(struct span body, const struct translation_options *o, struct arena *a,
                         struct turn_request *out, struct fault *why)
{
    struct reading g = {.o = o, .a = a, .r = out, .why = why};
    struct parts p = {.input = {.kind = JSON_NULL}, .choice = {.kind = JSON_NULL}};
    struct json_walk w;
    *out = (struct turn_request){.names = &names, .parallel = PARALLEL_UNSAID};
    json_walk_init(&w, body);
    while (json_walk_next(&w)) {
        if (!read_member(&g, &w, &p))
            return false;
    }
    if (!json_walk_is_complete(&w))
        return reading_refuse(&g, SPAN_NONE, "the body must be a JSON object");
    return read_instructions(&g, p.instructions) && read_input(&g, &p.input) &&
           responses_tools_read(&g, p.tools, &p.input, &p.choice) &&
           (p.text.len == 0 || read_text_options(&g, p.text)) &&
           (p.reasoning.len == 0 || read_reasoning_options(&g, p.reasoning)) &&
           turn_pair_calls(out, o, a, why);
}
