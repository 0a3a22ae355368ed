#include "thought_signature.h"

#include "sluice/format/json_walk.h"

/* The member of this name: an object, or a string of which the inside counts. */
static struct span member(struct span object, const char *name, enum json_kind kind)
{
    struct json_member m;
    if (object.len == 0 || !json_get(object, name, &m) || m.kind != kind)
        return SPAN_NONE;
    return kind == JSON_STRING ? json_raw(json_value(object, &m)) : json_value(object, &m);
}

struct span thought_signature_of(struct span call)
{
    struct span extra = member(call, "extra_content", JSON_OBJECT);
    struct span google = member(extra, "google", JSON_OBJECT);
    struct span signature = member(google, "thought_signature", JSON_STRING);
    return signature.len > 0 ? signature : member(call, "thought_signature", JSON_STRING);
}

void thought_signature_put(struct json_out *o, struct span raw)
{
    json_out_lit(o, ",\"extra_content\":{\"google\":{\"thought_signature\":");
    json_out_raw(o, raw);
    json_out_lit(o, "}}");
}
