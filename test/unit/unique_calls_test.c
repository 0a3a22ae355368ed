/* Ids of one answer's calls, and everything else untouched. */
#include "unit.h"

#include "sluice/codec/unique_calls.h"

struct heard {
    struct buf text; /* "id " of each call, "." for other events, "!" for a fault */
};

static bool hear(void *arg, const struct turn_event *e)
{
    struct heard *h = arg;
    int rc = e->kind == TURN_FAULT  ? buf_add_text(&h->text, "!")
             : e->kind == TURN_CALL ? buf_addf(&h->text, "%.*s ", SPAN_FMT(e->id))
                                    : buf_add_text(&h->text, ".");
    assert_int_equal(rc, 0);
    return e->kind != TURN_FAULT;
}

static void ids_that_come_again_get_a_number(void **state)
{
    (void)state;
    static const char *const ids[] = {"a", "b", "a", "a_2", "a", "b_2", "b"};
    struct heard h = {{0}};
    struct unique_calls u;
    unique_calls_init(&u);
    for (unsigned i = 0; i < ROWS(ids); i++) {
        uint8_t *id = exact_copy(span_text(ids[i])); /* lives as long as the event */
        struct turn_event call = {.kind = TURN_CALL, .id = span_of(id, strlen(ids[i]))};
        struct turn_event text = {.kind = TURN_TEXT, .text = call.id};
        assert_true(unique_calls_event(&u, &call, hear, &h));
        assert_true(unique_calls_event(&u, &text, hear, &h));
        free(id);
    }
    assert_span(buf_span(&h.text), "a .b .a_2 .a_2_2 .a_3 .b_2 .b_3 .");
    unique_calls_fini(&u);
    buf_fini(&h.text);
}

static void calls_without_end_are_a_fault(void **state)
{
    (void)state;
    struct heard h = {{0}};
    struct unique_calls u;
    struct turn_event call = {.kind = TURN_CALL, .id = SPAN_LIT("a")};
    unique_calls_init(&u);
    for (unsigned i = 0; i < CALLS_OF_AN_ANSWER_MAX; i++)
        assert_true(unique_calls_event(&u, &call, hear, &h));
    buf_clear(&h.text);
    assert_false(unique_calls_event(&u, &call, hear, &h));
    assert_span(buf_span(&h.text), "!");
    unique_calls_fini(&u);
    buf_fini(&h.text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ids_that_come_again_get_a_number),
        cmocka_unit_test(calls_without_end_are_a_fault),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
