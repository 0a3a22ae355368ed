#include "unit.h"

#include "sluice/base/arena.h"

static void memory_is_zeroed_aligned_and_separate(void **state)
{
    (void)state;
    _Alignas(max_align_t) uint8_t first[256];
    memset(first, 0xff, sizeof(first));
    struct arena a;
    arena_init(&a, first + 1, sizeof(first) - 1); /* even when the first block is not aligned */
    uint8_t *before = NULL;
    for (size_t size = 0; size < 300; size++) {
        uint8_t *p = arena_alloc(&a, size);
        assert_int_equal((uintptr_t)p % _Alignof(max_align_t), 0);
        for (size_t i = 0; i < size; i++)
            assert_int_equal(p[i], 0);
        memset(p, 0xff, size);
        assert_ptr_not_equal(p, before);
        before = size == 0 ? NULL : p;
    }
    arena_fini(&a);
}

static void small_work_fits_the_callers_block(void **state)
{
    (void)state;
    uint8_t first[512];
    struct arena a;
    arena_init(&a, first, sizeof(first));
    (void)arena_alloc(&a, 200);
    (void)arena_alloc(&a, 200);
    assert_null(a.blocks);
    arena_fini(&a);
}

static void something_large_gets_room(void **state)
{
    (void)state;
    struct arena a;
    arena_init(&a, NULL, 0);
    uint8_t *p = arena_alloc(&a, 1000000);
    p[999999] = 1;
    arena_fini(&a);
}

static void what_is_kept_ends_in_nul(void **state)
{
    (void)state;
    struct arena a;
    arena_init(&a, NULL, 0);
    struct span kept = arena_keep(&a, span_sub(SPAN_LIT("model-name"), 0, 5));
    assert_string_equal((const char *)kept.at, "model");
    assert_int_equal(kept.len, 5);
    assert_string_equal((const char *)arena_keep(&a, SPAN_NONE).at, "");
    assert_string_equal(arena_printf(&a, "%s/%d", "a", 7), "a/7");
    arena_fini(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(memory_is_zeroed_aligned_and_separate),
        cmocka_unit_test(small_work_fits_the_callers_block),
        cmocka_unit_test(something_large_gets_room),
        cmocka_unit_test(what_is_kept_ends_in_nul),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
