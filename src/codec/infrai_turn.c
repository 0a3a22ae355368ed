#include "sluice/codec/infrai_turn.h"

#include "sluice/codec/chat_turn.h"

#include "turn_reading.h"

static bool read_text(struct reading *g, struct span text)
{
    struct turn_message *m = reading_add_message(g, ROLE_USER, SPAN_LIT("messages"));
    if (m == NULL)
        return false;
    struct turn_part **end = &m->parts;
    struct turn_part *p = reading_add_part(g, &end, PART_TEXT, SPAN_LIT("messages"));
    if (p != NULL)
        p->text = json_raw(text);
    return p != NULL;
}

bool infrai_turn_read(struct span body, const struct translation_options *o, struct arena *a,
                      struct turn_request *out, struct fault *why)
{
    static const char *const own[] = {"messages", NULL};
    struct reading g = {.o = o, .a = a, .r = out, .why = why};
    struct json_member m;
    if (!json_get(body, "messages", &m) || m.kind != JSON_STRING)
        return chat_turn_read(body, o, a, out, why);
    return chat_turn_read_but(body, own, o, a, out, why) && read_text(&g, json_value(body, &m));
}
