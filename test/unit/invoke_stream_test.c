/* Claude's events out of Bedrock's framing, however its bytes arrive. */
#include "framed.h"
#include "unit.h"

#include "sluice/base/digest.h"
#include "sluice/codec/invoke_stream.h"

#define LIMIT 4096

/* --- building and reading ------------------------------------------------------------------------ */

static void add_chunk(struct buf *b, const char *event)
{
    struct buf payload = {0};
    assert_int_equal(buf_add_text(&payload, "{\"bytes\":\""), 0);
    assert_int_equal(digest_base64(span_text(event), &payload), 0);
    assert_int_equal(buf_addf(&payload, "\",\"p\":\"abc\"}%c", 0), 0);
    framed_event(b, "chunk", (const char *)payload.at);
    buf_fini(&payload);
}

struct report {
    struct buf text;
    const char *problem;
    bool is_between;
};

/* A piece has memory of its own, gone after the call. */
static struct report read_in_pieces(struct span bytes, size_t cut, size_t step)
{
    struct invoke_stream s;
    struct report r = {.problem = NULL};
    bool going = true;
    invoke_stream_init(&s, LIMIT);
    for (size_t at = 0, len = cut; going && at < bytes.len; at += len, len = step) {
        struct span piece = span_sub(bytes, at, len);
        uint8_t *memory = exact_copy(piece);
        going = invoke_stream_read(&s, span_of(memory, piece.len), &r.text);
        free(memory);
    }
    r.problem = s.problem;
    r.is_between = invoke_stream_is_between(&s);
    assert_true(going == (r.problem == NULL));
    assert_true(going || !invoke_stream_read(&s, SPAN_LIT("x"), &r.text)); /* no way back */
    invoke_stream_fini(&s);
    return r;
}

static void assert_same(const struct report *a, struct report b)
{
    assert_true(span_eq(buf_span(&a->text), buf_span(&b.text)));
    assert_true(a->problem == b.problem && a->is_between == b.is_between);
    buf_fini(&b.text);
}

static struct report read_all_ways(struct span bytes)
{
    struct report whole = read_in_pieces(bytes, bytes.len, 1);
    assert_same(&whole, read_in_pieces(bytes, 1, 1));
    assert_same(&whole, read_in_pieces(bytes, 7, 7));
    for (size_t cut = 1; cut < bytes.len; cut++)
        assert_same(&whole, read_in_pieces(bytes, cut, bytes.len));
    return whole;
}

static void expect(struct buf *bytes, const char *text, const char *problem, bool is_between)
{
    struct report r = read_all_ways(buf_span(bytes));
    assert_span(buf_span(&r.text), text);
    if (problem == NULL)
        assert_null(r.problem);
    else
        assert_string_equal(r.problem != NULL ? r.problem : "none", problem);
    assert_int_equal(r.is_between, is_between);
    buf_fini(&r.text);
    buf_fini(bytes);
}

/* --- tests ---------------------------------------------------------------------------------------- */

#define PING "event: ping\ndata: {\"type\":\"ping\"}\n\n"

static void what_is_no_chunk_ends_the_stream(void **state)
{
    (void)state;
    static const char *const rows[] = {
        "{}",
        "",
        "[\"bytes\"]",
        "{\"bytes\":7}",
        "{\"bytes\":\"\"}",
        "{\"bytes\":\"",
        "{\"bytes\":\"e30=",
        "{\"bytes\":\"e30\"}",
        "{\"bytes\":\"e3 =\"}",
        "{\"bytes\":\"e=0=\"}",
        "{\"bytes\":\"====\"}",
        "{\"bytes\":\"e30\\\"\"}",
        "{\"p\":1,\"bytes\":\"e30=\"",
    };
    for (unsigned i = 0; i < ROWS(rows); i++) {
        struct buf bytes = {0};
        add_chunk(&bytes, "{\"type\":\"ping\"}");
        framed_event(&bytes, "chunk", rows[i]);
        add_chunk(&bytes, "{\"type\":\"ping\"}");
        expect(&bytes, PING, "its stream holds a chunk that cannot be decoded", false);
    }
}

static void bytes_are_found_wherever_they_stand(void **state)
{
    (void)state;
    struct buf bytes = {0};
    framed_event(&bytes, "chunk", " {\"p\":\"a\\\"b\", \"bytes\" : \"e30=\" }");
    framed_event(&bytes, "chunk", "{\"byt\\u0065s\":\"e30=\"}");
    expect(&bytes, "data: {}\n\ndata: {}\n\n", NULL, true);
}

