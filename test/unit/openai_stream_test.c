#include "unit.h"

#include "sluice/codec/openai_stream.h"
#include "sluice/format/sse.h"

#include <fts.h>

static struct passing_event look(const char *text, uint8_t **memory)
{
    struct span s = span_text(text);
    *memory = exact_copy(s);
    return openai_event_look(span_of(*memory, s.len));
}

static void every_event_is_one_of_four_kinds(void **state)
{
    (void)state;
    static const struct {
        const char *data;
        enum passing_kind kind;
    } rows[] = {
        {"", EVENT_MALFORMED},
        {" ", EVENT_MALFORMED},
        {"[DONE", EVENT_MALFORMED},
        {"[DONE]x", EVENT_MALFORMED},
        {"DONE", EVENT_MALFORMED},
        {"[]", EVENT_MALFORMED},
        {"null", EVENT_MALFORMED},
        {"\"text\"", EVENT_MALFORMED},
        {"12", EVENT_MALFORMED},
        {"{", EVENT_MALFORMED},
        {"{}x", EVENT_MALFORMED},
        {"{\"choices\":[}", EVENT_MALFORMED},
        {"{\"choices\":[]}{}", EVENT_MALFORMED},
        {"{\"a\":1,}", EVENT_MALFORMED},
        {"<html>", EVENT_MALFORMED},
        {"[DONE]", EVENT_DONE},
        {"{}", EVENT_CHUNK},
        {" {\"a\":1} ", EVENT_CHUNK},
        {"{\"error\":null,\"choices\":[]}", EVENT_CHUNK},
        {"{\"error\":false}", EVENT_CHUNK},
        {"{\"a\":{\"error\":{}}}", EVENT_CHUNK},
        {"{\"choices\":[{\"delta\":{\"content\":\"\\\"error\\\":1\"}}]}", EVENT_CHUNK},
        {"{\"error\":{\"message\":\"m\"}}", EVENT_ERROR},
        {"{\"error\":\"overloaded\"}", EVENT_ERROR},
        {"{\"id\":\"1\",\"choices\":[{\"delta\":{}}],\"error\":{\"code\":502}}", EVENT_ERROR},
    };
    for (unsigned i = 0; i < ROWS(rows); i++) {
        uint8_t *memory;
        struct passing_event e = look(rows[i].data, &memory);
        assert_row(i, e.kind == rows[i].kind);
        free(memory);
    }
}

#define CHOICE(rest) "{\"choices\":[{\"index\":0," rest "}]}"

