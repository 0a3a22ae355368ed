#include "sluice/token/tokenizer.h"

#include "merge.h"
#include "packed.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

/* A longer piece without any seam is cut: what joins it would take is 36 times its size. */
enum { PIECE_MAX = 256 * 1024 };

struct tokenizer {
    struct vocabulary *vocabulary;
    pcre2_code *pattern;
};

const char *vocabulary_word(enum vocabulary_name v)
{
    static const char *const words[VOCABULARIES] = {NULL, "o200k_base", "cl100k_base"};
    return words[v];
}

/* --- made once ------------------------------------------------------------------------------------ */

static pcre2_code *compile(const char *pattern)
{
    int error;
    PCRE2_SIZE at;
    uint32_t options = PCRE2_UTF | PCRE2_UCP | PCRE2_MATCH_INVALID_UTF | PCRE2_NEVER_BACKSLASH_C;
    pcre2_code *code = pcre2_compile((PCRE2_SPTR)pattern, PCRE2_ZERO_TERMINATED, options, &error,
                                     &at, NULL);
    if (code != NULL)
        (void)pcre2_jit_compile(code, PCRE2_JIT_COMPLETE); /* where the system forbids it: slower */
    return code;
}

static struct {
    struct tokenizer *made;
    pthread_once_t once;
} tokenizers[VOCABULARIES] = {
    [VOCABULARY_O200K] = {.once = PTHREAD_ONCE_INIT},
    [VOCABULARY_CL100K] = {.once = PTHREAD_ONCE_INIT},
};

static void make(enum vocabulary_name name)
{
    static struct tokenizer rooms[VOCABULARIES];
    struct tokenizer *t = &rooms[name];
    t->vocabulary = vocabulary_unpack(name);
    if (t->vocabulary == NULL)
        return;
    t->pattern = compile(packed_vocabulary(name)->pattern);
    if (t->pattern != NULL)
        tokenizers[name].made = t;
}

static void make_o200k(void)
{
    make(VOCABULARY_O200K);
}

static void make_cl100k(void)
{
    make(VOCABULARY_CL100K);
}

const struct tokenizer *tokenizer_for(enum vocabulary_name v)
{
    if (v == VOCABULARY_NONE)
        return NULL;
    pthread_once(&tokenizers[v].once, v == VOCABULARY_O200K ? make_o200k : make_cl100k);
    return tokenizers[v].made;
}

/* --- used ------------------------------------------------------------------------------------------ */

static void add_piece(const struct vocabulary *v, struct span piece, struct tokens *out)
{
    while (piece.len > 0) {
        struct span now = span_sub(piece, 0, PIECE_MAX);
        uint32_t whole = vocabulary_rank(v, now.at, now.len);
        if (whole != NO_RANK)
            tokens_add(out, whole);
        else
            merge_piece(v, now, out);
        piece = span_skip(piece, now.len);
    }
}

/* Where the next piece is; false: there is none. */
static bool next_piece(const struct tokenizer *t, struct span text, size_t from,
                       pcre2_match_data *found, size_t *start, size_t *end)
{
    int rc = pcre2_match(t->pattern, text.at, text.len, from, 0, found, NULL);
    if (rc < 0)
        return false;
    const PCRE2_SIZE *at = pcre2_get_ovector_pointer(found);
    *start = at[0];
    *end = at[1];
    return at[1] > at[0];
}

size_t tokenizer_encode(const struct tokenizer *t, struct span text, uint32_t *ids, size_t room)
{
    struct tokens out = {.ids = ids, .room = room};
    pcre2_match_data *found = text.len > 0 ? pcre2_match_data_create(1, NULL) : NULL;
    size_t at = 0, start, end;
    while (found != NULL && at < text.len && next_piece(t, text, at, found, &start, &end)) {
        add_piece(t->vocabulary, span_sub(text, at, start - at), &out); /* no text: bytes between */
        add_piece(t->vocabulary, span_sub(text, start, end - start), &out);
        at = end;
    }
    add_piece(t->vocabulary, span_skip(text, at), &out);
    pcre2_match_data_free(found);
    return out.n;
}

size_t tokenizer_count(const struct tokenizer *t, struct span text)
{
    return tokenizer_encode(t, text, NULL, 0);
}

struct span tokenizer_bytes(const struct tokenizer *t, uint32_t id)
{
    return vocabulary_bytes(t->vocabulary, id);
}
