#include "sluice/codec/custom_tool.h"

#include <stdlib.h>

void custom_tool_init(struct custom_tool *c, const struct span *names, unsigned n)
{
    *c = (struct custom_tool){.names = names, .n = n};
}

void custom_tool_fini(struct custom_tool *c)
{
    free(c->calls);
    buf_fini(&c->out);
    c->calls = NULL;
}

static bool is_wrapped(const struct custom_tool *c, struct span name)
{
    for (unsigned i = 0; i < c->n; i++) {
        if (span_eq(c->names[i], name))
            return true;
    }
    return false;
}

static struct custom_call *find_call(const struct custom_tool *c, unsigned slot)
{
    for (unsigned i = c->ncalls; i > 0; i--) {
        if (c->calls[i - 1].slot == slot)
            return &c->calls[i - 1];
    }
    return NULL;
}

/* --- the wrapped string --------------------------------------------------------------------------- */

static void put(struct custom_tool *c, const void *bytes, size_t n)
{
    if (buf_add(&c->out, span_of(bytes, n)) < 0)
        buf_clear(&c->out); /* the call is cut; its reader will see that it is no JSON */
}

static bool is_blank(char ch)
{
    return ch == ' ' || ch == '\t' || ch == '\n' || ch == '\r';
}

/* Does the head, as far as it came, read {"input": " with blanks where JSON allows them? */
static bool head_matches(const struct custom_call *call, bool *is_whole)
{
    static const char expected[] = "{\"input\":\"";
    size_t at = 0;
    for (unsigned i = 0; i < call->nhead; i++) {
        char ch = call->head[i];
        if (ch == expected[at])
            at++;
        else if (!is_blank(ch) || (at > 1 && at < 8)) /* no blanks inside the key */
            return false;
    }
    *is_whole = at == sizeof expected - 1;
    return true;
}

static const char *escape_of(char ch)
{
    switch (ch) {
    case '"':
        return "\\\"";
    case '\\':
        return "\\\\";
    case '\n':
        return "\\n";
    case '\r':
        return "\\r";
    case '\t':
        return "\\t";
    default:
        return NULL;
    }
}

/* It is something else than expected: what was kept of it goes on, escaped as it had been. */
static void give_up(struct custom_tool *c, struct custom_call *call)
{
    call->state = CUSTOM_PLAIN;
    for (unsigned i = 0; i < call->nhead; i++) {
        const char *escape = escape_of(call->head[i]);
        put(c, escape != NULL ? escape : &call->head[i], escape != NULL ? 2 : 1);
    }
}

static void take_head(struct custom_tool *c, struct custom_call *call, char ch)
{
    bool is_whole = false;
    call->head[call->nhead++] = ch;
    if (!head_matches(call, &is_whole) || call->nhead == CUSTOM_HEAD_MAX)
        give_up(c, call);
    else if (is_whole)
        call->state = CUSTOM_TEXT;
}

/* How long the escape is that begins so. */
static unsigned escape_len(const uint8_t *escape, unsigned n)
{
    return n >= 2 && escape[1] == 'u' ? 6 : 2;
}

/* A character of the wrapped string, whose own escapes are just what the event's string needs. */
static void take_text(struct custom_tool *c, struct custom_call *call, uint8_t ch)
{
    if (call->ninner > 0) {
        call->inner[call->ninner++] = ch;
        if (call->ninner == escape_len(call->inner, call->ninner)) {
            put(c, call->inner, call->ninner);
            call->ninner = 0;
        }
    } else if (ch == '\\') {
        call->inner[call->ninner++] = ch;
    } else if (ch == '"') {
        call->state = CUSTOM_TAIL;
    } else {
        const char *escape = escape_of((char)ch); /* a bare newline: not JSON, but meant */
        put(c, escape != NULL ? (const void *)escape : &ch, escape != NULL ? 2 : 1);
    }
}

static void take(struct custom_tool *c, struct custom_call *call, uint8_t ch)
{
    if (call->state == CUSTOM_HEAD)
        take_head(c, call, (char)ch);
    else if (call->state == CUSTOM_TEXT)
        take_text(c, call, ch);
}

/* --- the event's string --------------------------------------------------------------------------- */

static unsigned hex_value(const uint8_t *digits)
{
    unsigned v = 0;
    for (unsigned i = 0; i < 4; i++) {
        uint8_t d = digits[i];
        v = v << 4 | (unsigned)(d <= '9' ? d - '0' : (d | 0x20) - 'a' + 10);
    }
    return v;
}

/* An escape is complete: what it stands for, if that is ASCII; else it goes through as it is. */
static void take_escape(struct custom_tool *c, struct custom_call *call)
{
    static const char from[] = "nrtbf", to[] = "\n\r\t\b\f";
    const uint8_t *e = call->outer;
    const char *known = strchr(from, e[1]);
    if (e[1] == 'u' && hex_value(e + 2) >= 0x80) {
        if (call->state == CUSTOM_TEXT && call->ninner == 0)
            put(c, e, 6);
        else
            take(c, call, '?'); /* no place for it in the wrapper */
    } else if (e[1] == 'u') {
        take(c, call, (uint8_t)hex_value(e + 2));
    } else {
        take(c, call, known != NULL && e[1] != '\0' ? (uint8_t)to[known - from] : e[1]);
    }
}

static void take_piece(struct custom_tool *c, struct custom_call *call, struct span raw)
{
    for (size_t i = 0; i < raw.len; i++) {
        uint8_t ch = raw.at[i];
        if (call->state == CUSTOM_PLAIN) {
            put(c, &ch, 1);
        } else if (call->nouter > 0) {
            call->outer[call->nouter++] = ch;
            if (call->nouter == escape_len(call->outer, call->nouter)) {
                call->nouter = 0;
                take_escape(c, call);
            }
        } else if (ch == '\\') {
            call->outer[call->nouter++] = ch;
        } else {
            take(c, call, ch);
        }
    }
}

/* --- events --------------------------------------------------------------------------------------- */

static bool begin_call(struct custom_tool *c, const struct turn_event *e, turn_event_fn next,
                       void *arg)
{
    struct turn_event own = *e;
    if (c->calls == NULL)
        c->calls = calloc(CUSTOM_CALLS_MAX, sizeof *c->calls);
    if (c->calls != NULL && c->ncalls < CUSTOM_CALLS_MAX) {
        c->calls[c->ncalls++] = (struct custom_call){.slot = e->slot};
        own.is_custom = true;
    }
    return next(arg, &own);
}

static bool give(struct custom_tool *c, const struct turn_event *e, turn_event_fn next, void *arg)
{
    struct turn_event own = *e;
    own.kind = TURN_ARGUMENTS;
    own.text = buf_span(&c->out);
    return own.text.len == 0 || next(arg, &own);
}

bool custom_tool_event(struct custom_tool *c, const struct turn_event *e, turn_event_fn next,
                       void *arg)
{
    struct custom_call *call;
    if (e->kind == TURN_CALL && !e->is_custom && is_wrapped(c, e->name))
        return begin_call(c, e, next, arg);
    bool is_part = e->kind == TURN_ARGUMENTS || e->kind == TURN_CALL_END;
    if (!is_part || (call = find_call(c, e->slot)) == NULL)
        return next(arg, e);
    buf_clear(&c->out);
    if (e->kind == TURN_ARGUMENTS) {
        take_piece(c, call, e->text);
        return give(c, e, next, arg);
    }
    if (call->state == CUSTOM_HEAD)
        give_up(c, call); /* it never became what it should be */
    return give(c, e, next, arg) && next(arg, e);
}
