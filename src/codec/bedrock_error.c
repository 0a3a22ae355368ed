#include "sluice/codec/bedrock_error.h"

#include "sluice/codec/provider_error.h"

#include <stdio.h>

bool bedrock_is_exception(struct span type)
{
    static const size_t len = sizeof "Exception" - 1;
    return type.len > len && span_eq(span_skip(type, type.len - len), SPAN_LIT("Exception"));
}

void bedrock_exception_read(struct span type, struct span payload, struct fault *out)
{
    provider_error_read(payload, out);
    if (out->kind != FAULT_CONTEXT_LENGTH) /* there is no exception of its own for that */
        out->kind = provider_error_kind(type);
}

void bedrock_error_read(struct span code, struct span message, struct fault *out)
{
    *out = (struct fault){.kind = provider_error_kind(code)};
    snprintf(out->message, sizeof out->message, "%.*s: %.*s", SPAN_FMT(span_sub(code, 0, 64)),
             SPAN_FMT(span_sub(message, 0, 300)));
}
