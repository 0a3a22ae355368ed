#include "unit.h"

#include "sluice/format/sse.h"

#include <fts.h>

#define LIMIT (1u << 24)

/* Everything a reader reports, as one text: "name|data\n" an event. */
struct report {
    struct buf text;
    bool too_large;
};

static void add_event(struct report *r, const struct sse *s)
{
    assert_int_equal(buf_addf(&r->text, "%.*s|", SPAN_FMT(s->name)), 0);
    assert_int_equal(buf_add(&r->text, s->data), 0);
    assert_int_equal(buf_addf(&r->text, "%s\n", s->saw_comment ? " (comment)" : ""), 0);
}

static bool feed(struct sse *s, struct span piece, struct report *r)
{
    /* memory of its own, gone after the call: what the reader still needs it must have copied */
    uint8_t *memory = exact_copy(piece);
    struct span input = span_of(memory, piece.len);
    enum sse_status status;
    while ((status = sse_next(s, &input)) == SSE_EVENT)
        add_event(r, s);
    if (status == SSE_MORE)
        assert_int_equal(input.len, 0);
    free(memory);
    r->too_large = status == SSE_TOO_LARGE;
    return !r->too_large;
}

static struct report read_in_pieces(struct span text, size_t cut, size_t step, size_t limit)
{
    struct sse s;
    struct report r = {0};
    bool going = true;
    sse_init(&s, limit);
    for (size_t at = 0, len = cut; going && at < text.len; at += len, len = step)
        going = feed(&s, span_sub(text, at, len), &r);
    if (going && sse_finish(&s))
        add_event(&r, &s);
    sse_fini(&s);
    return r;
}

static void assert_same(struct report *a, struct report b)
{
    assert_true(span_eq(buf_span(&a->text), buf_span(&b.text)));
    assert_true(a->too_large == b.too_large);
    buf_fini(&b.text);
}

static struct report read_all_ways(struct span text, size_t limit)
{
    struct report whole = read_in_pieces(text, text.len, 1, limit);
    assert_same(&whole, read_in_pieces(text, 1, 1, limit));
    assert_same(&whole, read_in_pieces(text, 7, 7, limit));
    for (size_t cut = 1; cut < text.len; cut++)
        assert_same(&whole, read_in_pieces(text, cut, text.len, limit));
    return whole;
}

