#include "conversation.h"

static int add_message(struct buf *out, bool first, const char *role, struct span text)
{
    int rc = buf_addf(out, "%s{\"role\":\"%s\",\"content\":\"", first ? "" : ",", role);
    if (rc == 0)
        rc = buf_add_json(out, text);
    return rc == 0 ? buf_add_text(out, "\"}") : rc;
}

size_t conversation_mark(const struct conversation *c)
{
    return c->messages.tail;
}

void conversation_return(struct conversation *c, size_t mark)
{
    c->messages.tail = mark;
}

int conversation_add(struct conversation *c, const char *role, struct span text)
{
    return add_message(&c->messages, buf_len(&c->messages) == 0, role, text);
}

int conversation_write(const struct conversation *c, struct buf *out)
{
    int rc = buf_add_text(out, "{\"model\":\"");
    if (rc == 0)
        rc = buf_add_json(out, span_text(c->model));
    if (rc == 0)
        rc = buf_add_text(out, "\",\"messages\":[");
    if (rc == 0 && c->system != NULL)
        rc = add_message(out, true, "system", span_text(c->system));
    if (rc == 0 && c->system != NULL && buf_len(&c->messages) > 0)
        rc = buf_add_byte(out, ',');
    if (rc == 0)
        rc = buf_add(out, buf_span(&c->messages));
    if (rc == 0)
        rc = buf_add_text(out, "],\"stream\":true,\"stream_options\":{\"include_usage\":true},"
                               "\"usage\":{\"include\":true}}");
    return rc;
}

void conversation_fini(struct conversation *c)
{
    buf_fini(&c->messages);
}
