#include "framed.h"
#include "unit.h"

#include "sluice/format/event_stream.h"

#include <fts.h>

#define LIMIT (1u << 20)

/* --- reading --------------------------------------------------------------------------------- */

/* What a reader told, a line a message, and how it ended. */
struct report {
    struct buf text;
    unsigned messages;
    const char *problem;
    bool is_between;
};

static void note(struct report *r, const struct event_stream *s)
{
    r->messages++;
    assert_int_equal(buf_addf(&r->text, "%.*s/%.*s/%.*s/%.*s|", SPAN_FMT(s->message_type),
                              SPAN_FMT(s->event_type), SPAN_FMT(s->error_code),
                              SPAN_FMT(s->error_message)),
                     0);
    assert_int_equal(buf_add(&r->text, s->payload), 0);
    assert_int_equal(buf_add_byte(&r->text, '\n'), 0);
}

/* A piece has memory of its own, gone after the call: what is still needed must have been copied. */
static bool feed(struct event_stream *s, struct span piece, struct report *r)
{
    uint8_t *memory = exact_copy(piece);
    struct span input = span_of(memory, piece.len);
    enum event_stream_status status;
    while ((status = event_stream_next(s, &input)) == EVENT_STREAM_MESSAGE)
        note(r, s);
    if (status == EVENT_STREAM_MORE)
        assert_int_equal(input.len, 0);
    free(memory);
    return status == EVENT_STREAM_MORE;
}

static struct report read_in_pieces(struct span bytes, size_t cut, size_t step, size_t limit)
{
    struct event_stream s;
    struct report r = {0};
    bool going = true;
    event_stream_init(&s, limit);
    for (size_t at = 0, len = cut; going && at < bytes.len; at += len, len = step)
        going = feed(&s, span_sub(bytes, at, len), &r);
    r.problem = s.problem;
    r.is_between = event_stream_is_between(&s);
    assert_true(going == (r.problem == NULL));
    event_stream_fini(&s);
    return r;
}

static void assert_same(const struct report *a, struct report b)
{
    assert_true(span_eq(buf_span(&a->text), buf_span(&b.text)));
    assert_true(a->problem == b.problem);
    assert_true(a->is_between == b.is_between);
    buf_fini(&b.text);
}

static struct report read_all_ways(struct span bytes, size_t limit)
{
    struct report whole = read_in_pieces(bytes, bytes.len, 1, limit);
    assert_same(&whole, read_in_pieces(bytes, 1, 1, limit));
    assert_same(&whole, read_in_pieces(bytes, 7, 7, limit));
    for (size_t cut = 1; cut < bytes.len; cut++)
        assert_same(&whole, read_in_pieces(bytes, cut, bytes.len, limit));
    return whole;
}

static void expect_problem(struct span bytes, size_t limit, const char *problem)
{
    struct report r = read_all_ways(bytes, limit);
    assert_non_null(r.problem);
    assert_string_equal(r.problem, problem);
    assert_false(r.is_between);
    buf_fini(&r.text);
}

/* --- tests ----------------------------------------------------------------------------------- */

static void messages_are_told_however_they_arrive(void **state)
{
    (void)state;
    struct buf bytes = {0}, headers = {0};
    framed_event(&bytes, "messageStart", "{\"role\":\"assistant\"}");
    framed_event(&bytes, "ping", "");
    framed_header(&headers, ":message-type", "exception");
    framed_header(&headers, ":exception-type", "throttlingException");
    framed_with(&bytes, buf_span(&headers), "{\"message\":\"slow\"}");
    buf_clear(&headers);
    framed_header(&headers, ":message-type", "error");
    framed_header(&headers, ":error-code", "500");
    framed_header(&headers, ":error-message", "broken");
    framed_with(&bytes, buf_span(&headers), "");
    framed_with(&bytes, SPAN_NONE, "bare");
    struct report r = read_all_ways(buf_span(&bytes), LIMIT);
    assert_null(r.problem);
    assert_true(r.is_between);
    assert_span(buf_span(&r.text), "event/messageStart//|{\"role\":\"assistant\"}\n"
                                   "event/ping//|\n"
                                   "exception/throttlingException//|{\"message\":\"slow\"}\n"
                                   "error//500/broken|\n"
                                   "///|bare\n");
    buf_fini(&r.text);
    buf_fini(&headers);
    buf_fini(&bytes);
}

