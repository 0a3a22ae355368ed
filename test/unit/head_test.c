#include "unit.h"

#include "sluice/http/head.h"

#include <ctype.h>

static void fields_are_known_by_name_in_any_case(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        enum field_id id;
    } rows[] = {
        {"", FIELD_OTHER},
        {"-", FIELD_OTHER},
        {"x", FIELD_OTHER},
        {"hos", FIELD_OTHER},
        {"hosts", FIELD_OTHER},
        {"content-lengt", FIELD_OTHER},
        {"content-lengti", FIELD_OTHER},
        {"content_length", FIELD_OTHER},
        {"x-sluice", FIELD_OTHER},
        {"x-sluice-", FIELD_OTHER},
        {"x-forwarded", FIELD_OTHER},
        {"x-stainless-lang", FIELD_OTHER},
        {"anthropic-version", FIELD_OTHER},
        {"openai-beta", FIELD_OTHER},
        {"user-agent", FIELD_OTHER},
        {"accept", FIELD_OTHER},
        {"accept-encoding", FIELD_ACCEPT_ENCODING},
        {"authorization", FIELD_AUTHORIZATION},
        {"connection", FIELD_CONNECTION},
        {"content-encoding", FIELD_CONTENT_ENCODING},
        {"content-length", FIELD_CONTENT_LENGTH},
        {"content-type", FIELD_CONTENT_TYPE},
        {"cookie", FIELD_COOKIE},
        {"expect", FIELD_EXPECT},
        {"forwarded", FIELD_FORWARDED},
        {"via", FIELD_FORWARDED},
        {"x-forwarded-for", FIELD_FORWARDED},
        {"x-forwarded-proto", FIELD_FORWARDED},
        {"x-real-ip", FIELD_FORWARDED},
        {"keep-alive", FIELD_HOP},
        {"proxy-authorization", FIELD_HOP},
        {"proxy-connection", FIELD_HOP},
        {"te", FIELD_HOP},
        {"trailer", FIELD_HOP},
        {"upgrade", FIELD_HOP},
        {"host", FIELD_HOST},
        {"origin", FIELD_ORIGIN},
        {"retry-after", FIELD_RETRY_AFTER},
        {"set-cookie", FIELD_SERVER},
        {"strict-transport-security", FIELD_SERVER},
        {"transfer-encoding", FIELD_TRANSFER_ENCODING},
        {"traceparent", FIELD_TRACE},
        {"x-api-key", FIELD_X_API_KEY},
        {"openai-organization", FIELD_ACCOUNT},
        {"x-request-id", FIELD_REQUEST_ID},
        {"access-control-allow-origin", FIELD_CORS},
        {"x-ratelimit-limit", FIELD_SLUICE},
        {"x-ratelimit-limit-requests", FIELD_OTHER}, /* a provider's own */
        {"x-sluice-model", FIELD_SLUICE},
        {"server-timing", FIELD_SLUICE},
    };
    for (unsigned i = 0; i < ROWS(rows); i++) {
        struct span name = span_text(rows[i].name);
        uint8_t *lower = exact_copy(name), *upper = exact_copy(name);
        for (size_t k = 0; k < name.len; k++)
            upper[k] = (uint8_t)toupper(upper[k]);
        assert_row(i, field_identify(span_of(lower, name.len)) == rows[i].id);
        assert_row(i, field_identify(span_of(upper, name.len)) == rows[i].id);
        free(lower);
        free(upper);
    }
}

static const struct http_field fields[] = {
    {.name = SPAN_LIT("X-A"), .value = SPAN_LIT("1")},
    {.name = SPAN_LIT("x-a"), .value = SPAN_LIT("2")},
    {.name = SPAN_LIT("Host"), .value = SPAN_LIT("h"), .id = FIELD_HOST},
    {.name = SPAN_LIT("X-Empty"), .value = SPAN_LIT("")},
};

static void the_first_field_of_a_name_is_found(void **state)
{
    (void)state;
    struct http_head h = {.fields = fields, .nfields = ROWS(fields)};
    assert_span(head_value(&h, "x-A"), "1");
    assert_span(head_get(&h, FIELD_HOST), "h");
    assert_non_null(head_find(&h, "x-empty"));
    assert_int_equal(head_value(&h, "x-empty").len, 0);
    assert_null(head_find(&h, "x"));
    assert_null(head_find(&h, "x-ab"));
    assert_int_equal(head_get(&h, FIELD_COOKIE).len, 0);
    assert_null(head_find(&(struct http_head){.nfields = 0}, "host"));
}

static void a_connection_field_names_what_is_for_this_hop(void **state)
{
    (void)state;
    static const struct {
        const char *connection, *name;
        bool named;
    } rows[] = {
        {"", "x-a", false},
        {"close", "x-a", false},
        {"x-ab", "x-a", false},
        {"x x-a", "x-a", false},
        {"x-a", "X-A", true},
        {"close, x-a", "x-a", true},
        {"x-b ,\tX-A\t, close", "x-a", true},
        {",,x-a,", "x-a", true},
    };
    for (unsigned i = 0; i < ROWS(rows); i++)
        assert_row(i, connection_names(span_text(rows[i].connection), span_text(rows[i].name)) ==
                          rows[i].named);
}

static void every_status_has_a_reason(void **state)
{
    (void)state;
    for (unsigned status = 100; status < 1000; status++)
        assert_row(status, http_reason(status) != NULL && http_reason(status)[0] != '\0');
    assert_string_equal(http_reason(431), "Request Header Fields Too Large");
}

static void a_media_type_is_known_whatever_its_parameters(void **state)
{
    (void)state;
    static const struct {
        const char *value;
        bool is;
    } rows[] = {
        {"", false},
        {"text/event-stream2", false},
        {"text/event", false},
        {"; text/event-stream", false},
        {"text/event-stream", true},
        {"Text/Event-Stream;charset=utf-8", true},
        {"text/event-stream ; x", true},
    };
    for (unsigned i = 0; i < ROWS(rows); i++) {
        const struct http_field field = {SPAN_LIT("content-type"), span_text(rows[i].value),
                                         FIELD_CONTENT_TYPE};
        const struct http_head head = {.fields = &field, .nfields = 1};
        assert_row(i, head_has_type(&head, SPAN_LIT("text/event-stream")) == rows[i].is);
    }
    assert_false(head_has_type(&(struct http_head){.nfields = 0}, SPAN_LIT("text/event-stream")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fields_are_known_by_name_in_any_case),
        cmocka_unit_test(the_first_field_of_a_name_is_found),
        cmocka_unit_test(a_connection_field_names_what_is_for_this_hop),
        cmocka_unit_test(a_media_type_is_known_whatever_its_parameters),
        cmocka_unit_test(every_status_has_a_reason),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
