/* tokenizer.h: how many tokens a text is, exactly, for the vocabularies their makers have published.
 *
 *     text ──pattern──▶ pieces ──byte pair encoding──▶ tokens
 *
 * OpenAI's o200k_base and cl100k_base (github.com/openai/tiktoken): a regular expression cuts the text
 * into pieces, and in each piece the neighbours that are the oldest token together are joined until no
 * two of them are one. Names of special tokens in a text are text: what a client wrote is never one.
 *
 * The tables are packed in the program and unpacked at the first use of each (about 10 ms and 4 MB):
 * not on the loop. After that a vocabulary never changes and may be used by any thread. */
#ifndef SLUICE_TOKEN_TOKENIZER_H
#define SLUICE_TOKEN_TOKENIZER_H

#include "sluice/base/span.h"

#include <stdbool.h>

enum vocabulary_name {
    VOCABULARY_NONE, /* nobody outside knows it */
    VOCABULARY_O200K,
    VOCABULARY_CL100K,
    VOCABULARIES,
};

const char *vocabulary_word(enum vocabulary_name v); /* "o200k_base"; NULL for none */

struct tokenizer;

/* NULL: a program built without its table, or no memory. Any thread; the first call waits. */
const struct tokenizer *tokenizer_for(enum vocabulary_name v);

/* Tokens of a text in UTF-8. Bytes that are none are pieces of their own. */
size_t tokenizer_count(const struct tokenizer *t, struct span text);

/* Their numbers: at most `room` are written, and all are counted. */
size_t tokenizer_encode(const struct tokenizer *t, struct span text, uint32_t *ids, size_t room);

/* The bytes a token stands for; empty for a number that is none. */
struct span tokenizer_bytes(const struct tokenizer *t, uint32_t id);

#endif
