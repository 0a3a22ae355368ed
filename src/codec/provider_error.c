#include "sluice/codec/provider_error.h"

#include "sluice/base/wait.h"
#include "sluice/format/json_walk.h"

#include <stdio.h>

/* --- the class of an error ------------------------------------------------------------------------ */

/* Words of OpenAI, Anthropic, Google, AWS and those that copy them, squeezed to their letters in lower
 * case; the first that is found in the word decides. */
static const struct {
    struct span part;
    enum fault_kind kind;
} classes[] = {
#define CLASS(text, kind) {{(const uint8_t *)(text), sizeof(text) - 1}, kind}
    CLASS("insufficientquota", FAULT_UPSTREAM_QUOTA),
    CLASS("insufficientcredit", FAULT_UPSTREAM_QUOTA),
    CLASS("insufficientbalance", FAULT_UPSTREAM_QUOTA),
    CLASS("exceededcurrentquota", FAULT_UPSTREAM_QUOTA), /* Moonshot */
    CLASS("billing", FAULT_UPSTREAM_QUOTA),
    CLASS("ratelimit", FAULT_UPSTREAM_RATE_LIMITED),
    CLASS("toomanyrequests", FAULT_UPSTREAM_RATE_LIMITED),
    CLASS("throttling", FAULT_UPSTREAM_RATE_LIMITED),
    CLASS("resourceexhausted", FAULT_UPSTREAM_RATE_LIMITED),
    CLASS("overloaded", FAULT_UPSTREAM_UNAVAILABLE),
    CLASS("slowdown", FAULT_UPSTREAM_UNAVAILABLE),
    CLASS("unavailable", FAULT_UPSTREAM_UNAVAILABLE),
    CLASS("contextlength", FAULT_CONTEXT_LENGTH),
    CLASS("contentfilter", FAULT_MODERATION),
    CLASS("contentpolicy", FAULT_MODERATION),
    CLASS("moderation", FAULT_MODERATION),
    CLASS("modelnotfound", FAULT_MODEL_NOT_FOUND),
    CLASS("deploymentnotfound", FAULT_MODEL_NOT_FOUND), /* Azure */
    CLASS("invalidapikey", FAULT_UPSTREAM_CREDENTIAL),
    CLASS("apikeyinvalid", FAULT_UPSTREAM_CREDENTIAL), /* Gemini, with status 400 */
    CLASS("authentication", FAULT_UPSTREAM_CREDENTIAL),
    CLASS("unauthenticated", FAULT_UPSTREAM_CREDENTIAL),
    CLASS("unrecognizedclient", FAULT_UPSTREAM_CREDENTIAL), /* AWS, with status 403 */
    CLASS("invalidsignature", FAULT_UPSTREAM_CREDENTIAL),
    CLASS("expiredtoken", FAULT_UPSTREAM_CREDENTIAL),
    CLASS("permission", FAULT_PERMISSION),
    CLASS("accessdenied", FAULT_PERMISSION),
    CLASS("requesttoolarge", FAULT_PAYLOAD_TOO_LARGE),
    CLASS("notfound", FAULT_NOT_FOUND),
    CLASS("unprocessable", FAULT_UNPROCESSABLE),
    CLASS("invalidrequest", FAULT_INVALID_REQUEST),
    CLASS("invalidprompt", FAULT_INVALID_REQUEST),
    CLASS("invalidargument", FAULT_INVALID_REQUEST),
    CLASS("validation", FAULT_INVALID_REQUEST),
    CLASS("timeout", FAULT_UPSTREAM_TIMEOUT),
    CLASS("deadlineexceeded", FAULT_UPSTREAM_TIMEOUT),
};

enum fault_kind provider_error_kind(struct span word)
{
    uint8_t letters[64];
    size_t n = 0;
    for (size_t i = 0; i < word.len && n < sizeof letters; i++) {
        uint8_t c = word.at[i] | 0x20;
        if (c >= 'a' && c <= 'z')
            letters[n++] = c;
    }
    for (unsigned i = 0; i < sizeof classes / sizeof classes[0]; i++) {
        if (span_find(span_of(letters, n), classes[i].part) != SIZE_MAX)
            return classes[i].kind;
    }
    return FAULT_UPSTREAM;
}

