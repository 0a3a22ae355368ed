#include "sluice/codec/custom_tool.h"

#include <stdlib.h>

/* Two strings lie in each other. The event's text is the inside of a JSON string; decoded it is the
 * wrapper, in which the tool's text is the inside of another. Of the outer string one character after
 * the other is looked at together with its spelling. What leaves must again be the inside of a JSON
 * string, of the tool's text: escapes of the inner string are that already, and every other character
 * has a spelling that is good for it, the one it came in. */

void custom_tool_init(struct custom_tool *c, const struct span *names, unsigned n)
{
    *c = (struct custom_tool){.names = names, .n = n};
}

void custom_tool_fini(struct custom_tool *c)
{
    free(c->calls);
    buf_fini(&c->out);
    *c = (struct custom_tool){.n = 0};
}

static void put(struct custom_tool *c, struct span raw)
{
    c->out_of_memory |= buf_add(&c->out, raw) < 0;
}

/* --- before the text ------------------------------------------------------------------------------ */

static const char head[] = "{\"input\":\"";
enum { HEAD_LEN = sizeof head - 1 };

/* Around the brace and the colon; not inside the key. */
static bool blanks_may_stand(unsigned matched)
{
    return matched <= 1 || matched == HEAD_LEN - 2 || matched == HEAD_LEN - 1;
}

static bool is_blank(unsigned code)
{
    return code == ' ' || code == '\t' || code == '\n' || code == '\r';
}

static void give_up(struct custom_tool *c, struct custom_call *call)
{
    call->state = CUSTOM_PLAIN;
    put(c, span_of(call->head, call->nhead));
    call->nhead = 0;
}

static void take_head(struct custom_tool *c, struct custom_call *call, unsigned code,
                      struct span raw)
{
    bool fits = call->nhead + raw.len <= CUSTOM_HEAD_MAX;
    if (fits) {
        memcpy(call->head + call->nhead, raw.at, raw.len);
        call->nhead += (uint8_t)raw.len;
    }
    if (fits && code == (uint8_t)head[call->matched]) {
        if (++call->matched == HEAD_LEN)
            call->state = CUSTOM_TEXT;
    } else if (!fits || !is_blank(code) || !blanks_may_stand(call->matched)) {
        give_up(c, call);
        if (!fits)
            put(c, raw);
    }
}

/* --- the text --------------------------------------------------------------------------------------- */

static bool is_hex(unsigned code)
{
    return (code >= '0' && code <= '9') || ((code | 0x20) >= 'a' && (code | 0x20) <= 'f');
}

/* Can the inner escape that was begun go on with this? */
static bool continues_escape(const struct custom_call *call, unsigned code)
{
    if (call->ninner == 1)
        return code != 0 && code < 0x80 && strchr("\"\\/bfnrtu", (int)code) != NULL;
    return is_hex(code);
}

static bool escape_is_whole(const uint8_t *escape, unsigned n)
{
    return n == (n >= 2 && escape[1] == 'u' ? 6 : 2);
}

/* A backslash that escapes nothing, "\d" in a pattern say: it is meant, with what came behind it. */
static void mend_escape(struct custom_tool *c, struct custom_call *call)
{
    put(c, SPAN_LIT("\\\\"));
    put(c, span_of(call->inner + 1, call->ninner - 1u));
    call->ninner = 0;
}

static void take_text(struct custom_tool *c, struct custom_call *call, unsigned code,
                      struct span raw)
{
    if (call->ninner > 0 && continues_escape(call, code)) {
        call->inner[call->ninner++] = (uint8_t)code;
        if (escape_is_whole(call->inner, call->ninner)) {
            put(c, span_of(call->inner, call->ninner));
            call->ninner = 0;
        }
        return;
    }
    if (call->ninner > 0)
        mend_escape(c, call);
    if (code == '\\')
        call->inner[call->ninner++] = '\\';
    else if (code == '"')
        call->state = CUSTOM_TAIL;
    else
        put(c, raw);
}

/* --- the event's string --------------------------------------------------------------------------- */

/* One character: `code` when it is ASCII, any other value else; `raw` is how it is spelled. */
static void take(struct custom_tool *c, struct custom_call *call, unsigned code, struct span raw)
{
    switch (call->state) {
    case CUSTOM_HEAD:
        take_head(c, call, code, raw);
        break;
    case CUSTOM_TEXT:
        take_text(c, call, code, raw);
        break;
    case CUSTOM_TAIL: /* the rest of the wrapper */
        break;
    case CUSTOM_PLAIN:
        put(c, raw);
        break;
    }
}

static unsigned hex_value(const uint8_t *digits)
{
    unsigned v = 0;
    for (unsigned i = 0; i < 4; i++) {
        uint8_t d = digits[i];
        v = v << 4 | (unsigned)(d <= '9' ? d - '0' : (d | 0x20) - 'a' + 10);
    }
    return v;
}

