#include "unit.h"

#include "sluice/base/buf.h"
#include "sluice/format/json_splice.h"

static struct buf spliced(const struct json_splice *s, struct span text)
{
    struct span out[2 * SPLICE_EDITS_MAX + 1];
    struct buf result = {0};
    size_t total;
    unsigned n = splice_spans(s, text, out, &total);
    assert_true(n <= 2 * s->nedits + 1);
    for (unsigned i = 0; i < n; i++)
        assert_int_equal(buf_add(&result, out[i]), 0);
    assert_int_equal(buf_len(&result), total);
    return result;
}

static void edits_out_of_order_or_beyond_the_room_are_refused(void **state)
{
    (void)state;
    struct json_splice s = {0};
    assert_true(splice_replace(&s, 2, 4, SPAN_LIT("x")));
    assert_false(splice_replace(&s, 3, 5, SPAN_LIT("x")));
    assert_false(splice_insert(&s, 3, SPAN_LIT("x")));
    assert_false(splice_replace(&s, 6, 5, SPAN_LIT("x")));
    assert_int_equal(s.nedits, 1);
    for (unsigned i = 1; i < SPLICE_EDITS_MAX; i++)
        assert_true(splice_insert(&s, 4, SPAN_LIT("y")));
    assert_false(splice_insert(&s, 4, SPAN_LIT("y")));
}

static void no_edit_is_the_text_itself(void **state)
{
    (void)state;
    struct json_splice s = {0};
    struct span out[1], text = SPAN_LIT("{\"a\":1}");
    size_t total;
    assert_int_equal(splice_spans(&s, text, out, &total), 1);
    assert_ptr_equal(out[0].at, text.at);
    assert_int_equal(splice_spans(&s, SPAN_NONE, out, &total), 0);
    assert_int_equal(total, 0);
}

static void what_stays_is_borrowed_from_the_text(void **state)
{
    (void)state;
    struct json_splice s = {0};
    struct span out[5], text = SPAN_LIT("{\"a\":1,\"b\":2}");
    size_t total;
    assert_true(splice_insert(&s, 1, SPAN_LIT("\"c\":0,")));
    assert_true(splice_replace(&s, 5, 6, SPAN_LIT("11")));
    assert_int_equal(splice_spans(&s, text, out, &total), 5);
    assert_ptr_equal(out[0].at, text.at);
    assert_ptr_equal(out[2].at, text.at + 1);
    assert_ptr_equal(out[4].at, text.at + 6);
    struct buf result = spliced(&s, text);
    assert_span(buf_span(&result), "{\"c\":0,\"a\":11,\"b\":2}");
    buf_fini(&result);
}

/* The members named by the bits of `removed`, taken out as the scanner reports them. */
static struct buf without(struct span text, unsigned removed)
{
    struct json_scan scan;
    struct json_splice s = {0};
    struct span rest = text;
    json_scan_init(&scan);
    while (json_scan_next(&scan, &rest) == JSON_MEMBER)
        if (removed >> (scan.members - 1) & 1)
            assert_true(splice_remove_member(&s, &scan.member));
    return spliced(&s, text);
}

/* Which members are left is exactly what was asked for, whichever were neighbours. */
static void any_set_of_members_can_go(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "{\"k0\":0,\"k1\":[1],\"k2\":\"2\",\"k3\":null,\"k4\":{}}",
        " {\n \"k0\" : 0 ,\n \"k1\" : 1\n, \"k2\":\"2\" , \"k3\":3 ,\"k4\" : 4 \n} ",
    };
    for (unsigned t = 0; t < ROWS(texts); t++) {
        for (unsigned removed = 0; removed < 32; removed++) {
            struct buf result = without(span_text(texts[t]), removed);
            struct json_scan scan;
            struct span rest = buf_span(&result);
            unsigned left = 0;
            enum json_status status;
            json_scan_init(&scan);
            while ((status = json_scan_next(&scan, &rest)) == JSON_MEMBER)
                left |= 1u << (buf_span(&result).at[scan.member.key.start + 1] - '0');
            assert_int_equal(status, JSON_DONE);
            assert_int_equal(left, 31 & ~removed);
            buf_fini(&result);
        }
    }
}

static void removing_touches_nothing_but_the_member_and_a_comma(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        unsigned removed;
        const char *left;
    } rows[] = {
        {"{\"a\":1}", 1, "{}"},
        {"{ \"a\": 1 }", 1, "{  }"},
        {"{\"a\":1, \"b\":2, \"c\":3}", 1, "{ \"b\":2, \"c\":3}"},
        {"{\"a\":1, \"b\":2, \"c\":3}", 2, "{\"a\":1, \"c\":3}"},
        {"{\"a\":1, \"b\":2, \"c\":3}", 4, "{\"a\":1, \"b\":2}"},
        {"{\"a\":1, \"b\":2, \"c\":3}", 6, "{\"a\":1}"},
        {"{\"a\":1, \"b\":2, \"c\":3}", 3, "{  \"c\":3}"},
        {"{\"a\":1, \"b\":2, \"c\":3}", 5, "{ \"b\":2}"},
        {"{\"a\":1, \"b\":2, \"c\":3}", 7, "{  }"},
    };
    for (unsigned i = 0; i < ROWS(rows); i++) {
        struct buf result = without(span_text(rows[i].text), rows[i].removed);
        assert_row(i, span_eq(buf_span(&result), span_text(rows[i].left)));
        buf_fini(&result);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(edits_out_of_order_or_beyond_the_room_are_refused),
        cmocka_unit_test(no_edit_is_the_text_itself),
        cmocka_unit_test(what_stays_is_borrowed_from_the_text),
        cmocka_unit_test(any_set_of_members_can_go),
        cmocka_unit_test(removing_touches_nothing_but_the_member_and_a_comma),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
