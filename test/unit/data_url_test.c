/* Content that is its own address: bad rows first. */
#include "unit.h"

#include "../../src/codec/data_url.h"

static void a_data_url_comes_apart(void **state)
{
    static const struct {
        const char *raw; /* the inside of a JSON string */
        enum data_url_kind kind;
        const char *type, *data;
    } rows[] = {
        {"", DATA_URL_NONE, NULL, NULL},
        {"data", DATA_URL_NONE, NULL, NULL},
        {"https://h/data:image/png;base64,AA", DATA_URL_NONE, NULL, NULL},
        {" data:image/png;base64,AA", DATA_URL_NONE, NULL, NULL},
        {"data:", DATA_URL_BAD, NULL, NULL},
        {"data:image/png;base64", DATA_URL_BAD, NULL, NULL},
        {"data:image/png;base64,", DATA_URL_BAD, NULL, NULL},
        {"data:;base64,AA", DATA_URL_BAD, NULL, NULL},
        {"data:base64,", DATA_URL_BAD, NULL, NULL},
        {"data:,", DATA_URL_BAD, NULL, NULL},
        {"data:text/plain,", DATA_URL_BAD, NULL, NULL},
        {"data:text/plain,%", DATA_URL_BAD, NULL, NULL},
        {"data:text/plain,%4", DATA_URL_BAD, NULL, NULL},
        {"data:text/plain,%4g", DATA_URL_BAD, NULL, NULL},
        {"data:text/plain,\\ud800", DATA_URL_BAD, NULL, NULL},
        {"data:image/png;base64,QUJD", DATA_URL_READ, "image/png", "QUJD"},
        {"DATA:image/png;BASE64,QUJD", DATA_URL_READ, "image/png", "QUJD"},
        {"data:image/png;name=a.png;base64,QUJD", DATA_URL_READ, "image/png", "QUJD"},
        {"data:image\\/png;base64,QU\\/D", DATA_URL_READ, "image\\/png", "QU\\/D"},
        {"data:image/png;base64,not,looked,at", DATA_URL_READ, "image/png", "not,looked,at"},
        {"data:,hello", DATA_URL_READ, "text/plain", "aGVsbG8="},
        {"data:;charset=utf-8,hello", DATA_URL_READ, "text/plain", "aGVsbG8="},
        {"data:text/csv;charset=utf-8,a%2Cb", DATA_URL_READ, "text/csv", "YSxi"},
        {"data:text/plain,%68%65llo", DATA_URL_READ, "text/plain", "aGVsbG8="},
        {"data:text/plain,h\\u0065llo", DATA_URL_READ, "text/plain", "aGVsbG8="},
        {"data:image/gif,%47IF%00%ff", DATA_URL_READ, "image/gif", "R0lGAP8="},
        {"data:text/plain;base64;x=y,hello", DATA_URL_READ, "text/plain", "aGVsbG8="},
    };
    (void)state;
    for (unsigned i = 0; i < ROWS(rows); i++) {
        struct arena arena;
        struct data_url url = {0};
        struct span raw = span_text(rows[i].raw);
        uint8_t *copy = exact_copy(raw);
        arena_init(&arena, NULL, 256);
        assert_row(i, data_url_read(span_of(copy, raw.len), &arena, &url) == rows[i].kind);
        if (rows[i].kind == DATA_URL_READ) {
            assert_span(url.media_type, rows[i].type);
            assert_span(url.data, rows[i].data);
        }
        arena_fini(&arena);
        free(copy);
    }
}

static void a_head_is_looked_for_within_bounds(void **state)
{
    char text[400];
    struct arena arena;
    struct data_url url;
    (void)state;
    arena_init(&arena, NULL, 256);
    memset(text, 'x', sizeof text);
    memcpy(text, "data:", 5);
    memcpy(text + 300, ";base64,QUJD", 12);
    assert_int_equal(data_url_read(span_of(text, 312), &arena, &url), DATA_URL_BAD);
    arena_fini(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_data_url_comes_apart),
        cmocka_unit_test(a_head_is_looked_for_within_bounds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
