/* encode.c: what the tokenizer makes of texts, for test_tokens.py to compare.
 *
 *   encode_tokens VOCABULARY <texts >tokens
 *
 * Both sides are records of this machine's integers: 32 bits that say how many bytes (tokens) follow, and
 * these. */
#include "sluice/base/arena.h"
#include "sluice/token/tokenizer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static enum vocabulary_name named(const char *word)
{
    for (unsigned v = VOCABULARY_NONE + 1; v < VOCABULARIES; v++)
        if (strcmp(word, vocabulary_word(v)) == 0)
            return v;
    return VOCABULARY_NONE;
}

int main(int argc, char **argv)
{
    const struct tokenizer *t = argc == 2 ? tokenizer_for(named(argv[1])) : NULL;
    uint32_t len, n;
    if (t == NULL) {
        fprintf(stderr, "there is no such vocabulary in this program\n");
        return 2;
    }
    while (fread(&len, sizeof len, 1, stdin) == 1) {
        uint8_t *text = xcalloc(len + 1, 1);
        uint32_t *ids = xcalloc(len + 1, sizeof *ids); /* a token has a byte at least */
        if (fread(text, 1, len, stdin) != len)
            return 1;
        n = (uint32_t)tokenizer_encode(t, span_of(text, len), ids, len);
        fwrite(&n, sizeof n, 1, stdout);
        fwrite(ids, sizeof *ids, n, stdout);
        free(text);
        free(ids);
    }
    return 0;
}
