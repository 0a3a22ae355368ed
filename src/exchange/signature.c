#include "signature.h"

#include "sluice/codec/sigv4.h"
#include "sluice/net/timer.h"

#include <string.h>

static struct buf lines;

bool signature_is_due(const struct provider_options *p)
{
    return p->protocol == PROTOCOL_BEDROCK && p->aws.access_key != NULL;
}

struct span signature_lines(const struct provider_options *p, struct span path,
                            const uint8_t body_sha256[32])
{
    const struct sigv4_credentials who = {
        .access_key = span_text(p->aws.access_key),
        .secret_key = secret_reveal(&p->aws.secret_key),
        .session_token = secret_reveal(&p->aws.session_token),
    };
    const struct sigv4_scope scope = {.region = span_text(p->aws.region),
                                      .service = SPAN_LIT("bedrock")};
    struct buf whole = {0};
    struct sigv4_request r = {
        .method = SPAN_LIT("POST"),
        .host = span_text(p->host_header),
        .content_type = SPAN_LIT("application/json"),
    };
    memcpy(r.body_sha256, body_sha256, sizeof r.body_sha256);
    buf_clear(&lines);
    bool is_signed = buf_add_text(&whole, p->path_prefix) == 0 && buf_add(&whole, path) == 0;
    r.path = buf_span(&whole);
    is_signed = is_signed && sigv4_sign(&who, &scope, clock_unix_ms() / 1000, &r, &lines) == 0;
    buf_fini(&whole);
    return is_signed ? buf_span(&lines) : SPAN_NONE;
}

void signature_free_buffer(void)
{
    buf_fini_wiped(&lines);
}