static void streams_mean_what_the_standard_says(void **state)
{
    (void)state;
    static const struct {
        const char *stream, *events;
    } rows[] = {
        /* no event */
        {"", ""},
        {"\n\n\r\r\r\n", ""},
        {": only a comment\n\n", ""},
        {"event: x\nid: 1\nretry: 5\n\n", ""},
        {"data: cut off", ""},
        {"data: {\"a\":\n", ""},
        {"DATA: x\n\n", ""},
        {"datax: x\n\n", ""},
        {" data: x\n\n", ""},
        {"dat\n\n", ""},
        {"\xef\xbb"
         "data: not quite a BOM\n\n",
         ""},
        /* values */
        {"data\n\n", "|\n"},
        {"data:\n\n", "|\n"},
        {"data:x\n\n", "|x\n"},
        {"data: x\n\n", "|x\n"},
        {"data:  x \n\n", "| x \n"},
        {"data:\tx\n\n", "|\tx\n"},
        {"data::x\n\n", "|:x\n"},
        {"\xef\xbb\xbf"
         "data: x\n\n",
         "|x\n"},
        {"\xef\xbb\xbf\xef\xbb\xbf"
         "data: x\n\ndata: y\n\n",
         "|y\n"}, /* one BOM only */
        {"data: a\xef\xbb\xbf\n\n", "|a\xef\xbb\xbf\n"},
        /* several lines */
        {"data: a\ndata: b\n\n", "|a\nb\n"},
        {"data\ndata\n\n", "|\n\n"},
        {"data: {\ndata:  \"a\": 1\ndata: }\n\n", "|{\n \"a\": 1\n}\n"},
        {"data: a\n: between\ndata: b\n\n", "|a\nb (comment)\n"},
        /* line ends */
        {"data: a\r\n\r\ndata: b\r\n\r\n", "|a\n|b\n"},
        {"data: a\r\rdata: b\r\r", "|a\n|b\n"},
        {"data: a\n\rdata: b\r\n\ndata: c\r\r\n", "|a\n|b\n|c\n"},
        {"data: a\r\n\ndata: b\n\r\n", "|a\n|b\n"},
        {"data: a\r\ndata: b\rdata: c\n\n", "|a\nb\nc\n"},
        /* names */
        {"event: ping\ndata: x\n\ndata: y\n\n", "ping|x\n|y\n"},
        {"event: a\nevent: b\ndata: x\n\n", "b|x\n"},
        {"event: a\nevent\ndata: x\n\n", "|x\n"},
        {"event: lost\n\ndata: x\n\n", "|x\n"},
        {"event:a\ndata: x\nevent: late\n\n", "late|x\n"},
        {"event: 0123456789012345678901234567890123456789012345678901234567890123456789\ndata: x\n\n",
         "012345678901234567890123456789012345678901234567890123456789012|x\n"},
        /* comments */
        {": hi\n\ndata: x\n\ndata: y\n\n", "|x (comment)\n|y\n"},
        {":\ndata: x\n\n", "|x (comment)\n"},
        /* the end without a blank line */
        {"data: [DONE]", "|[DONE]\n"},
        {"data: [DONE]\n", "|[DONE]\n"},
        {"data: [DONE]\r", "|[DONE]\n"},
        {"data: [DONE] ", ""},
        {"data: {\"a\":1}", "|{\"a\":1}\n"},
        {"data: {\ndata: }\n", "|{\n}\n"},
        {"data: {\"a\":1}\ndata: {", ""},
        {"event: error\ndata: {\"error\":{}}\nid: 4", "error|{\"error\":{}}\n"},
        {"data: x\n\ndata: [DONE]", "|x\n|[DONE]\n"},
        {"data: x\n\nevent: y\n", "|x\n"},
    };
    for (unsigned i = 0; i < ROWS(rows); i++) {
        struct report r = read_all_ways(span_text(rows[i].stream), LIMIT);
        assert_row(i, !r.too_large);
        assert_row(i, span_eq(buf_span(&r.text), span_text(rows[i].events)));
        buf_fini(&r.text);
    }
}

static void a_nul_is_a_byte_like_any_other(void **state)
{
    (void)state;
    struct report r = read_all_ways(span_of("data: a\0b\n\n", 11), LIMIT);
    assert_true(span_eq(buf_span(&r.text), span_of("|a\0b\n", 5)));
    buf_fini(&r.text);
}

static void the_limit_stops_data_and_lines_alike(void **state)
{
    (void)state;
    static const struct {
        const char *stream;
        bool too_large;
    } rows[] = {
        {"data: 12345678901\n\n", true},
        {"data: 12345678901", true},
        {": a longer comment", true},
        {"data: 12345678\ndata: 123\n\n", true},
        {"data: 1234567890\n\n", false},
        {"data: 12345678\ndata: 12\n\n", false},
        {"data: 1234\n\ndata: 1234\n\ndata: 1234\n\n", false},
    };
    for (unsigned i = 0; i < ROWS(rows); i++) {
        struct report r = read_all_ways(span_text(rows[i].stream), 16);
        assert_row(i, r.too_large == rows[i].too_large);
        buf_fini(&r.text);
    }
}

static void an_event_in_one_piece_is_borrowed_and_costs_no_memory(void **state)
{
    (void)state;
    struct sse s;
    struct span text = SPAN_LIT("event: a\ndata: one\n\ndata: two\r\n\r\n"), input = text;
    sse_init(&s, LIMIT);
    assert_int_equal(sse_next(&s, &input), SSE_EVENT);
    assert_ptr_equal(s.data.at, text.at + 15);
    assert_int_equal(text.len - input.len, 20); /* up to and including the blank line */
    assert_int_equal(sse_next(&s, &input), SSE_EVENT);
    assert_ptr_equal(s.data.at, text.at + 26);
    assert_int_equal(sse_next(&s, &input), SSE_MORE);
    assert_null(s.line.at);
    assert_null(s.joined.at);
    sse_fini(&s);
}

