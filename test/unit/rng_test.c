#include "unit.h"

#include "sluice/base/rng.h"

static void a_seed_replays(void **state)
{
    (void)state;
    struct rng a, b, c;
    rng_seed(&a, 1);
    rng_seed(&b, 1);
    rng_seed(&c, 2);
    bool differs = false;
    for (unsigned i = 0; i < 100; i++) {
        uint64_t x = rng_next(&a);
        assert_true(x == rng_next(&b));
        differs |= x != rng_next(&c);
    }
    assert_true(differs);
}

static void below_stays_below_and_reaches_everything(void **state)
{
    (void)state;
    struct rng r;
    rng_seed(&r, 0);
    assert_true(rng_below(&r, 1) == 0);
    unsigned hits[6] = {0};
    for (unsigned i = 0; i < 60000; i++)
        hits[rng_below(&r, 6)]++; /* out of range: ASan */
    for (unsigned i = 0; i < 6; i++)
        assert_in_range(hits[i], 9500, 10500);
    (void)rng_below(&r, UINT64_MAX);
}

static void a_request_id_is_a_sortable_uuid(void **state)
{
    (void)state;
    struct rng r;
    rng_seed(&r, 7);
    char id[33], later[33];
    rng_request_id(&r, 0x017f22e279b0, id);
    assert_int_equal(strlen(id), 32);
    assert_memory_equal(id, "017f22e279b07", 13); /* time, then the version */
    assert_non_null(strchr("89ab", id[16]));      /* the variant */
    assert_int_equal(strspn(id, "0123456789abcdef"), 32);
    for (unsigned i = 0; i < 100; i++) {
        char next[33];
        rng_request_id(&r, 0x017f22e279b0, next);
        assert_true(strcmp(id, next) < 0);
        memcpy(id, next, sizeof id);
    }
    rng_request_id(&r, 0x017f22e279b1, later);
    assert_true(strcmp(id, later) < 0);
}

static void secret_bytes_differ(void **state)
{
    (void)state;
    uint8_t a[32], b[32];
    rng_secret_bytes(a, sizeof(a));
    rng_secret_bytes(b, sizeof(b));
    assert_memory_not_equal(a, b, sizeof(a));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_seed_replays),
        cmocka_unit_test(below_stays_below_and_reaches_everything),
        cmocka_unit_test(a_request_id_is_a_sortable_uuid),
        cmocka_unit_test(secret_bytes_differ),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
