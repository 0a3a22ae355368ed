#include "unit.h"

#include "sluice/format/json_scan.h"

/* What a scan found, in a form that can be compared. */
struct outcome {
    bool complete;
    const char *problem;
    size_t offset, open, end;
    unsigned nmembers;
    struct json_member member[16];
};

static bool drain(struct json_scan *s, struct span *piece, struct outcome *o)
{
    enum json_status status;
    while ((status = json_scan_next(s, piece)) == JSON_MEMBER) {
        assert_true(o->nmembers < ROWS(o->member));
        o->member[o->nmembers++] = s->member;
    }
    if (status == JSON_INVALID) {
        o->problem = s->problem;
        assert_non_null(o->problem);
        assert_int_equal(json_scan_next(s, piece), JSON_INVALID); /* and it stays so */
        return false;
    }
    assert_int_equal(piece->len, 0);
    return true;
}

/* Cut at `cut`, and from there on every `step` bytes. Each piece is memory of its own. */
static struct outcome scan(struct span text, size_t cut, size_t step)
{
    struct json_scan s;
    struct outcome o = {0};
    bool going = true;
    json_scan_init(&s);
    for (size_t at = 0, len = cut; going && at < text.len; at += len, len = step) {
        struct span piece = span_sub(text, at, len);
        uint8_t *memory = exact_copy(piece);
        piece.at = memory;
        going = drain(&s, &piece, &o);
        free(memory);
    }
    o.complete = going && json_scan_finish(&s);
    o.offset = s.offset;
    o.open = s.open;
    o.end = s.end;
    return o;
}

static bool same_member(const struct json_member *a, const struct json_member *b)
{
    return a->key.start == b->key.start && a->key.end == b->key.end &&
           a->value.start == b->value.start && a->value.end == b->value.end &&
           a->comma_before == b->comma_before && a->comma_after == b->comma_after &&
           a->kind == b->kind;
}

static bool same(const struct outcome *a, const struct outcome *b)
{
    if (a->complete != b->complete || a->problem != b->problem || a->offset != b->offset ||
        a->open != b->open || a->end != b->end || a->nmembers != b->nmembers)
        return false;
    for (unsigned i = 0; i < a->nmembers; i++)
        if (!same_member(&a->member[i], &b->member[i]))
            return false;
    return true;
}

/* Whole, byte by byte, in sevens, and split at every offset. */
static struct outcome scan_all_ways(struct span text)
{
    struct outcome whole = scan(text, text.len, 1), other = scan(text, 1, 1);
    assert_true(same(&whole, &other));
    other = scan(text, 7, 7);
    assert_true(same(&whole, &other));
    for (size_t cut = 1; cut < text.len; cut++) {
        other = scan(text, cut, text.len);
        assert_true(same(&whole, &other));
    }
    return whole;
}

