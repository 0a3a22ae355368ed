#include "sluice/codec/token_estimate.h"

enum {
    MESSAGE_TOKENS = 4,
    TOOL_TOKENS = 12,
    IMAGE_TOKENS = 1600,         /* what Anthropic charges at most for one it does not shrink */
    DOCUMENT_BYTES_A_TOKEN = 40, /* of base64: a page is some 100 KB and 2,500 tokens */
};

static uint64_t of_bytes(size_t n)
{
    return (n * 2 + 6) / 7;
}

static uint64_t of_part(const struct turn_part *p)
{
    switch (p->kind) {
    case PART_IMAGE:
        return IMAGE_TOKENS;
    case PART_DOCUMENT:
    case PART_AUDIO:
    case PART_VIDEO:
        return p->data.len / DOCUMENT_BYTES_A_TOKEN + of_bytes(p->text.len) + MESSAGE_TOKENS;
    default:
        return of_bytes(p->text.len + p->name.len + p->arguments_text.len +
                        p->arguments_object.len);
    }
}

/* Results hold parts of their own, and those no further ones. */
static uint64_t of_parts(const struct turn_part *p)
{
    uint64_t n = 0;
    for (; p != NULL; p = p->next) {
        n += of_part(p);
        for (const struct turn_part *i = p->inside; i != NULL; i = i->next)
            n += of_part(i);
    }
    return n;
}

uint64_t token_estimate(const struct turn_request *r)
{
    uint64_t n = 3; /* what stands around any conversation */
    for (const struct turn_message *m = r->messages; m != NULL; m = m->next)
        n += MESSAGE_TOKENS + of_parts(m->parts);
    for (const struct turn_tool *t = r->tools; t != NULL; t = t->next)
        n += TOOL_TOKENS + of_bytes(t->name.len + t->description.len + t->schema.len);
    return n;
}