static void headers_of_every_type_are_passed_over(void **state)
{
    (void)state;
    struct buf bytes = {0}, headers = {0};
    static const uint8_t sizes[] = {0, 0, 1, 2, 4, 8, 0, 0, 8, 16};
    for (uint8_t type = 0; type < sizeof sizes; type++) {
        if (type == 7)
            continue;
        const uint8_t head[] = {1, 'x', type}, zeros[16] = {0};
        assert_int_equal(buf_add(&headers, span_of(head, sizeof head)), 0);
        assert_int_equal(buf_add(&headers, span_of(zeros, type == 6 ? 2 : sizes[type])), 0);
    }
    framed_header(&headers, ":event-type", "last");
    framed_with(&bytes, buf_span(&headers), "p");
    struct report r = read_all_ways(buf_span(&bytes), LIMIT);
    assert_null(r.problem);
    assert_span(buf_span(&r.text), "/last//|p\n");
    buf_fini(&r.text);
    buf_fini(&headers);
    buf_fini(&bytes);
}

static void malformed_headers_are_refused(void **state)
{
    (void)state;
    static const struct span rows[] = {
        {(const uint8_t *)"\x05", 1},               /* no name */
        {(const uint8_t *)"\x05xy", 3},             /* half a name */
        {(const uint8_t *)"\x01x", 2},              /* no type */
        {(const uint8_t *)"\x01x\x0a", 3},          /* an unknown type */
        {(const uint8_t *)"\x01x\xff", 3},          /* the last of them */
        {(const uint8_t *)"\x01x\x07\x00", 4},      /* half a length */
        {(const uint8_t *)"\x01x\x07\x00\x02y", 6}, /* half a string */
        {(const uint8_t *)"\x01x\x06\x00\x02y", 6}, /* half of bytes */
        {(const uint8_t *)"\x01x\x05zzzz", 7},      /* half a number */
    };
    for (unsigned i = 0; i < ROWS(rows); i++) {
        struct buf bytes = {0};
        framed_with(&bytes, rows[i], "payload must not be taken for headers");
        expect_problem(buf_span(&bytes), LIMIT, "an event's headers are malformed");
        buf_fini(&bytes);
    }
}

static void lengths_are_checked_before_memory_is_taken(void **state)
{
    (void)state;
    static const struct {
        uint32_t total, headers;
        const char *problem;
    } rows[] = {
        {0, 0, "an event's lengths contradict each other"},
        {15, 0, "an event's lengths contradict each other"},
        {16, 1, "an event's lengths contradict each other"},
        {100, 85, "an event's lengths contradict each other"},
        {100, UINT32_MAX, "an event's lengths contradict each other"},
        {UINT32_MAX, 0, "an event is too large"},
        {LIMIT + 1, 0, "an event is too large"},
    };
    for (unsigned i = 0; i < ROWS(rows); i++) {
        struct buf bytes = {0};
        framed_content(&bytes, rows[i].total, rows[i].headers, SPAN_LIT("content"));
        expect_problem(buf_span(&bytes), LIMIT, rows[i].problem);
        buf_fini(&bytes);
    }
}

static void a_message_of_the_limit_is_read(void **state)
{
    (void)state;
    struct buf bytes = {0};
    framed_with(&bytes, SPAN_NONE, "0123456789");
    struct report r = read_all_ways(buf_span(&bytes), 26);
    assert_int_equal(r.messages, 1);
    buf_fini(&r.text);
    expect_problem(buf_span(&bytes), 25, "an event is too large");
    buf_fini(&bytes);
}

