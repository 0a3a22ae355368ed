#include "sluice/format/json_walk.h"

void json_walk_init(struct json_walk *w, struct span object)
{
    w->key = w->value = SPAN_NONE;
    w->kind = JSON_NULL;
    w->text = w->rest = object;
    w->is_valid = false;
    json_scan_init(&w->scan);
}

bool json_walk_next(struct json_walk *w)
{
    enum json_status status = json_scan_next(&w->scan, &w->rest);
    if (status != JSON_MEMBER) {
        w->is_valid = status == JSON_DONE && w->scan.root == JSON_OBJECT;
        return false;
    }
    const struct json_member *m = &w->scan.member;
    w->key = span_sub(w->text, m->key.start, m->key.end - m->key.start);
    w->value = json_value(w->text, m);
    w->kind = m->kind;
    return true;
}

static bool is_empty(const struct json_walk *w)
{
    switch (w->kind) {
    case JSON_NULL:
        return true;
    case JSON_STRING:
    case JSON_ARRAY:
    case JSON_OBJECT:
        return w->value.len == 2;
    default:
        return false;
    }
}

bool json_is_empty_but_for(struct span object, const char *name)
{
    struct json_walk w;
    json_walk_init(&w, object);
    while (json_walk_next(&w)) {
        if (!is_empty(&w) && !json_walk_is(&w, name))
            return false;
    }
    return json_walk_is_complete(&w);
}
