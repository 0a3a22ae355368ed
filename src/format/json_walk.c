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
