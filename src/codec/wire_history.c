#include "wire_history.h"

#include "sluice/format/json_walk.h"

bool wire_is_system(const struct turn_message *m)
{
    return m->role == ROLE_SYSTEM || m->role == ROLE_DEVELOPER;
}

const struct turn_message *wire_run_end(const struct turn_message *m)
{
    bool is_assistant = m->role == ROLE_ASSISTANT;
    while (m != NULL && (wire_is_system(m) || (m->role == ROLE_ASSISTANT) == is_assistant))
        m = m->next;
    return m;
}

const struct turn_part *wire_result_of(const struct turn_message *m, const struct turn_message *end,
                                       struct span id)
{
    for (; m != end; m = m->next) {
        if (m->role == ROLE_TOOL && span_eq(m->parts->id, id))
            return m->parts;
    }
    return NULL;
}

static bool has_call(const struct turn_message *m, const struct turn_message *end, struct span id)
{
    for (; m != end; m = m->next) {
        for (const struct turn_part *p = m->parts; p != NULL; p = p->next) {
            if (p->kind == PART_CALL && span_eq(p->id, id))
                return true;
        }
    }
    return false;
}

bool wire_check_results(const struct turn_message *calls, const struct turn_message *m,
                        const struct turn_message *end, struct fault *why)
{
    const struct turn_message *first = m;
    for (const struct turn_message *i = calls; i != m; i = i->next) {
        for (const struct turn_part *p = i->parts; p != NULL; p = p->next) {
            if (p->kind == PART_CALL && wire_result_of(m, end, p->id) == NULL)
                return turn_refuse(why, FAULT_INVALID_REQUEST, p->path,
                                   "the tool call %.*s has no result in the next message",
                                   SPAN_FMT(span_sub(p->id, 0, 100)));
        }
    }
    for (; m != end; m = m->next) {
        if (m->role == ROLE_TOOL && !has_call(calls, first, m->parts->id))
            return turn_refuse(why, FAULT_INVALID_REQUEST, m->path,
                               "the result of a tool follows the message that calls it");
    }
    return true;
}

bool wire_is_allowed(const struct turn_request *r, const struct turn_tool *t)
{
    const struct turn_tool *a = r->allowed;
    while (a != NULL && !span_eq(a->name, t->name))
        a = a->next;
    return r->allowed == NULL || a != NULL;
}

bool wire_check_answer(const struct turn_request *r, struct fault *why)
{
    uint64_t n = 1, top = 0;
    const char *path = NULL, *problem = "this model does not tell probabilities";
    if (json_is_true(r->logprobs)) {
        path = "logprobs";
    } else if (json_u64(r->top_logprobs, &top) && top > 0) {
        path = "top_logprobs";
    } else if (r->n.len > 0 && (!json_u64(r->n, &n) || n != 1)) {
        path = "n";
        problem = "this model gives one answer at a time";
    } else if (span_find(r->logit_bias, SPAN_LIT(":")) != SIZE_MAX) {
        path = "logit_bias";
        problem = "this model has other tokens";
    } else if (r->audio.len > 0 || span_find(r->modalities, SPAN_LIT("\"audio\"")) != SIZE_MAX) {
        path = "modalities";
        problem = "this model does not speak";
    }
    return path == NULL ||
           turn_refuse(why, FAULT_UNSUPPORTED_PARAMETER, span_text(path), "%s", problem);
}

struct span wire_grammar_of(const struct turn_tool *t)
{
    struct json_member m;
    struct span format = t->format;
    if (format.len > 0 && json_get(format, "grammar", &m)) /* Chat has it one level deeper */
        format = json_value(format, &m);
    return format.len > 0 && json_get(format, "definition", &m) ? json_raw(json_value(format, &m))
                                                                : SPAN_NONE;
}

void wire_put_grammar(struct json_out *o, struct span description, struct span grammar)
{
    json_out_lit(o, "\"");
    json_out_span(o, description);
    json_out_lit(o, "\\n\\nThe input must follow this grammar:\\n");
    json_out_span(o, grammar);
    json_out_lit(o, "\"");
}

bool wire_check_end(const struct turn_request *r, struct fault *why)
{
    const struct turn_message *last = r->last_message;
    const struct turn_part *p = last != NULL && last->role == ROLE_ASSISTANT ? last->parts : NULL;
    while (p != NULL && p->kind != PART_CALL)
        p = p->next;
    return p == NULL || turn_refuse(why, FAULT_INVALID_REQUEST, p->path,
                                    "the tool call %.*s has no result in the next message",
                                    SPAN_FMT(span_sub(p->id, 0, 100)));
}
