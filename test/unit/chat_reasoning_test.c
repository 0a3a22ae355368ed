/* Reasoning and its proofs on their way to a Chat client and back: in the forms clients know. */
#include "unit.h"

#include "turn_bed.h"

#include "sluice/codec/proof.h"

static const struct span anthropic = {(const uint8_t *)"anthropic", 9};
static const struct span openai = {(const uint8_t *)"openai", 6};
static const struct span gemini = {(const uint8_t *)"gemini", 6};
static const struct span bedrock = {(const uint8_t *)"bedrock", 7};

#define REASON(n, words) .kind = TURN_REASONING, .slot = (n), .text = SPAN_LIT(words)
#define PROVE(n, words) .kind = TURN_PROOF, .slot = (n), .text = SPAN_LIT(words)
#define CALL_OF(n) .kind = TURN_CALL, .slot = (n), .id = SPAN_LIT("c1"), .name = SPAN_LIT("f")
#define TELL(n, words) .kind = TURN_TEXT, .slot = (n), .text = SPAN_LIT(words)

struct row {
    struct turn_event events[6];
    const char *streamed[6]; /* what the deltas hold, in order */
    const char *whole;       /* what the message holds */
};

#define DETAIL(type, members, id, format, index)                                      \
    "{\"type\":\"reasoning." type "\"," members ",\"id\":" id ",\"format\":\"" format \
    "\",\"index\":" index "}"
#define SAID(text) "\"reasoning\":\"" text "\",\"reasoning_content\":\"" text "\","
#define DETAILS(list) "\"reasoning_details\":[" list "]"
#define ON_CALL(s)                                                                              \
    "\"thought_signature\":\"" s "\",\"extra_content\":{\"google\":{\"thought_signature\":\"" s \
    "\"}}}]"

