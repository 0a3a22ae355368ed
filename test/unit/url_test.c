/* URLs somebody else wrote: bad rows first. */
#include "unit.h"

#include "sluice/format/url.h"

static struct arena arena;

static int begin(void **state)
{
    (void)state;
    arena_init(&arena, NULL, 1024);
    return 0;
}

static int end(void **state)
{
    (void)state;
    arena_fini(&arena);
    return 0;
}

static const char *parse(const char *text, struct url *out)
{
    struct span s = span_text(text);
    uint8_t *copy = exact_copy(s);
    const char *problem = url_parse(span_of(copy, s.len), &arena, out);
    free(copy);
    return problem;
}

static void what_could_mislead_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *text, *problem;
    } rows[] = {
        {"", "it begins with neither https:// nor http://"},
        {"cat.png", "it begins with neither https:// nor http://"},
        {"/cat.png", "it begins with neither https:// nor http://"},
        {"//h/cat.png", "it begins with neither https:// nor http://"},
        {"http:/h", "it begins with neither https:// nor http://"},
        {"http:h", "it begins with neither https:// nor http://"},
        {"ftp://h/", "it begins with neither https:// nor http://"},
        {"file:///etc/passwd", "it begins with neither https:// nor http://"},
        {"gopher://127.0.0.1:6379/_x", "it begins with neither https:// nor http://"},
        {" http://h", "it begins with neither https:// nor http://"},
        {"http://", "it has no host name"},
        {"http:///x", "it has no host name"},
        {"http://?x", "it has no host name"},
        {"http://:80/", "it has no host name"},
        {"http://#h", "it has no host name"},
        {"http://h h/", "it has no host name"},
        {"http://h%2eexample/", "it has no host name"},
        {"http://h\\@evil/", "it holds a user name or a password"},
        {"http://h\\.evil/", "it has no host name"},
        {"http://b\xc3\xbc"
         "cher.example/",
         "it has no host name"},
        {"http://user@h/", "it holds a user name or a password"},
        {"http://user:pass@h/", "it holds a user name or a password"},
        {"http://@h/", "it holds a user name or a password"},
        {"http://h@[::1]/", "it holds a user name or a password"},
        {"http://[::1/", "it has a [ that is not closed"},
        {"http://[]/", "it has no host name"},
        {"http://[127.0.0.1]/", "it has no host name"},
        {"http://[fe80::1%25eth0]/", "it has no host name"},
        {"http://[::1]x/", "its port is none"},
        {"http://::1/", "it has no host name"},
        {"http://h:/", "its port is none"},
        {"http://h:0/", "its port is none"},
        {"http://h:65536/", "its port is none"},
        {"http://h:+80/", "its port is none"},
        {"http://h:80:80/", "its port is none"},
        {"http://h/\r\nX: y", "it holds a control character"},
        {"http://h/\tx", "it holds a control character"},
        {"http://h/\x7f", "it holds a control character"},
    };
    for (unsigned i = 0; i < ROWS(rows); i++) {
        struct url u;
        const char *problem = parse(rows[i].text, &u);
        if (problem == NULL || strcmp(problem, rows[i].problem) != 0) {
            print_error("row %u (%s): %s\n", i, rows[i].text, problem);
            fail();
        }
    }
}

static void too_long_a_url_is_refused(void **state)
{
    (void)state;
    char *text = malloc(URL_MAX + 2);
    struct url u;
    memset(text, 'x', URL_MAX + 1);
    memcpy(text, "http://h/", 9);
    assert_string_equal(url_parse(span_of(text, URL_MAX + 1), &arena, &u),
                        "it is longer than 8 KiB");
    assert_null(url_parse(span_of(text, URL_MAX), &arena, &u));
    free(text);
}

