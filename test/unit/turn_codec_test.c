/* Every pairing of protocols: whatever an upstream sends, what leaves is a stream of the client's
 * protocol, and says in all of them what the upstream said. */
#include "unit.h"

#include "turn_bed.h"

#include "sluice/base/rng.h"

#include <fts.h>

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

/* --- recorded streams: not in the repository; SLUICE_FIXTURES says where they are ------------------ */

/* Which protocol a recording is in, by the words of its path; false: none of these. */
static bool protocol_of(const char *path, enum upstream_api *api)
{
    static const char *const chats[] = {"/openai-chat/", "/azure/",   "/deepseek/",
                                        "/groq/",        "/mistral/", "/moonshot/",
                                        "/alibaba/",     "/xai/",     "/openrouter/"};
    if (strstr(path, "/anthropic/") != NULL)
        *api = UPSTREAM_MESSAGES;
    else if (strstr(path, "responses") != NULL)
        *api = UPSTREAM_RESPONSES;
    else
        for (unsigned i = 0;; i++) {
            if (i == ROWS(chats))
                return false;
            if (strstr(path, chats[i]) != NULL) {
                *api = UPSTREAM_CHAT;
                break;
            }
        }
    return true;
}

static void check_same(const char *path, const struct said *a, const struct said *b)
{
    if (!span_eq(buf_span(&a->text), buf_span(&b->text)))
        fail_msg("%s: texts differ:\n%.*s\n---\n%.*s", path, SPAN_FMT(buf_span(&a->text)),
                 SPAN_FMT(buf_span(&b->text)));
    if (!span_eq(buf_span(&a->reasoning), buf_span(&b->reasoning)))
        fail_msg("%s: reasoning differs", path);
    if (a->ncalls != b->ncalls)
        fail_msg("%s: %u calls and %u", path, a->ncalls, b->ncalls);
    for (unsigned i = 0; i < a->ncalls; i++) {
        struct span one = buf_span(&a->calls[i].arguments),
                    other = buf_span(&b->calls[i].arguments);
        if (one.len == 0)
            one = SPAN_LIT("{}");
        if (other.len == 0)
            other = SPAN_LIT("{}");
        if (!span_eq(one, other) ||
            !span_eq(buf_span(&a->calls[i].name), buf_span(&b->calls[i].name)))
            fail_msg("%s: call %u differs: %.*s and %.*s", path, i, SPAN_FMT(one), SPAN_FMT(other));
    }
    if (a->input_tokens != b->input_tokens || a->output_tokens != b->output_tokens)
        fail_msg("%s: usage differs", path);
}

/* Translates to every client; all must say the same. False when the recording ends in an error. */
static bool translate(const char *path, enum upstream_api api, struct span bytes, size_t step)
{
    struct grammar g[ROWS(clients)];
    bool has_failed = false;
    for (unsigned c = 0; c < ROWS(clients); c++) {
        struct bed b;
        bed_init(&b, clients[c], true);
        bed_stream(&b, api, bytes, step);
        check_stream(&g[c], clients[c], buf_span(&b.out));
        if (g[c].problem[0] != '\0')
            fail_msg("%s to %d: %s\n%.*s", path, clients[c], g[c].problem,
                     SPAN_FMT(buf_span(&b.out)));
        assert_int_equal(b.has_failed, g[c].said.has_failed);
        has_failed = b.has_failed;
        bed_fini(&b);
    }
    for (unsigned c = 0; c < ROWS(clients); c++) {
        if (!has_failed)
            check_same(path, &g[0].said, &g[c].said);
        if (!has_failed && g[c].said.stop[0] == '\0')
            fail_msg("%s: nobody says why it stopped", path);
    }
    for (unsigned c = 0; c < ROWS(clients); c++)
        said_fini(&g[c].said);
    return !has_failed;
}

/* Cut anywhere, a stream ends in an error, or is complete already; never in between. */
static void cut_everywhere(const char *path, enum upstream_api api, struct span bytes)
{
    size_t step = bytes.len / 40 + 1;
    for (size_t len = 0; len < bytes.len; len += step)
        (void)translate(path, api, span_sub(bytes, 0, len), len + 1);
}

