#include "sluice/codec/bedrock_error.h"

#include "sluice/codec/provider_error.h"

#include <stdio.h>

static enum fault_kind kind_of(struct span type)
{
    static const struct {
        struct span type;
        enum fault_kind kind;
    } kinds[] = {
#define KIND(text, kind) {{(const uint8_t *)(text), sizeof(text) - 1}, kind}
        KIND("throttlingException", FAULT_UPSTREAM_RATE_LIMITED),
        KIND("serviceUnavailableException", FAULT_UPSTREAM_UNAVAILABLE),
        KIND("validationException", FAULT_INVALID_REQUEST),
        KIND("modelTimeoutException", FAULT_UPSTREAM_TIMEOUT),
    };
    for (unsigned i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        if (span_ieq(type, kinds[i].type))
            return kinds[i].kind;
    }
    return FAULT_UPSTREAM;
}

bool bedrock_is_exception(struct span type)
{
    static const size_t len = sizeof "Exception" - 1;
    return type.len > len && span_eq(span_skip(type, type.len - len), SPAN_LIT("Exception"));
}

void bedrock_exception_read(struct span type, struct span payload, struct fault *out)
{
    provider_error_read(payload, out);
    if (out->kind != FAULT_CONTEXT_LENGTH) /* there is no exception of its own for that */
        out->kind = kind_of(type);
}

void bedrock_error_read(struct span code, struct span message, struct fault *out)
{
    *out = (struct fault){.kind = kind_of(code)};
    snprintf(out->message, sizeof out->message, "%.*s: %.*s", SPAN_FMT(span_sub(code, 0, 64)),
             SPAN_FMT(span_sub(message, 0, 300)));
}