static const struct row rows[] = {
    {{{REASON(0, "h"), .family = anthropic},
      {REASON(0, "m"), .family = anthropic},
      {PROVE(0, "s1"), .family = anthropic},
      {REASON(1, "o"), .family = anthropic}},
     {SAID("h") DETAILS(DETAIL("text", "\"text\":\"h\"", "null", "anthropic-claude-v1", "0")),
      SAID("m") DETAILS(DETAIL("text", "\"text\":\"m\"", "null", "anthropic-claude-v1", "0")),
      "{" DETAILS(DETAIL("text", "\"signature\":\"s1\"", "null", "anthropic-claude-v1", "0")),
      SAID("o") DETAILS(DETAIL("text", "\"text\":\"o\"", "null", "anthropic-claude-v1", "1"))},
     DETAILS(DETAIL("text", "\"text\":\"hm\",\"signature\":\"s1\"", "null", "anthropic-claude-v1",
                    "0") "," DETAIL("text", "\"text\":\"o\"", "null", "anthropic-claude-v1", "1"))},
    {{{.kind = TURN_REDACTED, .text = SPAN_LIT("d1"), .family = anthropic}},
     {"{" DETAILS(DETAIL("encrypted", "\"data\":\"d1\"", "null", "anthropic-claude-v1", "0"))},
     DETAILS(DETAIL("encrypted", "\"data\":\"d1\"", "null", "anthropic-claude-v1", "0"))},
    {{{REASON(0, "h"), .family = openai},
      {PROVE(0, "e1"), .id = SPAN_LIT("rs_1"), .family = openai}},
     {SAID("h") DETAILS(DETAIL("summary", "\"summary\":\"h\"", "null", "openai-responses-v1", "0")),
      "{" DETAILS(DETAIL("encrypted", "\"data\":\"e1\"", "\"rs_1\"", "openai-responses-v1", "1"))},
     DETAILS(DETAIL("summary", "\"summary\":\"h\"", "null", "openai-responses-v1", "0") "," DETAIL(
         "encrypted", "\"data\":\"e1\"", "\"rs_1\"", "openai-responses-v1", "1"))},
    {{{PROVE(0, "g1"), .family = gemini, .is_of_call = true},
      {CALL_OF(1)},
      {.kind = TURN_CALL_END, .slot = 1}},
     {"\"function\":{\"name\":\"f\",\"arguments\":\"\"}," ON_CALL("g1") ",",
      "," DETAILS(DETAIL("encrypted", "\"data\":\"g1\"", "\"c1\"", "google-gemini-v1", "0"))},
     DETAILS(DETAIL("encrypted", "\"data\":\"g1\"", "\"c1\"", "google-gemini-v1",
                    "0")) ",\"tool_calls\":[{\"id\":\"c1\",\"type\":\"function\",\"function\":{"
                          "\"name\":\"f\",\"arguments\":\"{}\"}," ON_CALL("g1")},
    {{{REASON(0, "h"), .family = gemini},
      {TELL(1, "t")},
      {PROVE(2, "g2"), .family = gemini},
      {PROVE(3, "g3"), .family = gemini}},
     {SAID("h") DETAILS(DETAIL("text", "\"text\":\"h\"", "null", "google-gemini-v1", "0")),
      "\"content\":\"t\"",
      "{\"thought_signature\":\"g2\"," DETAILS(
          DETAIL("encrypted", "\"data\":\"g2\"", "null", "google-gemini-v1", "1")),
      "{" DETAILS(DETAIL("encrypted", "\"data\":\"g3\"", "null", "google-gemini-v1", "2"))},
     ",\"thought_signature\":\"g2\"},"},
    {{{REASON(0, "h"), .family = gemini}, {PROVE(0, "g2"), .family = gemini}},
     {SAID("h") DETAILS(DETAIL("text", "\"text\":\"h\"", "null", "google-gemini-v1", "0")),
      "{" DETAILS(DETAIL("text", "\"signature\":\"g2\"", "null", "google-gemini-v1", "0"))},
     DETAILS(
         DETAIL("text", "\"text\":\"h\",\"signature\":\"g2\"", "null", "google-gemini-v1", "0"))},
    /* wrapped, because nobody has a word for the family */
    {{{REASON(0, "h"), .family = bedrock}, {PROVE(0, "sluice1.bedrock.s..x"), .family = bedrock}},
     {SAID("h") DETAILS(DETAIL("text", "\"text\":\"h\"", "null", "unknown", "0")),
      "{" DETAILS(
          DETAIL("text", "\"signature\":\"sluice1.bedrock.s..x\"", "null", "unknown", "0"))},
     DETAILS(DETAIL("text", "\"text\":\"h\",\"signature\":\"sluice1.bedrock.s..x\"", "null",
                    "unknown", "0"))},
};

static void tell(struct bed *b, const struct turn_event *events, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        if (events[i].kind != TURN_START)
            (void)bed_emit(b, &events[i]);
    }
    (void)bed_emit(b, &(struct turn_event){.kind = TURN_END});
}

static void deltas_bring_reasoning_piece_by_piece(void **state)
{
    (void)state;
    for (unsigned i = 0; i < ROWS(rows); i++) {
        struct bed b;
        struct grammar g;
        bed_init(&b, API_CHAT, true);
        tell(&b, rows[i].events, ROWS(rows[i].events));
        struct span rest = buf_span(&b.out);
        check_stream(&g, API_CHAT, rest);
        if (g.problem[0] != '\0')
            fail_msg("row %u: %s", i, g.problem);
        for (unsigned k = 0; k < ROWS(rows[i].streamed) && rows[i].streamed[k] != NULL; k++) {
            size_t at = span_find(rest, span_text(rows[i].streamed[k]));
            if (at == SIZE_MAX)
                fail_msg("row %u: no %s in\n%.*s", i, rows[i].streamed[k], SPAN_FMT(rest));
            rest = span_skip(rest, at + 1);
        }
        said_fini(&g.said);
        bed_fini(&b);
    }
}

