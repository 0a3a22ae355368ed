#include "wire_history.h"

#include "sluice/base/digest.h"
#include "sluice/codec/raw_text.h"
#include "sluice/format/json_walk.h"

bool wire_is_system(const struct turn_message *m)
{
    return m->role == ROLE_SYSTEM || m->role == ROLE_DEVELOPER;
}

const struct turn_message *wire_run_end(const struct turn_message *m)
{
    bool is_assistant = m->role == ROLE_ASSISTANT;
    while (m != NULL && (wire_is_system(m) || (m->role == ROLE_ASSISTANT) == is_assistant))
        m = m->next;
    return m;
}

static bool is_marked(const struct turn_part *p)
{
    bool is_any = p->cache_control.len > 0;
    for (const struct turn_part *i = p->inside; i != NULL; i = i->next)
        is_any |= i->cache_control.len > 0;
    return is_any;
}

bool wire_has_cache_control(const struct turn_request *r)
{
    for (const struct turn_tool *t = r->tools; t != NULL; t = t->next) {
        if (t->cache_control.len > 0)
            return true;
    }
    for (const struct turn_message *m = r->messages; m != NULL; m = m->next) {
        for (const struct turn_part *p = m->parts; p != NULL; p = p->next) {
            if (is_marked(p))
                return true;
        }
    }
    return false;
}

struct span wire_bounded_id(struct arena *a, struct span raw)
{
    enum { ID_MAX = 64 };
    uint8_t digest[SHA256_BYTES];
    if (raw.len <= ID_MAX)
        return raw;
    char *hex = arena_alloc(a, 2 * SHA256_BYTES + 1);
    digest_sha256(raw, digest);
    digest_hex(digest, SHA256_BYTES, hex);
    return span_of(hex, 2 * SHA256_BYTES);
}

struct span wire_cache_key(struct arena *a, const struct turn_request *r)
{
    bool is_user = r->cache_key.len == 0 && r->caches_by_user;
    return wire_bounded_id(a, is_user ? r->user : r->cache_key);
}

bool wire_put_runs(struct writing *w, wire_run_fn put_run)
{
    const struct turn_message *m = w->r->messages, *calls, *end;
    size_t empty = w->out.buf->tail;
    while (m != NULL && wire_is_system(m))
        m = m->next;
    for (calls = m; m != NULL; m = end) {
        end = wire_run_end(m);
        if (!put_run(w, calls, m, end))
            return false;
        calls = m->role == ROLE_ASSISTANT ? m : end;
    }
    return w->out.buf->tail != empty ||
           turn_refuse(w->why, FAULT_INVALID_REQUEST, span_text(w->r->names->messages),
                       "it holds nothing but system messages");
}

bool wire_put_arguments(struct writing *w, const struct turn_part *call)
{
    struct span text = call->arguments_text;
    if (call->is_custom) { /* free text travels as the one member of an object: custom_tool.h */
        put(w, "{\"input\":");
        json_out_raw(&w->out, text);
        put(w, "}");
    } else if (call->arguments_object.len > 0) {
        json_out_span(&w->out, call->arguments_object);
    } else if (raw_text_is_blank(text)) {
        put(w, "{}");
    } else if (!json_out_object(&w->out, text)) {
        if (!w->o->translation.wraps_bad_arguments)
            return turn_refuse(w->why, FAULT_INVALID_REQUEST,
                               turn_path(w->a, call->path, "%s", w->r->names->arguments),
                               "it must be a JSON object: this model takes nothing else");
        turn_note_dropped(w->notes, "arguments that are no object");
        put(w, "{\"_raw\":");
        json_out_raw(&w->out, text);
        put(w, "}");
    }
    return true;
}

bool wire_put_system(struct writing *w, const struct turn_message *place, const char *open,
                     const char *close,
                     bool (*put_parts)(struct writing *w, const struct turn_part *p))
{
    bool is_leading = true, is_before = place != w->r->messages;
    size_t before = w->out.buf->tail;
    put(w, open);
    size_t empty = w->out.buf->tail;
    for (const struct turn_message *m = w->r->messages; m != NULL; m = m->next) {
        is_before = is_before && m != place;
        is_leading = is_leading && wire_is_system(m);
        if (!wire_is_system(m) || (!is_leading && is_before))
            continue;
        if (!is_leading)
            turn_note_dropped(w->notes, "place of system messages");
        if (!put_parts(w, m->parts))
            return false;
    }
    if (w->out.buf->tail == empty)
        w->out.buf->tail = before;
    else
        put(w, close);
    return true;
}

void wire_note_said(struct writing *w, const struct wire_said *fields, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (fields[i].said.len > 0 && !span_eq(fields[i].said, SPAN_LIT("\"auto\"")))
            turn_note_dropped(w->notes, fields[i].name);
    }
}

void wire_note_names(const struct turn_request *r, struct turn_notes *notes)
{
    for (const struct turn_message *m = r->messages; m != NULL; m = m->next) {
        if (m->name.len > 0)
            turn_note_dropped(notes, "messages[].name");
    }
}

static bool may_say(const struct turn_message *m, const struct turn_part *p)
{
    return !turn_is_media(p->kind) || (m->role != ROLE_ASSISTANT && !wire_is_system(m));
}

bool wire_check_roles(const struct turn_request *r, struct fault *why)
{
    for (const struct turn_message *m = r->messages; m != NULL; m = m->next) {
        for (const struct turn_part *p = m->parts; p != NULL; p = p->next) {
            if (!may_say(m, p))
                return turn_refuse(why, FAULT_UNSUPPORTED_PARAMETER, p->path,
                                   "for this model only users and tools may show more than text");
        }
    }
    return true;
}

bool wire_check_answer(const struct turn_request *r, struct fault *why)
{
    uint64_t n = 1;
    const char *path = NULL, *problem = NULL;
    if (r->n.len > 0 && (!json_u64(r->n, &n) || n != 1)) {
        path = "n";
        problem = "this model gives one answer at a time";
    } else if (span_find(r->logit_bias, SPAN_LIT(":")) != SIZE_MAX) {
        path = "logit_bias";
        problem = "this model has other tokens";
    } else if (r->audio.len > 0 || span_find(r->modalities, SPAN_LIT("\"audio\"")) != SIZE_MAX) {
        path = "modalities";
        problem = "this model does not speak";
    }
    return path == NULL ||
           turn_refuse(why, FAULT_UNSUPPORTED_PARAMETER, span_text(path), "%s", problem);
}

bool wire_check_logprobs(const struct turn_request *r, struct fault *why)
{
    uint64_t top = 0;
    const char *path = json_u64(r->top_logprobs, &top) && top > 0 ? "top_logprobs"
                       : json_is_true(r->logprobs)                ? r->names->logprobs
                                                                  : NULL;
    return path == NULL || turn_refuse(why, FAULT_UNSUPPORTED_PARAMETER, span_text(path),
                                       "this model does not tell probabilities");
}
