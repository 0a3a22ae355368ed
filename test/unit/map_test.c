#include "unit.h"

#include "sluice/base/map.h"

#define KEYS 2000

static char keys[KEYS][8];

static struct span key(unsigned i)
{
    return span_text(keys[i]);
}

static int name_keys(void **state)
{
    (void)state;
    for (unsigned i = 0; i < KEYS; i++)
        (void)snprintf(keys[i], sizeof(keys[i]), "k%u", i);
    return 0;
}

static void an_empty_map_answers(void **state)
{
    (void)state;
    struct map m = {0};
    size_t cursor = 0;
    assert_null(map_get(&m, SPAN_LIT("a")));
    assert_null(map_remove(&m, SPAN_LIT("a")));
    assert_null(map_next(&m, &cursor));
    map_fini(&m);
}

static void it_holds_what_a_plain_table_holds(void **state)
{
    (void)state;
    struct map m = {0};
    bool in[KEYS] = {false};
    size_t len = 0;
    srand(1);
    for (unsigned step = 0; step < 50000; step++) {
        unsigned i = (unsigned)rand() % KEYS;
        assert_ptr_equal(map_get(&m, key(i)), in[i] ? keys[i] : NULL);
        if (rand() % 2 == 0) {
            assert_int_equal(map_put(&m, key(i), keys[i]), 0);
            len += !in[i];
            in[i] = true;
        } else {
            assert_ptr_equal(map_remove(&m, key(i)), in[i] ? keys[i] : NULL);
            len -= in[i];
            in[i] = false;
        }
        assert_int_equal(m.len, len);
    }
    size_t cursor = 0, seen = 0;
    for (char *value; (value = map_next(&m, &cursor)) != NULL; seen++)
        assert_true(in[atoi(value + 1)]);
    assert_int_equal(seen, len);
    map_fini(&m);
}

static void putting_again_replaces(void **state)
{
    (void)state;
    struct map m = {0};
    char one, two;
    assert_int_equal(map_put(&m, SPAN_LIT(""), &one), 0); /* the empty key is a key */
    assert_int_equal(map_put(&m, SPAN_NONE, &two), 0);
    assert_int_equal(m.len, 1);
    assert_ptr_equal(map_get(&m, SPAN_LIT("")), &two);
    map_fini(&m);
}

static void every_byte_counts_in_the_hash(void **state)
{
    (void)state;
    uint8_t text[40] = {0};
    for (size_t len = 0; len < sizeof(text); len++) {
        uint64_t hash = map_hash(span_of(text, len));
        assert_true(hash != map_hash(span_of(text, len + 1)));
        for (size_t i = 0; i < len; i++) {
            text[i] = 1;
            assert_true(hash != map_hash(span_of(text, len)));
            text[i] = 0;
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_map_answers),
        cmocka_unit_test(it_holds_what_a_plain_table_holds),
        cmocka_unit_test(putting_again_replaces),
        cmocka_unit_test(every_byte_counts_in_the_hash),
    };
    return cmocka_run_group_tests(tests, name_keys, NULL);
}
