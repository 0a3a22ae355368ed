#include "sluice/codec/turn_prefill.h"

#include "sluice/format/json_walk.h"

/* --- does the request suit ------------------------------------------------------------------------ */

#define FOR(api) (1u << (api))
#define CHAT FOR(API_CHAT)
#define MESSAGES FOR(API_MESSAGES)
#define RESPONSES FOR(API_RESPONSES)
#define ALL (CHAT | MESSAGES | RESPONSES)

/* What a request may say. What else many of these can mean is told by the parameters that were asked
 * for; ONE and NO: only 1, only false. */
enum value { ANY, ONE, NO };

static const struct {
    const char *key;
    unsigned apis;
    enum value value;
} harmless[] = {
    {"model", ALL, ANY},
    {"models", ALL, ANY},
    {"provider", ALL, ANY},
    {"usage", ALL, ANY},
    {"stream", ALL, ANY},
    {"stream_options", ALL, ANY},
    {"temperature", ALL, ANY},
    {"top_p", ALL, ANY},
    {"tools", ALL, ANY},
    {"tool_choice", ALL, ANY},
    {"metadata", ALL, ANY},
    {"user", ALL, ANY},
    {"session_id", ALL, ANY},
    {"prompt_cache_key", ALL, ANY},
    {"safety_identifier", ALL, ANY},
    {"service_tier", ALL, ANY},
    {"parallel_tool_calls", CHAT | RESPONSES, ANY},
    {"store", CHAT | RESPONSES, NO},
    {"messages", CHAT | MESSAGES, ANY},
    {"max_tokens", CHAT | MESSAGES, ANY},
    {"top_k", CHAT | MESSAGES, ANY},
    {"max_completion_tokens", CHAT, ANY},
    {"presence_penalty", CHAT, ANY},
    {"frequency_penalty", CHAT, ANY},
    {"seed", CHAT, ANY},
    {"response_format", CHAT, ANY},
    {"verbosity", CHAT, ANY},
    {"n", CHAT, ONE},
    {"logprobs", CHAT, NO},
    {"system", MESSAGES, ANY},
    {"thinking", MESSAGES, ANY},
    {"output_config", MESSAGES, ANY},
    {"input", RESPONSES, ANY},
    {"instructions", RESPONSES, ANY},
    {"max_output_tokens", RESPONSES, ANY},
    {"text", RESPONSES, ANY},
    {"include", RESPONSES, ANY},
    {"truncation", RESPONSES, ANY},
    {"background", RESPONSES, NO},
};

/* Thoughts, forms and ends that others would have to keep to, and what only tells of one model. */
#define HARMFUL                                                                       \
    (CAN_CHOOSE_TOOLS | CAN_WRITE_JSON | CAN_FOLLOW_SCHEMAS | CAN_REASON | CAN_STOP | \
     CAN_LOGPROBS | CAN_TOP_LOGPROBS | CAN_LOGIT_BIAS | CAN_SEARCH | CAN_FETCH)

static bool is_harmless(const struct json_walk *w, enum api_protocol api)
{
    if (w->kind == JSON_NULL)
        return true;
    for (unsigned i = 0; i < sizeof harmless / sizeof harmless[0]; i++) {
        if ((harmless[i].apis & FOR(api)) == 0 || !json_walk_is(w, harmless[i].key))
            continue;
        switch (harmless[i].value) {
        case ANY:
            return true;
        case ONE:
            return span_eq(w->value, SPAN_LIT("1"));
        case NO:
            return w->kind == JSON_FALSE;
        }
    }
    return false;
}

/* A tool that runs at the provider leaves more in an answer than text. */
static bool are_functions(struct span tools)
{
    struct span tool;
    struct json_member m;
    size_t cursor = 0;
    while (json_each(tools, &cursor, &tool)) {
        struct span type = json_get(tool, "type", &m) ? json_value(tool, &m) : SPAN_NONE;
        if (type.len > 0 && !span_eq(type, SPAN_LIT("\"function\"")) &&
            !span_eq(type, SPAN_LIT("\"custom\"")))
            return false;
    }
    return true;
}

bool turn_prefill_suits(const struct openai_request *r, struct span body, enum api_protocol api)
{
    struct json_walk w;
    if ((FOR(api) & ALL) == 0 || (r->asked.params & HARMFUL) != 0)
        return false;
    if (r->wants_cost)
        return false; /* only what passes tells it */
    if (api == API_MESSAGES && span_find(body, SPAN_LIT("\"citations\"")) != SIZE_MAX)
        return false; /* they are not translated */
    json_walk_init(&w, body);
    while (json_walk_next(&w)) {
        if (!is_harmless(&w, api) || (json_walk_is(&w, "tools") && !are_functions(w.value)))
            return false;
    }
    return true;
}

/* --- the request that goes on --------------------------------------------------------------------- */

static const struct turn_message *last_spoken(const struct turn_request *r)
{
    const struct turn_message *last = NULL;
    for (const struct turn_message *m = r->messages; m != NULL; m = m->next) {
        if (m->role != ROLE_SYSTEM && m->role != ROLE_DEVELOPER)
            last = m;
    }
    return last;
}

static bool refuse(struct fault *why, struct span path, const char *problem)
{
    return turn_refuse(why, FAULT_UNSUPPORTED_PARAMETER, path, "%s", problem);
}

static bool is_plain(const struct turn_request *r)
{
    bool thinks = (r->effort != EFFORT_UNSAID && r->effort != EFFORT_NONE) ||
                  r->thinking_budget.len > 0 || r->thinking_is_adaptive;
    bool has_form = r->format == FORMAT_JSON || r->format == FORMAT_SCHEMA;
    bool is_forced = r->choice == CHOICE_REQUIRED || r->choice == CHOICE_NAMED;
    return !thinks && !has_form && !is_forced && r->stop.len == 0;
}

static struct span less(struct span lexeme, uint64_t tokens, struct arena *a)
{
    uint64_t most;
    if (!json_u64(lexeme, &most))
        return lexeme;
    most = most > tokens ? most - tokens : 1;
    return span_text(arena_printf(a, "%llu", (unsigned long long)most));
}

bool turn_prefill_add(struct turn_request *r, struct arena *a, struct span text, uint64_t tokens,
                      struct fault *why)
{
    const struct turn_message *last = last_spoken(r);
    if (!is_plain(r))
        return refuse(why, span_text(r->names->messages), "its answer is more than a text");
    if (last == NULL || last->role == ROLE_ASSISTANT)
        return refuse(why, span_text(r->names->messages), "its answer was begun by the client");
    if (r->max_tokens.len > 0)
        r->max_tokens = less(r->max_tokens, tokens, a);
    if (text.len == 0)
        return true;
    struct turn_message *m = turn_add_message(r, a, ROLE_ASSISTANT);
    struct turn_part **end = m != NULL ? &m->parts : NULL;
    struct turn_part *p = m != NULL ? turn_add_part(r, &end, a, PART_TEXT) : NULL;
    if (p == NULL)
        return refuse(why, span_text(r->names->messages), "it has too many messages");
    m->path = p->path = span_text(r->names->messages);
    p->text = text;
    r->is_begun = true;
    return true;
}