static void pending_counts_the_bytes_of_an_unfinished_block(void **state)
{
    (void)state;
    static const struct {
        const char *piece;
        enum sse_status status;
        size_t pending;
    } rows[] = {
        {"\n\n", SSE_MORE, 0},
        {": keep-alive", SSE_MORE, 12},
        {"\n", SSE_MORE, 13},
        {"\n", SSE_MORE, 0}, /* a comment alone is a finished block */
        {"data: a\n\ndat", SSE_EVENT, 0},
        {"a: b\r", SSE_MORE, 8}, /* with "dat", which the row before left */
        {"\n", SSE_MORE, 9},
        {"\r", SSE_EVENT, 9},
        {"\n", SSE_MORE, 0}, /* the LF of that CRLF */
        {": c\n\ndata: d", SSE_MORE, 7},
        {"\n\n", SSE_EVENT, 7},
    };
    struct sse s;
    sse_init(&s, LIMIT);
    for (unsigned i = 0; i < ROWS(rows); i++) {
        struct span input = span_text(rows[i].piece);
        assert_row(i, sse_next(&s, &input) == rows[i].status);
        assert_row(i, s.pending == rows[i].pending);
        if (input.len > 0)
            assert_row(i, sse_next(&s, &input) == SSE_MORE);
    }
    sse_fini(&s);
}

static void a_large_event_leaves_no_memory_behind(void **state)
{
    (void)state;
    struct sse s;
    static char text[300000];
    memset(text, 'x', sizeof(text));
    memcpy(text, "data: ", 6);
    sse_init(&s, LIMIT);
    struct span input = span_of(text, sizeof(text));
    assert_int_equal(sse_next(&s, &input), SSE_MORE);
    input = SPAN_LIT("\n\ndata: y\n\n");
    assert_int_equal(sse_next(&s, &input), SSE_EVENT);
    assert_int_equal(s.data.len, sizeof(text) - 6);
    assert_int_equal(sse_next(&s, &input), SSE_EVENT);
    assert_true(s.line.cap + s.joined.cap <= 32 * 1024);
    sse_fini(&s);
}

/* --- recorded streams: not in the repository; SLUICE_FIXTURES says where they are -------------- */

static struct buf read_file(const char *path)
{
    struct buf text = {0};
    FILE *f = fopen(path, "rb");
    assert_non_null(f);
    size_t got;
    do {
        assert_int_equal(buf_reserve(&text, 65536), 0);
        got = fread(text.at + text.tail, 1, 65536, f);
        text.tail += got;
    } while (got > 0);
    (void)fclose(f);
    return text;
}

static void replay(const char *path)
{
    struct buf text = read_file(path);
    struct span all = buf_span(&text);
    struct report whole = read_in_pieces(all, all.len, 1, LIMIT);
    if (whole.too_large || buf_len(&whole.text) == 0)
        fail_msg("%s: no event", path);
    assert_same(&whole, read_in_pieces(all, 1, 1, LIMIT));
    assert_same(&whole, read_in_pieces(all, 7, 7, LIMIT));
    buf_fini(&whole.text);
    buf_fini(&text);
}

static void recorded_streams_read_the_same_however_they_are_cut(void **state)
{
    (void)state;
    char *root = getenv("SLUICE_FIXTURES");
    if (root == NULL)
        skip();
    FTS *tree = fts_open((char *[]){root, NULL}, FTS_LOGICAL | FTS_NOCHDIR, NULL);
    assert_non_null(tree);
    unsigned streams = 0;
    for (FTSENT *entry; (entry = fts_read(tree)) != NULL;) {
        if (entry->fts_info != FTS_F || strcmp(entry->fts_name, "stream.sse") != 0)
            continue;
        replay(entry->fts_path);
        streams++;
    }
    (void)fts_close(tree);
    assert_true(streams > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(streams_mean_what_the_standard_says),
        cmocka_unit_test(a_nul_is_a_byte_like_any_other),
        cmocka_unit_test(the_limit_stops_data_and_lines_alike),
        cmocka_unit_test(an_event_in_one_piece_is_borrowed_and_costs_no_memory),
        cmocka_unit_test(pending_counts_the_bytes_of_an_unfinished_block),
        cmocka_unit_test(a_large_event_leaves_no_memory_behind),
        cmocka_unit_test(recorded_streams_read_the_same_however_they_are_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
