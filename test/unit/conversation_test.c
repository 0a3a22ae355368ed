#include "unit.h"

#include "../../src/app/conversation.h"

static void assert_body(const struct conversation *c, const char *messages)
{
    struct buf body = {0};
    char wanted[512];
    snprintf(wanted, sizeof wanted,
             "{\"model\":\"m\",\"messages\":[%s],\"stream\":true,"
             "\"stream_options\":{\"include_usage\":true},\"usage\":{\"include\":true}}",
             messages);
    assert_int_equal(conversation_write(c, &body), 0);
    assert_int_equal(buf_add_byte(&body, '\0'), 0);
    assert_string_equal((const char *)body.at, wanted);
    buf_fini(&body);
}

static void messages_stand_in_order_behind_the_system_text(void **state)
{
    (void)state;
    struct conversation c = {.model = "m", .system = "be \"kind\""};
    assert_body(&c, "{\"role\":\"system\",\"content\":\"be \\\"kind\\\"\"}");
    assert_int_equal(conversation_add(&c, "user", SPAN_LIT("a\nb")), 0);
    assert_int_equal(conversation_add(&c, "assistant", SPAN_LIT("c")), 0);
    assert_body(&c, "{\"role\":\"system\",\"content\":\"be \\\"kind\\\"\"},"
                    "{\"role\":\"user\",\"content\":\"a\\nb\"},"
                    "{\"role\":\"assistant\",\"content\":\"c\"}");
    conversation_fini(&c);
}

static void unanswered_question_is_forgotten(void **state)
{
    (void)state;
    struct conversation c = {.model = "m"};
    assert_body(&c, "");
    assert_int_equal(conversation_add(&c, "user", SPAN_LIT("first")), 0);
    size_t mark = conversation_mark(&c);
    assert_int_equal(conversation_add(&c, "user", SPAN_LIT("second")), 0);
    conversation_return(&c, mark);
    assert_body(&c, "{\"role\":\"user\",\"content\":\"first\"}");
    conversation_return(&c, 0);
    assert_int_equal(conversation_add(&c, "user", SPAN_LIT("again")), 0);
    assert_body(&c, "{\"role\":\"user\",\"content\":\"again\"}");
    conversation_fini(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(messages_stand_in_order_behind_the_system_text),
        cmocka_unit_test(unanswered_question_is_forgotten),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