static void what_is_no_json_is_refused_at_its_byte(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t offset; /* where it goes wrong; its length when it is merely unfinished */
    } rows[] = {
        {"", 0},
        {" ", 1},
        {"{", 1},
        {"[", 1},
        {"}", 0},
        {"]", 0},
        {",", 0},
        {":", 0},
        {"{]", 1},
        {"[}", 1},
        {"{}}", 2},
        {"[]]", 2},
        {"{} {}", 3},
        {"1 2", 2},
        {"nul", 3},
        {"nulL", 3},
        {"True", 0},
        {"nulll", 4},
        {"truefalse", 4},
        {"NaN", 0},
        {"Infinity", 0},
        {"-Infinity", 1},
        {"undefined", 0},
        {"{a:1}", 1},
        {"{'a':1}", 1},
        {"{\"a\"}", 4},
        {"{\"a\" 1}", 5},
        {"{\"a\":}", 5},
        {"{\"a\":,}", 5},
        {"{\"a\":1,}", 7},
        {"{\"a\":1,,\"b\":2}", 7},
        {"{\"a\":1 \"b\":2}", 7},
        {"{\"a\":1;", 6},
        {"{\"a\"::1}", 5},
        {"{,\"a\":1}", 1},
        {"{\"a\":1]", 6},
        {"{1:1}", 1},
        {"{\"a\":{\"b\":1,}}", 12},
        {"{\"a\":[1,]}", 8},
        {"[1,]", 3},
        {"[,1]", 1},
        {"[1,,2]", 3},
        {"[1 2]", 3},
        {"[1:2]", 2},
        {"[1}", 2},
        {"[\"a\":1]", 4},
        {"+1", 0},
        {".5", 0},
        {"-", 1},
        {"-a", 1},
        {"--1", 1},
        {"01", 1},
        {"-01", 2},
        {"00", 1},
        {"1.", 2},
        {"1.e1", 2},
        {"1.5.2", 3},
        {"1e", 2},
        {"1e+", 3},
        {"1e+-1", 3},
        {"1e1.5", 3},
        {"1E1E1", 3},
        {"0x10", 1},
        {"1_000", 1},
        {"[-]", 2},
        {"[1.]", 3},
        {"[1e]", 3},
        {"\"", 1},
        {"\"a", 2},
        {"\"\\", 2},
        {"\"\\\"", 3},
        {"\"a\nb\"", 2},
        {"\"\t\"", 1},
        {"\"0123456789abcdef\x1f\"", 17},
        {"\"\\a\"", 2},
        {"\"\\x41\"", 2},
        {"\"\\'\"", 2},
        {"\"\\u\"", 3},
        {"\"\\u12\"", 5},
        {"\"\\u12g4\"", 5},
        {"\"\\U0041\"", 2},
        {"\"a\"b", 3},
        {"'a'", 0},
        {"/* */ 1", 0},
        {"1 // one", 2},
        {"\xef\xbb\xbf{}", 0},
        {"\v1", 0},
        {"[\f]", 1},
        {"\xc2\xa0 1", 0},
    };
    for (unsigned i = 0; i < ROWS(rows); i++) {
        struct outcome o = scan_all_ways(span_text(rows[i].text));
        assert_row(i, !o.complete);
        assert_row(i, o.offset == rows[i].offset);
        assert_row(i, (o.problem == NULL) == (o.offset == strlen(rows[i].text)));
    }
}

static void a_nul_is_no_white_space_and_no_text(void **state)
{
    (void)state;
    assert_false(scan_all_ways(span_of("{}\0", 3)).complete);
    assert_false(scan_all_ways(span_of("\0", 1)).complete);
    assert_false(scan_all_ways(span_of("\"a\0b\"", 5)).complete);
    assert_false(scan_all_ways(span_of("[1\0]", 4)).complete);
}

static void what_is_json_is_accepted(void **state)
{
    (void)state;
    static const char *const rows[] = {
        "{}",
        "[]",
        " { } ",
        "\t\r\n [ \n ] \r\n",
        "null",
        "true ",
        " false",
        "0",
        "-0",
        "-0.0e-0",
        "12345678901234567890123456789012345678901234567890",
        "1234567.1234567e+1234567",
        "1E400",
        "0.1",
        "\"\"",
        "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e9\\uD83D\\uDE00\"",
        "\"\\ud800\"", /* a lone surrogate is grammatical */
        "\"0123456789abcde\"",
        "\"0123456789abcdef\"",
        "\"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\\n\"",
        "\"\x7f\xff\xc3\xa9\"",
        "[[],[[]],{},[{}],{\"a\":[]}]",
        "[0,1,-1,1.5,true,false,null,\"\",{},[]]",
        "{\"\":{\"\":{\"\":[]}}}",
        "{\"a\":1,\"a\":1}",
    };
    for (unsigned i = 0; i < ROWS(rows); i++) {
        struct outcome o = scan_all_ways(span_text(rows[i]));
        assert_row(i, o.complete && o.problem == NULL);
        assert_row(i, o.offset == strlen(rows[i]));
    }
}

static void members_are_reported_with_their_commas(void **state)
{
    (void)state;
    static const char text[] =
        " { \"a\" : 12 ,\"b\\\"\":\"x\\n\", \"c\":{\"d\":[1,{}]} ,\"e\":null} ";
    static const struct {
        const char *key, *value;
        enum json_kind kind;
    } rows[] = {
        {"a", "12", JSON_NUMBER},
        {"b\\\"", "\"x\\n\"", JSON_STRING},
        {"c", "{\"d\":[1,{}]}", JSON_OBJECT},
        {"e", "null", JSON_NULL},
    };
    struct span whole = span_text(text);
    struct outcome o = scan_all_ways(whole);
    assert_true(o.complete);
    assert_int_equal(o.open, 1);
    assert_int_equal(o.end, strlen(text) - 1);
    assert_int_equal(o.nmembers, ROWS(rows));
    size_t comma = SIZE_MAX;
    for (unsigned i = 0; i < ROWS(rows); i++) {
        const struct json_member *m = &o.member[i];
        assert_span(span_sub(whole, m->key.start, m->key.end - m->key.start), rows[i].key);
        assert_span(json_value(whole, m), rows[i].value);
        assert_int_equal(m->kind, rows[i].kind);
        assert_true(m->comma_before == comma);
        comma = m->comma_after;
        assert_true(comma == SIZE_MAX || text[comma] == ',');
    }
    assert_true(comma == SIZE_MAX);
}

