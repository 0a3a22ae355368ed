/* Which conversation a request belongs to. */
#include "unit.h"

#include "sluice/codec/conversation_id.h"
#include "sluice/format/json_walk.h"

#define USER "{\"role\":\"user\",\"content\":\"hi\"}"
#define SYSTEM "{\"role\":\"system\",\"content\":\"be kind\"}"
#define ANSWER "{\"role\":\"assistant\",\"content\":\"yes?\"}"
#define MORE "{\"role\":\"user\",\"content\":\"go on\"}"
#define MESSAGES(list, more) "{\"model\":\"m\",\"messages\":[" list "]" more "}"
#define CACHED "{\"role\":\"user\",\"content\":[{\"text\":\"hi\",\"cache_control\":{}}]}"

static struct conversation_id read_id(const char *session, const char *body)
{
    struct conversation_id id;
    struct span text = span_text(body);
    uint8_t *copy = exact_copy(text);
    struct conversation_clues clues = {.session = SPAN_NONE};
    struct json_walk w;
    json_walk_init(&w, span_of(copy, text.len));
    while (json_walk_next(&w))
        conversation_note(&clues, w.key, w.value);
    conversation_id_read(span_text(session), &clues, span_of(copy, text.len), &id);
    free(copy);
    return id;
}

static void a_lone_question_is_no_conversation(void **state)
{
    (void)state;
    static const char *const rows[] = {
        "{}",
        "{\"messages\":null}",
        "{\"messages\":[]}",
        "{\"messages\":[5,null]}",
        MESSAGES(USER, ""),
        MESSAGES(SYSTEM "," USER, ""),
        MESSAGES(ANSWER, ""),
        "{\"model\":\"m\",\"input\":\"hi\"}",
        MESSAGES(USER, ",\"user\":\"\",\"session_id\":null,\"metadata\":{\"user_id\":5}"),
    };
    for (unsigned i = 0; i < ROWS(rows); i++)
        assert_row(i, !read_id("", rows[i]).is_known);
}

/* The same conversation or not, however it grew. */
static void what_goes_together_has_one_id(void **state)
{
    (void)state;
    static const struct {
        const char *one_session, *one, *other_session, *other;
        bool same;
    } rows[] = {
        {"a", MESSAGES(USER, ""), "a", MESSAGES(MORE, ""), true},
        {"a", MESSAGES(USER, ""), "b", MESSAGES(USER, ""), false},
        {"a", MESSAGES(USER, ",\"session_id\":\"x\""), "a", MESSAGES(USER, ",\"session_id\":\"y\""),
         true},
        {"", MESSAGES(USER, ",\"session_id\":\"x\",\"user\":\"u\""), "",
         MESSAGES(MORE, ",\"user\":\"v\",\"session_id\":\"x\""), true},
        {"", MESSAGES(USER, ",\"prompt_cache_key\":\"x\",\"user\":\"u\""), "",
         MESSAGES(USER, ",\"prompt_cache_key\":\"y\",\"user\":\"u\""), false},
        {"", MESSAGES(USER, ",\"metadata\":{\"user_id\":\"x\"}"), "",
         MESSAGES(MORE, ",\"metadata\":{\"a\":1,\"user_id\":\"x\"}"), true},
        {"", MESSAGES(USER, ",\"user\":\"x\""), "", MESSAGES(USER, ",\"user\":\"y\""), false},
        {"", MESSAGES(USER "," ANSWER "," MORE, ""), "",
         MESSAGES(USER "," ANSWER "," MORE "," ANSWER "," USER, ""), true},
        {"", MESSAGES(USER "," ANSWER "," MORE, ""), "", MESSAGES(MORE "," ANSWER "," USER, ""),
         false},
        {"", MESSAGES(SYSTEM "," USER "," ANSWER, ""), "", MESSAGES(USER "," ANSWER, ""), false},
        {"", MESSAGES(USER "," ANSWER, ",\"system\":\"a\""), "",
         MESSAGES(USER "," ANSWER, ",\"system\":\"b\""), false},
        {"", "{\"input\":[" USER ",{\"type\":\"function_call\"}],\"instructions\":\"a\"}", "",
         "{\"instructions\":\"a\",\"input\":[" USER "," ANSWER "," MORE "]}", true},
        {"", MESSAGES(CACHED, ""), "", MESSAGES(CACHED "," ANSWER, ""), true},
    };
    for (unsigned i = 0; i < ROWS(rows); i++) {
        struct conversation_id one = read_id(rows[i].one_session, rows[i].one);
        struct conversation_id other = read_id(rows[i].other_session, rows[i].other);
        assert_row(i, one.is_known && other.is_known);
        assert_row(i, (memcmp(one.digest, other.digest, SHA256_BYTES) == 0) == rows[i].same);
    }
}

