#include "unit.h"

#include "sluice/admit/minted_key.h"

static void made_keys_have_their_shape_and_differ(void **state)
{
    (void)state;
    char key[MINTED_KEY_SIZE], before[MINTED_KEY_SIZE] = "";
    for (int i = 0; i < 200; i++) {
        minted_key_make("sl_live_", key);
        assert_int_equal(strlen(key), 36);
        assert_int_equal(strncmp(key, "sl_live_", 8), 0);
        for (const char *c = key + 8; *c != '\0'; c++)
            assert_true((*c >= '0' && *c <= '9') || (*c >= 'A' && *c <= 'Z') ||
                        (*c >= 'a' && *c <= 'z'));
        assert_false(minted_key_is_mistyped(span_text(key)));
        assert_string_not_equal(key, before);
        memcpy(before, key, sizeof before);
    }
}

static void one_wrong_character_is_noticed(void **state)
{
    (void)state;
    char key[MINTED_KEY_SIZE];
    minted_key_make("sl_live_", key);
    for (size_t i = 8; i < 36; i++) {
        char right = key[i];
        key[i] = right == 'x' ? 'y' : 'x';
        assert_true(minted_key_is_mistyped(span_text(key)));
        key[i] = right;
    }
    assert_true(minted_key_is_mistyped(span_sub(span_text(key), 0, 35)));
    assert_true(minted_key_is_mistyped(SPAN_LIT("sl_live_")));
}

static void other_keys_are_nobodys_business(void **state)
{
    (void)state;
    assert_false(minted_key_is_mistyped(SPAN_LIT("")));
    assert_false(minted_key_is_mistyped(SPAN_LIT("sk-anything")));
    assert_false(minted_key_is_mistyped(SPAN_LIT("sl_live")));
}

static void prefixes_of_any_length_leave_as_much_to_guess(void **state)
{
    (void)state;
    static const struct {
        const char *prefix;
        size_t len;
    } rows[] = {{"k_", 36}, {"acme_", 36}, {"sl_test_", 36}, {"acme_production_live_xx_", 52}};
    char key[MINTED_KEY_SIZE];
    for (unsigned i = 0; i < ROWS(rows); i++) {
        minted_key_make(rows[i].prefix, key);
        assert_row(i, strlen(key) == rows[i].len);
        assert_row(i, strncmp(key, rows[i].prefix, strlen(rows[i].prefix)) == 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(made_keys_have_their_shape_and_differ),
        cmocka_unit_test(one_wrong_character_is_noticed),
        cmocka_unit_test(prefixes_of_any_length_leave_as_much_to_guess),
        cmocka_unit_test(other_keys_are_nobodys_business),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