static void messages_bring_it_whole(void **state)
{
    (void)state;
    for (unsigned i = 0; i < ROWS(rows); i++) {
        struct bed b;
        bed_init(&b, API_CHAT, false);
        tell(&b, rows[i].events, ROWS(rows[i].events));
        assert_int_equal(b.client->whole_write(b.writer, &b.out), 0);
        if (span_find(buf_span(&b.out), span_text(rows[i].whole)) == SIZE_MAX)
            fail_msg("row %u: no %s in\n%.*s", i, rows[i].whole, SPAN_FMT(buf_span(&b.out)));
        bed_fini(&b);
    }
}

/* --- the way back ----------------------------------------------------------------------------------- */

#define HISTORY(members)                                                                                    \
    "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"q\"},{\"role\":\"assistant\"," members \
    "},{\"role\":\"tool\",\"tool_call_id\":\"c1\",\"content\":\"r\"}]}"
#define SPOKEN(members)                                                                                     \
    "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"q\"},{\"role\":\"assistant\"," members \
    "}]}"
#define CALLS(beside)                                                                      \
    "\"content\":null,\"tool_calls\":[{\"id\":\"c1\",\"type\":\"function\",\"function\":{" \
    "\"name\":\"f\",\"arguments\":\"{}\"}" beside "}]"
#define THOUGHT(s) "{\"type\":\"thinking\",\"thinking\":\"hm\",\"signature\":\"" s "\"}"
#define USED ",{\"type\":\"tool_use\""
#define ITEM(summary, id, data) \
    "{\"type\":\"reasoning\"" id ",\"summary\":[" summary "],\"encrypted_content\":\"" data "\"}"
#define GEMINI_CALL(s) \
    "{\"functionCall\":{\"name\":\"f\",\"args\":{}},\"thoughtSignature\":\"" s "\"}"
#define CHAT_CALL(s) \
    "\"arguments\":\"{}\"},\"extra_content\":{\"google\":{\"thought_signature\":\"" s "\"}}}"