/* Of a long text the middle is not looked at; how long it is tells it from others. */
static void long_openings_are_told_apart(void **state)
{
    (void)state;
    enum { LEN = 3000 };
    static const struct {
        unsigned at, len;
        bool same;
    } rows[] = {{0, LEN, true},         {3, LEN, false},         {200, LEN, false},
                {LEN - 1, LEN, false},  {LEN - 250, LEN, false}, {1500, LEN, true},
                {1500, LEN - 1, false}, {1500, 500, false}};
    char text[2][LEN + 1], body[2][2 * LEN + 200];
    memset(text, 'a', sizeof text);
    for (unsigned i = 0; i < ROWS(rows); i++) {
        for (unsigned k = 0; k < 2; k++) {
            unsigned len = k == 0 ? LEN : rows[i].len;
            memset(text[k], 'a', LEN);
            text[k][len] = '\0';
            if (k == 1 && rows[i].at > 0 && rows[i].at < len)
                text[k][rows[i].at] = 'b';
            snprintf(body[k], sizeof body[k],
                     "{\"messages\":[{\"role\":\"user\",\"content\":\"%s\"}," ANSWER "]}", text[k]);
        }
        struct conversation_id one = read_id("", body[0]), other = read_id("", body[1]);
        assert_row(i, one.is_known && other.is_known);
        assert_row(i, (memcmp(one.digest, other.digest, SHA256_BYTES) == 0) == rows[i].same);
    }
}

static void an_hours_cache_is_a_long_conversation(void **state)
{
    (void)state;
    static const struct {
        const char *body;
        bool is_long;
    } rows[] = {
        {MESSAGES(CACHED, ""), false},
        {MESSAGES(USER, ",\"cache_control\":{\"ttl\":\"5m\"}"), false},
        {MESSAGES(USER, ",\"cache_control\":{\"ttl\" : \"1h\"}"), true},
        {MESSAGES(USER, ",\"cache_control\":{\"ttl\":3600}"), true},
        {MESSAGES(USER, ",\"cache_control\":{\"ttl\":300},\"b\":{\"ttl\":\"1h\"}"), true},
        {MESSAGES(USER, ",\"x\":\"\\\"ttl\\\":\\\"1h\\\"\""), false},
        {"{\"ttl\"", false},
    };
    for (unsigned i = 0; i < ROWS(rows); i++)
        assert_row(i, read_id("s", rows[i].body).is_long_lived == rows[i].is_long);
}

static void fields_that_name_one_are_known(void **state)
{
    (void)state;
    assert_true(conversation_id_is_field(SPAN_LIT("Session_Id")));
    assert_true(conversation_id_is_field(SPAN_LIT("X-Claude-Code-Session-Id")));
    assert_false(conversation_id_is_field(SPAN_LIT("x-request-id")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_lone_question_is_no_conversation),
        cmocka_unit_test(what_goes_together_has_one_id),
        cmocka_unit_test(long_openings_are_told_apart),
        cmocka_unit_test(an_hours_cache_is_a_long_conversation),
        cmocka_unit_test(fields_that_name_one_are_known),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
