/* turn_writing.h: what the writers of upstream requests have in common. */
#ifndef SLUICE_SRC_CODEC_TURN_WRITING_H
#define SLUICE_SRC_CODEC_TURN_WRITING_H

#include "sluice/codec/turn_wire.h"
#include "sluice/format/json_out.h"

/* One request being written. Members below `why` are for the writers that need them. */
struct writing {
    const struct turn_request *r;
    const struct wire_options *o;
    struct arena *a;
    struct json_out out;
    struct turn_notes *notes;
    struct fault *why;
    uint64_t max_tokens;
    bool thinks;           /* reasoning was asked for */
    bool has_calls;        /* in the history */
    struct span signature; /* Gemini, Chat: of the part that comes next */
    bool has_called;       /* Gemini, Chat: in the turn under way */
};

static inline void put(struct writing *w, const char *text)
{
    json_out_span(&w->out, span_text(text));
}

static inline bool takes(const struct writing *w, enum model_fact fact)
{
    return (w->o->facts & (unsigned)fact) != 0;
}

static inline bool refuse(struct writing *w, struct span path, const char *problem)
{
    return turn_refuse(w->why, FAULT_UNSUPPORTED_PARAMETER, path, "%s", problem);
}

/* A comma unless a list or an object has just begun. */
static inline void put_comma(struct writing *w)
{
    if (w->out.rc == 0 && strchr("[{", w->out.buf->at[w->out.buf->tail - 1]) == NULL)
        put(w, ",");
}

static inline void put_key(struct writing *w, const char *key)
{
    put_comma(w);
    put(w, "\"");
    put(w, key);
    put(w, "\":");
}

/* A member that is a string, or a value as the client wrote it; nothing when it is empty. */
static inline void put_string(struct writing *w, const char *key, struct span raw)
{
    if (raw.len == 0)
        return;
    put_key(w, key);
    json_out_raw(&w->out, raw);
}

static inline void put_lexeme(struct writing *w, const char *key, struct span lexeme)
{
    if (lexeme.len == 0)
        return;
    put_key(w, key);
    json_out_span(&w->out, lexeme);
}

#endif
