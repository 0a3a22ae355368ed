#include "unit.h"

#include "../../src/app/base_url.h"

static void urls_are_refused_with_a_reason(void **state)
{
    (void)state;
    static const char *const rows[][2] = {
        {"", "write http://"},
        {"127.0.0.1:4000", "write http://"},
        {"ftp://h/v1", "write http://"},
        {"HTTP", "write http://"},
        {"http://", "needs a host"},
        {"http:///v1", "needs a host"},
        {"http://:4000/v1", "needs a host"},
        {"http://h:/v1", "needs a host"},
        {"http://[::1/v1", "needs a host"},
        {"http://[::1]4000/v1", "needs a host"},
        {"http://[]/v1", "needs a host"},
        {"http://h:0/v1", "a port is"},
        {"http://h:65536/v1", "a port is"},
        {"http://h:4x/v1", "a port is"},
        {"http://::1/v1", "needs a host"},
        {"http://fe80::1/v1", "a port is"},
        {"http://u:p@h/v1", "credentials"},
        {"http://h/v1?key=x", "no query"},
        {"http://h/v1#x", "no query"},
        {"http://h/v1\r\nHost: x", "control characters"},
        {"http://h /v1", "blanks"},
        {"unix:relative.sock", "begins with a slash"},
        {"unix:", "begins with a slash"},
        {"unix:/s:v1", "a prefix begins"},
    };
    for (unsigned i = 0; i < ROWS(rows); i++) {
        struct base_url u;
        struct err why = {0};
        if (base_url_parse(rows[i][0], &u, &why) == 0)
            fail_msg("%s was accepted", rows[i][0]);
        if (strstr(why.text, rows[i][1]) == NULL)
            fail_msg("%s: %s", rows[i][0], why.text);
    }
}

static void over_long_parts_are_refused(void **state)
{
    (void)state;
    static const char *const starts[] = {"http://", "http://h/", "unix:/", "unix:/s:/"};
    for (unsigned i = 0; i < ROWS(starts); i++) {
        char text[600];
        struct base_url u;
        struct err why = {0};
        memset(text, 'a', sizeof text);
        memcpy(text, starts[i], strlen(starts[i]));
        text[sizeof text - 1] = '\0';
        assert_true(base_url_parse(text, &u, &why) < 0);
        assert_true(err_is_set(&why));
    }
}

static void urls_come_apart(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool https;
        const char *host;
        unsigned port;
        const char *unix_path, *host_header, *prefix, *root;
    } rows[] = {
        {"http://127.0.0.1:4000/v1", false, "127.0.0.1", 4000, "", "127.0.0.1:4000", "/v1", ""},
        {"http://127.0.0.1:4000/v1///", false, "127.0.0.1", 4000, "", "127.0.0.1:4000", "/v1", ""},
        {"http://localhost", false, "localhost", 80, "", "localhost", "/v1", ""},
        {"https://h.example/", true, "h.example", 443, "", "h.example", "/v1", ""},
        {"https://h.example:8443/ai/v1", true, "h.example", 8443, "", "h.example:8443", "/ai/v1",
         "/ai"},
        {"http://h/ai", false, "h", 80, "", "h", "/ai", "/ai"},
        {"http://h/api/v10", false, "h", 80, "", "h", "/api/v10", "/api/v10"},
        {"http://[::1]:4000/v1", false, "::1", 4000, "", "[::1]:4000", "/v1", ""},
        {"http://[::1]/v1", false, "::1", 80, "", "[::1]", "/v1", ""},
        {"unix:/run/s.sock", false, "", 0, "/run/s.sock", "localhost", "/v1", ""},
        {"unix:/run/s.sock:/api/v1", false, "", 0, "/run/s.sock", "localhost", "/api/v1", "/api"},
    };
    for (unsigned i = 0; i < ROWS(rows); i++) {
        struct base_url u;
        struct err why = {0};
        if (base_url_parse(rows[i].text, &u, &why) < 0)
            fail_msg("%s: %s", rows[i].text, why.text);
        assert_int_equal(u.https, rows[i].https);
        assert_string_equal(u.host, rows[i].host);
        assert_int_equal(u.port, rows[i].port);
        assert_string_equal(u.unix_path, rows[i].unix_path);
        assert_string_equal(u.host_header, rows[i].host_header);
        assert_string_equal(u.prefix, rows[i].prefix);
        assert_string_equal(u.root, rows[i].root);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(urls_are_refused_with_a_reason),
        cmocka_unit_test(over_long_parts_are_refused),
        cmocka_unit_test(urls_come_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