static void a_url_falls_into_its_parts(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool https;
        const char *host, *authority, *target;
        uint16_t port;
    } rows[] = {
        {"http://example.org", false, "example.org", "example.org", "/", 80},
        {"HTTPS://Example.ORG/a", true, "Example.ORG", "Example.ORG", "/a", 443},
        {"https://h:443/", true, "h", "h", "/", 443},
        {"https://h:80/", true, "h", "h:80", "/", 80},
        {"http://h:8080?q=1", false, "h", "h:8080", "/?q=1", 8080},
        {"http://h/a?b=c/d?e#f?g", false, "h", "h", "/a?b=c/d?e", 80},
        {"http://h#f", false, "h", "h", "/", 80},
        {"http://[::1]/x", false, "::1", "[::1]", "/x", 80},
        {"http://[2001:db8::1]:81/x", false, "2001:db8::1", "[2001:db8::1]:81", "/x", 81},
        {"http://127.1/x", false, "127.1", "127.1", "/x", 80},
        {"http://a_b.c-d/x", false, "a_b.c-d", "a_b.c-d", "/x", 80},
        {"http://h/a b/\xc3\xa9?\"<>\\^`{|}", false, "h", "h",
         "/a%20b/%C3%A9?%22%3C%3E%5C%5E%60%7B%7C%7D", 80},
        {"http://h/a%20b%2F@:;,=", false, "h", "h", "/a%20b%2F@:;,=", 80},
        {"http://h/../x/./y", false, "h", "h", "/../x/./y", 80},
    };
    for (unsigned i = 0; i < ROWS(rows); i++) {
        struct url u;
        assert_row(i, parse(rows[i].text, &u) == NULL);
        assert_row(i, u.https == rows[i].https && u.port == rows[i].port);
        assert_string_equal(u.host, rows[i].host);
        assert_string_equal(u.authority, rows[i].authority);
        assert_string_equal(u.target, rows[i].target);
    }
}

static void a_location_is_read_where_it_was_found(void **state)
{
    (void)state;
    static const struct {
        const char *reference, *problem;
        bool https;
        const char *authority, *target;
    } rows[] = {
        {"ftp://h/", "it begins with neither https:// nor http://", false, NULL, NULL},
        {"javascript:1", "it begins with neither https:// nor http://", false, NULL, NULL},
        {"//user@h/", "it holds a user name or a password", false, NULL, NULL},
        {"//", "it has no host name", false, NULL, NULL},
        {"/a\nb", "it holds a control character", false, NULL, NULL},
        {"http://other/x", NULL, false, "other", "/x"},
        {"//other:81/x", NULL, true, "other:81", "/x"},
        {"/x?y=z", NULL, true, "h:8443", "/x?y=z"},
        {"x", NULL, true, "h:8443", "/a/b/x"},
        {"x/y:z", NULL, true, "h:8443", "/a/b/x/y:z"},
        {"./x", NULL, true, "h:8443", "/a/b/x"},
        {"../x", NULL, true, "h:8443", "/a/x"},
        {"../../../x", NULL, true, "h:8443", "/x"},
        {"..", NULL, true, "h:8443", "/a/"},
        {".", NULL, true, "h:8443", "/a/b/"},
        {"/..", NULL, true, "h:8443", "/"},
        {"/x/../y//z/.", NULL, true, "h:8443", "/y//z/"},
        {"?n", NULL, true, "h:8443", "/a/b/c?n"},
        {"", NULL, true, "h:8443", "/a/b/c?q"},
        {"#f", NULL, true, "h:8443", "/a/b/c?q"},
        {"x y?\xc3\xa9", NULL, true, "h:8443", "/a/b/x%20y?%C3%A9"},
    };
    struct url base;
    assert_null(parse("https://h:8443/a/b/c?q#f", &base));
    for (unsigned i = 0; i < ROWS(rows); i++) {
        struct url u;
        const char *problem = url_resolve(&base, span_text(rows[i].reference), &arena, &u);
        if (rows[i].problem != NULL) {
            assert_row(i, problem != NULL && strcmp(problem, rows[i].problem) == 0);
            continue;
        }
        assert_row(i, problem == NULL && u.https == rows[i].https);
        assert_string_equal(u.authority, rows[i].authority);
        assert_string_equal(u.target, rows[i].target);
    }
}

static void percent_signs_stand_for_bytes(void **state)
{
    (void)state;
    static const struct {
        const char *text, *bytes; /* NULL: refused */
    } rows[] = {
        {"%", NULL},      {"%4", NULL},   {"%zz", NULL},  {"a%4", NULL},    {"%%41", NULL},
        {"", ""},         {"abc", "abc"}, {"%41b", "Ab"}, {"a%2fb", "a/b"}, {"%c3%A9", "\xc3\xa9"},
        {"%2541", "%41"}, {"+", "+"},
    };
    for (unsigned i = 0; i < ROWS(rows); i++) {
        size_t len = strlen(rows[i].text);
        uint8_t *copy = exact_copy(span_text(rows[i].text));
        bool ok = percent_decode(copy, &len);
        assert_row(i, ok == (rows[i].bytes != NULL));
        if (ok)
            assert_span(span_of(copy, len), rows[i].bytes);
        free(copy);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_could_mislead_is_refused),
        cmocka_unit_test(too_long_a_url_is_refused),
        cmocka_unit_test(a_url_falls_into_its_parts),
        cmocka_unit_test(a_location_is_read_where_it_was_found),
        cmocka_unit_test(percent_signs_stand_for_bytes),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
