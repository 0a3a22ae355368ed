#include "unit.h"

#include "sluice/codec/form_request.h"

#define FIELD(name, value) \
    "--b\r\nContent-Disposition: form-data; name=\"" name "\"\r\n\r\n" value "\r\n"
#define FILE_OF(value) \
    "--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a\"\r\n\r\n" value "\r\n"
#define SOUND FILE_OF("sound")
#define END "--b--\r\n"

struct bench {
    struct arena arena;
    uint8_t *memory;
    struct span body;
    struct openai_request request;
    struct fault why;
};

static bool read_form(struct bench *b, const char *body, const char *path_model)
{
    b->body = span_text(body);
    b->memory = exact_copy(b->body);
    b->body.at = b->memory;
    arena_init(&b->arena, NULL, 256);
    const struct form form = {
        .body = b->body,
        .boundary = SPAN_LIT("b"),
        .path_model = span_text(path_model),
        .file_max_bytes = 32,
    };
    return form_request_read(&form, &b->request, &b->why);
}

static void let_go(struct bench *b)
{
    arena_fini(&b->arena);
    free(b->memory);
}

static void a_bad_form_is_refused_by_the_name_of_its_field(void **state)
{
    (void)state;
    static const struct {
        const char *body, *param, *says;
        unsigned status;
    } rows[] = {
        {"", "", "not a valid form: it does not begin with its boundary, at byte 0", 400},
        {FIELD("model", "m") SOUND, "", "ends too early", 400},
        {END, "model", "missing", 400},
        {SOUND END, "model", "missing", 400},
        {FIELD("Model", "m") SOUND END, "model", "missing", 400},
        {FIELD("model", "") SOUND END, "model", "1 to 512", 400},
        {FIELD("model", "a\tb") SOUND END, "model", "control", 400},
        {FIELD("model", "m") FIELD("model", "n") SOUND END, "model", "twice", 400},
        {FIELD("model", "m") FIELD("stream", "yes") SOUND END, "stream", "true or false", 400},
        {FIELD("model", "m") FIELD("provider", "") SOUND END, "provider", "holds JSON", 400},
        {FIELD("model", "m") FIELD("provider", "{\"a\":") SOUND END, "provider", "holds JSON", 400},
        {FIELD("model", "m") FIELD("provider", "{} {}") SOUND END, "provider", "holds JSON", 400},
        {FIELD("model", "m") FIELD("provider[sort]", "price") SOUND END, "provider", "holds JSON",
         400},
        {FIELD("models[]", "m") SOUND END, "models", "holds JSON", 400},
        {FIELD("model", "m") FILE_OF("0123456789abcdef0123456789abcdefg") END, "file",
         "server.file_max", 413},
    };
    for (unsigned i = 0; i < ROWS(rows); i++) {
        struct bench b;
        assert_row(i, !read_form(&b, rows[i].body, NULL));
        assert_row(i, strcmp(b.why.param, rows[i].param) == 0);
        assert_row(i, strstr(b.why.message, rows[i].says) != NULL);
        assert_row(i, fault_status(&b.why) == rows[i].status);
        let_go(&b);
    }
}