static void proofs_come_back_to_their_family(void **state)
{
    (void)state;
    static const struct {
        enum upstream_api api;
        const char *body, *somewhere, *nowhere;
    } ways[] = {
        /* Anthropic's */
        {UPSTREAM_MESSAGES,
         HISTORY(CALLS("") "," DETAILS(DETAIL("text", "\"text\":\"hm\",\"signature\":\"s1\"",
                                              "null", "anthropic-claude-v1", "0"))),
         THOUGHT("s1") USED, NULL},
        /* as a client keeps it that collects the pieces of a stream */
        {UPSTREAM_MESSAGES,
         HISTORY(CALLS("") "," DETAILS(
             DETAIL("text", "\"text\":\"h\"", "null", "anthropic-claude-v1",
                    "0") "," DETAIL("text", "\"text\":\"m\"", "null", "anthropic-claude-v1",
                                    "0") "," DETAIL("text", "\"signature\":\"s1\"", "null",
                                                    "anthropic-claude-v1", "0"))),
         THOUGHT("s1") USED, NULL},
        /* and as the openai SDK's helper joins them */
        {UPSTREAM_MESSAGES,
         HISTORY(
             CALLS("") "," DETAILS(DETAIL("text", "\"text\":\"hm\",\"signature\":\"s1\"", "null",
                                          "anthropic-claude-v1anthropic-claude-v1", "0"))),
         THOUGHT("s1") USED, NULL},
        {UPSTREAM_MESSAGES,
         HISTORY(CALLS("") "," DETAILS(
             DETAIL("text", "\"text\":\"a\"", "null", "anthropic-claude-v1",
                    "0") "," DETAIL("text", "\"text\":\"hm\",\"signature\":\"s1\"", "null",
                                    "anthropic-claude-v1", "1"))),
         THOUGHT("s1") USED, "ahm"},
        {UPSTREAM_MESSAGES,
         HISTORY(CALLS("") "," DETAILS(
             DETAIL("encrypted", "\"data\":\"d1\"", "null", "anthropic-claude-v1", "0"))),
         "{\"type\":\"redacted_thinking\",\"data\":\"d1\"}", NULL},
        {UPSTREAM_MESSAGES,
         HISTORY(
             CALLS("") ",\"thinking_blocks\":[" THOUGHT("s1") ",{\"type\":\"redacted_thinking\","
                                                              "\"data\":\"d1\"}]"),
         THOUGHT("s1") ",{\"type\":\"redacted_thinking\",\"data\":\"d1\"}", NULL},
        {UPSTREAM_MESSAGES,
         HISTORY(CALLS("") "," DETAILS(
             DETAIL("text", "\"text\":\"hm\"", "null", "sluice-v1", "0") "," DETAIL(
                 "text", "\"signature\":\"sluice1.anthropic.s..s1\"", "null", "sluice-v1", "1"))),
         THOUGHT("s1") USED, "sluice1"},
        /* another's, and nobody's */
        {UPSTREAM_MESSAGES,
         HISTORY(CALLS("") "," DETAILS(
             DETAIL("encrypted", "\"data\":\"e1\"", "\"rs_1\"", "openai-responses-v1", "0"))),
         "\"tool_use\"", "e1"},
        {UPSTREAM_MESSAGES,
         HISTORY(CALLS("") "," DETAILS(DETAIL("text", "\"text\":\"hm\",\"signature\":\"x1\"",
                                              "null", "google-gemini-v1", "0"))),
         "\"tool_use\"", "x1"},
        {UPSTREAM_MESSAGES,
         HISTORY(CALLS("") "," DETAILS(
             DETAIL("text", "\"text\":\"hm\",\"signature\":\"x1\"", "null", "unknown", "0"))),
         "\"tool_use\"", "x1"},
        /* OpenAI's */
        {UPSTREAM_RESPONSES,
         HISTORY(CALLS("") "," DETAILS(
             DETAIL("summary", "\"summary\":\"h\"", "null", "openai-responses-v1",
                    "0") "," DETAIL("summary", "\"summary\":\"m\"", "null", "openai-responses-v1",
                                    "0") "," DETAIL("encrypted", "\"data\":\"e1\"", "\"rs_1\"",
                                                    "openai-responses-v1", "1"))),
         ITEM("{\"type\":\"summary_text\",\"text\":\"hm\"}", ",\"id\":\"rs_1\"", "e1"), NULL},
        {UPSTREAM_RESPONSES,
         HISTORY(CALLS("") "," DETAILS(
             DETAIL("encrypted", "\"data\":\"e1\"", "null", "openai-responses-v1", "0"))),
         ITEM("", "", "e1"), NULL},
        {UPSTREAM_RESPONSES,
         HISTORY(CALLS("") "," DETAILS(DETAIL("text", "\"text\":\"hm\",\"signature\":\"s1\"",
                                              "null", "anthropic-claude-v1", "0"))),
         "function_call", "s1"},
        /* Gemini's, in every spelling */
        {UPSTREAM_GEMINI,
         HISTORY(CALLS(",\"extra_content\":{\"google\":{\"thought_signature\":\"g1\"}}")),
         GEMINI_CALL("g1"), "skip"},
        {UPSTREAM_GEMINI, HISTORY(CALLS(",\"thought_signature\":\"g1\"")), GEMINI_CALL("g1"),
         "skip"},
        {UPSTREAM_GEMINI, HISTORY(CALLS("") ",\"thought_signature\":\"g1\""), GEMINI_CALL("g1"),
         "skip"},
        {UPSTREAM_GEMINI,
         HISTORY(CALLS("") "," DETAILS(
             DETAIL("encrypted", "\"data\":\"g0\"", "\"c0\"", "google-gemini-v1", "0") "," DETAIL(
                 "encrypted", "\"data\":\"g1\"", "\"c1\"", "google-gemini-v1", "1"))),
         GEMINI_CALL("g1"), "g0"},
        {UPSTREAM_GEMINI,
         HISTORY(
             CALLS(",\"extra_content\":{\"google\":{\"thought_signature\":\"g1\"}},"
                   "\"thought_signature\":\"g1\"") "," DETAILS(DETAIL("encrypted",
                                                                      "\"data\":\"g1\"", "\"c1\"",
                                                                      "google-gemini-v1", "0"))),
         "\"parts\":[" GEMINI_CALL("g1") "]", "skip"},
        {UPSTREAM_GEMINI,
         SPOKEN("\"content\":\"t\",\"thought_signature\":\"g2\"," DETAILS(
             DETAIL("encrypted", "\"data\":\"g2\"", "null", "google-gemini-v1", "0"))),
         "\"parts\":[{\"text\":\"t\",\"thoughtSignature\":\"g2\"}]", NULL},
        {UPSTREAM_GEMINI,
         HISTORY(CALLS("") "," DETAILS(DETAIL("text", "\"text\":\"hm\",\"signature\":\"s1\"",
                                              "null", "anthropic-claude-v1", "0"))),
         GEMINI_CALL("skip_thought_signature_validator"), "s1"},
        /* Gemini behind Chat */
        {UPSTREAM_CHAT,
         HISTORY(CALLS("") "," DETAILS(
             DETAIL("encrypted", "\"data\":\"g1\"", "\"c1\"", "google-gemini-v1", "0"))),
         CHAT_CALL("g1"), "skip"},
        {UPSTREAM_CHAT, HISTORY(CALLS("")), CHAT_CALL("skip_thought_signature_validator"), NULL},
    };
    for (unsigned i = 0; i < ROWS(ways); i++) {
        const struct upstream_codec *up = upstream_codec_for(ways[i].api);
        bool is_chat = ways[i].api == UPSTREAM_CHAT;
        struct turn_notes notes = {.n = 0};
        struct wire_options o = {
            .model = SPAN_LIT("m"), .default_max_tokens = 100, .facts = FACT_THOUGHT_SIGNATURES};
        struct turn_request r;
        struct arena arena;
        struct buf out = {0};
        struct fault why;
        struct span body = span_text(ways[i].body);
        uint8_t *copy = exact_copy(body);
        arena_init(&arena, NULL, 512);
        assert_row(i, client_codec_for(API_CHAT)->read(span_of(copy, body.len), &o.translation,
                                                       &arena, &r, &why));
        proof_keep(&r, is_chat ? PROOF_GEMINI : up->family);
        assert_row(i, up->write(&r, &o, &arena, &out, &notes, &why));
        if (span_find(buf_span(&out), span_text(ways[i].somewhere)) == SIZE_MAX)
            fail_msg("row %u: no %s in\n%.*s", i, ways[i].somewhere, SPAN_FMT(buf_span(&out)));
        if (ways[i].nowhere != NULL &&
            span_find(buf_span(&out), span_text(ways[i].nowhere)) != SIZE_MAX)
            fail_msg("row %u: %s in\n%.*s", i, ways[i].nowhere, SPAN_FMT(buf_span(&out)));
        buf_fini(&out);
        arena_fini(&arena);
        free(copy);
    }
}

