/* Whatever the bytes are: the tokens of a text, put together, are the text. */
#include "sluice/token/tokenizer.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool condition)
{
    if (!condition)
        abort();
}

static void check(const struct tokenizer *t, struct span text)
{
    uint32_t *ids = calloc(text.len + 1, sizeof *ids);
    must(ids != NULL);
    size_t n = tokenizer_encode(t, text, ids, text.len), at = 0;
    must(n <= text.len && n == tokenizer_count(t, text));
    for (size_t i = 0; i < n; i++) {
        struct span token = tokenizer_bytes(t, ids[i]);
        must(token.len > 0 && token.len <= text.len - at &&
             memcmp(token.at, text.at + at, token.len) == 0);
        at += token.len;
    }
    must(at == text.len);
    free(ids);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    for (unsigned v = VOCABULARY_O200K; v < VOCABULARIES; v++)
        if (tokenizer_for(v) != NULL)
            check(tokenizer_for(v), span_of(data, size));
    return 0;
}
