/* The record of a call as bytes: there and back, older and newer writers, damage. */
#include "unit.h"

#include "sluice/store/history_record.h"

static struct history_record sample(void)
{
    struct history_record r = {.time_unix_ms = 1924991999500, .nattempts = 2};
    for (unsigned i = 0; i < HISTORY_ID_BYTES; i++)
        r.id[i] = (uint8_t)(17 * i);
    for (unsigned i = 0; i < HISTORY_NUMBERS; i++)
        r.number[i] = i == HISTORY_STATUS ? CALL_TIMED_OUT : UINT64_MAX >> 3 * i;
    for (unsigned i = 0; i < HISTORY_TEXTS; i++)
        r.text[i] = i % 3 == 0 ? SPAN_NONE : SPAN_LIT("deepseek/deepseek-v3.2");
    r.attempts[0] = (struct history_attempt){SPAN_LIT("a/fp8"), SPAN_LIT("5xx"), 503, 12};
    r.attempts[1] = (struct history_attempt){SPAN_LIT("b"), SPAN_LIT("ok"), 200, 3400};
    return r;
}

static void assert_same(const struct history_record *a, const struct history_record *b)
{
    assert_int_equal(a->time_unix_ms, b->time_unix_ms);
    assert_memory_equal(a->id, b->id, sizeof a->id);
    assert_memory_equal(a->number, b->number, sizeof a->number);
    for (unsigned i = 0; i < HISTORY_TEXTS; i++)
        assert_row(i, span_eq(a->text[i], b->text[i]));
    assert_int_equal(a->nattempts, b->nattempts);
    for (unsigned i = 0; i < a->nattempts; i++) {
        assert_row(i, span_eq(a->attempts[i].endpoint, b->attempts[i].endpoint));
        assert_row(i, span_eq(a->attempts[i].result, b->attempts[i].result));
        assert_row(i, a->attempts[i].status == b->attempts[i].status);
        assert_row(i, a->attempts[i].latency_ms == b->attempts[i].latency_ms);
    }
}

static void what_was_written_is_read_again(void **state)
{
    uint8_t bytes[2 * HISTORY_FRAME_MAX_BYTES];
    struct history_record r = sample(), read, empty = {0};
    size_t n = history_frame_write(&r, bytes);
    size_t both = n + history_frame_write(&empty, bytes + n);
    struct span rest = span_of(bytes, both), frame;
    (void)state;
    assert_true(history_frame_next(&rest, &frame) && frame.len == n);
    assert_true(history_frame_read(frame, &read));
    assert_same(&r, &read);
    assert_true(history_frame_next(&rest, &frame) && history_frame_read(frame, &read));
    assert_same(&empty, &read);
    assert_false(history_frame_next(&rest, &frame));
}

static void longest_record_fits_and_long_texts_are_cut_between_characters(void **state)
{
    static uint8_t long_text[400];
    uint8_t bytes[HISTORY_FRAME_MAX_BYTES];
    struct history_record r = {.nattempts = HISTORY_ATTEMPTS_MAX, .time_unix_ms = UINT64_MAX}, read;
    (void)state;
    for (unsigned i = 0; i < sizeof long_text; i++)
        long_text[i] = i == 0 ? 'x' : i % 2 == 1 ? 0xc3 : 0xa4; /* "xääää…" */
    for (unsigned i = 1; i < HISTORY_NUMBERS; i++)
        r.number[i] = UINT64_MAX;
    for (unsigned i = 0; i < HISTORY_TEXTS; i++)
        r.text[i] = span_of(long_text, sizeof long_text);
    for (unsigned i = 0; i < HISTORY_ATTEMPTS_MAX; i++)
        r.attempts[i] = (struct history_attempt){r.text[0], r.text[0], UINT64_MAX, UINT64_MAX};
    size_t n = history_frame_write(&r, bytes);
    assert_true(n <= sizeof bytes);
    assert_true(history_frame_read(span_of(bytes, n), &read));
    assert_int_equal(read.text[HISTORY_MODEL].len, HISTORY_TEXT_MAX_BYTES - 1);
}

/* Cut anywhere, any byte another: read or refused, never beyond its end (which the sanitizer sees). */
static void damage_is_noticed_or_harmless(void **state)
{
    uint8_t bytes[HISTORY_FRAME_MAX_BYTES];
    struct history_record r = sample(), read;
    size_t n = history_frame_write(&r, bytes);
    (void)state;
    for (size_t len = 0; len < n; len++) {
        uint8_t *cut = test_malloc(len + 1);
        memcpy(cut, bytes, len);
        struct span rest = span_of(cut, len), frame;
        assert_false(history_frame_next(&rest, &frame));
        assert_false(history_frame_read(span_of(cut, len), &read));
        test_free(cut);
    }
    for (size_t at = 0; at < n; at++) {
        for (unsigned value = 0; value < 256; value += 51) {
            uint8_t kept = bytes[at];
            struct span rest = span_of(bytes, n), frame;
            bytes[at] = (uint8_t)value;
            if (history_frame_next(&rest, &frame) && history_frame_read(frame, &read))
                assert_true(read.nattempts <= HISTORY_ATTEMPTS_MAX &&
                            read.number[HISTORY_STATUS] < CALL_STATUSES);
            bytes[at] = kept;
        }
    }
}

static void newest_first_is_an_order_of_bytes(void **state)
{
    struct history_record early = {.time_unix_ms = 255}, late = {.time_unix_ms = 256},
                          later = {.time_unix_ms = 256, .id = {1}};
    struct history_place a = history_place_of(&early), b = history_place_of(&late),
                         c = history_place_of(&later);
    (void)state;
    assert_true(memcmp(a.at, b.at, sizeof a.at) < 0 && memcmp(b.at, c.at, sizeof b.at) < 0);
    assert_int_equal(history_place_time(&c), 256);
}

static void ids_are_32_digits(void **state)
{
    static const char *const bad[] = {"",
                                      "0",
                                      "0123456789abcdef0123456789abcde",
                                      "0123456789abcdef0123456789abcdeg",
                                      "0123456789ABCDEF0123456789ABCDEF",
                                      "0123456789abcdef0123456789abcdef0"};
    uint8_t id[HISTORY_ID_BYTES];
    char text[2 * HISTORY_ID_BYTES];
    (void)state;
    for (unsigned i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_row(i, !history_id_read(span_text(bad[i]), id));
    assert_true(history_id_read(SPAN_LIT("0123456789abcdef0123456789abcdef"), id));
    history_id_write(id, text);
    assert_memory_equal(text, "0123456789abcdef0123456789abcdef", sizeof text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_written_is_read_again),
        cmocka_unit_test(longest_record_fits_and_long_texts_are_cut_between_characters),
        cmocka_unit_test(damage_is_noticed_or_harmless),
        cmocka_unit_test(newest_first_is_an_order_of_bytes),
        cmocka_unit_test(ids_are_32_digits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
