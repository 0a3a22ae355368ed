#include "sluice/codec/provider_error.h"

#include "sluice/format/json_walk.h"

#include <stdio.h>

/* Words of OpenAI, Anthropic, Google and AWS; the first that is found in the word decides. */
static const struct {
    struct span part;
    enum fault_kind kind;
} classes[] = {
#define CLASS(text, kind) {{(const uint8_t *)(text), sizeof(text) - 1}, kind}
    CLASS("rate_limit", FAULT_UPSTREAM_RATE_LIMITED),
    CLASS("too_many_requests", FAULT_UPSTREAM_RATE_LIMITED),
    CLASS("throttling", FAULT_UPSTREAM_RATE_LIMITED),
    CLASS("RESOURCE_EXHAUSTED", FAULT_UPSTREAM_RATE_LIMITED),
    CLASS("insufficient_quota", FAULT_UPSTREAM_RATE_LIMITED),
    CLASS("overloaded", FAULT_UPSTREAM_UNAVAILABLE),
    CLASS("slow_down", FAULT_UPSTREAM_UNAVAILABLE),
    CLASS("unavailable", FAULT_UPSTREAM_UNAVAILABLE),
    CLASS("Unavailable", FAULT_UPSTREAM_UNAVAILABLE),
    CLASS("UNAVAILABLE", FAULT_UPSTREAM_UNAVAILABLE),
    CLASS("invalid_request", FAULT_INVALID_REQUEST),
    CLASS("invalid_prompt", FAULT_INVALID_REQUEST),
    CLASS("context_length", FAULT_CONTEXT_LENGTH),
    CLASS("INVALID_ARGUMENT", FAULT_INVALID_REQUEST),
    CLASS("validation", FAULT_INVALID_REQUEST),
    CLASS("timeout", FAULT_UPSTREAM_TIMEOUT),
};

static bool classify(struct span word, struct fault *out)
{
    for (unsigned i = 0; i < sizeof classes / sizeof classes[0]; i++) {
        if (span_find(word, classes[i].part) != SIZE_MAX) {
            out->kind = classes[i].kind;
            return true;
        }
    }
    return false;
}

/* What each says when a conversation is too long; most have no word for it but these. */
static bool is_too_long(const char *message)
{
    static const char *const phrases[] = {
        "prompt is too long",    "maximum context length",
        "context window",        "context length",
        "Input is too long",     "input is too long",
        "too many input tokens", "exceeds the maximum number of tokens",
        "input token count",     "exceed context limit",
    };
    for (unsigned i = 0; i < sizeof phrases / sizeof phrases[0]; i++) {
        if (strstr(message, phrases[i]) != NULL)
            return true;
    }
    return false;
}

static void describe(struct span text, struct fault *out)
{
    /* What is too long is cut in the raw text, which may split an escape: then it stays raw. */
    struct span raw = span_sub(json_raw(text), 0, sizeof out->message - 1);
    long n = json_unescape(raw, out->message, sizeof out->message - 1);
    if (n >= 0)
        out->message[n] = '\0';
    else
        snprintf(out->message, sizeof out->message, "%.*s", SPAN_FMT(raw));
    for (char *c = out->message; *c != '\0'; c++) {
        if ((unsigned char)*c < ' ' || *c == 0x7f)
            *c = ' ';
    }
}

void provider_error_read(struct span error, struct fault *out)
{
    struct json_walk w;
    struct span message = SPAN_NONE, type = SPAN_NONE, code = SPAN_NONE, status = SPAN_NONE;
    *out = (struct fault){.kind = FAULT_UPSTREAM};
    json_walk_init(&w, error);
    while (json_walk_next(&w)) {
        if (json_walk_is(&w, "message"))
            message = w.value;
        else if (json_walk_is(&w, "type"))
            type = w.value;
        else if (json_walk_is(&w, "code"))
            code = w.value;
        else if (json_walk_is(&w, "status"))
            status = w.value;
    }
    if (span_starts(error, SPAN_LIT("\"")))
        message = error;
    describe(message, out);
    if (!classify(code, out) && !classify(type, out))
        (void)classify(status, out);
    if (span_eq(code, SPAN_LIT("429")))
        out->kind = FAULT_UPSTREAM_RATE_LIMITED;
    if ((out->kind == FAULT_INVALID_REQUEST || out->kind == FAULT_UPSTREAM) &&
        is_too_long(out->message))
        out->kind = FAULT_CONTEXT_LENGTH;
    if (out->message[0] == '\0')
        snprintf(out->message, sizeof out->message, "the provider reported an error and no reason");
}
