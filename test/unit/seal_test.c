#include "sluice/base/seal.h"

#include "unit.h"

#include <errno.h>

static const uint8_t master[SEAL_KEY_BYTES] = "0123456789abcdef0123456789abcde",
                     other[SEAL_KEY_BYTES] = "another key of as many bytes!!!";

static struct seal seal_of(const uint8_t *first, const uint8_t *second, const char *purpose)
{
    struct seal s = {.n = 0};
    if (first != NULL)
        seal_add(&s, first, purpose);
    if (second != NULL)
        seal_add(&s, second, purpose);
    return s;
}

static bool opens(const struct seal *s, struct span name, struct span sealed, struct span secret)
{
    struct buf plain = {0};
    bool is_open = seal_open(s, name, sealed, &plain);
    if (is_open)
        assert_true(span_eq(buf_span(&plain), secret));
    else
        assert_int_equal(buf_len(&plain), 0);
    buf_fini_wiped(&plain);
    return is_open;
}

static void what_was_sealed_opens(void **state)
{
    (void)state;
    const struct seal s = seal_of(master, NULL, "test");
    static const size_t sizes[] = {0, 1, 15, 16, 17, 1000, 20000};
    static uint8_t secret[20000];
    for (unsigned i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        struct buf sealed = {0};
        struct span plain = span_of(secret, sizes[i]);
        assert_int_equal(seal_close(&s, SPAN_LIT("name"), plain, &sealed), 0);
        assert_int_equal(buf_len(&sealed), sizes[i] + SEAL_OVERHEAD_BYTES);
        assert_true(opens(&s, SPAN_LIT("name"), buf_span(&sealed), plain));
        buf_fini(&sealed);
    }
}

/* A change of any single bit, a cut anywhere, another name: nothing opens. */
static void what_was_touched_does_not_open(void **state)
{
    (void)state;
    const struct seal s = seal_of(master, NULL, "test");
    struct buf sealed = {0};
    struct span secret = SPAN_LIT("sk-secret");
    assert_int_equal(seal_close(&s, SPAN_LIT("a:openai"), secret, &sealed), 0);
    struct span whole = buf_span(&sealed);
    for (size_t bit = 0; bit < 8 * whole.len; bit++) {
        sealed.at[sealed.head + bit / 8] ^= (uint8_t)(1u << bit % 8);
        assert_false(opens(&s, SPAN_LIT("a:openai"), whole, secret));
        sealed.at[sealed.head + bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    for (size_t len = 0; len < whole.len; len++) {
        uint8_t *cut = exact_copy(span_of(whole.at, len));
        assert_false(opens(&s, SPAN_LIT("a:openai"), span_of(cut, len), secret));
        free(cut);
    }
    assert_false(opens(&s, SPAN_LIT("b:openai"), whole, secret));
    assert_false(opens(&s, SPAN_NONE, whole, secret));
    assert_true(opens(&s, SPAN_LIT("a:openai"), whole, secret));
    buf_fini(&sealed);
}

static void keys_are_told_apart_and_rotated(void **state)
{
    (void)state;
    const struct seal old = seal_of(master, NULL, "test"), new = seal_of(other, NULL, "test"),
                      both = seal_of(other, master, "test"), use = seal_of(master, NULL, "other"),
                      none = {.n = 0};
    struct buf before = {0}, after = {0};
    struct span secret = SPAN_LIT("sk-secret");
    assert_int_equal(seal_close(&none, SPAN_NONE, secret, &before), -ENOKEY);
    assert_int_equal(seal_close(&old, SPAN_NONE, secret, &before), 0);
    assert_int_equal(seal_close(&both, SPAN_NONE, secret, &after), 0);
    const struct {
        const struct seal *seal;
        bool before, after;
    } rows[] = {{&none, false, false},
                {&use, false, false},
                {&old, true, false},
                {&new, false, true},
                {&both, true, true}};
    for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_int_equal(opens(rows[i].seal, SPAN_NONE, buf_span(&before), secret), rows[i].before);
        assert_int_equal(opens(rows[i].seal, SPAN_NONE, buf_span(&after), secret), rows[i].after);
    }
    buf_fini(&before);
    buf_fini(&after);
}

static void no_nonce_comes_twice(void **state)
{
    (void)state;
    enum { TIMES = 500, FIRST = 5, NONCE = 12 };
    static uint8_t seen[TIMES][NONCE];
    const struct seal s = seal_of(master, NULL, "test");
    for (unsigned i = 0; i < TIMES; i++) {
        struct buf sealed = {0};
        assert_int_equal(seal_close(&s, SPAN_NONE, SPAN_LIT("same"), &sealed), 0);
        memcpy(seen[i], buf_span(&sealed).at + FIRST, NONCE);
        for (unsigned k = 0; k < i; k++)
            assert_memory_not_equal(seen[i], seen[k], NONCE);
        buf_fini(&sealed);
    }
}

static void a_master_key_is_32_bytes(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool is_key;
    } rows[] = {
        {"", false},
        {"password", false},
        {"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA==", false}, /* 31 */
        {"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA==", false},
        {"00112233445566778899aabbccddeeff00112233445566778899aabbccddee", false},
        {"00112233445566778899aabbccddeeff00112233445566778899AABBCCDDEEFF", true},
        {"ABEiM0RVZneImaq7zN3u/wARIjNEVWZ3iJmqu8zd7v8=", true},
    };
    uint8_t key[SEAL_KEY_BYTES];
    for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_int_equal(seal_read_master(span_text(rows[i].text), key), rows[i].is_key);
        if (rows[i].is_key)
            assert_memory_equal(key, "\x00\x11\x22\x33\x44\x55\x66\x77", 8);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_sealed_opens),
        cmocka_unit_test(what_was_touched_does_not_open),
        cmocka_unit_test(keys_are_told_apart_and_rotated),
        cmocka_unit_test(no_nonce_comes_twice),
        cmocka_unit_test(a_master_key_is_32_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
