#include "chat_turn_parts.h"
#include "thought_signature.h"

#include "sluice/codec/chat_details.h"
#include "sluice/codec/proof.h"

enum { AHEAD_MAX = 64 }; /* how far from its place a call's signature may be told */

bool chat_thought_take(struct chat_thought *t, const struct json_walk *w)
{
    struct span raw = json_raw(w->value);
    bool is_filled = json_array_is_filled(w->value);
    if (json_walk_is(w, "reasoning_content") || json_walk_is(w, "reasoning"))
        t->text = raw.len > 0 ? raw : t->text;
    else if (json_walk_is(w, "reasoning_details"))
        t->details = is_filled ? w->value : t->details;
    else if (json_walk_is(w, "thinking_blocks"))
        t->blocks = is_filled ? w->value : t->blocks;
    else if (json_walk_is(w, "thought_signature"))
        t->signature = raw;
    else
        return false;
    return true;
}

static struct turn_part *add(struct reading *g, struct turn_part ***end, enum turn_part_kind kind,
                             struct span text, struct span path)
{
    struct turn_part *p = reading_add_part(g, end, kind, path);
    if (p != NULL)
        p->text = text;
    return p;
}

/* --- reasoning_details ------------------------------------------------------------------------------ */

/* The list being read. A client that kept a stream's pieces as they came sends elements of one index in
 * a row, which are one text: Anthropic's signature covers all of it. */
struct details {
    struct reading *g;
    struct chat_thought *thought;
    struct turn_part **end,
        **signatures;          /* last links: of the message, and of what lies on calls */
    struct turn_part *open;    /* a text without its proof, or NULL */
    struct span index, family; /* of the open one */
    struct buf joined;         /* its text, once it has several pieces */
    struct span path;
    bool out_of_memory;
};

static void keep_joined(struct details *l)
{
    if (buf_len(&l->joined) > 0)
        l->open->text = arena_keep(l->g->a, buf_span(&l->joined));
    buf_clear(&l->joined);
}

static void close_open(struct details *l)
{
    if (l->open != NULL)
        keep_joined(l);
    l->open = NULL;
}

static bool continues(const struct details *l, const struct chat_detail *d)
{
    return l->open != NULL && d->index.len > 0 && span_eq(d->index, l->index);
}

static bool take_text(struct details *l, const struct chat_detail *d)
{
    if (continues(l, d)) {
        bool is_second = buf_len(&l->joined) == 0;
        l->out_of_memory |= (is_second && buf_add(&l->joined, l->open->text) < 0) ||
                            buf_add(&l->joined, d->text) < 0;
        return true;
    }
    close_open(l);
    l->open = add(l->g, &l->end, PART_REASONING, d->text, l->path);
    l->index = d->index;
    l->family = d->family;
    return l->open != NULL;
}

/* Text and signature of one block may come as elements of their own, in order. */
static bool take_shown(struct details *l, const struct chat_detail *d)
{
    if ((l->open == NULL || d->text.len > 0) && !take_text(l, d))
        return false;
    if (d->signature.len == 0)
        return true;
    l->open->proof = d->signature;
    l->open->family = d->family;
    close_open(l);
    return true;
}

/* Gemini's signature of a call goes to that call; what OpenAI encrypted belongs to the summary before it. */
static bool take_hidden(struct details *l, const struct chat_detail *d)
{
    bool is_of_call = span_eq(d->family, PROOF_GEMINI) && d->id.len > 0;
    bool is_openai = span_eq(d->family, SPAN_LIT("openai"));
    bool is_redacted = span_eq(d->family, SPAN_LIT("anthropic"));
    struct turn_part *p = is_openai && span_eq(l->family, d->family) ? l->open : NULL;
    if (p == NULL)
        p = add(l->g, is_of_call ? &l->signatures : &l->end,
                is_redacted ? PART_REDACTED : PART_REASONING, is_redacted ? d->data : SPAN_NONE,
                l->path);
    if (p == NULL)
        return false;
    p->proof = is_redacted ? SPAN_NONE : d->data;
    p->id = d->id;
    p->family = d->family;
    l->thought->is_signed |= span_eq(d->family, PROOF_GEMINI);
    close_open(l);
    return true;
}

static bool read_details(struct reading *g, struct chat_thought *t, struct turn_part ***end,
                         struct span path)
{
    struct details l = {
        .g = g, .thought = t, .end = *end, .signatures = &t->of_calls, .path = path};
    struct span element;
    size_t cursor = 0;
    bool ok = true;
    while (ok && json_each(t->details, &cursor, &element)) {
        struct chat_detail d = chat_detail_read(element);
        bool is_hidden = span_eq(d.type, SPAN_LIT("reasoning.encrypted"));
        ok = is_hidden ? take_hidden(&l, &d) : take_shown(&l, &d);
    }
    close_open(&l);
    buf_fini(&l.joined);
    *end = l.end;
    if (ok && l.out_of_memory)
        *g->why = (struct fault){.kind = FAULT_OVERLOADED, .message = "out of memory"};
    return ok && !l.out_of_memory;
}

/* --- other spellings -------------------------------------------------------------------------------- */

/* LiteLLM's: Anthropic's blocks as they are. */
static bool read_blocks(struct reading *g, struct span blocks, struct turn_part ***end,
                        struct span path)
{
    struct span block;
    size_t cursor = 0;
    while (json_each(blocks, &cursor, &block)) {
        bool is_hidden = span_eq(reading_text_of(block, "type"), SPAN_LIT("redacted_thinking"));
        struct turn_part *p = add(g, end, is_hidden ? PART_REDACTED : PART_REASONING,
                                  reading_text_of(block, is_hidden ? "data" : "thinking"), path);
        if (p == NULL)
            return false;
        p->proof = reading_text_of(block, "signature");
        p->family = proof_family(SPAN_LIT("anthropic-claude-v1"));
    }
    return true;
}

static bool add_signature(struct reading *g, struct span signature, struct turn_part ***end,
                          struct span path)
{
    struct turn_part *p = add(g, end, PART_REASONING, SPAN_NONE, path);
    if (p == NULL)
        return false;
    p->proof = signature;
    p->family = PROOF_GEMINI;
    return true;
}

bool chat_thought_read(struct reading *g, struct chat_thought *t, struct turn_part ***end,
                       struct span path)
{
    if (t->details.len > 0 ? !read_details(g, t, end, path) : !read_blocks(g, t->blocks, end, path))
        return false;
    bool is_plain = t->details.len == 0 && t->blocks.len == 0;
    if (is_plain && t->text.len > 0 && add(g, end, PART_REASONING, t->text, path) == NULL)
        return false;
    return t->signature.len == 0 || t->is_signed || add_signature(g, t->signature, end, path);
}

/* Calls and their signatures come in one order, so the next is the one, or near. */
static struct turn_part *take_signature(struct chat_thought *t, struct span id)
{
    struct turn_part **link = &t->of_calls;
    for (unsigned i = 0; i < AHEAD_MAX && *link != NULL; i++, link = &(*link)->next) {
        struct turn_part *p = *link;
        if (!span_eq(p->id, id))
            continue;
        *link = p->next;
        p->next = NULL;
        return p;
    }
    return NULL;
}

bool chat_thought_read_call(struct reading *g, struct chat_thought *t, struct span call,
                            struct turn_part ***end, struct span path)
{
    struct span signature = thought_signature_of(call);
    struct turn_part *told = take_signature(t, reading_text_of(call, "id"));
    if (signature.len > 0)
        return add_signature(g, signature, end, path);
    if (told == NULL)
        return true;
    **end = told;
    *end = &told->next;
    return true;
}
