#include "wire_history.h"

#include "sluice/base/map.h"
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

int wire_each_called(struct writing *w, void (*each)(struct writing *w, struct span name))
{
    struct map names = {0};
    int rc = w->out.rc;
    for (const struct turn_message *m = w->r->messages; rc == 0 && m != NULL; m = m->next) {
        for (struct turn_part *p = m->parts; rc == 0 && p != NULL; p = p->next) {
            if (p->kind != PART_CALL || map_get(&names, p->name) != NULL)
                continue;
            rc = map_put(&names, p->name, p);
            each(w, p->name);
        }
    }
    map_fini(&names);
    return rc != 0 ? rc : w->out.rc;
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
