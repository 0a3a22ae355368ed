#include "sluice/codec/answer_seam.h"

#include "sluice/codec/raw_text.h"

void answer_seam_init(struct answer_seam *s)
{
    *s = (struct answer_seam){.is_lost = false};
}

void answer_seam_fini(struct answer_seam *s)
{
    buf_fini(&s->text);
}

static void lose(struct answer_seam *s)
{
    s->is_lost = true;
    buf_fini(&s->text);
}

/* --- what is delivered ---------------------------------------------------------------------------- */

static void keep(struct answer_seam *s, const struct turn_event *e)
{
    bool is_other = s->has_slot && e->slot != s->slot;
    bool is_long = buf_len(&s->text) + e->text.len > SEAM_TEXT_MAX;
    if (s->is_lost)
        return;
    if (is_other || is_long || e->logprobs.len > 0 || buf_add(&s->text, e->text) < 0) {
        lose(s);
        return;
    }
    s->has_slot = true;
    s->slot = e->slot;
    s->owed_at = buf_len(&s->text);
}

static bool has_slot(enum turn_event_kind kind)
{
    switch (kind) {
    case TURN_START:
    case TURN_USAGE:
    case TURN_STOP:
    case TURN_END:
    case TURN_FAULT:
        return false;
    default:
        return true;
    }
}

static void watch(struct answer_seam *s, const struct turn_event *e)
{
    if (has_slot(e->kind) && e->slot >= s->beyond)
        s->beyond = e->slot + 1;
    switch (e->kind) {
    case TURN_TEXT:
        keep(s, e);
        break;
    case TURN_START:
    case TURN_USAGE:
    case TURN_FAULT:
        break;
    default:
        lose(s);
        break;
    }
}

static bool deliver(struct answer_seam *s, const struct turn_event *e, turn_event_fn next,
                    void *arg)
{
    watch(s, e);
    return next(arg, e);
}

/* --- what goes on --------------------------------------------------------------------------------- */

static struct span owed(const struct answer_seam *s)
{
    return span_skip(buf_span(&s->text), s->owed_at);
}

/* Takes what is owed off the beginning of `text`. False: it is something else. */
static bool settle(struct answer_seam *s, struct span *text)
{
    struct span left = owed(s);
    uint32_t due, come;
    while (left.len > 0 && text->len > 0) {
        if (!raw_text_next(&left, &due) || !raw_text_next(text, &come) || due != come)
            return false;
    }
    s->owed_at = buf_len(&s->text) - left.len;
    return true;
}

static unsigned slot_here(struct answer_seam *s, const struct turn_event *e)
{
    bool may_join = s->has_slot && !s->has_joint && e->kind == TURN_TEXT;
    if (may_join) {
        s->has_joint = true;
        s->joint = e->slot;
    }
    return s->has_joint && e->slot == s->joint ? s->slot : s->base + e->slot;
}

static bool is_thought(enum turn_event_kind kind)
{
    return kind == TURN_REASONING || kind == TURN_PROOF || kind == TURN_REDACTED;
}

static bool go_on(struct answer_seam *s, const struct turn_event *e, turn_event_fn next, void *arg)
{
    struct turn_event own = *e;
    bool is_text = e->kind == TURN_TEXT;
    if (e->kind == TURN_START)
        return true; /* the client has heard it */
    if (e->kind == TURN_USAGE || e->kind == TURN_FAULT)
        return next(arg, e);
    if (s->has_slot && is_thought(e->kind))
        return turn_event_give_up(next, arg, "it thinks anew instead of going on with the answer");
    if (is_text && !settle(s, &own.text))
        return turn_event_give_up(next, arg, "it does not go on where the answer broke off");
    if (owed(s).len > 0)
        return is_text ||
               turn_event_give_up(next, arg, "it does not go on where the answer broke off");
    if (has_slot(e->kind))
        own.slot = slot_here(s, e);
    if (is_text && own.text.len == 0 && e->text.len > 0)
        return true; /* all of it was delivered before */
    return deliver(s, &own, next, arg);
}

bool answer_seam_event(struct answer_seam *s, const struct turn_event *e, turn_event_fn next,
                       void *arg)
{
    return s->is_cut ? go_on(s, e, next, arg) : deliver(s, e, next, arg);
}

/* --- the seam ------------------------------------------------------------------------------------- */

static bool ends_in_half(struct span raw)
{
    uint32_t code = 0;
    while (raw_text_next(&raw, &code)) {}
    return code >= 0xd800 && code < 0xdc00;
}

bool answer_seam_is_good(const struct answer_seam *s)
{
    return !s->is_lost && !ends_in_half(buf_span(&s->text));
}

bool answer_seam_is_empty(const struct answer_seam *s)
{
    return !s->is_lost && buf_len(&s->text) == 0;
}

struct span answer_seam_shown(const struct answer_seam *s)
{
    struct span text = buf_span(&s->text);
    return span_sub(text, 0, text.len - raw_text_blank_tail(text));
}

void answer_seam_cut(struct answer_seam *s, bool echoes)
{
    s->is_cut = true;
    s->has_joint = false;
    s->base = s->beyond;
    s->owed_at = echoes ? 0 : answer_seam_shown(s).len;
}