/* What a whole escape stands for. */
static unsigned decode(const uint8_t *escape)
{
    switch (escape[1]) {
    case 'n':
        return '\n';
    case 'r':
        return '\r';
    case 't':
        return '\t';
    case 'b':
        return '\b';
    case 'f':
        return '\f';
    case 'u':
        return hex_value(escape + 2);
    default:
        return escape[1];
    }
}

static void take_escaped(struct custom_tool *c, struct custom_call *call, uint8_t byte)
{
    call->outer[call->nouter++] = byte;
    if (!escape_is_whole(call->outer, call->nouter))
        return;
    struct span raw = span_of(call->outer, call->nouter);
    call->nouter = 0;
    take(c, call, decode(raw.at), raw);
}

/* Bytes at the front that need no look: all of text without escapes goes on in one piece. */
static size_t plain_run(const struct custom_call *call, struct span raw)
{
    if (call->state == CUSTOM_PLAIN || call->state == CUSTOM_TAIL)
        return raw.len;
    if (call->state == CUSTOM_HEAD || call->ninner > 0)
        return 0;
    size_t n = 0;
    while (n < raw.len && raw.at[n] != '\\' && raw.at[n] != '"')
        n++;
    return n;
}

static void take_piece(struct custom_tool *c, struct custom_call *call, struct span raw)
{
    while (raw.len > 0) {
        size_t n = call->nouter > 0 ? 0 : plain_run(call, raw);
        if (n > 0) {
            if (call->state != CUSTOM_TAIL)
                put(c, span_sub(raw, 0, n));
        } else {
            n = 1;
            if (call->nouter > 0 || raw.at[0] == '\\')
                take_escaped(c, call, raw.at[0]);
            else
                take(c, call, raw.at[0], span_sub(raw, 0, 1));
        }
        raw = span_skip(raw, n);
    }
}

/* --- events --------------------------------------------------------------------------------------- */

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

static bool fail(enum fault_kind kind, const char *message, turn_event_fn next, void *arg)
{
    struct fault why = {.kind = kind};
    memcpy(why.message, message, strlen(message) + 1);
    next(arg, &(struct turn_event){.kind = TURN_FAULT, .fault = &why});
    return false;
}

static bool make_room(struct custom_tool *c)
{
    unsigned room = c->room == 0 ? 4 : c->room * 2;
    if (c->ncalls < c->room)
        return true;
    struct custom_call *calls = realloc(c->calls, room * sizeof *calls);
    if (calls == NULL)
        return false;
    c->calls = calls;
    c->room = room;
    return true;
}

static bool begin_call(struct custom_tool *c, const struct turn_event *e, turn_event_fn next,
                       void *arg)
{
    struct turn_event own = *e;
    if (c->ncalls == CUSTOM_CALLS_MAX)
        return fail(FAULT_UPSTREAM, "the provider's answer has too many tool calls", next, arg);
    if (!make_room(c))
        return fail(FAULT_OVERLOADED, "out of memory", next, arg);
    c->calls[c->ncalls++] = (struct custom_call){.slot = e->slot};
    own.is_custom = true;
    return next(arg, &own);
}

/* What the last piece came to. */
static bool give(struct custom_tool *c, unsigned slot, turn_event_fn next, void *arg)
{
    struct turn_event own = {.kind = TURN_ARGUMENTS, .slot = slot, .text = buf_span(&c->out)};
    if (c->out_of_memory)
        return fail(FAULT_OVERLOADED, "out of memory", next, arg);
    return own.text.len == 0 || next(arg, &own);
}

/* The call is over: a head that never became one goes on after all. */
static bool finish_call(struct custom_tool *c, struct custom_call *call, turn_event_fn next,
                        void *arg)
{
    buf_clear(&c->out);
    if (call->state == CUSTOM_HEAD)
        give_up(c, call);
    return give(c, call->slot, next, arg);
}

bool custom_tool_event(struct custom_tool *c, const struct turn_event *e, turn_event_fn next,
                       void *arg)
{
    if (e->kind == TURN_CALL && !e->is_custom && is_wrapped(c, e->name))
        return begin_call(c, e, next, arg);
    if (e->kind == TURN_STOP ||
        e->kind == TURN_END) { /* for readers that were told of no CALL_END */
        for (unsigned i = 0; i < c->ncalls; i++) {
            if (!finish_call(c, &c->calls[i], next, arg))
                return false;
        }
        return next(arg, e);
    }
    bool is_part = e->kind == TURN_ARGUMENTS || e->kind == TURN_CALL_END;
    struct custom_call *call = is_part ? find_call(c, e->slot) : NULL;
    if (call == NULL)
        return next(arg, e);
    if (e->kind == TURN_CALL_END)
        return finish_call(c, call, next, arg) && next(arg, e);
    buf_clear(&c->out);
    take_piece(c, call, e->text);
    return give(c, e->slot, next, arg);
}