static void what_a_form_says_is_understood(void **state)
{
    (void)state;
    static const struct {
        const char *body, *path_model, *model, *provider, *models;
        bool stream, wants_text, has_subject;
    } rows[] = {
        {FIELD("model", "m") SOUND END, NULL, "m", .has_subject = true},
        {FIELD("model", "m") FIELD("url", "https://h/a.mp3") END, NULL, "m", .has_subject = true},
        {FIELD("model", "m") END, NULL, "m"},
        {FIELD("model", " m \xc3\xa9") END, NULL, " m \xc3\xa9"},
        {FIELD("file", "x") END, "bot", "bot", .has_subject = true},
        {FIELD("model", "m") END, "bot", "bot"},
        {FIELD("models", "[\"a\"]") END, NULL, "", .models = "[\"a\"]"},
        {FIELD("model", "m") FIELD("models", " \"a\"\n") END, NULL, "m", .models = "\"a\""},
        {FIELD("model", "m") FIELD("provider", "\n{\"sort\":\"price\"} ") END, NULL, "m",
         .provider = "{\"sort\":\"price\"}"},
        {FIELD("model", "m") FIELD("stream", "TRUE") END, NULL, "m", .stream = true},
        {FIELD("model", "m") FIELD("stream", "0") END, NULL, "m"},
        {FIELD("model", "m") FIELD("stream", "") END, NULL, "m"},
        {FIELD("model", "m") FIELD("response_format", "vtt") END, NULL, "m", .wants_text = true},
        {FIELD("model", "m") FIELD("response_format", "verbose_json") END, NULL, "m"},
        {FIELD("model", "m") FIELD("response_format", "") END, NULL, "m"},
    };
    for (unsigned i = 0; i < ROWS(rows); i++) {
        struct bench b;
        const struct openai_request *r = &b.request;
        assert_row(i, read_form(&b, rows[i].body, rows[i].path_model));
        assert_row(i, span_eq(r->model, span_text(rows[i].model)));
        assert_row(i, span_eq(r->provider, span_text(rows[i].provider)));
        assert_row(i, span_eq(r->models, span_text(rows[i].models)));
        assert_row(i, r->stream == rows[i].stream && r->wants_text == rows[i].wants_text);
        assert_row(i, r->has_subject == rows[i].has_subject);
        let_go(&b);
    }
}

static void only_the_model_changes(void **state)
{
    (void)state;
    static const struct {
        const char *body, *path_model, *result;
    } rows[] = {
        {FIELD("model", "m") SOUND END, NULL, FIELD("model", "up/m") SOUND END},
        {SOUND FIELD("model", "m") "--b--", NULL, SOUND FIELD("model", "up/m") "--b--"},
        {"\r\n" FIELD("model", "m") END, NULL, "\r\n" FIELD("model", "up/m") END},
        {FIELD("model", "up/m") SOUND END, NULL, FIELD("model", "up/m") SOUND END},
        {SOUND END, "bot", FIELD("model", "up/m") SOUND END},
        {"\r\n" END, "bot", "\r\n" FIELD("model", "up/m") END},
        {FIELD("model", "m") SOUND END, "bot", FIELD("model", "up/m") SOUND END},
        {FIELD("models", "[]") SOUND END, NULL, FIELD("model", "up/m") SOUND END},
        {FIELD("provider", "{}") FIELD("usage", "") FIELD("model", "m") FIELD("session_id", "1")
             SOUND FIELD("idempotency_key", "k") END,
         NULL, FIELD("model", "up/m") SOUND END},
        {FIELD("a", "--") FIELD("usage[include]", "true") FIELD("model", "m") END, NULL,
         FIELD("a", "--") FIELD("model", "up/m") END},
    };
    for (unsigned i = 0; i < ROWS(rows); i++) {
        struct bench b;
        struct json_splice splice;
        struct span spans[2 * SPLICE_EDITS_MAX + 1];
        struct buf out = {0};
        size_t total;
        assert_row(i, read_form(&b, rows[i].body, rows[i].path_model));
        form_request_splice(&b.request, SPAN_LIT("up/m"), &b.arena, &splice);
        unsigned n = splice_spans(&splice, b.body, spans, &total);
        for (unsigned k = 0; k < n; k++)
            assert_int_equal(buf_add(&out, spans[k]), 0);
        assert_row(i, buf_len(&out) == total);
        assert_span(buf_span(&out), rows[i].result);
        buf_fini(&out);
        let_go(&b);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_bad_form_is_refused_by_the_name_of_its_field),
        cmocka_unit_test(what_a_form_says_is_understood),
        cmocka_unit_test(only_the_model_changes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