static void recorded_streams_say_the_same_in_every_protocol(void **state)
{
    (void)state;
    char *root = getenv("SLUICE_FIXTURES");
    unsigned n[3] = {0}, whole = 0;
    if (root == NULL)
        skip();
    FTS *tree = fts_open((char *[]){root, NULL}, FTS_LOGICAL | FTS_NOCHDIR, NULL);
    assert_non_null(tree);
    for (FTSENT *entry; (entry = fts_read(tree)) != NULL;) {
        enum upstream_api api;
        if (entry->fts_info != FTS_F || strcmp(entry->fts_name, "stream.sse") != 0 ||
            !protocol_of(entry->fts_path, &api))
            continue;
        struct buf text = read_file(entry->fts_path);
        n[api]++;
        whole += translate(entry->fts_path, api, buf_span(&text), 7);
        (void)translate(entry->fts_path, api, buf_span(&text), 1000);
        cut_everywhere(entry->fts_path, api, buf_span(&text));
        buf_fini(&text);
    }
    (void)fts_close(tree);
    assert_true(n[UPSTREAM_CHAT] > 5 && n[UPSTREAM_MESSAGES] > 5 && n[UPSTREAM_RESPONSES] > 5);
    assert_true(whole > 20);
}

/* A whole answer, written whole by every client's writer: a JSON object, each time. */
static void recorded_answers_are_written_by_every_protocol(void **state)
{
    (void)state;
    char *root = getenv("SLUICE_FIXTURES");
    unsigned n = 0;
    if (root == NULL)
        skip();
    FTS *tree = fts_open((char *[]){root, NULL}, FTS_LOGICAL | FTS_NOCHDIR, NULL);
    for (FTSENT *entry; (entry = fts_read(tree)) != NULL;) {
        enum upstream_api api;
        if (entry->fts_info != FTS_F || strcmp(entry->fts_name, "response.json") != 0 ||
            strstr(entry->fts_path, "error") != NULL || !protocol_of(entry->fts_path, &api))
            continue;
        struct buf text = read_file(entry->fts_path);
        for (unsigned c = 0; c < ROWS(clients); c++) {
            struct bed b;
            bed_init(&b, clients[c], false);
            bed_whole(&b, api, buf_span(&text));
            if (b.has_failed)
                fail_msg("%s: %s", entry->fts_path, b.fault.message);
            assert_int_equal(b.client->whole_write(b.writer, &b.out), 0);
            yyjson_doc *doc = yyjson_read((const char *)b.out.at, b.out.tail, 0);
            if (!yyjson_is_obj(yyjson_doc_get_root(doc)))
                fail_msg("%s: %.*s", entry->fts_path, SPAN_FMT(buf_span(&b.out)));
            yyjson_doc_free(doc);
            bed_fini(&b);
            n++;
        }
        buf_fini(&text);
    }
    (void)fts_close(tree);
    assert_true(n > 10);
}

/* --- writers, whatever they are told ---------------------------------------------------------------- */

static const char *const texts[] = {
    "",
    "a",
    "{}",
    "{\\\"a\\\":",
    "1}",
    "\\ud83d",
    "\\ude00",
    "\\u00e9",
    "}",
    "{\\\"b\\\":[1,2]}",
    "\\\"",
    "\\\\",
    "some words that are longer than the others",
};

