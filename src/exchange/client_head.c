#include "client_head.h"

#include "exchange_priv.h"
#include "explaining.h"

#include "sluice/format/multipart.h"

static bool is_forwarded(enum field_id id)
{
    switch (id) {
    case FIELD_OTHER:
    case FIELD_CONTENT_TYPE:
        return true;
    default:
        return false; /* the client's credentials and cookies, this hop's framing, and our own words */
    }
}

static bool is_safe_id(struct span id)
{
    if (id.len == 0 || id.len > 64)
        return false;
    for (size_t i = 0; i < id.len; i++) {
        if (id.at[i] <= ' ' || id.at[i] > '~' || id.at[i] == '"' || id.at[i] == '\\')
            return false;
    }
    return true;
}

/* The field may be there several times. */
static void add_betas(struct exchange *x, struct span more)
{
    const char *between = x->betas.len > 0 ? "," : "";
    x->betas = span_text(
        arena_printf(&x->arena, "%.*s%s%.*s", SPAN_FMT(x->betas), between, SPAN_FMT(more)));
}

/* Fields the parser has no number for. */
static void note_other(struct exchange *x, const struct http_field *f)
{
    if (span_ieq(f->name, SPAN_LIT("cache-control")))
        x->skips_cache = span_find(f->value, SPAN_LIT("no-cache")) != SIZE_MAX;
    else if (span_ieq(f->name, SPAN_LIT("anthropic-version")))
        x->says_version = true;
    else if (span_ieq(f->name, SPAN_LIT("anthropic-beta")))
        add_betas(x, f->value);
    else if (catalog_offers_choice(x->deployment->catalog) && conversation_id_is_field(f->name))
        x->session = arena_keep(&x->sending, f->value);
}

static void note(struct exchange *x, const struct http_field *f)
{
    switch (f->id) {
    case FIELD_OTHER:
        note_other(x, f);
        break;
    case FIELD_REQUEST_ID:
        if (is_safe_id(f->value))
            x->client_request_id = arena_keep(&x->arena, f->value);
        break;
    case FIELD_IDEMPOTENCY_KEY:
        idempotency_note_field(x, f->value);
        break;
    case FIELD_CONTENT_TYPE:
        if (api_takes_form(x->kind->api))
            x->boundary = arena_keep(&x->sending, multipart_boundary(f->value));
        break;
    case FIELD_SLUICE:
        if (span_ieq(f->name, SPAN_LIT("x-sluice-explain")))
            x->wants_reasons = explaining_is_wanted(f->value, x->wants_reasons);
        break;
    case FIELD_TRACE:
        trace_note_field(x, f);
        break;
    default:
        break;
    }
}

static uint8_t *put(uint8_t *at, struct span bytes)
{
    if (bytes.len > 0)
        memcpy(at, bytes.at, bytes.len);
    return at + bytes.len;
}

/* As lines, once: every attempt sends the same. */
static void keep_forwarded(struct exchange *x, const struct http_head *head)
{
    struct span connection = head_get(head, FIELD_CONNECTION);
    size_t room = 0;
    for (unsigned i = 0; i < head->nfields; i++)
        room += head->fields[i].name.len + head->fields[i].value.len + 4;
    uint8_t *text = arena_alloc(&x->sending, room), *at = text;
    for (unsigned i = 0; i < head->nfields; i++) {
        const struct http_field *f = &head->fields[i];
        if (!is_forwarded(f->id) || (connection.len > 0 && connection_names(connection, f->name)))
            continue;
        at = put(at, f->name);
        at = put(at, SPAN_LIT(": "));
        at = put(at, f->value);
        at = put(at, SPAN_LIT("\r\n"));
    }
    x->forward = span_of(text, (size_t)(at - text));
}

void client_head_read(struct exchange *x, const struct http_head *head)
{
    x->wants_reasons = x->deployment->snapshot->routing.explain;
    for (unsigned i = 0; i < head->nfields; i++)
        note(x, &head->fields[i]);
    if (x->kind->api != API_OTHER)
        keep_forwarded(x, head);
    if (x->trace != NULL || x->gateway->spans != NULL)
        trace_open(x);
    idempotency_note_target(x, head->target);
}
