/* From text to a tree: what is refused, where, and what no file can make us do. */
#include "unit.h"

#include "../../src/config/node.h"

#include <time.h>

struct parsed {
    struct arena arena;
    struct findings findings;
    const struct node *root;
};

static struct parsed parse(struct span text)
{
    struct parsed p = {0};
    uint8_t *memory = exact_copy(text);
    arena_init(&p.arena, NULL, 0);
    p.root = yaml_parse(span_of(memory, text.len), "f", &p.arena, &p.findings);
    free(memory); /* the tree keeps nothing of it */
    return p;
}

static void parsed_fini(struct parsed *p)
{
    findings_fini(&p->findings);
    arena_fini(&p->arena);
}

static void what_is_wrong_is_said_with_its_place(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        unsigned line, column;
        const char *path, *says;
    } rows[] = {
        {"a: b: c", 1, 5, "", "mapping values are not allowed"},
        {"a: [1, 2", 2, 1, "", "close the list"},
        {"a:\n\tb: 1", 2, 1, "", "indent with spaces"},
        {"a: \"b", 1, 6, "", "a quote is not closed"},
        {"a: 1\nb: 2\na: 3", 3, 1, "a", "given before"},
        {"m:\n  x: 1\n  \"x\": 2", 3, 3, "m.x", "given before"},
        {"l:\n  - { x: 1, x: 2 }", 2, 13, "l[0].x", "given before"},
        {"a: *b", 1, 4, "a", "alias without an anchor"},
        {"a: &a { b: *a }", 1, 12, "a.b", "inside the value it stands for"},
        {"a: &a [ *a ]", 1, 9, "a[0]", "inside the value it stands for"},
        {"? [a]\n: b", 1, 3, "", "a key must be text"},
        {"? {a: b}\n: b", 1, 3, "", "a key must be text"},
        {"a: 1\n---\nb: 2", 2, 1, "", "a second document"},
        {"a: \"x\\0y\"", 1, 4, "a", "NUL"},
        {"<<: 1", 1, 1, "", "<< takes a map"},
        {"<<: [1]", 1, 1, "", "<< takes a map"},
        {"a: \xff", 1, 1, "", "not UTF-8"},
        {"a: \x01", 1, 1, "", "not UTF-8"},
        {"@a: 1", 1, 1, "", "quote values"},
        {"%TAG !a! x\n---\na: 1", 0, 0, "", "directives"},
    };
    for (size_t i = 0; i < ROWS(rows); i++) {
        struct parsed p = parse(span_text(rows[i].text));
        assert_row(i, p.findings.errors == 1 && p.findings.n == 1);
        const struct finding *f = p.findings.at;
        if (strstr(f->err.text, rows[i].says) == NULL || f->err.line != rows[i].line ||
            f->err.column != rows[i].column || strcmp(f->path, rows[i].path) != 0)
            print_error("%u:%u %s: %s\n", f->err.line, f->err.column, f->path, f->err.text);
        assert_row(i, strstr(f->err.text, rows[i].says) != NULL);
        if (strstr(rows[i].says, "UTF-8") == NULL) { /* libyaml reads ahead there */
            assert_row(i, f->err.line == rows[i].line && f->err.column == rows[i].column);
        }
        assert_string_equal(f->path, rows[i].path);
        parsed_fini(&p);
    }
}

static void a_tree_keeps_texts_and_places(void **state)
{
    (void)state;
    struct parsed p = parse(SPAN_LIT("a: no\nb: { c: '1', d: [x, ~] }\n"));
    assert_int_equal(p.findings.n, 0);
    const struct node *a = node_get(p.root, "a"), *b = node_get(p.root, "b");
    assert_span(a->text, "no");
    assert_true(a->plain);
    assert_int_equal(b->line, 2);
    assert_int_equal(b->column, 4);
    assert_span(node_get(b, "c")->text, "1");
    assert_false(node_get(b, "c")->plain);
    const struct node *d = node_get(b, "d");
    assert_int_equal(d->nentries, 2);
    assert_true(node_is_null(d->entries[1].value));
    assert_int_equal(d->entries[1].column, 21);
    assert_null(node_get(d, "x"));
    assert_null(node_get(NULL, "x"));
    parsed_fini(&p);
}

static void json_is_yaml(void **state)
{
    (void)state;
    struct parsed p = parse(SPAN_LIT("{\"a\": {\"b\": [1, true, null, \"\\u00e9\"]}}"));
    assert_int_equal(p.findings.n, 0);
    const struct node *list = node_get(node_get(p.root, "a"), "b");
    assert_int_equal(list->nentries, 4);
    assert_span(list->entries[3].value->text, "é");
    parsed_fini(&p);
}

