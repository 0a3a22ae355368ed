/* What a provider answers with a status of 400 or more (the first byte says which), told in every
 * protocol: a body that is JSON, with the status and wait of some fault. */
#include "sluice/base/wait.h"
#include "sluice/codec/provider_error.h"

#include <stdlib.h>
#include <yyjson.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool condition)
{
    if (!condition)
        abort();
}

static void check_words(const struct fault *f)
{
    unsigned status = fault_status(f);
    size_t len = strnlen(f->message, sizeof f->message);
    must(len > 0 && len <= PROVIDER_WORDS_MAX);
    for (size_t i = 0; i < len; i++)
        must((unsigned char)f->message[i] >= ' ' && f->message[i] != 0x7f);
    must(status >= 400 && status < 600 && status != 401 && status != 402);
    must(fault_retry_after_ms(f) <= WAIT_MAX_MS);
}

static void check_body(const struct fault *f, enum api_protocol api)
{
    struct buf out = {0};
    must(fault_write_body(f, api, "0123", NULL, 0, &out) == 0);
    yyjson_doc *doc = yyjson_read((const char *)out.at, buf_len(&out), 0);
    yyjson_val *error = yyjson_obj_get(yyjson_doc_get_root(doc), "error");
    must(yyjson_is_str(yyjson_obj_get(error, "message")));
    must(yyjson_is_str(yyjson_obj_get(error, "type")));
    yyjson_doc_free(doc);
    buf_fini(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fault f;
    if (size == 0)
        return 0;
    struct span body = span_of(data + 1, size - 1);
    (void)provider_error_read_answer(400 + data[0] % 200, span_sub(body, 0, 20), body, &f);
    check_words(&f);
    check_body(&f, API_CHAT);
    check_body(&f, API_MESSAGES);
    provider_error_read(body, &f);
    check_words(&f);
    check_body(&f, API_RESPONSES);
    return 0;
}