static void any_changed_byte_is_noticed(void **state)
{
    (void)state;
    struct buf bytes = {0};
    framed_event(&bytes, "contentBlockDelta", "{\"delta\":{\"text\":\"x\"}}");
    for (size_t i = bytes.head; i < bytes.tail; i++) {
        bytes.at[i] ^= 0x10;
        struct report r = read_in_pieces(buf_span(&bytes), buf_len(&bytes), 1, LIMIT);
        const char *wanted = i < 12 ? "an event's prelude has a wrong checksum"
                                    : "an event has a wrong checksum";
        assert_row(i, r.problem != NULL && strcmp(r.problem, wanted) == 0 && r.messages == 0);
        buf_fini(&r.text);
        bytes.at[i] ^= 0x10;
    }
    buf_fini(&bytes);
}

static void an_end_within_a_message_is_noticed(void **state)
{
    (void)state;
    struct buf bytes = {0};
    framed_event(&bytes, "a", "{}");
    size_t first = buf_len(&bytes);
    framed_event(&bytes, "b", "{}");
    for (size_t len = 0; len <= buf_len(&bytes); len++) {
        struct report r = read_in_pieces(span_sub(buf_span(&bytes), 0, len), 5, 5, LIMIT);
        assert_row(len, r.is_between == (len == 0 || len == first || len == 2 * first));
        buf_fini(&r.text);
    }
    buf_fini(&bytes);
}

static void nothing_is_read_behind_a_mistake(void **state)
{
    (void)state;
    struct event_stream s;
    struct buf bytes = {0};
    event_stream_init(&s, LIMIT);
    framed_content(&bytes, 3, 0, SPAN_NONE);
    struct span input = buf_span(&bytes);
    assert_int_equal(event_stream_next(&s, &input), EVENT_STREAM_INVALID);
    buf_clear(&bytes);
    framed_event(&bytes, "good", "{}");
    input = buf_span(&bytes);
    assert_int_equal(event_stream_next(&s, &input), EVENT_STREAM_INVALID);
    event_stream_fini(&s);
    buf_fini(&bytes);
}

/* --- recorded streams: not in the repository; SLUICE_FIXTURES says where they are -------------- */

static struct buf read_file(const char *path)
{
    struct buf bytes = {0};
    FILE *f = fopen(path, "rb");
    assert_non_null(f);
    size_t got;
    do {
        assert_int_equal(buf_reserve(&bytes, 65536), 0);
        got = fread(bytes.at + bytes.tail, 1, 65536, f);
        bytes.tail += got;
    } while (got > 0);
    (void)fclose(f);
    return bytes;
}

static void recorded_streams_are_read_whole(void **state)
{
    (void)state;
    char *root = getenv("SLUICE_FIXTURES");
    unsigned streams = 0;
    if (root == NULL)
        skip();
    FTS *tree = fts_open((char *[]){root, NULL}, FTS_LOGICAL | FTS_NOCHDIR, NULL);
    assert_non_null(tree);
    for (FTSENT *entry; (entry = fts_read(tree)) != NULL;) {
        if (entry->fts_info != FTS_F || strcmp(entry->fts_name, "stream.bin") != 0)
            continue;
        struct buf bytes = read_file(entry->fts_accpath);
        struct report r = read_all_ways(buf_span(&bytes), EVENT_STREAM_MESSAGE_MAX);
        if (r.problem != NULL || !r.is_between)
            fail_msg("%s: %s", entry->fts_path, r.problem);
        assert_true(span_starts(buf_span(&r.text), SPAN_LIT("event/messageStart//|{")));
        assert_int_not_equal(span_find(buf_span(&r.text), SPAN_LIT("event/metadata//|{")),
                             SIZE_MAX);
        buf_fini(&r.text);
        buf_fini(&bytes);
        streams++;
    }
    (void)fts_close(tree);
    assert_true(streams >= 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(messages_are_told_however_they_arrive),
        cmocka_unit_test(headers_of_every_type_are_passed_over),
        cmocka_unit_test(malformed_headers_are_refused),
        cmocka_unit_test(lengths_are_checked_before_memory_is_taken),
        cmocka_unit_test(a_message_of_the_limit_is_read),
        cmocka_unit_test(any_changed_byte_is_noticed),
        cmocka_unit_test(an_end_within_a_message_is_noticed),
        cmocka_unit_test(nothing_is_read_behind_a_mistake),
        cmocka_unit_test(recorded_streams_are_read_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