static void what_an_event_tells_is_read_where_it_stands(void **state)
{
    (void)state;
    static const struct {
        const char *data, *usage, *finish;
        bool has_content;
    } rows[] = {
        {"{}", "", "", false},
        {"{\"choices\":[]}", "", "", false},
        {"{\"choices\":[ \n]}", "", "", false},
        {"{\"choices\":null}", "", "", false},
        {"{\"choices\":{}}", "", "", false},
        {"{\"choices\":\"[1]\"}", "", "", false},
        {"{\"choices\":[{}]}", "", "", true},
        {CHOICE("\"delta\":{},\"finish_reason\":null"), "", "", true},
        {CHOICE("\"delta\":{},\"finish_reason\":\"stop\""), "", "stop", true},
        {CHOICE("\"finish_reason\" : \n\"length\",\"delta\":{}"), "", "length", true},
        {CHOICE("\"finish_reason\":\"\""), "", "", true},
        {CHOICE("\"finish_reason\":1"), "", "", true},
        {"{\"choices\":[{\"index\":0,\"finish_reason\":null},"
         "{\"index\":1,\"finish_reason\":\"stop\"}]}",
         "", "stop", true},
        {"{\"finish_reason\":\"stop\",\"choices\":[{}]}", "", "", true},
        /* text that looks like the member is text */
        {CHOICE("\"delta\":{\"content\":\"\\\"finish_reason\\\":\\\"stop\\\"\"}"), "", "", true},
        {CHOICE("\"delta\":{\"content\":\"finish_reason\"},\"finish_reason\":null"), "", "", true},
        {CHOICE("\"delta\":{\"content\":\"finish_reason\",\"x\":\"stop\"}"), "", "", true},
        {CHOICE("\"delta\":{\"content\":[\"finish_reason\",\"stop\"]}"), "", "", true},
        {CHOICE("\"delta\":{\"content\":\"\\\\\",\"a\":\"\\\"finish_reason\\\":\"}"), "", "", true},
        /* usage */
        {"{\"choices\":[],\"usage\":{\"prompt_tokens\":1}}", "{\"prompt_tokens\":1}", "", false},
        {"{\"choices\":[],\"usage\":null}", "", "", false},
        {"{\"choices\":[],\"usage\":[]}", "", "", false},
        {"{\"usage\":{} ,\"choices\":[{\"finish_reason\":\"stop\"}]}", "{}", "stop", true},
        {"{\"x_groq\":{\"usage\":{\"prompt_tokens\":1}},\"choices\":[]}", "", "", false},
    };
    for (unsigned i = 0; i < ROWS(rows); i++) {
        uint8_t *memory;
        struct passing_event e = look(rows[i].data, &memory);
        assert_row(i, e.kind == EVENT_CHUNK);
        assert_row(i, e.has_content == rows[i].has_content);
        assert_row(i, span_eq(e.usage, span_text(rows[i].usage)));
        assert_row(i, span_eq(e.finish, span_text(rows[i].finish)));
        free(memory);
    }
}

static void a_document_says_where_members_can_go_and_which_it_has(void **state)
{
    (void)state;
    static const struct {
        const char *data;
        size_t open, end;
        bool is_empty, has_request_id, has_provider;
    } rows[] = {
        {"{}", 0, 1, true, false, false},
        {" { } \n", 1, 3, true, false, false},
        {"\n{\"a\":{}}\n ", 1, 8, false, false, false},
        {"{\"request_id\":null}", 0, 18, false, true, false},
        {"{\"provider\":\"p\",\"a\":{\"request_id\":1}}", 0, 36, false, false, true},
    };
    for (unsigned i = 0; i < ROWS(rows); i++) {
        uint8_t *memory;
        struct passing_event e = look(rows[i].data, &memory);
        assert_row(i, e.open == rows[i].open && e.end == rows[i].end);
        assert_row(i, e.is_empty == rows[i].is_empty);
        assert_row(i, e.has_request_id == rows[i].has_request_id);
        assert_row(i, e.has_provider == rows[i].has_provider);
        free(memory);
    }
}

static void the_error_is_handed_out_as_it_came(void **state)
{
    (void)state;
    uint8_t *memory;
    struct passing_event e = look("{\"error\": {\"message\":\"m\"} }", &memory);
    assert_span(e.error, "{\"message\":\"m\"}");
    free(memory);
}

/* --- what chunks have in common ------------------------------------------------------------------ */

static bool same_place(struct span a, struct span b)
{
    return a.len == b.len && (a.len == 0 || a.at == b.at);
}

static bool same_event(const struct passing_event *a, const struct passing_event *b)
{
    return a->kind == b->kind && a->has_content == b->has_content &&
           same_place(a->usage, b->usage) && same_place(a->finish, b->finish) &&
           same_place(a->error, b->error) && a->open == b->open && a->end == b->end &&
           a->is_empty == b->is_empty && a->has_request_id == b->has_request_id &&
           a->has_provider == b->has_provider;
}

#define CHUNK(id, rest) "{\"id\":\"" id "\",\"object\":\"chat.completion.chunk\"," rest "}"
#define DELTA(text) \
    "\"choices\":[{\"index\":0,\"delta\":{\"content\":\"" text "\"},\"finish_reason\":null}]"