static void nothing_is_an_empty_map(void **state)
{
    (void)state;
    static const char *const texts[] = {"", "\n\n", "# only a comment\n", "---\n...\n"};
    for (size_t i = 0; i < ROWS(texts); i++) {
        struct parsed p = parse(span_text(texts[i]));
        assert_row(i, p.root != NULL && p.findings.n == 0);
        assert_row(i, p.root->nentries == 0 || node_is_null(p.root));
        parsed_fini(&p);
    }
}

static void merges_do_not_override(void **state)
{
    (void)state;
    struct parsed p = parse(SPAN_LIT("x-a: &a { one: 1, two: 2 }\n"
                                     "x-b: &b { two: B, three: 3 }\n"
                                     "m: { <<: [*a, *b], one: own }\n"
                                     "n: { <<: *b }\n"));
    assert_int_equal(p.findings.n, 0);
    const struct node *m = node_get(p.root, "m");
    assert_int_equal(m->nentries, 3);
    assert_span(node_get(m, "one")->text, "own");
    assert_span(node_get(m, "two")->text, "2");
    assert_span(node_get(m, "three")->text, "3");
    assert_span(node_get(node_get(p.root, "n"), "three")->text, "3");
    parsed_fini(&p);
}

static void refuses_with(struct buf *text, const char *says)
{
    struct timespec start, end;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &start);
    struct parsed p = parse(buf_span(text));
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &end);
    assert_null(p.root);
    assert_int_equal(p.findings.errors, 1);
    assert_non_null(strstr(p.findings.at[0].err.text, says));
    assert_true(end.tv_sec - start.tv_sec < 20); /* with sanitizers, on a busy machine */
    parsed_fini(&p);
    buf_fini(text);
}

static void a_billion_laughs_are_refused(void **state)
{
    (void)state;
    struct buf text = {0};
    assert_int_equal(buf_add_text(&text, "a0: &a0 [x, x, x, x, x, x, x, x, x]\n"), 0);
    for (int i = 1; i < 20; i++) {
        assert_int_equal(buf_addf(&text, "a%d: &a%d [", i, i), 0);
        for (int j = 0; j < 9; j++)
            assert_int_equal(buf_addf(&text, "*a%d, ", i - 1), 0);
        assert_int_equal(buf_add_text(&text, "]\n"), 0);
    }
    refuses_with(&text, "too large");
}

static void depth_is_bounded_through_aliases_too(void **state)
{
    (void)state;
    struct buf text = {0};
    for (int i = 0; i < 100000; i++)
        assert_int_equal(buf_add_text(&text, "["), 0);
    refuses_with(&text, "nested too deeply");
    assert_int_equal(buf_add_text(&text, "a0: &a0 x\n"), 0);
    for (int i = 1; i < 40; i++)
        assert_int_equal(buf_addf(&text, "a%d: &a%d [*a%d]\n", i, i, i - 1), 0);
    refuses_with(&text, "too deep");
}

static void a_large_file_is_refused_unread(void **state)
{
    (void)state;
    struct buf text = {0};
    assert_int_equal(buf_reserve(&text, YAML_TEXT_MAX + 1), 0);
    memset(text.at, ' ', YAML_TEXT_MAX + 1);
    text.tail = YAML_TEXT_MAX + 1;
    refuses_with(&text, "larger than");
}

/* Every key twice: as many findings as a file can cause, and no more memory than a hundred. */
static void findings_are_bounded(void **state)
{
    (void)state;
    struct buf text = {0};
    for (int i = 0; i < 5000; i++)
        assert_int_equal(buf_addf(&text, "k%d: 1\nk%d: 2\n", i, i), 0);
    struct parsed p = parse(buf_span(&text));
    assert_int_equal(p.findings.errors, 5000);
    assert_int_equal(p.findings.n, FINDINGS_MAX);
    buf_clear(&text);
    assert_int_equal(findings_write(&p.findings, false, &text), 0);
    assert_true(span_find(buf_span(&text), SPAN_LIT("and 4900 more\n5000 errors, 0 warnings\n")) !=
                SIZE_MAX);
    parsed_fini(&p);
    buf_fini(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_wrong_is_said_with_its_place),
        cmocka_unit_test(a_tree_keeps_texts_and_places),
        cmocka_unit_test(json_is_yaml),
        cmocka_unit_test(nothing_is_an_empty_map),
        cmocka_unit_test(merges_do_not_override),
        cmocka_unit_test(a_billion_laughs_are_refused),
        cmocka_unit_test(depth_is_bounded_through_aliases_too),
        cmocka_unit_test(a_large_file_is_refused_unread),
        cmocka_unit_test(findings_are_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
