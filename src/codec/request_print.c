#include "sluice/codec/request_print.h"

#include "sluice/format/json_digest.h"
#include "sluice/format/multipart.h"

/* Of our own members, `provider`, `models` and `usage` change the answer. */
static const char *const left_out[][4] = {
    [PRINT_OF_REQUEST] = {"idempotency_key", NULL},
    [PRINT_OF_QUESTION] = {"idempotency_key", "cache_strategy", "session_id", NULL},
};

/* Said in front of what is hashed, so that a form is never the same as a text that looks like its digests. */
enum { AS_BYTES, AS_JSON, AS_FORM };

static bool is_left_out(struct span name, enum print_of what)
{
    for (const char *const *each = left_out[what]; *each != NULL; each++) {
        if (span_eq(name, span_text(*each)))
            return true;
    }
    return false;
}

static bool add_digest(struct span of, struct buf *out)
{
    uint8_t digest[SHA256_BYTES];
    digest_sha256(of, digest);
    return buf_add(out, span_of(digest, sizeof digest)) == 0;
}

/* A part's fields and its value; the boundary in front is another one each time. */
static bool add_part(struct span body, const struct multipart_part *p, struct buf *out)
{
    struct span head = span_sub(body, p->start, p->value_at - p->start);
    (void)span_cut(&head, '\n');
    return add_digest(head, out) && add_digest(p->value, out);
}

static bool print_form(struct span body, struct span boundary, enum print_of what,
                       uint8_t out[SHA256_BYTES])
{
    struct buf digests = {0};
    struct multipart m;
    enum multipart_status status = MULTIPART_PART;
    bool is_held = buf_add_byte(&digests, AS_FORM) == 0;
    multipart_init(&m, body, boundary);
    while (is_held && (status = multipart_next(&m)) == MULTIPART_PART) {
        if (!is_left_out(m.part.name, what))
            is_held = add_part(body, &m.part, &digests);
    }
    if (is_held && status == MULTIPART_END)
        digest_sha256(buf_span(&digests), out);
    buf_fini(&digests);
    return is_held && status == MULTIPART_END;
}

void request_print(struct span body, struct span boundary, enum print_of what,
                   uint8_t out[SHA256_BYTES])
{
    uint8_t made[1 + SHA256_BYTES] = {AS_JSON};
    if (boundary.len > 0 && print_form(body, boundary, what, out))
        return;
    if (!json_digest(body, left_out[what], made + 1)) {
        made[0] = AS_BYTES;
        digest_sha256(body, made + 1);
    }
    digest_sha256(span_of(made, sizeof made), out);
}
