#include "wire_tools.h"

#include "sluice/base/map.h"

const struct turn_tool *wire_tool_named(const struct turn_request *r, struct span name)
{
    const struct turn_tool *web = NULL;
    bool is_search = span_eq(name, SPAN_LIT("web_search"));
    for (const struct turn_tool *t = r->tools; t != NULL; t = t->next) {
        bool is_it = span_eq(t->name, name) || (is_search && t->name.len == 0);
        if (is_it && t->web == NULL)
            return t;
        web = is_it ? t : web;
    }
    return web;
}

const struct turn_tool *wire_must_use_web(const struct turn_request *r)
{
    const struct turn_tool *t = r->choice == CHOICE_NAMED ? wire_tool_named(r, r->choice_name)
                                                          : NULL;
    return t != NULL && t->web != NULL ? t : NULL;
}

bool wire_is_allowed(const struct turn_request *r, const struct turn_tool *t)
{
    const struct turn_tool *a = r->allowed;
    while (a != NULL && !span_eq(a->name, t->name))
        a = a->next;
    return r->allowed == NULL || a != NULL;
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

bool wire_may_wrap(struct writing *w, const struct turn_tool *t)
{
    return t->grammar.len == 0 || !w->o->translation.rejects_grammars ||
           refuse(w, t->path, "this model cannot be held to the grammar of a custom tool");
}

void wire_put_grammar(struct json_out *o, struct span description, struct span grammar)
{
    json_out_lit(o, "\"");
    json_out_span(o, description);
    json_out_lit(o, "\\n\\nThe input must follow this grammar:\\n");
    json_out_span(o, grammar);
    json_out_lit(o, "\"");
}
