/* Spans as text. What a collector makes of it is test/wire/test_tracing.py's. */
#include "unit.h"

#include "sluice/format/json_scan.h"
#include "sluice/format/otlp_span.h"

static void is_json(struct span text)
{
    struct json_scan scan;
    enum json_status status;
    json_scan_init(&scan);
    while ((status = json_scan_next(&scan, &text)) == JSON_MEMBER)
        continue;
    assert_int_equal(status, JSON_DONE);
}

static struct otlp_head head_of(const char *noun)
{
    return (struct otlp_head){
        .trace = "4bf92f3577b34da6a3ce929d0e0e4736",
        .id = "00f067aa0ba902b7",
        .flags = 1,
        .kind = OTLP_CLIENT,
        .verb = "chat",
        .noun = span_text(noun),
        .start_us = 1,
        .end_us = 2,
    };
}

static void a_span_has_what_it_was_given_and_no_more(void **state)
{
    (void)state;
    struct buf out = {0};
    struct otlp_span s;
    struct otlp_head h = head_of("m");
    h.parent = "b7ad6b7169203331";
    h.state = SPAN_LIT("a=1");
    h.has_remote_parent = true;
    assert_int_equal(otlp_span_open(&s, &out, &h), 0);
    otlp_word(&s, "none", NULL);
    otlp_text(&s, "empty", SPAN_NONE);
    otlp_u64(&s, "n", UINT64_MAX);
    otlp_bool(&s, "b", false);
    otlp_seconds(&s, "s", 141);
    otlp_usd(&s, "usd", 12000000000001);
    otlp_seconds(&s, "zero", 0);
    otlp_list_of_one(&s, "list", SPAN_LIT("stop"));
    otlp_event(&s, "one", 3);
    otlp_word(&s, "w", "v");
    otlp_event(&s, "two", 4);
    otlp_span_close(&s, true);
    assert_span(
        buf_span(&out),
        "{\"traceId\":\"4bf92f3577b34da6a3ce929d0e0e4736\",\"spanId\":\"00f067aa0ba902b7\","
        "\"parentSpanId\":\"b7ad6b7169203331\",\"traceState\":\"a=1\",\"flags\":769,"
        "\"name\":\"chat m\",\"kind\":3,\"startTimeUnixNano\":\"1000\",\"endTimeUnixNano\":\"2000\","
        "\"attributes\":[{\"key\":\"n\",\"value\":{\"intValue\":\"18446744073709551615\"}},"
        "{\"key\":\"b\",\"value\":{\"boolValue\":false}},"
        "{\"key\":\"s\",\"value\":{\"doubleValue\":0.000141}},"
        "{\"key\":\"usd\",\"value\":{\"doubleValue\":12.000000000001}},"
        "{\"key\":\"zero\",\"value\":{\"doubleValue\":0}},"
        "{\"key\":\"list\",\"value\":{\"arrayValue\":{\"values\":[{\"stringValue\":\"stop\"}]}}}],"
        "\"events\":[{\"timeUnixNano\":\"3000\",\"name\":\"one\",\"attributes\":["
        "{\"key\":\"w\",\"value\":{\"stringValue\":\"v\"}}]},"
        "{\"timeUnixNano\":\"4000\",\"name\":\"two\",\"attributes\":[]}],"
        "\"status\":{\"code\":2}}");
    buf_fini(&out);
}

static void texts_of_others_stay_json_and_have_a_size(void **state)
{
    (void)state;
    static char longest[4000];
    static const char *const rows[] = {"\"", "\\", "\n\t\x01", "\xff\xfe", "caf\xc3", longest};
    memset(longest, '"', sizeof longest - 1);
    for (size_t i = 0; i < ROWS(rows); i++) {
        struct buf out = {0};
        struct otlp_span s;
        struct otlp_head h = head_of(rows[i]);
        assert_int_equal(otlp_span_open(&s, &out, &h), 0);
        otlp_word(&s, "k", rows[i]);
        otlp_list_of_one(&s, "l", span_text(rows[i]));
        otlp_span_close(&s, false);
        is_json(buf_span(&out));
        assert_true(buf_len(&out) < 3 * 6 * OTLP_TEXT_MAX + 500);
        buf_fini(&out);
    }
}

static void a_batch_is_opened_and_ended(void **state)
{
    (void)state;
    struct buf out = {0};
    const struct otlp_resource r = {"my \"gateway\"", "1.0", SPAN_LIT("id"), "https://schema"};
    assert_int_equal(otlp_batch_open(&out, &r), 0);
    assert_int_equal(buf_add_text(&out, "{},{}"), 0);
    assert_int_equal(buf_add(&out, OTLP_BATCH_END), 0);
    is_json(buf_span(&out));
    buf_fini(&out);
}

static void what_was_rejected_is_read_leniently(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        uint64_t n;
    } rows[] = {
        {"", 0},
        {"no json", 0},
        {"{}", 0},
        {"{\"partialSuccess\":{}}", 0},
        {"{\"partialSuccess\":[]}", 0},
        {"{\"partialSuccess\":{\"rejectedSpans\":\"-1\"}}", 0},
        {"{\"partialSuccess\":{\"rejectedSpans\":\"\"}}", 0},
        {"{\"partialSuccess\":{\"rejectedSpans\":3}}", 3},
        {"{\"partialSuccess\":{\"rejectedSpans\":\"12\",\"errorMessage\":\"x\"}}", 12},
    };
    for (size_t i = 0; i < ROWS(rows); i++)
        assert_row(i, otlp_rejected(span_text(rows[i].text)) == rows[i].n);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_span_has_what_it_was_given_and_no_more),
        cmocka_unit_test(texts_of_others_stay_json_and_have_a_size),
        cmocka_unit_test(a_batch_is_opened_and_ended),
        cmocka_unit_test(what_was_rejected_is_read_leniently),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
