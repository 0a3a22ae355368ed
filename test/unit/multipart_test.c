#include "unit.h"

#include "sluice/format/multipart.h"

#define LINE "--b\r\n"
#define DISPOSITION "Content-Disposition: form-data; "
#define PART(name, value) LINE DISPOSITION "name=\"" name "\"\r\n\r\n" value "\r\n"
#define HEAD(fields) LINE fields "\r\n\r\nx\r\n--b--"
#define LAST "--b--\r\n"

/* "name=value file!=value"; or the problem. */
static void describe(const char *body, char *out, size_t size)
{
    struct span s = span_text(body);
    uint8_t *copy = exact_copy(s);
    struct multipart m;
    enum multipart_status status;
    size_t at = 0;
    out[0] = '\0';
    multipart_init(&m, span_of(copy, s.len), SPAN_LIT("b"));
    while ((status = multipart_next(&m)) == MULTIPART_PART) {
        assert_true(m.part.start < m.part.value_at && m.part.value_at < m.part.end);
        assert_true(m.part.value.at == copy + m.part.value_at);
        if (at < size)
            at += (size_t)snprintf(out + at, size - at, "%s%.*s%s=%.*s", at > 0 ? " " : "",
                                   SPAN_FMT(m.part.name), m.part.is_file ? "!" : "",
                                   SPAN_FMT(m.part.value));
    }
    if (status == MULTIPART_INVALID) {
        assert_true(m.offset <= s.len);
        snprintf(out, size, "%s", m.problem);
    }
    free(copy);
}

static void what_two_readers_could_read_differently_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *body, *says;
    } rows[] = {
        /* the frame */
        {"", "does not begin"},
        {"--", "does not begin"},
        {"--a\r\n", "does not begin"},
        {"preamble\r\n--b\r\n", "does not begin"},
        {"\n--b--", "does not begin"},
        {"--b", "goes on"},
        {"--b\n" DISPOSITION "name=\"a\"\n\n1\n--b--\n", "goes on"},
        {"--b \r\n", "goes on"},
        {"--bb\r\n", "goes on"},
        {"--b-", "goes on"},
        {"--b\r\n", "head does not end"},
        {LINE DISPOSITION "name=\"a\"\r\n", "head does not end"},
        {LINE DISPOSITION "name=\"a\"\r\n\r\n", "without its last boundary"},
        {LINE DISPOSITION "name=\"a\"\r\n\r\n1", "without its last boundary"},
        {PART("a", "1"), "without its last boundary"},
        {PART("a", "1") "--b", "goes on"},
        {PART("a", "1") "--b--x", "behind its last"},
        {PART("a", "1") "--b--\r\n\r\n", "behind its last"},
        {PART("a", "1") "--b--\r\n--b\r\n", "behind its last"},
        {PART("a", "1\r\n--bc"), "goes on"},
        {PART("a", "1\n--b"), "line break of its own"},
        {PART("a", "--b"), "line break of its own"},
        {PART("a", "1\r--b"), "line break of its own"},
        {LINE DISPOSITION "name=\"a\"\r\n\r\n--b--", "line break of its own"},
        /* the head */
        {HEAD("Content-Type: text/plain"), "has no Content-Disposition"},
        {LINE "\r\nx\r\n--b--", "has no Content-Disposition"},
        {HEAD(DISPOSITION "name=\"a\"\r\n" DISPOSITION "name=\"b\""), "two Content-Dispositions"},
        {HEAD("Content-Disposition: attachment; name=\"a\""), "not form-data"},
        {HEAD("Content-Disposition: form-data"), "no name"},
        {HEAD(DISPOSITION "filename=\"a\""), "no name"},
        {HEAD(DISPOSITION "name=\"a\"; name=\"b\""), "two names"},
        {HEAD(DISPOSITION "name=\"a\"; NAME=b"), "two names"},
        {HEAD(DISPOSITION "name*=utf-8''a"), "in an encoding"},
        {HEAD(DISPOSITION "name=\"a\\\"b\""), "backslash"},
        {HEAD(DISPOSITION "name=\"a"), "cannot be read"},
        {HEAD(DISPOSITION "name=\"a\\\""), "cannot be read"},
        {HEAD(DISPOSITION "name=\"a\" filename=b"), "cannot be read"},
        {HEAD(DISPOSITION "name=\"a\"; filename=\"b\\\"; name=\"model\""), "cannot be read"},
        {HEAD(DISPOSITION "name = \"a\""), "cannot be read"},
        {HEAD(DISPOSITION "name=\"a\"; x"), "cannot be read"},
        {HEAD(DISPOSITION "name="), "cannot be read"},
        {HEAD(DISPOSITION "name=\"a\"\r\n folded"), "no field"},
        {HEAD(DISPOSITION "name=\"a\"\r\nX Y: 1"), "no field"},
        {HEAD(DISPOSITION "name=\"a\"\r\nX"), "no field"},
        {HEAD(DISPOSITION "name=\"a\"\r\n: 1"), "no field"},
        {HEAD(DISPOSITION "name=\"a\"\nX: 1"), "control character"},
        {HEAD(DISPOSITION "name=\"a\x01\""), "control character"},
        {HEAD(DISPOSITION "name=\"a\"\r\nContent-Transfer-Encoding: base64"), "encoded"},
    };
    for (unsigned i = 0; i < ROWS(rows); i++) {
        char got[256];
        describe(rows[i].body, got, sizeof got);
        if (strstr(got, rows[i].says) == NULL)
            print_error("row %u: %s\n", i, got);
        assert_row(i, strstr(got, rows[i].says) != NULL);
    }
}