static void only_the_outermost_object_reports(void **state)
{
    (void)state;
    assert_int_equal(scan_all_ways(SPAN_LIT("[{\"a\":1},{\"b\":2}]")).nmembers, 0);
    assert_int_equal(scan_all_ways(SPAN_LIT("{\"a\":{\"b\":{\"c\":3}}}")).nmembers, 1);
    assert_int_equal(scan_all_ways(SPAN_LIT("{\"a\":true,\"b\":[true],\"c\":-1}")).nmembers, 3);
}

static void the_outermost_value_says_where_it_is(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t open, end;
        enum json_kind root;
    } rows[] = {
        {" [1] ", 1, 4, JSON_ARRAY}, {"\"a\"", 0, 3, JSON_STRING}, {"  12", 2, 4, JSON_NUMBER},
        {"12 ", 0, 2, JSON_NUMBER},  {"true", 0, 4, JSON_TRUE},    {" false", 1, 6, JSON_FALSE},
    };
    for (unsigned i = 0; i < ROWS(rows); i++) {
        struct outcome o = scan_all_ways(span_text(rows[i].text));
        assert_row(i, o.complete && o.open == rows[i].open && o.end == rows[i].end);
        struct json_scan s;
        struct span rest = span_text(rows[i].text);
        json_scan_init(&s);
        (void)json_scan_next(&s, &rest);
        assert_row(i, s.root == rows[i].root);
    }
}

static void a_bare_number_is_complete_only_at_the_end(void **state)
{
    (void)state;
    struct json_scan s;
    struct span text = SPAN_LIT("12");
    json_scan_init(&s);
    assert_int_equal(json_scan_next(&s, &text), JSON_MORE);
    struct json_scan ahead = s; /* a copy may try */
    assert_true(json_scan_finish(&ahead));
    text = SPAN_LIT("e");
    assert_int_equal(json_scan_next(&s, &text), JSON_MORE);
    assert_false(json_scan_finish(&s));
    text = SPAN_LIT("3 ");
    assert_int_equal(json_scan_next(&s, &text), JSON_DONE);
    text = SPAN_LIT(" \n");
    assert_int_equal(json_scan_next(&s, &text), JSON_DONE);
    text = SPAN_LIT(" x");
    assert_int_equal(json_scan_next(&s, &text), JSON_INVALID);
}

static void nesting_stops_at_the_limit(void **state)
{
    (void)state;
    char text[2 * JSON_DEPTH_MAX + 3];
    for (unsigned excess = 0; excess < 2; excess++) {
        size_t depth = JSON_DEPTH_MAX + excess;
        memset(text, '[', depth);
        memset(text + depth, ']', depth);
        struct outcome o = scan(span_of(text, 2 * depth), 2 * depth, 1);
        assert_true(o.complete == (excess == 0));
        assert_int_equal(o.offset, excess == 0 ? 2 * depth : JSON_DEPTH_MAX);
    }
}

/* Alternating containers down to the limit: what was opened last is what must be closed. */
static void containers_are_remembered_at_every_level(void **state)
{
    (void)state;
    char text[8 * JSON_DEPTH_MAX];
    size_t len = 0;
    for (unsigned i = 0; i < JSON_DEPTH_MAX; i++)
        len += (size_t)sprintf(text + len, "%s", i % 3 == 0 ? "{\"k\":" : "[");
    text[len++] = '1';
    size_t open = len;
    for (unsigned i = JSON_DEPTH_MAX; i-- > 0;)
        text[len++] = i % 3 == 0 ? '}' : ']';
    assert_true(scan(span_of(text, len), 5, 3).complete);
    for (size_t at = open; at < len; at++) {
        text[at] ^= '}' ^ ']';
        struct outcome o = scan(span_of(text, len), len, 1);
        assert_true(!o.complete && o.offset == at);
        text[at] ^= '}' ^ ']';
    }
}