/* Only a model that asks for them gets members nobody else knows. */
static void other_models_behind_chat_see_no_signatures(void **state)
{
    (void)state;
    static const char body[] = HISTORY(CALLS(",\"thought_signature\":\"g1\""));
    const struct upstream_codec *up = upstream_codec_for(UPSTREAM_CHAT);
    struct turn_notes notes = {.n = 0};
    struct wire_options o = {.model = SPAN_LIT("m"), .default_max_tokens = 100};
    struct turn_request r;
    struct arena arena;
    struct buf out = {0};
    struct fault why;
    arena_init(&arena, NULL, 512);
    assert_true(
        client_codec_for(API_CHAT)->read(span_text(body), &o.translation, &arena, &r, &why));
    proof_keep(&r, up->family);
    assert_true(up->write(&r, &o, &arena, &out, &notes, &why));
    assert_true(span_find(buf_span(&out), SPAN_LIT("extra_content")) == SIZE_MAX);
    assert_true(span_find(buf_span(&out), SPAN_LIT("g1")) == SIZE_MAX);
    buf_fini(&out);
    arena_fini(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(deltas_bring_reasoning_piece_by_piece),
        cmocka_unit_test(messages_bring_it_whole),
        cmocka_unit_test(proofs_come_back_to_their_family),
        cmocka_unit_test(other_models_behind_chat_see_no_signatures),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