static enum fault_kind kind_of_status(unsigned status)
{
    switch (status) {
    case 401:
        return FAULT_UPSTREAM_CREDENTIAL;
    case 402:
        return FAULT_UPSTREAM_QUOTA;
    case 403:
        return FAULT_PERMISSION;
    case 404:
        return FAULT_NOT_FOUND;
    case 405:
        return FAULT_METHOD_NOT_ALLOWED;
    case 408:
    case 504:
        return FAULT_UPSTREAM_TIMEOUT;
    case 413:
        return FAULT_PAYLOAD_TOO_LARGE;
    case 415:
        return FAULT_UNSUPPORTED_MEDIA_TYPE;
    case 422:
        return FAULT_UNPROCESSABLE;
    case 424: /* Bedrock: the model failed */
        return FAULT_UPSTREAM;
    case 429:
        return FAULT_UPSTREAM_RATE_LIMITED;
    case 503:
    case 529:
        return FAULT_UPSTREAM_UNAVAILABLE;
    default:
        return status < 500 ? FAULT_INVALID_REQUEST : FAULT_UPSTREAM;
    }
}

/* Where a status is one for many things, a word may say which. */
static bool says_more(unsigned status, enum fault_kind word)
{
    switch (word) {
    case FAULT_UPSTREAM_QUOTA:
        return status == 400 || status == 403 || status == 429;
    case FAULT_UPSTREAM_CREDENTIAL:
    case FAULT_MODERATION:
        return status == 400 || status == 403;
    case FAULT_CONTEXT_LENGTH:
        return status == 400 || status == 413 || status == 422;
    case FAULT_MODEL_NOT_FOUND:
        return status == 400 || status == 404;
    default:
        return false;
    }
}

/* --- the object ----------------------------------------------------------------------------------- */

struct words {
    struct span message, type, code, status, reason, delay;
};

/* google.rpc.ErrorInfo has the reason, google.rpc.RetryInfo the delay: "34.5s". */
static void read_details(struct span details, struct words *out)
{
    struct span detail;
    struct json_walk w;
    for (size_t at = 0; json_each(details, &at, &detail);) {
        json_walk_init(&w, detail);
        while (json_walk_next(&w)) {
            if (json_walk_is(&w, "reason"))
                out->reason = json_raw(w.value);
            else if (json_walk_is(&w, "retryDelay"))
                out->delay = json_raw(w.value);
        }
    }
}

static void read_words(struct span error, struct words *out)
{
    struct json_walk w;
    *out = (struct words){.message = SPAN_NONE};
    if (span_starts(error, SPAN_LIT("\"")))
        out->message = json_raw(error);
    json_walk_init(&w, error);
    while (json_walk_next(&w)) {
        if (json_walk_is(&w, "message"))
            out->message = json_raw(w.value);
        else if (json_walk_is(&w, "type") || json_walk_is(&w, "__type")) /* AWS */
            out->type = json_raw(w.value);
        else if (json_walk_is(&w, "code"))
            out->code = w.kind == JSON_STRING ? json_raw(w.value) : w.value;
        else if (json_walk_is(&w, "status"))
            out->status = json_raw(w.value);
        else if (json_walk_is(&w, "details") && w.kind == JSON_ARRAY)
            read_details(w.value, out);
    }
}

static enum fault_kind kind_of_words(const struct words *said)
{
    const struct span words[] = {said->reason, said->code, said->type, said->status};
    for (unsigned i = 0; i < sizeof words / sizeof words[0]; i++) {
        enum fault_kind kind = provider_error_kind(words[i]);
        if (kind != FAULT_UPSTREAM)
            return kind;
    }
    return FAULT_UPSTREAM;
}

static unsigned delay_of(const struct words *said)
{
    bool is_seconds = said->delay.len > 1 && said->delay.at[said->delay.len - 1] == 's';
    return is_seconds ? wait_read(span_sub(said->delay, 0, said->delay.len - 1), 1000) : 0;
}

/* --- the message ---------------------------------------------------------------------------------- */

/* Cut in front of a character, and of an escape (12 bytes at most); what cannot be decoded stays as it
 * is written. */