static void a_remembered_prefix_changes_no_answer(void **state)
{
    (void)state;
    static const char *const streams[][8] = {
        {CHUNK("a", DELTA("")), CHUNK("a", DELTA("one")), CHUNK("a", DELTA("one")),
         CHUNK("a", DELTA("on")), CHUNK("a", "\"choices\":[],\"usage\":{\"prompt_tokens\":1}"),
         "[DONE]"},
        /* the ids differ; the prefix ends inside a string, an escape, a number, a literal */
        {CHUNK("a", DELTA("x")), CHUNK("b1", DELTA("x")), CHUNK("b2", DELTA("x")),
         CHUNK("c", DELTA("x")), CHUNK("", DELTA("x"))},
        {DELTA(""), CHUNK("a\\n", DELTA("x")), CHUNK("a\\t", DELTA("x")), CHUNK("a\\", DELTA("x")),
         CHUNK("a\\u00e4", DELTA("x")), CHUNK("a\\u00e5", DELTA("x"))},
        {"{\"c\":1,\"choices\":[{}]}", "{\"c\":12,\"choices\":[{}]}", "{\"c\":13,\"choices\":[{}]}",
         "{\"c\":1.5,\"choices\":[{}]}", "{\"c\":1,\"choices\":[{}]}", "{\"c\":1}", "{\"c\":"},
        {"{\"c\":null,\"choices\":[{}]}", "{\"c\":null,\"choices\":[{}]}", "{\"c\":nul",
         "{\"c\":nux,\"choices\":[{}]}", "{\"c\":null}"},
        /* what tells something comes first */
        {"{\"choices\":[{}],\"a\":1}", "{\"choices\":[{}],\"a\":1}", "{\"choices\":[{}],\"a\":2}",
         "{\"choices\":[{\"finish_reason\":\"stop\"}],\"a\":2}"},
        {"{\"provider\":\"p\",\"choices\":[{}]}", "{\"provider\":\"p\",\"choices\":[{}]}",
         "{\"provider\":\"p\",\"choices\":[{}]}", "{\"provider\":\"p\",\"error\":1}"},
        {"{\"usage\":{\"a\":1},\"choices\":[{}]}", "{\"usage\":{\"a\":1},\"choices\":[{}]}",
         "{\"usage\":{\"a\":1},\"choices\":[{}]}", "{\"usage\":{\"a\":12},\"choices\":[{}]}"},
        /* ends exactly with the prefix, before it, or turns out malformed behind it */
        {CHUNK("a", DELTA("x")), CHUNK("a", DELTA("x")), CHUNK("a", DELTA("x")), "{\"id\":\"a\"",
         "{\"id\":\"a\"}", CHUNK("a", DELTA("x")) "x", "{"},
    };
    for (unsigned i = 0; i < ROWS(streams); i++) {
        struct openai_prefix p;
        openai_prefix_init(&p);
        for (unsigned turn = 0; turn < 16; turn++) {
            const char *text = streams[i][turn % 8];
            if (text == NULL)
                continue;
            struct span s = span_text(text);
            uint8_t *memory = exact_copy(s);
            struct passing_event plain = openai_event_look(span_of(memory, s.len));
            struct passing_event quick = openai_chunk_look(&p, span_of(memory, s.len));
            if (!same_event(&plain, &quick))
                print_error("stream %u: %s\n", i, text);
            assert_row(i, same_event(&plain, &quick));
            free(memory);
        }
    }
}

/* --- recorded streams: not in the repository; SLUICE_FIXTURES says where they are ------------------ */

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

struct seen {
    unsigned chunks, done, errors, malformed, finishes;
    struct buf usage; /* the last one */
};

