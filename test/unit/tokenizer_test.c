#include "unit.h"

#include "sluice/base/arena.h"
#include "sluice/token/tokenizer.h"

/* Against the reference on a hundred thousand texts: test/client/test_tokens.py. Here is what must hold
 * without it. */

static void known_texts_have_their_known_tokens(void **state)
{
    (void)state;
    static const struct {
        enum vocabulary_name v;
        const char *text;
        unsigned n;
        uint32_t ids[8];
    } rows[] = {
        {VOCABULARY_O200K, "", 0, {0}},
        {VOCABULARY_O200K, "!", 1, {0}},
        {VOCABULARY_O200K, "hello world", 2, {24912, 2375}},
        {VOCABULARY_O200K, "tiktoken is great!", 6, {83, 8251, 2488, 382, 2212, 0}},
        {VOCABULARY_CL100K, "hello world", 2, {15339, 1917}},
        {VOCABULARY_CL100K, "tiktoken is great!", 6, {83, 1609, 5963, 374, 2294, 0}},
    };
    for (unsigned i = 0; i < ROWS(rows); i++) {
        const struct tokenizer *t = tokenizer_for(rows[i].v);
        uint32_t ids[8] = {0};
        if (t == NULL)
            skip(); /* built without the tables */
        struct span text = span_text(rows[i].text);
        uint8_t *memory = exact_copy(text);
        size_t n = tokenizer_encode(t, span_of(memory, text.len), ids, ROWS(ids));
        free(memory);
        assert_row(i, n == rows[i].n && memcmp(ids, rows[i].ids, sizeof ids) == 0);
    }
}

/* No text of a client's may take forever, or memory without end. */
static void long_runs_of_one_thing_are_counted_in_good_time(void **state)
{
    (void)state;
    enum { LEN = 1 << 20 };
    static const char *const runs[] = {
        "a", "A", " ", "\n", "!", "0", "\xc3\xa9", "\xf0\x9f\x98\x80", "\xff"};
    uint8_t *text = xcalloc(LEN, 1);
    for (unsigned v = VOCABULARY_O200K; v < VOCABULARIES; v++) {
        const struct tokenizer *t = tokenizer_for(v);
        for (unsigned i = 0; t != NULL && i < ROWS(runs); i++) {
            size_t len = strlen(runs[i]);
            for (size_t at = 0; at + len <= LEN; at += len)
                memcpy(text + at, runs[i], len);
            size_t n = tokenizer_count(t, span_of(text, LEN - LEN % len));
            assert_row(i, n >= LEN / 128 && n <= LEN);
        }
    }
    free(text);
}

static void no_more_is_written_than_there_is_room(void **state)
{
    (void)state;
    uint32_t ids[3] = {7, 7, 7};
    const struct tokenizer *t = tokenizer_for(VOCABULARY_O200K);
    if (t == NULL)
        skip();
    assert_int_equal(tokenizer_encode(t, SPAN_LIT("one two three four"), ids, 2), 4);
    assert_int_equal(ids[2], 7);
}

static void what_has_no_vocabulary_has_no_tokenizer(void **state)
{
    (void)state;
    assert_null(tokenizer_for(VOCABULARY_NONE));
    assert_null(vocabulary_word(VOCABULARY_NONE));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_texts_have_their_known_tokens),
        cmocka_unit_test(long_runs_of_one_thing_are_counted_in_good_time),
        cmocka_unit_test(no_more_is_written_than_there_is_room),
        cmocka_unit_test(what_has_no_vocabulary_has_no_tokenizer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