static void parts_lie_where_they_are(void **state)
{
    (void)state;
    static const struct {
        const char *body, *parts;
    } rows[] = {
        {"--b--", ""},
        {LAST, ""},
        {"\r\n--b--\r\n", ""},
        {PART("a", "1") LAST, "a=1"},
        {PART("a", "") LAST, "a="},
        {PART("", "1") LAST, "=1"},
        {"\r\n" PART("a", "1") PART("b", "2") "--b--", "a=1 b=2"},
        {PART("a", "\r\n") LAST, "a=\r\n"},
        {PART("a", " --b") LAST, "a= --b"},
        {PART("a", "x--b--") LAST, "a=x--b--"},
        {PART("a", "--c\r\n--") LAST, "a=--c\r\n--"},
        {PART("a", "\xff\xfe") LAST, "a=\xff\xfe"},
        {HEAD(DISPOSITION "name=\"file\"; filename=\"a b.mp3\"\r\nContent-Type: audio/mpeg"),
         "file!=x"},
        {HEAD(DISPOSITION "name=\"f\"; filename=\"a\\\"b;\\\\\""), "f!=x"},
        {HEAD(DISPOSITION "name=\"f\"; filename=\"\"; filename*=utf-8''%e2"), "f!=x"},
        {HEAD("content-disposition:form-data;name=model"), "model=x"},
        {HEAD("CONTENT-DISPOSITION: Form-Data ; Name=\"a\" ; size=3"), "a=x"},
        {HEAD("Content-Transfer-Encoding: 8bit\r\n" DISPOSITION "name=\"a\""), "a=x"},
        {HEAD(DISPOSITION "name=\"a\"; "), "a=x"},
        {HEAD(DISPOSITION "name=\"timestamp_granularities[]\""), "timestamp_granularities[]=x"},
    };
    for (unsigned i = 0; i < ROWS(rows); i++) {
        char got[256];
        describe(rows[i].body, got, sizeof got);
        if (strcmp(got, rows[i].parts) != 0)
            print_error("row %u: %s\n", i, got);
        assert_row(i, strcmp(got, rows[i].parts) == 0);
    }
}

static void what_has_no_end_is_refused(void **state)
{
    (void)state;
    static char body[MULTIPART_PARTS_MAX * 64 + 8000];
    char got[256];
    size_t at = 0;
    for (unsigned i = 0; i < MULTIPART_PARTS_MAX; i++)
        at += (size_t)sprintf(body + at, "%s", PART("a", ""));
    strcpy(body + at, LAST);
    describe(body, got, sizeof got);
    assert_memory_equal(got, "a= a= a=", 8);
    strcpy(body + at, PART("a", "") LAST);
    describe(body, got, sizeof got);
    assert_string_equal(got, "it has too many parts");
    at = (size_t)sprintf(body, "%s", LINE DISPOSITION "name=\"a\"; filename=\"");
    memset(body + at, 'x', MULTIPART_HEAD_MAX);
    strcpy(body + at + MULTIPART_HEAD_MAX, "\"\r\n\r\nx\r\n--b--");
    describe(body, got, sizeof got);
    assert_non_null(strstr(got, "too large"));
}

static void the_boundary_is_found_in_its_field(void **state)
{
    (void)state;
    static const struct {
        const char *type, *boundary; /* NULL: none */
    } rows[] = {
        {"", NULL},
        {"multipart/form-data", NULL},
        {"multipart/form-data;", NULL},
        {"multipart/form-data; boundary", NULL},
        {"multipart/form-data; boundary=", NULL},
        {"multipart/form-data; boundary=\"\"", NULL},
        {"multipart/form-data; boundary=\"a", NULL},
        {"multipart/form-data; boundary=\"a \"", NULL},
        {"multipart/form-data; boundary=\"a\\b\"", NULL},
        {"multipart/form-data; boundary=a\xc3\xa9", NULL},
        {"multipart/form-data; boundary=a; boundary=b", NULL},
        {"multipart/form-data; boundary=a b", NULL},
        {"multipart/form-data; x; boundary=a", NULL},
        {"multipart/form-data; boundary=12345678901234567890123456789012345678901234567890"
         "123456789012345678901",
         NULL},
        {"multipart/form-data; boundary=a", "a"},
        {"multipart/form-data;boundary=----WebKitFormBoundary7MA4YWxk",
         "----WebKitFormBoundary7MA4YWxk"},
        {"multipart/form-data; charset=utf-8; BOUNDARY=\"a b'()+_,-./:=?\"", "a b'()+_,-./:=?"},
        {"multipart/form-data; boundary=a=b ; x=\"; boundary=c\"", "a=b"},
        {"multipart/form-data; boundary=12345678901234567890123456789012345678901234567890"
         "12345678901234567890",
         "1234567890123456789012345678901234567890123456789012345678901234567890"},
    };
    for (unsigned i = 0; i < ROWS(rows); i++) {
        struct span got = multipart_boundary(span_text(rows[i].type));
        assert_row(i, (got.len == 0) == (rows[i].boundary == NULL));
        assert_row(i, got.len == 0 || span_eq(got, span_text(rows[i].boundary)));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_two_readers_could_read_differently_is_refused),
        cmocka_unit_test(parts_lie_where_they_are),
        cmocka_unit_test(what_has_no_end_is_refused),
        cmocka_unit_test(the_boundary_is_found_in_its_field),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