static void describe(struct span raw, char *out)
{
    struct span cut = span_sub(raw, 0, PROVIDER_WORDS_MAX);
    while (cut.len > 0 && cut.len < raw.len && (raw.at[cut.len] & 0xc0) == 0x80)
        cut.len--;
    long n = json_unescape(cut, out, PROVIDER_WORDS_MAX);
    for (size_t less = 1; n < 0 && less <= 12 && less < cut.len && cut.len < raw.len; less++)
        n = json_unescape(span_sub(cut, 0, cut.len - less), out, PROVIDER_WORDS_MAX);
    if (n < 0) {
        n = (long)cut.len;
        memcpy(out, cut.at, cut.len);
    }
    out[n] = '\0';
    for (char *c = out; *c != '\0'; c++) {
        if ((unsigned char)*c < ' ' || *c == 0x7f)
            *c = ' ';
    }
}

/* A page of some proxy's, in whatever encoding. */
static void describe_page(struct span page, char *out)
{
    page = span_sub(page, 0, PROVIDER_WORDS_MAX);
    for (size_t i = 0; i < page.len; i++)
        out[i] = page.at[i] >= ' ' && page.at[i] < 0x7f ? (char)page.at[i] : ' ';
    out[page.len] = '\0';
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

/* Some things are told by the message alone. */
static void read_message(struct fault *f)
{
    const char *said = f->message;
    bool may_be_anything = f->kind == FAULT_INVALID_REQUEST || f->kind == FAULT_UPSTREAM ||
                           f->kind == FAULT_UNPROCESSABLE;
    if (may_be_anything && is_too_long(said))
        f->kind = FAULT_CONTEXT_LENGTH;
    else if (may_be_anything && strstr(said, "credit balance is too low") != NULL) /* Anthropic */
        f->kind = FAULT_UPSTREAM_QUOTA;
    else if (f->kind == FAULT_NOT_FOUND && (strstr(said, "model") || strstr(said, "Model")))
        f->kind = FAULT_MODEL_NOT_FOUND;
    if (f->kind == FAULT_MODEL_NOT_FOUND)
        f->param = "model";
    if (f->message[0] == '\0')
        snprintf(f->message, sizeof f->message, "the provider reported an error and no reason");
}

/* --- both ways ------------------------------------------------------------------------------------ */

void provider_error_read(struct span error, struct fault *out)
{
    struct words said;
    uint64_t status;
    read_words(error, &said);
    *out = (struct fault){.kind = kind_of_words(&said), .retry_after_ms = delay_of(&said)};
    if (out->kind == FAULT_UPSTREAM && span_to_u64(said.code, &status) && status >= 400 &&
        status < 600)
        out->kind = kind_of_status((unsigned)status);
    describe(said.message, out->message);
    read_message(out);
}

/* Finds the object that tells: the value of `error`, or the document itself. Google wraps it in an
 * array when a stream fails. False: the body is no JSON. */
static bool find_error(struct span body, struct span *error, bool *is_envelope)
{
    struct json_walk w;
    size_t at = 0;
    bool is_wrapped = json_each(body, &at, error), has_member = false;
    if (!is_wrapped)
        *error = body;
    json_walk_init(&w, *error);
    while (json_walk_next(&w)) {
        if (!json_walk_is(&w, "error") || (w.kind != JSON_OBJECT && w.kind != JSON_STRING))
            continue;
        *error = w.value;
        has_member = true;
    }
    *is_envelope = has_member && !is_wrapped && json_walk_is_complete(&w);
    return json_walk_is_complete(&w);
}

bool provider_error_read_answer(unsigned status, struct span word, struct span body,
                                struct fault *out)
{
    struct words said = {.message = SPAN_NONE};
    struct span error;
    bool is_envelope;
    if (find_error(body, &error, &is_envelope))
        read_words(error, &said);
    if (said.type.len == 0)
        said.type = word;
    *out = (struct fault){.kind = kind_of_status(status), .retry_after_ms = delay_of(&said)};
    enum fault_kind kind = kind_of_words(&said);
    if (says_more(status, kind))
        out->kind = kind;
    if (said.message.len > 0)
        describe(said.message, out->message);
    else
        describe_page(body, out->message);
    read_message(out);
    /* The kind has a status of its own; where it stands for several, it is the provider's. */
    if (out->kind == FAULT_INVALID_REQUEST || status == 408)
        out->status = status;
    return is_envelope;
}