/* Every special byte at every place of a run that takes all the step sizes. */
static void a_long_string_ends_where_it_ends(void **state)
{
    (void)state;
    char text[200];
    for (size_t len = 1; len < sizeof(text) - 2; len++) {
        memset(text, 'x', sizeof(text));
        text[0] = text[len] = '"';
        uint8_t *memory = exact_copy(span_of(text, len + 1));
        assert_true(scan(span_of(memory, len + 1), len + 1, 1).complete);
        for (size_t at = 1; at < len; at++) {
            uint8_t kept = memory[at];
            memory[at] = 0x1f;
            assert_int_equal(scan(span_of(memory, len + 1), len + 1, 1).offset, at);
            memory[at] = '"';
            assert_int_equal(scan(span_of(memory, len + 1), len + 1, 1).offset, at + 1);
            memory[at] = kept;
        }
        free(memory);
    }
}

/* Every byte behind a backslash, at every place of a 64-byte step and of the one behind it. */
static void an_escape_is_one_of_nine_wherever_it_stands(void **state)
{
    (void)state;
    for (unsigned c = 0; c < 256; c++) {
        bool known = c != 0 && strchr("\"\\/bfnrt", (int)c) != NULL;
        for (unsigned before = 0; before < 140; before++) {
            uint8_t text[420] = "\"";
            size_t len = 1;
            memset(text + len, 'x', before);
            len += before;
            text[len++] = '\\';
            text[len++] = (uint8_t)c;
            memset(text + len, 'y', 200);
            len += 200;
            text[len++] = '"';
            struct json_scan s;
            struct span rest = span_of(text, len);
            json_scan_init(&s);
            assert_int_equal(json_scan_next(&s, &rest) == JSON_DONE, known);
        }
    }
}

static void members_are_found_by_name_at_any_depth(void **state)
{
    (void)state;
    static const struct {
        const char *text, *values; /* each ends at its first , ] or } */
    } rows[] = {
        {"", ""},
        {"{}", ""},
        {"{\"k\":1}", "1"},
        {"{\"k\" : \t\r\n1,\"a\":[{\"k\":2}]}", "1 2"},
        {"{\"a\":\"k\",\"b\":[\"k\", \"k\"],\"k\":3}", "3"}, /* as a value it is none */
        {"{\"a\":\"\\\"k\\\":4\"}", ""},                     /* text that looks like one */
        {"{\"k\":\"k\"}", "\"k\""},
        {"{\"kk\":5,\"k\"", ""},
        {"{\"k\":", ""},
    };
    for (unsigned i = 0; i < ROWS(rows); i++) {
        char found[64] = "";
        struct span text = span_text(rows[i].text), value;
        uint8_t *memory = exact_copy(text);
        struct span rest = span_of(memory, text.len);
        while (json_find_named(&rest, SPAN_LIT("\"k\""), &value)) {
            size_t len = 0, at = strlen(found);
            while (len < value.len && memchr(",]}", value.at[len], 3) == NULL)
                len++;
            snprintf(found + at, sizeof found - at, "%s%.*s", at > 0 ? " " : "", (int)len,
                     (const char *)value.at);
        }
        free(memory);
        assert_row(i, strcmp(found, rows[i].values) == 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_no_json_is_refused_at_its_byte),
        cmocka_unit_test(a_nul_is_no_white_space_and_no_text),
        cmocka_unit_test(what_is_json_is_accepted),
        cmocka_unit_test(members_are_reported_with_their_commas),
        cmocka_unit_test(only_the_outermost_object_reports),
        cmocka_unit_test(the_outermost_value_says_where_it_is),
        cmocka_unit_test(a_bare_number_is_complete_only_at_the_end),
        cmocka_unit_test(nesting_stops_at_the_limit),
        cmocka_unit_test(containers_are_remembered_at_every_level),
        cmocka_unit_test(a_long_string_ends_where_it_ends),
        cmocka_unit_test(an_escape_is_one_of_nine_wherever_it_stands),
        cmocka_unit_test(members_are_found_by_name_at_any_depth),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