static struct turn_event random_event(struct rng *rng, const struct fault *fault)
{
    static const char *const families[] = {NULL, "anthropic", "openai", "gemini", "chat"};
    static const char *const weights[] = {NULL, "[]", "[{\"token\":\"a\",\"logprob\":-1}]",
                                          "[7,8]"};
    static const struct usage some = {
        .prompt = 9, .cached = 2, .completion = 5, .source = USAGE_PROVIDER};
    struct turn_event e = {
        .kind = (enum turn_event_kind)(rng_next(rng) % (TURN_FAULT + 1)),
        .family = span_text(families[rng_next(rng) % ROWS(families)]),
        .logprobs = span_text(weights[rng_next(rng) % ROWS(weights)]),
        .is_of_call = rng_next(rng) % 2 == 0,
        .slot = (unsigned)(rng_next(rng) % 4),
        .text = span_text(texts[rng_next(rng) % ROWS(texts)]),
        .id = SPAN_LIT("call_1"),
        .name = SPAN_LIT("tool"),
        .stop = (enum turn_stop)(rng_next(rng) % (STOP_PAUSE + 1)),
        .usage = &some,
        .citation = {.url = SPAN_LIT("https://example.org"), .title = SPAN_LIT("t")},
        .fault = fault,
        .is_custom = rng_next(rng) % 4 == 0,
    };
    /* Ends come late enough that something can go wrong before. */
    if ((e.kind == TURN_END || e.kind == TURN_FAULT || e.kind == TURN_STOP) &&
        rng_next(rng) % 6 != 0)
        e.kind = TURN_TEXT;
    return e;
}

static void random_walks_leave_valid_streams(void **state)
{
    (void)state;
    struct fault fault = {.kind = FAULT_UPSTREAM, .message = "it \"broke\""};
    struct rng rng;
    rng_seed(&rng, 20261121);
    for (unsigned walk = 0; walk < 30000; walk++) {
        enum api_protocol api = clients[walk % ROWS(clients)];
        struct bed b;
        struct grammar g;
        bed_init(&b, api, true);
        b.who.reasons_raw = walk / ROWS(clients) % 2 == 1;
        for (unsigned step = 0; step < 24; step++) {
            struct turn_event e = random_event(&rng, &fault);
            (void)bed_emit(&b, &e);
        }
        struct turn_event end = {.kind = rng_next(&rng) % 2 == 0 ? TURN_END : TURN_FAULT,
                                 .fault = &fault};
        (void)bed_emit(&b, &end);
        check_stream(&g, api, buf_span(&b.out));
        if (g.problem[0] != '\0')
            fail_msg("walk %u to %d: %s\n%.*s", walk, api, g.problem, SPAN_FMT(buf_span(&b.out)));
        said_fini(&g.said);
        bed_fini(&b);
    }
}

/* Of a response, streamed and whole. */
static void reasoning_is_a_summary_or_content(void **state)
{
    (void)state;
    static const struct {
        bool reasons_raw;
        const char *event, *item;
    } rows[] = {
        {false, "event: response.reasoning_summary_text.delta",
         "\"type\":\"reasoning\",\"summary\":[{\"type\":\"summary_text\",\"text\":\"hm\"}]"},
        {true, "event: response.reasoning_text.delta",
         "\"type\":\"reasoning\",\"summary\":[],\"content\":[{\"type\":\"reasoning_text\",\"text\":"
         "\"hm\"}]"},
    };
    static const struct turn_event events[] = {
        {.kind = TURN_START},
        {.kind = TURN_REASONING, .text = {(const uint8_t *)"hm", 2}},
        {.kind = TURN_TEXT, .slot = 1, .text = {(const uint8_t *)"yes", 3}},
        {.kind = TURN_END}};
    for (unsigned i = 0; i < 2 * ROWS(rows); i++) {
        struct bed b;
        bool is_stream = i % 2 == 0;
        bed_init(&b, API_RESPONSES, is_stream);
        b.who.reasons_raw = rows[i / 2].reasons_raw;
        for (unsigned e = 0; e < ROWS(events); e++)
            (void)bed_emit(&b, &events[e]);
        if (!is_stream)
            assert_int_equal(b.client->whole_write(b.writer, &b.out), 0);
        struct span out = buf_span(&b.out);
        assert_row(i, !is_stream || span_find(out, span_text(rows[i / 2].event)) != SIZE_MAX);
        assert_row(i, span_find(out, span_text(rows[i / 2].item)) != SIZE_MAX);
        bed_fini(&b);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_walks_leave_valid_streams),
        cmocka_unit_test(reasoning_is_a_summary_or_content),
        cmocka_unit_test(recorded_streams_say_the_same_in_every_protocol),
        cmocka_unit_test(recorded_answers_are_written_by_every_protocol),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