static void note(struct seen *seen, struct openai_prefix *p, struct span data)
{
    struct passing_event e = openai_event_look(data), quick = openai_chunk_look(p, data);
    assert_true(same_event(&e, &quick));
    seen->chunks += e.kind == EVENT_CHUNK;
    seen->done += e.kind == EVENT_DONE;
    seen->errors += e.kind == EVENT_ERROR;
    seen->malformed += e.kind == EVENT_MALFORMED;
    seen->finishes += e.finish.len > 0;
    if (e.usage.len > 0) {
        buf_clear(&seen->usage);
        assert_int_equal(buf_add(&seen->usage, e.usage), 0);
    }
}

static struct seen replay(struct span text, size_t step)
{
    struct seen seen = {0};
    struct openai_prefix p;
    struct sse s;
    sse_init(&s, 1u << 24);
    openai_prefix_init(&p);
    for (size_t at = 0; at < text.len; at += step) {
        struct span input = span_sub(text, at, step);
        while (sse_next(&s, &input) == SSE_EVENT)
            note(&seen, &p, s.data);
    }
    if (sse_finish(&s))
        note(&seen, &p, s.data);
    sse_fini(&s);
    return seen;
}

/* "…/openai-chat/text-stream-usage/stream.sse": a chat stream, by the words of its path. */
static bool is_chat(const char *path)
{
    static const char *const families[] = {"/openai-chat/", "/azure/",      "/deepseek/", "/groq/",
                                           "/mistral/",     "/moonshot/",   "/alibaba/",  "/xai/",
                                           "/openrouter/",  "/derived/chat"};
    for (unsigned i = 0; i < ROWS(families); i++)
        if (strstr(path, families[i]) != NULL)
            return strstr(path, "responses") == NULL;
    return false;
}

static void replay_all_ways(const char *path)
{
    struct buf text = read_file(path);
    struct span all = buf_span(&text);
    struct seen whole = replay(all, all.len);
    for (size_t step = 1; step <= 7; step += 6) {
        struct seen other = replay(all, step);
        assert_memory_equal(&whole, &other, offsetof(struct seen, usage));
        assert_true(span_eq(buf_span(&whole.usage), buf_span(&other.usage)));
        buf_fini(&other.usage);
    }
    bool stated = span_find(all, SPAN_LIT("\"prompt_tokens\"")) != SIZE_MAX;
    if (whole.malformed > 0 || whole.errors > 0 || whole.done > 1 || whole.finishes == 0 ||
        whole.chunks < 2 || stated != (buf_len(&whole.usage) > 0))
        fail_msg("%s: %u chunks, %u malformed, %u errors, %u finishes, usage %.*s", path,
                 whole.chunks, whole.malformed, whole.errors, whole.finishes,
                 SPAN_FMT(buf_span(&whole.usage)));
    buf_fini(&whole.usage);
    buf_fini(&text);
}

static void recorded_streams_are_understood_to_the_last_chunk(void **state)
{
    (void)state;
    char *root = getenv("SLUICE_FIXTURES");
    if (root == NULL)
        skip();
    FTS *tree = fts_open((char *[]){root, NULL}, FTS_LOGICAL | FTS_NOCHDIR, NULL);
    assert_non_null(tree);
    unsigned streams = 0;
    for (FTSENT *entry; (entry = fts_read(tree)) != NULL;) {
        if (entry->fts_info != FTS_F || strcmp(entry->fts_name, "stream.sse") != 0 ||
            !is_chat(entry->fts_path))
            continue;
        replay_all_ways(entry->fts_path);
        streams++;
    }
    (void)fts_close(tree);
    assert_true(streams > 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_event_is_one_of_four_kinds),
        cmocka_unit_test(what_an_event_tells_is_read_where_it_stands),
        cmocka_unit_test(a_document_says_where_members_can_go_and_which_it_has),
        cmocka_unit_test(the_error_is_handed_out_as_it_came),
        cmocka_unit_test(a_remembered_prefix_changes_no_answer),
        cmocka_unit_test(recorded_streams_are_understood_to_the_last_chunk),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
