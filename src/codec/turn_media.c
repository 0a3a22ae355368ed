#include "sluice/codec/turn_media.h"

#include "sluice/format/json_scan.h"
#include "sluice/format/url.h"

struct search {
    const struct upstream_codec *upstream;
    const struct wire_options *options;
    struct turn_part **found; /* NULL: count only */
    unsigned n;
};

static void look_at(struct search *s, struct turn_part *p)
{
    if (!turn_is_media(p->kind) || p->url.len == 0 || s->upstream->takes_url(p, s->options))
        return;
    if (s->found != NULL)
        s->found[s->n] = p;
    s->n++;
}

/* Others than users and tools show nothing: the writer sees to that. */
static void look_through(struct search *s, const struct turn_request *r)
{
    for (const struct turn_message *m = r->messages; m != NULL; m = m->next) {
        if (m->role != ROLE_USER && m->role != ROLE_TOOL)
            continue;
        for (struct turn_part *p = m->parts; p != NULL; p = p->next) {
            look_at(s, p);
            for (struct turn_part *i = p->inside; i != NULL; i = i->next)
                look_at(s, i);
        }
    }
}

struct turn_media turn_media_missing(const struct turn_request *r,
                                     const struct upstream_codec *upstream,
                                     const struct wire_options *o, struct arena *a)
{
    struct search s = {.upstream = upstream, .options = o};
    look_through(&s, r);
    if (s.n == 0)
        return (struct turn_media){0};
    s.found = ARENA_ARRAY(a, struct turn_part *, s.n);
    s.n = 0;
    look_through(&s, r);
    return (struct turn_media){s.found, s.n};
}

struct span turn_media_url(const struct turn_part *p, struct arena *a)
{
    if (p->url.len > URL_MAX)
        return SPAN_NONE;
    char *text = arena_alloc(a, p->url.len + 1);
    long n = json_unescape(p->url, text, p->url.len);
    return n < 0 ? SPAN_NONE : span_of(text, (size_t)n);
}

void turn_media_inline(struct turn_part *p, struct span media_type, struct span base64)
{
    p->url = SPAN_NONE;
    p->media_type = media_type;
    p->data = base64;
}
