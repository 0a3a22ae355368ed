/* Calls find their results, ids become unique, and what has no partner is named. */
#include "unit.h"

#include "sluice/codec/turn_codec.h"

#define USER "{\"role\":\"user\",\"content\":\"go\"}"
#define SYSTEM "{\"role\":\"system\",\"content\":\"s\"}"
#define CALL(id) \
    "{\"id\":\"" id "\",\"type\":\"function\",\"function\":{\"name\":\"f\",\"arguments\":\"{}\"}}"
#define CALLS(list) "{\"role\":\"assistant\",\"content\":null,\"tool_calls\":[" list "]}"
#define RESULT(id, text) "{\"role\":\"tool\",\"tool_call_id\":\"" id "\",\"content\":\"" text "\"}"
#define CHAT(messages) "{\"model\":\"m\",\"messages\":[" messages "]}"

/* "id=result …" of every call, in the order of the calls. */
static void write_pairs(const struct turn_request *r, struct buf *out)
{
    for (const struct turn_message *m = r->messages; m != NULL; m = m->next) {
        for (const struct turn_part *p = m->parts; p != NULL; p = p->next) {
            if (p->kind != PART_CALL)
                continue;
            assert_non_null(p->result);
            assert_true(span_eq(p->id, p->result->id));
            assert_int_equal(
                buf_addf(out, "%.*s=%.*s ", SPAN_FMT(p->id), SPAN_FMT(p->result->inside->text)), 0);
        }
    }
}

static const struct translation_options defaults = {.drops_unknown_tools = false};

static bool pair(const char *body, struct arena *a, struct turn_request *r, struct fault *why)
{
    arena_init(a, NULL, 512);
    return client_codec_for(API_CHAT)->read(span_text(body), &defaults, a, r, why);
}

static void calls_find_their_results(void **state)
{
    (void)state;
    static const struct {
        const char *body, *pairs;
    } rows[] = {
        {CHAT(USER), ""},
        {CHAT(USER "," CALLS(CALL("a")) "," RESULT("a", "1")), "a=1 "},
        {CHAT(USER "," CALLS(CALL("a") "," CALL("b")) "," RESULT("b", "2") "," RESULT("a", "1")),
         "a=1 b=2 "},
        /* what stands between parts nothing, as long as the assistant is silent */
        {CHAT(USER "," CALLS(CALL("a")) "," SYSTEM "," USER "," RESULT("a", "1")), "a=1 "},
        {CHAT(USER "," CALLS(CALL("a")) "," SYSTEM "," CALLS(CALL("b")) "," RESULT(
             "a", "1") "," RESULT("b", "2")),
         "a=1 b=2 "},
        /* an id again */
        {CHAT(USER "," CALLS(CALL("a")) "," RESULT("a", "1") "," CALLS(CALL("a")) "," RESULT(
             "a", "2") "," USER "," CALLS(CALL("a")) "," RESULT("a", "3")),
         "a=1 a_2=2 a_3=3 "},
        {CHAT(USER "," CALLS(CALL("a") "," CALL("a")) "," RESULT("a", "1") "," RESULT("a", "2")),
         "a=1 a_2=2 "},
        {CHAT(USER "," CALLS(CALL("a") "," CALL("a_2") "," CALL("a")) "," RESULT(
             "a", "1") "," RESULT("a", "3") "," RESULT("a_2", "2")),
         "a=1 a_2=2 a_3=3 "},
        {CHAT(USER "," CALLS(CALL("a")) "," RESULT("a", "1") "," CALLS(
             CALL("a") "," CALL("a_2")) "," RESULT("a_2", "3") "," RESULT("a", "2")),
         "a=1 a_2=2 a_2_2=3 "},
    };
    for (unsigned i = 0; i < ROWS(rows); i++) {
        struct arena a;
        struct turn_request r;
        struct fault why;
        struct buf got = {0};
        if (!pair(rows[i].body, &a, &r, &why))
            fail_msg("row %u: %s: %s", i, why.param, why.message);
        write_pairs(&r, &got);
        assert_span(buf_span(&got), rows[i].pairs);
        buf_fini(&got);
        arena_fini(&a);
    }
}

static void who_has_no_partner_is_named(void **state)
{
    (void)state;
    static const struct {
        const char *body, *param, *says;
    } rows[] = {
        {CHAT(USER "," CALLS(CALL("a"))), "messages[1].tool_calls[0]", "call a has no result"},
        {CHAT(USER "," CALLS(CALL("a") "," CALL("b")) "," RESULT("a", "1")),
         "messages[1].tool_calls[1]", "call b has no result"},
        {CHAT(USER "," CALLS(CALL("a")) "," USER "," CALLS(CALL("b")) "," RESULT("a", "1")),
         "messages[1].tool_calls[0]", "call a has no result"},
        {CHAT(USER "," RESULT("a", "1")), "messages[1]", "follows the message that calls"},
        {CHAT(USER "," CALLS(CALL("a")) "," RESULT("b", "1")), "messages[2]", "follows"},
        {CHAT(USER "," CALLS(CALL("a")) "," RESULT("a", "1") "," RESULT("a", "2")), "messages[3]",
         "call a has a result already"},
        {CHAT(USER "," CALLS(CALL("a") "," CALL("a")) "," RESULT("a", "1")),
         "messages[1].tool_calls[1]", "call a_2 has no result"},
    };
    for (unsigned i = 0; i < ROWS(rows); i++) {
        struct arena a;
        struct turn_request r;
        struct fault why;
        assert_row(i, !pair(rows[i].body, &a, &r, &why));
        assert_string_equal(why.param, rows[i].param);
        if (strstr(why.message, rows[i].says) == NULL)
            fail_msg("row %u: %s", i, why.message);
        arena_fini(&a);
    }
}

/* Twenty thousand calls in one turn and as many results, the last first; and all of one id. */
static void many_calls_take_no_longer(void **state)
{
    (void)state;
    enum { CALLS_OF_A_TURN = 20000 };
    for (int same = 0; same < 2; same++) {
        struct buf body = {0};
        struct arena a;
        struct turn_request r;
        struct fault why;
        assert_int_equal(buf_addf(&body, "{\"model\":\"m\",\"messages\":[" USER ",{\"role\":"
                                         "\"assistant\",\"tool_calls\":["),
                         0);
        for (int i = 0; i < CALLS_OF_A_TURN; i++)
            assert_int_equal(buf_addf(&body,
                                      "%s{\"id\":\"%d\",\"type\":\"function\",\"function\":"
                                      "{\"name\":\"f\",\"arguments\":\"{}\"}}",
                                      i == 0 ? "" : ",", same ? 0 : i),
                             0);
        assert_int_equal(buf_add_text(&body, "]}"), 0);
        for (int i = CALLS_OF_A_TURN; i-- > 0;)
            assert_int_equal(buf_addf(&body,
                                      ","
                                      "{\"role\":\"tool\",\"tool_call_id\":\"%d\","
                                      "\"content\":\"x\"}",
                                      same ? 0 : i),
                             0);
        assert_int_equal(buf_add(&body, SPAN_LIT("]}\0")), 0);
        assert_true(pair((const char *)body.at, &a, &r, &why));
        arena_fini(&a);
        buf_fini(&body);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(calls_find_their_results),
        cmocka_unit_test(who_has_no_partner_is_named),
        cmocka_unit_test(many_calls_take_no_longer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
