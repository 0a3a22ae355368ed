#include "unit.h"

#include "../../src/app/minted_key.h"

static void made_keys_have_their_shape_and_differ(void **state)
{
    (void)state;
    char key[MINTED_KEY_SIZE], before[MINTED_KEY_SIZE] = "";
    for (int i = 0; i < 200; i++) {
        minted_key_make(key);
        assert_int_equal(strlen(key), MINTED_KEY_SIZE - 1);
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
    minted_key_make(key);
    for (size_t i = 8; i < MINTED_KEY_SIZE - 1; i++) {
        char right = key[i];
        key[i] = right == 'x' ? 'y' : 'x';
        assert_true(minted_key_is_mistyped(span_text(key)));
        key[i] = right;
    }
    assert_true(minted_key_is_mistyped(span_sub(span_text(key), 0, MINTED_KEY_SIZE - 2)));
    assert_true(minted_key_is_mistyped(SPAN_LIT("sl_live_")));
}

static void other_keys_are_nobodys_business(void **state)
{
    (void)state;
    assert_false(minted_key_is_mistyped(SPAN_LIT("")));
    assert_false(minted_key_is_mistyped(SPAN_LIT("sk-anything")));
    assert_false(minted_key_is_mistyped(SPAN_LIT("sl_live")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(made_keys_have_their_shape_and_differ),
        cmocka_unit_test(one_wrong_character_is_noticed),
        cmocka_unit_test(other_keys_are_nobodys_business),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