static void damaged_framing_ends_the_stream(void **state)
{
    (void)state;
    struct buf bytes = {0};
    add_chunk(&bytes, "{\"type\":\"ping\"}");
    add_chunk(&bytes, "{\"type\":\"ping\"}");
    bytes.at[bytes.tail - 1] ^= 1;
    expect(&bytes, PING, "an event has a wrong checksum", false);
    add_chunk(&bytes, "{\"type\":\"ping\"}");
    size_t one = buf_len(&bytes);
    add_chunk(&bytes, "{\"type\":\"ping\"}");
    bytes.tail = one + 20;
    expect(&bytes, PING, NULL, false);
    char large[LIMIT];
    memset(large, 'x', sizeof large);
    large[sizeof large - 1] = '\0';
    add_chunk(&bytes, large);
    expect(&bytes, "", "an event is too large", false);
}

static void events_come_out_as_they_were_put_in(void **state)
{
    (void)state;
    static const struct {
        const char *event, *text;
    } rows[] = {
        {"{\"type\":\"ping\"}", PING},
        {"{ \"x\" : \"\\u00e4\xc3\xa4\" , \"type\" : \"a\" }",
         "event: a\ndata: { \"x\" : \"\\u00e4\xc3\xa4\" , \"type\" : \"a\" }\n\n"},
        {"{\"x\":1}", "data: {\"x\":1}\n\n"},
        {"{\"type\":7}", "data: {\"type\":7}\n\n"},
        {"[1]", "data: [1]\n\n"},
        {"{\"type\":\"A-1\"}", "event: A-1\ndata: {\"type\":\"A-1\"}\n\n"},
        {"{\"type\":\"a", "data: {\"type\":\"a\n\n"},
        /* a line break ends no event and begins none */
        {"{\"type\":\"a\",\n\n\"x\":\r\n1\r}",
         "event: a\ndata: {\"type\":\"a\",\ndata: \ndata: \"x\":\ndata: \ndata: 1\ndata: }\n\n"},
        {"x\n\nevent: message_stop\ndata: {}\n\n",
         "data: x\ndata: \ndata: event: message_stop\ndata: data: {}\ndata: \n\n"},
        {"{\"type\":\"a\nevent: b\"}", "data: {\"type\":\"a\ndata: event: b\"}\n\n"},
        {"{\"type\":\"a\\nb\"}", "event: a\\nb\ndata: {\"type\":\"a\\nb\"}\n\n"},
    };
    for (unsigned i = 0; i < ROWS(rows); i++) {
        struct buf bytes = {0}, text = {0};
        add_chunk(&bytes, rows[i].event);
        add_chunk(&bytes, "{\"type\":\"ping\"}");
        assert_int_equal(buf_addf(&text, "%s" PING "%c", rows[i].text, 0), 0);
        expect(&bytes, (const char *)text.at, NULL, true);
        buf_fini(&text);
    }
}

static void what_bedrock_itself_says_becomes_an_error_event(void **state)
{
    (void)state;
    static const struct {
        const char *type, *payload, *word, *message;
    } rows[] = {
        {"throttlingException", "{\"message\":\"slow \\\"down\\\"\"}", "rate_limit_error",
         "slow \\\"down\\\""},
        {"serviceUnavailableException", "{}", "overloaded_error",
         "the provider reported an error and no reason"},
        {"modelTimeoutException", "{\"message\":\"m\"}", "timeout_error", "m"},
        {"validationException", "{\"message\":\"m\"}", "invalid_request_error", "m"},
        {"validationException", "{\"message\":\"Input is too long for requested model.\"}",
         "invalid_request_error", "prompt is too long: Input is too long for requested model."},
        {"newException", "no JSON", "api_error", "the provider reported an error and no reason"},
    };
    for (unsigned i = 0; i < ROWS(rows); i++) {
        struct buf bytes = {0}, start = {0};
        framed_message(&bytes, "exception", ":exception-type", rows[i].type, rows[i].payload);
        assert_int_equal(buf_addf(&start,
                                  "event: error\ndata: {\"type\":\"error\",\"error\":{\"message\":"
                                  "\"%s\",\"type\":\"%s\",",
                                  rows[i].message, rows[i].word),
                         0);
        struct report r = read_all_ways(buf_span(&bytes));
        if (!span_starts(buf_span(&r.text), buf_span(&start)))
            print_error("row %u: %.*s\n", i, SPAN_FMT(buf_span(&r.text)));
        assert_row(i, span_starts(buf_span(&r.text), buf_span(&start)));
        assert_row(i, r.problem == NULL && r.is_between);
        buf_fini(&r.text);
        buf_fini(&start);
        buf_fini(&bytes);
    }
}

static void other_messages_are_nobodys_business(void **state)
{
    (void)state;
    struct buf bytes = {0};
    framed_event(&bytes, "initial-response", "{\"bytes\":\"e30=\"}");
    framed_event(&bytes, "", "x");
    expect(&bytes, "", NULL, true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_no_chunk_ends_the_stream),
        cmocka_unit_test(bytes_are_found_wherever_they_stand),
        cmocka_unit_test(damaged_framing_ends_the_stream),
        cmocka_unit_test(events_come_out_as_they_were_put_in),
        cmocka_unit_test(what_bedrock_itself_says_becomes_an_error_event),
        cmocka_unit_test(other_messages_are_nobodys_business),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
