#include "sluice/codec/proof.h"

#define MARK "sluice1."

static const struct {
    struct span family, format;
} formats[] = {
#define FORMAT(family, format)                        \
    {{(const uint8_t *)(family), sizeof(family) - 1}, \
     {(const uint8_t *)(format), sizeof(format) - 1}}
    FORMAT("anthropic", "anthropic-claude-v1"),
    FORMAT("openai", "openai-responses-v1"),
    FORMAT("gemini", "google-gemini-v1"),
};

struct span proof_format(struct span family)
{
    for (size_t i = 0; i < sizeof formats / sizeof formats[0]; i++) {
        if (span_eq(formats[i].family, family))
            return formats[i].format;
    }
    return SPAN_NONE;
}

struct span proof_family(struct span format)
{
    for (size_t i = 0; i < sizeof formats / sizeof formats[0]; i++) {
        if (span_starts(format, formats[i].format))
            return formats[i].family;
    }
    return SPAN_NONE;
}

/* Base64 in both alphabets, and the ids of items. */
static bool is_carried(struct span text, bool dots)
{
    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = text.at[i];
        bool is_word = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        if (!is_word && memchr("+/=_-:\\", c, 7) == NULL && !(dots && c == '.'))
            return false;
    }
    return true;
}

bool proof_wrap(struct span family, const struct turn_event *e, struct buf *out)
{
    buf_clear(out);
    return is_carried(e->id, false) && is_carried(e->text, true) && buf_add_text(out, MARK) == 0 &&
           buf_add(out, family) == 0 &&
           buf_add_text(out, e->kind == TURN_REDACTED ? ".h." : ".s.") == 0 &&
           buf_add(out, e->id) == 0 && buf_add_text(out, ".") == 0 && buf_add(out, e->text) == 0;
}

/* Takes a wrapper apart; false when it is none, or of another family. */
static bool unwrap(struct span text, struct span family, uint8_t *kind, struct span *id,
                   struct span *proof)
{
    if (!span_starts(text, SPAN_LIT(MARK)))
        return false;
    struct span rest = span_skip(text, sizeof MARK - 1);
    if (!span_eq(span_cut(&rest, '.'), family))
        return false;
    struct span word = span_cut(&rest, '.');
    *kind = word.len == 1 ? word.at[0] : 0;
    *id = span_cut(&rest, '.');
    *proof = rest;
    return rest.len > 0 && (*kind == 's' || *kind == 'h');
}

static void keep_part(struct turn_part *p, struct span family)
{
    uint8_t kind;
    struct span id, proof, carried = p->kind == PART_REDACTED ? p->text : p->proof;
    bool is_native = p->family.len > 0 && span_eq(p->family, family);
    if (is_native && !span_starts(carried, SPAN_LIT(MARK)))
        return;
    if (!unwrap(carried, family, &kind, &id, &proof)) {
        p->proof = SPAN_NONE;
        if (p->kind == PART_REDACTED)
            p->text = SPAN_NONE;
        return;
    }
    if (kind == 'h') {
        p->kind = PART_REDACTED;
        p->text = proof;
        p->proof = SPAN_NONE;
    } else {
        p->kind = PART_REASONING;
        if (carried.at == p->text.at)
            p->text = SPAN_NONE;
        p->proof = proof;
    }
    p->id = id;
}

static bool is_reasoning(const struct turn_part *p)
{
    return p->kind == PART_REASONING || p->kind == PART_REDACTED;
}

/* Keeps of a message's reasoning what can go on; false when nothing is left of the message. */
static bool keep_message(struct turn_message *m, struct span family, struct turn_notes *unread)
{
    bool was_empty = m->parts == NULL;
    struct turn_part **link = &m->parts;
    while (*link != NULL) {
        struct turn_part *p = *link;
        bool said = p->text.len > 0 || p->proof.len > 0;
        if (is_reasoning(p))
            keep_part(p, family);
        if (is_reasoning(p) && p->text.len == 0 && p->proof.len == 0) {
            if (said)
                turn_note_dropped(unread, "reasoning");
            *link = p->next;
        } else {
            link = &p->next;
        }
    }
    return m->parts != NULL || was_empty;
}

void proof_keep(struct turn_request *r, struct span family)
{
    struct turn_message *before = NULL;
    for (struct turn_message *m = r->messages; m != NULL; m = m->next) {
        bool is_only = before == NULL && m->next == NULL;
        if (keep_message(m, family, &r->unread) || is_only) {
            before = m;
            continue;
        }
        if (before == NULL)
            r->messages = m->next;
        else
            before->next = m->next;
        if (r->last_message == m)
            r->last_message = before;
    }
}

bool proof_is_wrapped_in(struct span body)
{
    return span_find(body, SPAN_LIT("\"" MARK)) != SIZE_MAX;
}
