#include "unit.h"

#include "sluice/codec/openai_request.h"

#include <yyjson.h>

struct bench {
    struct arena arena;
    uint8_t block[256];
    struct openai_request request;
    struct fault why;
    uint8_t *body; /* in memory of its own size */
    struct span text;
};

static bool read_body(struct bench *b, const char *body, enum api_protocol api)
{
    arena_init(&b->arena, b->block, sizeof(b->block));
    b->why = (struct fault){.status = 0};
    b->body = exact_copy(span_text(body));
    b->text = span_of(b->body, strlen(body));
    return openai_request_read(b->text, api, &b->arena, &b->request, &b->why);
}

static void let_go(struct bench *b)
{
    arena_fini(&b->arena);
    free(b->body);
}

/* What the provider gets; the caller frees it. */
static struct buf spliced_as(struct bench *b, const struct openai_wanted *wanted)
{
    struct json_splice splice;
    struct span spans[2 * SPLICE_EDITS_MAX + 1];
    struct buf out = {0};
    size_t total;
    openai_request_splice(&b->request, b->text, wanted, &b->arena, &splice);
    unsigned n = splice_spans(&splice, b->text, spans, &total);
    for (unsigned i = 0; i < n; i++)
        assert_int_equal(buf_add(&out, spans[i]), 0);
    assert_int_equal(buf_len(&out), total);
    return out;
}

static struct buf spliced(struct bench *b, const char *upstream_model)
{
    return spliced_as(b, &(struct openai_wanted){.model = span_text(upstream_model)});
}

/* --- what is refused ----------------------------------------------------------------------------- */

#define SEALED "\"reasoning.encrypted_content\""
#define EMBED(input) "{\"model\":\"m\",\"input\":" input "}"
#define MESSAGES "\"messages\":[{}]"
#define SEEDS "\"seed\":1,\"seed\":1,\"seed\":1,\"seed\":1,\"seed\":1,"
#define ELEVEN                                                                                   \
    "\"usage\":null,\"usage\":null,\"usage\":null,\"usage\":null,\"usage\":null,\"usage\":null," \
    "\"usage\":null,\"usage\":null,\"usage\":null,\"usage\":null,\"usage\":null,"

static void a_bad_request_is_refused_by_the_name_of_its_member(void **state)
{
    (void)state;
    static const struct {
        const char *body, *param, *says;
        enum api_protocol api;
    } rows[] = {
        /* not JSON, or no object */
        {"", "", "not valid JSON: it ends too early at byte 0", API_CHAT},
        {"{", "", "it ends too early at byte 1", API_CHAT},
        {"{\"model\":\"m\"", "", "it ends too early at byte 12", API_CHAT},
        {"{\"model\":\"m\"}x", "", "at byte 13", API_CHAT},
        {"{\"model\":\"m\",}", "", "at byte 13", API_CHAT},
        {"{'model':'m'}", "", "at byte 1", API_CHAT},
        {"\xef\xbb\xbf{\"model\":\"m\"}", "", "at byte 0", API_CHAT},
        {"{\"model\":\"m\",\"a\":01}", "", "not valid JSON", API_CHAT},
        {"{\"model\":\"m\",\"a\":\"\n\"}", "", "not valid JSON", API_CHAT},
        {"[{\"model\":\"m\"}]", "", "must be a JSON object", API_CHAT},
        {"\"model\"", "", "must be a JSON object", API_CHAT},
        {"null", "", "must be a JSON object", API_CHAT},
        /* model */
        {"{}", "model", "missing", API_CHAT},
        {"{" MESSAGES "}", "model", "missing", API_CHAT},
        {"{\"Model\":\"m\"}", "model", "missing", API_CHAT},
        {"{\"a\":{\"model\":\"m\"}}", "model", "missing", API_CHAT},
        {"{\"model\":null}", "model", "must be a string", API_CHAT},
        {"{\"model\":5}", "model", "must be a string", API_CHAT},
        {"{\"model\":[\"m\"]}", "model", "must be a string", API_CHAT},
        {"{\"model\":\"\"}", "model", "1 to 512 characters", API_CHAT},
        {"{\"model\":\"m\",\"model\":\"m\"}", "model", "twice", API_CHAT},
        {"{\"model\":\"m\",\"mod\\u0065l\":\"n\"}", "model", "twice", API_CHAT},
        {"{\"model\":\"\\ud800\"}", "model", "not valid text", API_CHAT},
        /* it goes into answer heads and logs */
        {"{\"model\":\"a\\r\\nSet-Cookie: b\"}", "model", "control", API_CHAT},
        {"{\"model\":\"a\\u0000b\"}", "model", "control", API_CHAT},
        {"{\"model\":\"a\x7f\"}", "model", "control", API_CHAT},
        /* types */
        {"{\"model\":\"m\",\"stream\":\"true\"}", "stream", "must be true or false", API_CHAT},
        {"{\"model\":\"m\",\"stream\":1}", "stream", "must be true or false", API_CHAT},
        {"{\"model\":\"m\",\"stream\":true}", "stream", "cannot be streamed", API_EMBEDDINGS},
        /* embeddings */
        {EMBED("null"), "input", "must be a text", API_EMBEDDINGS},
        {EMBED("5"), "input", "must be a text", API_EMBEDDINGS},
        {EMBED("true"), "input", "must be a text", API_EMBEDDINGS},
        {EMBED("[\"a\",null]"), "input[1]", "a text, a list of tokens or an object",
         API_EMBEDDINGS},
        {EMBED("[\"a\",\"b\",\"c\", 4]"), "input[3]", "cannot be mixed", API_EMBEDDINGS},
        {EMBED("[true]"), "input[0]", "a text, a list of tokens or an object", API_EMBEDDINGS},
        {EMBED("[1,2,\"a\"]"), "input[2]", "nothing but whole numbers", API_EMBEDDINGS},
        {EMBED("[1, 2.5]"), "input[1]", "nothing but whole numbers", API_EMBEDDINGS},
        {EMBED("[-1]"), "input[0]", "nothing but whole numbers", API_EMBEDDINGS},
        {EMBED("[1,[2]]"), "input[1]", "nothing but whole numbers", API_EMBEDDINGS},
        {EMBED("[[1],[2,null]]"), "input[1][1]", "nothing but whole numbers", API_EMBEDDINGS},
        {EMBED("[[\"a\"]]"), "input[0][0]", "nothing but whole numbers", API_EMBEDDINGS},
        {EMBED("[[1],2]"), "input[1]", "cannot be mixed", API_EMBEDDINGS},
        {EMBED("\"x\",\"encoding_format\":\"int8\""), "encoding_format", "must be \"float\"",
         API_EMBEDDINGS},
        {EMBED("\"x\",\"encoding_format\":5"), "encoding_format", "must be \"float\"",
         API_EMBEDDINGS},
        {EMBED("\"x\",\"dimensions\":0"), "dimensions", "above 0", API_EMBEDDINGS},
        {EMBED("\"x\",\"dimensions\":-3"), "dimensions", "above 0", API_EMBEDDINGS},
        {EMBED("\"x\",\"dimensions\":1.5"), "dimensions", "above 0", API_EMBEDDINGS},
        {EMBED("\"x\",\"dimensions\":\"8\""), "dimensions", "above 0", API_EMBEDDINGS},
        {EMBED("\"x\",\"d\\u0069mensions\":[]"), "dimensions", "above 0", API_EMBEDDINGS},
        /* pictures and sound */
        {"{\"model\":\"m\",\"stream\":1}", "stream", "must be true or false", API_IMAGES},
        {"{\"model\":\"m\",\"async\":1}", "async", "must be true or false", API_IMAGES},
        {"{\"model\":\"m\",\"async\":true}", "async", "not offered yet", API_IMAGES},
        {"{\"async\":true,\"a\":1}", "async", "not offered yet", API_IMAGES},
        {"{\"voice\":\"m\"}", "model", "missing", API_SPEECH},
        {"{\"model\":\"m\",\"messages\":\"hi\"}", "messages", "must be an array", API_CHAT},
        {"{\"model\":\"m\",\"messages\":{}}", "messages", "must be an array", API_CHAT},
        {"{\"model\":\"m\",\"messages\":null}", "messages", "must be an array", API_CHAT},
        {"{\"model\":\"m\",\"messages\":[]}", "messages", "must not be empty", API_CHAT},
        {"{\"model\":\"m\",\"messages\":[ \n]}", "messages", "must not be empty", API_CHAT},
        {"{\"model\":\"m\",\"stream_options\":true}", "stream_options", "must be an object",
         API_CHAT},
        {"{\"model\":\"m\",\"stream_options\":[]}", "stream_options", "must be an object",
         API_CHAT},
        {"{\"model\":\"m\",\"stream_options\":{\"include_usage\":1}}",
         "stream_options.include_usage", "must be true or false", API_CHAT},
        {"{\"model\":\"m\",\"stream_options\":null,\"stream_options\":null}", "stream_options",
         "twice", API_CHAT},
        {"{\"model\":\"m\",\"usage\":true}", "usage", "must be an object", API_CHAT},
        {"{\"model\":\"m\",\"usage\":{\"include\":\"yes\"}}", "usage.include",
         "must be true or false", API_CHAT},
        {"{\"model\":\"m\",\"store\":\"no\"}", "store", "must be true or false", API_RESPONSES},
        {"{\"model\":\"m\",\"background\":1}", "background", "must be true or false",
         API_RESPONSES},
        {"{" SEEDS SEEDS SEEDS SEEDS SEEDS SEEDS SEEDS "\"model\":\"m\"}", "", "repeated too often",
         API_CHAT},
        {"{" ELEVEN ELEVEN ELEVEN "\"model\":\"m\"}", "", "repeated too often", API_CHAT},
    };
    for (unsigned i = 0; i < ROWS(rows); i++) {
        struct bench b;
        assert_row(i, !read_body(&b, rows[i].body, rows[i].api));
        if (strcmp(b.why.param, rows[i].param) != 0 || strstr(b.why.message, rows[i].says) == NULL)
            print_error("row %u said: %s: %s\n", i, b.why.param, b.why.message);
        assert_row(i, fault_status(&b.why) == 400);
        assert_row(i, strcmp(b.why.param, rows[i].param) == 0);
        assert_row(i, strstr(b.why.message, rows[i].says) != NULL);
        let_go(&b);
    }
}

static void embeddings_are_of_anything_that_may_be_right(void **state)
{
    (void)state;
    static const struct {
        const char *body;
        bool wants_base64;
    } rows[] = {
        {EMBED("\"\""), false},
        {EMBED("\"a text\""), false},
        {EMBED("[]"), false},
        {EMBED("[ ]"), false},
        {EMBED("[\"a\",\"\"]"), false},
        {EMBED("[ 0 , 17,100257 ]"), false},
        {EMBED("[[1,2],[3],[]]"), false},
        {EMBED("[\"a\",[1],{\"text\":\"b\"}]"), false},
        {EMBED("[[{\"type\":\"image_url\"}]]"), false},
        {EMBED("{\"image\":\"AAAA\"}"), false},
        {EMBED("\"x\",\"encoding_format\":null,\"dimensions\":null"), false},
        {EMBED("\"x\",\"encoding_format\":\"float\",\"dimensions\":1"), false},
        {EMBED("\"x\",\"encoding_format\":\"base64\",\"dimensions\":3072"), true},
    };
    for (unsigned i = 0; i < ROWS(rows); i++) {
        struct bench b;
        assert_row(i, read_body(&b, rows[i].body, API_EMBEDDINGS));
        assert_row(i, openai_request_is_complete(&b.request, API_EMBEDDINGS, &b.why));
        assert_row(i, b.request.wants_base64 == rows[i].wants_base64);
        let_go(&b);
    }
}

/* Of texts, or of lists of tokens; one list of tokens is one input, however long. */
static void a_request_has_2048_inputs_at_most(void **state)
{
    (void)state;
    static const struct {
        const char *item;
        unsigned n;
        bool is_good;
    } rows[] = {{"\"\"", 2048, true}, {"\"\"", 2049, false}, {"[1]", 2048, true},
                {"[1]", 2049, false}, {"{}", 2049, false},   {"7", 9000, true}};
    for (unsigned i = 0; i < ROWS(rows); i++) {
        struct buf body = {0};
        struct bench b;
        assert_int_equal(buf_add_text(&body, "{\"model\":\"m\",\"input\":["), 0);
        for (unsigned k = 0; k < rows[i].n; k++)
            assert_int_equal(buf_addf(&body, "%s%s", k > 0 ? "," : "", rows[i].item), 0);
        assert_int_equal(buf_add(&body, SPAN_LIT("]}\0")), 0);
        assert_row(i, read_body(&b, (const char *)body.at, API_EMBEDDINGS) == rows[i].is_good);
        if (!rows[i].is_good)
            assert_string_equal(b.why.param, "input");
        let_go(&b);
        buf_fini(&body);
    }
}

static void a_name_without_end_is_refused(void **state)
{
    (void)state;
    char body[1024];
    for (int len = 512; len <= 513; len++) {
        struct bench b;
        snprintf(body, sizeof(body), "{\"model\":\"%0*d\"}", len, 7);
        assert_int_equal(read_body(&b, body, API_CHAT), len == 512);
        let_go(&b);
    }
}

/* --- what is read -------------------------------------------------------------------------------- */

static void members_are_found_however_they_are_written(void **state)
{
    (void)state;
    static const struct {
        const char *body, *model;
        bool stream, wants_usage, wants_cost;
    } rows[] = {
        {"{\"model\":\"m\"}", "m", false, false, false},
        {" \t\r\n{ \"model\" \n:\t\"m\" } \n", "m", false, false, false},
        {"{\"mod\\u0065l\":\"a\\/b\\u00e4\"}", "a/b\xc3\xa4", false, false, false},
        {"{\"\\u006dodel\":\"m\",\"\\u0073tream\":true}", "m", true, false, false},
        {"{\"model\":\"m\",\"stream\":null}", "m", false, false, false},
        {"{\"model\":\"m\",\"stream\":false,\"stream\":true}", "m", true, false, false},
        {"{\"stream\":true,\"model\":\"m\",\"stream_options\":{\"include_usage\":true}}", "m", true,
         true, false},
        {"{\"stream_options\":{\"a\":[1],\"include_usage\" : false},\"stream\":true,\"model\":\"m\"}",
         "m", true, false, false},
        {"{\"model\":\"m\",\"usage\":{\"include\":true}}", "m", false, false, true},
        {"{\"model\":\"m\",\"usage\":{\"include\":null}}", "m", false, false, false},
        {"{\"model\":\"m\",\"usage\":null}", "m", false, false, false},
        {"{\"model\":\"m\",\"\":1,\"metadata\":{\"stream\":true,\"model\":5}}", "m", false, false,
         false},
        {"{\"model\":\"m\",\"messages\":[{\"content\":\"\\\"stream\\\":true\"}]}", "m", false,
         false, false},
    };
    for (unsigned i = 0; i < ROWS(rows); i++) {
        struct bench b;
        assert_row(i, read_body(&b, rows[i].body, API_CHAT));
        assert_row(i, span_eq(b.request.model, span_text(rows[i].model)));
        assert_row(i, b.request.stream == rows[i].stream);
        assert_row(i, b.request.wants_usage == rows[i].wants_usage);
        assert_row(i, b.request.wants_cost == rows[i].wants_cost);
        let_go(&b);
    }
}

/* --- what the provider gets ---------------------------------------------------------------------- */

#define ASK "\"stream_options\":{\"include_usage\":true}"

static void only_what_is_ours_changes(void **state)
{
    (void)state;
    static const struct {
        const char *body, *upstream_model, *result;
        enum api_protocol api;
    } rows[] = {
        /* nothing to do: every byte stays */
        {" { \"model\" : \"m\" , \"x\":1.0e+2 }\n", "m", " { \"model\" : \"m\" , \"x\":1.0e+2 }\n",
         API_CHAT},
        {"{\"model\":\"m\",\"a\":\"\\u00e4\\/\",\"b\":{\"provider\":1}}", "m",
         "{\"model\":\"m\",\"a\":\"\\u00e4\\/\",\"b\":{\"provider\":1}}", API_CHAT},
        {"{\"model\":\"m\",\"model_kwargs\":1,\"use\":2,\"\":3}", "m",
         "{\"model\":\"m\",\"model_kwargs\":1,\"use\":2,\"\":3}", API_CHAT},
        /* the model's name */
        {"{ \"model\" :  \"m\" ,\"x\":1}", "up/stream-1",
         "{ \"model\" :  \"up/stream-1\" ,\"x\":1}", API_CHAT},
        {"{\"mod\\u0065l\":\"\\u006d\"}", "n", "{\"mod\\u0065l\":\"n\"}", API_CHAT},
        {"{\"mod\\u0065l\":\"\\u006d\"}", "m", "{\"mod\\u0065l\":\"\\u006d\"}", API_CHAT},
        {"{\"model\":\"m\"}", "a\"b\\c", "{\"model\":\"a\\\"b\\\\c\"}", API_CHAT},
        /* members of the gateway: first, in the middle, last, neighbours */
        {"{\"provider\":{\"only\":[\"a\"]},\"model\":\"m\"}", "m", "{\"model\":\"m\"}", API_CHAT},
        {"{\"a\":1,\"provider\":2,\"model\":\"m\"}", "m", "{\"a\":1,\"model\":\"m\"}", API_CHAT},
        {"{\"model\":\"m\",\"provider\":2}", "m", "{\"model\":\"m\"}", API_CHAT},
        {"{\"model\":\"m\" , \"provider\" : 2 }", "m", "{\"model\":\"m\"  }", API_CHAT},
        {"{\"provider\":1,\"models\":[],\"model\":\"m\"}", "m", "{\"model\":\"m\"}", API_CHAT},
        {"{\"model\":\"m\",\"session_id\":\"s\",\"idempotency_key\":\"i\"}", "m",
         "{\"model\":\"m\"}", API_CHAT},
        {"{\"usage\":{\"include\":true},\"model\":\"m\",\"cache_strategy\":\"none\"}", "n",
         "{\"model\":\"n\"}", API_CHAT},
        {"{\"a\":1,\"provider\":1,\"provider\":2,\"b\":2,\"usage\":null,\"model\":\"m\"}", "m",
         "{\"a\":1,\"b\":2,\"model\":\"m\"}", API_CHAT},
        {"{\"\\u0070rovider\":1,\"model\":\"m\"}", "m", "{\"model\":\"m\"}", API_CHAT},
        {"{\"Provider\":1,\"model\":\"m\"}", "m", "{\"Provider\":1,\"model\":\"m\"}", API_CHAT},
        /* a stream is asked for its usage */
        {"{\"model\":\"m\",\"stream\":true}", "m", "{" ASK ",\"model\":\"m\",\"stream\":true}",
         API_CHAT},
        {" {\n\"model\":\"m\",\"stream\":true}", "n",
         " {" ASK ",\n\"model\":\"n\",\"stream\":true}", API_CHAT},
        {"{\"provider\":1,\"model\":\"m\",\"stream\":true}", "m",
         "{" ASK ",\"model\":\"m\",\"stream\":true}", API_CHAT},
        {"{\"model\":\"m\",\"stream\":true}", "m", "{" ASK ",\"model\":\"m\",\"stream\":true}",
         API_COMPLETIONS},
        {"{\"model\":\"m\",\"stream\":false}", "m", "{\"model\":\"m\",\"stream\":false}", API_CHAT},
        /* D-11: a list stands in the model's place */
        {"{\"models\":[\"x\"],\"a\":1}", "n", "{\"model\":\"n\",\"a\":1}", API_CHAT},
        {"{\"a\":1,\"models\":\"x\",\"stream\":true}", "n",
         "{\"model\":\"n\"," ASK ",\"a\":1,\"stream\":true}", API_CHAT},
        {"{\"model\":\"m\",\"stream\":true,\"stream_options\":null}", "m",
         "{\"model\":\"m\",\"stream\":true," ASK "}", API_CHAT},
        {"{\"model\":\"m\",\"stream\":true,\"stream_options\":{}}", "m",
         "{\"model\":\"m\",\"stream\":true," ASK "}", API_CHAT},
        {"{\"model\":\"m\",\"stream\":true,\"stream_options\":{ \n\t}}", "m",
         "{\"model\":\"m\",\"stream\":true,\"stream_options\":{\"include_usage\":true \n\t}}",
         API_CHAT},
        {"{\"model\":\"m\",\"stream\":true,\"stream_options\":{ \"include_obfuscation\":false}}",
         "m",
         "{\"model\":\"m\",\"stream\":true,\"stream_options\":{\"include_usage\":true, "
         "\"include_obfuscation\":false}}",
         API_CHAT},
        {"{\"stream_options\":{\"a\":1,\"include_usage\" : false },\"model\":\"m\",\"stream\":true}",
         "m",
         "{\"stream_options\":{\"a\":1,\"include_usage\" : true },\"model\":\"m\",\"stream\":true}",
         API_CHAT},
        {"{\"model\":\"m\",\"stream\":true,\"stream_options\":{\"include_usage\":null}}", "m",
         "{\"model\":\"m\",\"stream\":true," ASK "}", API_CHAT},
        {"{\"model\":\"m\",\"stream\":true,\"stream_options\":{\"include_usage\":true}}", "m",
         "{\"model\":\"m\",\"stream\":true," ASK "}", API_CHAT},
        {"{\"model\":\"m\",\"stream_options\":{\"include_usage\":false}}", "m",
         "{\"model\":\"m\",\"stream_options\":{\"include_usage\":false}}", API_CHAT},
        {"{\"model\":\"m\",\"input\":\"x\",\"stream_options\":5}", "m",
         "{\"model\":\"m\",\"input\":\"x\",\"stream_options\":5}", API_EMBEDDINGS},
        /* pictures and sound have no usage to be asked for */
        {"{\"model\":\"m\",\"stream\":true,\"async\":false}", "n",
         "{\"model\":\"n\",\"stream\":true}", API_IMAGES},
        {"{\"model\":\"m\",\"stream\":\"yes\",\"async\":5,\"stream_format\":\"sse\"}", "n",
         "{\"model\":\"n\",\"stream\":\"yes\",\"async\":5,\"stream_format\":\"sse\"}", API_SPEECH},
    };
    for (unsigned i = 0; i < ROWS(rows); i++) {
        struct bench b;
        assert_row(i, read_body(&b, rows[i].body, rows[i].api));
        struct buf out = spliced(&b, rows[i].upstream_model);
        if (!span_eq(buf_span(&out), span_text(rows[i].result)))
            print_error("row %u got: %.*s\n", i, SPAN_FMT(buf_span(&out)));
        assert_row(i, span_eq(buf_span(&out), span_text(rows[i].result)));
        yyjson_doc *doc = yyjson_read((const char *)out.at, buf_len(&out), 0);
        assert_row(i, doc != NULL);
        yyjson_doc_free(doc);
        buf_fini(&out);
        let_go(&b);
    }
}

static void its_own_texts_are_read(void **state)
{
    (void)state;
    static const struct {
        const char *members, *key; /* NULL: none */
        enum cache_strategy cache;
        const char *param; /* at fault; NULL: nothing is */
    } rows[] = {
        {"\"idempotency_key\":7", NULL, CACHE_VENDOR, "idempotency_key"},
        {"\"idempotency_key\":{}", NULL, CACHE_VENDOR, "idempotency_key"},
        {"\"idempotency_key\":\"\\ud800\"", NULL, CACHE_VENDOR, "idempotency_key"},
        {"\"idempotency_key\":\"a\",\"idempotency_key\":\"a\"", NULL, CACHE_VENDOR,
         "idempotency_key"},
        {"\"cache_strategy\":\"ours\"", NULL, CACHE_VENDOR, "cache_strategy"},
        {"\"cache_strategy\":true", NULL, CACHE_VENDOR, "cache_strategy"},
        {"\"a\":1", NULL, CACHE_VENDOR, NULL},
        {"\"idempotency_key\":null,\"cache_strategy\":null", NULL, CACHE_VENDOR, NULL},
        {"\"idempotency_key\":\"\"", "", CACHE_VENDOR, NULL}, /* for who judges keys */
        {"\"\\u0069dempotency_key\":\"\\u0061\\\"\"", "a\"", CACHE_VENDOR, NULL},
        {"\"cache_strategy\":\"infrai\",\"idempotency_key\":\"k\"", "k", CACHE_GATEWAY, NULL},
        {"\"cache_strategy\":\"sluice\"", NULL, CACHE_GATEWAY, NULL},
        {"\"cache_strategy\":\"none\"", NULL, CACHE_NONE, NULL},
    };
    for (unsigned i = 0; i < ROWS(rows); i++) {
        struct bench b;
        char body[256];
        snprintf(body, sizeof body, "{\"model\":\"m\",%s}", rows[i].members);
        bool is_read = read_body(&b, body, API_CHAT);
        assert_row(i, is_read == (rows[i].param == NULL));
        if (is_read) {
            assert_row(i, (b.request.idempotency_key.at == NULL) == (rows[i].key == NULL));
            assert_span(b.request.idempotency_key, rows[i].key != NULL ? rows[i].key : "");
            assert_row(i, b.request.cache == rows[i].cache);
        } else {
            assert_string_equal(b.why.param, rows[i].param);
        }
        let_go(&b);
    }
}

static void the_same_request_can_be_made_for_several_upstreams(void **state)
{
    (void)state;
    struct bench b;
    assert_true(read_body(&b, "{\"model\":\"m\",\"provider\":1}", API_CHAT));
    struct buf one = spliced(&b, "first"), two = spliced(&b, "second");
    assert_span(buf_span(&one), "{\"model\":\"first\"}");
    assert_span(buf_span(&two), "{\"model\":\"second\"}");
    buf_fini(&one);
    buf_fini(&two);
    let_go(&b);
}

/* Contract D-47: nobody keeps what nobody asked to keep. */
static void a_response_is_kept_only_where_somebody_said_so(void **state)
{
    (void)state;
    static const struct {
        const char *body, *forgotten, *encrypted;
        enum api_protocol api;
    } rows[] = {
        {"{\"model\":\"m\",\"store\":true}", NULL, NULL, API_RESPONSES},
        {"{\"model\":\"m\",\"store\":false,\"include\":[]}", NULL, NULL, API_RESPONSES},
        {"{\"model\":\"m\",\"background\":true}", NULL, NULL, API_RESPONSES},
        {"{\"model\":\"m\",\"messages\":[1],\"include\":[]}", NULL, NULL, API_CHAT},
        {"{\"model\":\"m\"}", "{\"store\":false,\"model\":\"m\"}",
         "{\"store\":false,\"include\":[" SEALED "],\"model\":\"m\"}", API_RESPONSES},
        {"{\"store\":null,\"model\":\"m\",\"background\":false}",
         "{\"store\":false,\"model\":\"m\",\"background\":false}",
         "{\"include\":[" SEALED "],\"store\":false,\"model\":\"m\",\"background\":false}",
         API_RESPONSES},
        {"{\"include\":[ ],\"model\":\"m\"}", "{\"store\":false,\"include\":[ ],\"model\":\"m\"}",
         "{\"store\":false,\"include\":[" SEALED " ],\"model\":\"m\"}", API_RESPONSES},
        {"{\"include\":null,\"model\":\"m\"}", "{\"store\":false,\"include\":null,\"model\":\"m\"}",
         "{\"store\":false,\"include\":[" SEALED "],\"model\":\"m\"}", API_RESPONSES},
        {"{\"include\":[\"a\"],\"model\":\"m\"}",
         "{\"store\":false,\"include\":[\"a\"],\"model\":\"m\"}",
         "{\"store\":false,\"include\":[" SEALED ",\"a\"],\"model\":\"m\"}", API_RESPONSES},
        {"{\"include\":[" SEALED "],\"model\":\"m\"}",
         "{\"store\":false,\"include\":[" SEALED "],\"model\":\"m\"}",
         "{\"store\":false,\"include\":[" SEALED "],\"model\":\"m\"}", API_RESPONSES},
    };
    for (unsigned i = 0; i < ROWS(rows); i++) {
        struct bench b;
        assert_row(i, read_body(&b, rows[i].body, rows[i].api));
        struct openai_wanted wanted = {.model = SPAN_LIT("m")};
        const char *const results[] = {rows[i].body, rows[i].forgotten, rows[i].encrypted};
        for (unsigned k = 0; k < ROWS(results); k++) {
            wanted.keeps_nothing = k > 0;
            wanted.encrypts_reasoning = k != 1;
            struct buf out = spliced_as(&b, &wanted);
            const char *expected = results[k] != NULL ? results[k] : rows[i].body;
            assert_row(i, span_eq(buf_span(&out), span_text(expected)));
            buf_fini(&out);
        }
        let_go(&b);
    }
}

/* As many members of ours as are noted, and the usage asked for: the list of edits has room. */
static void the_most_edits_a_request_can_need_fit(void **state)
{
    (void)state;
    struct buf body = {0};
    assert_int_equal(buf_add_text(&body, "{"), 0);
    for (unsigned i = 0; i < OPENAI_NOTED_MAX - 1; i++)
        assert_int_equal(buf_add_text(&body, "\"provider\":1,\"k\":2,"), 0);
    for (unsigned i = 0; i < OPENAI_PARAMETERS_MAX; i++)
        assert_int_equal(buf_add_text(&body, "\"output_config\":{\"effort\":\"low\",\"format\":{"
                                             "\"type\":\"json_schema\"}},"),
                         0);
    assert_int_equal(buf_add_text(&body, "\"stream\":true,\"model\":\"m\"}"), 0);
    assert_int_equal(buf_add_byte(&body, 0), 0);
    struct bench b;
    if (!read_body(&b, (const char *)body.at, API_CHAT))
        fail_msg("%s", b.why.message);
    const struct openai_wanted wanted = {.model = SPAN_LIT("n"), .unwanted = UINT32_MAX};
    struct buf out = spliced_as(&b, &wanted);
    assert_true(span_find(buf_span(&out), SPAN_LIT("provider")) == SIZE_MAX);
    assert_true(span_find(buf_span(&out), SPAN_LIT("effort")) == SIZE_MAX);
    assert_true(span_find(buf_span(&out), SPAN_LIT("schema")) == SIZE_MAX);
    assert_true(span_find(buf_span(&out), SPAN_LIT("\"model\":\"n\"")) != SIZE_MAX);
    assert_true(span_find(buf_span(&out), SPAN_LIT(ASK)) != SIZE_MAX);
    buf_fini(&out);
    buf_fini(&body);
    let_go(&b);
}

static void parameters_an_endpoint_does_not_take_are_left_out(void **state)
{
    (void)state;
    static const struct {
        const char *body;
        unsigned unwanted;
        const char *result;
        enum api_protocol api;
    } rows[] = {
#define SAMPLED \
    "{\"seed\":1,\"model\":\"m\", \"temperature\" : 0.5,\"messages\":[1],\"stop\":\"x\"}"
        {SAMPLED, 0, SAMPLED, API_CHAT},
        {SAMPLED, CAN_TOP_P, SAMPLED, API_CHAT},
        {SAMPLED, CAN_SEED,
         "{\"model\":\"m\", \"temperature\" : 0.5,\"messages\":[1],\"stop\":\"x\"}", API_CHAT},
        {SAMPLED, CAN_SEED | CAN_TEMPERATURE | CAN_STOP, "{\"model\":\"m\",\"messages\":[1]}",
         API_CHAT},
        /* the same parameter under several names, and one in escapes */
        {"{\"model\":\"m\",\"messages\":[1],\"reasoning\":{},\"r\\u0065asoning_effort\":\"low\"}",
         CAN_REASON, "{\"model\":\"m\",\"messages\":[1]}", API_CHAT},
        {"{\"model\":\"m\",\"messages\":[1],\"stop_sequences\":[\"x\"],\"thinking\":{\"type\":\"enabled\"}}",
         CAN_STOP | CAN_REASON, "{\"model\":\"m\",\"messages\":[1]}", API_MESSAGES},
        /* a value that asks for nothing stays, and so do tools */
        {"{\"model\":\"m\",\"messages\":[1],\"logprobs\":false,\"seed\":null}",
         CAN_LOGPROBS | CAN_SEED,
         "{\"model\":\"m\",\"messages\":[1],\"logprobs\":false,\"seed\":null}", API_CHAT},
        {"{\"model\":\"m\",\"messages\":[1],\"tools\":[{}]}", CAN_TOOLS,
         "{\"model\":\"m\",\"messages\":[1],\"tools\":[{}]}", API_CHAT},
        {"{\"model\":\"m\",\"messages\":[1],\"response_format\":{\"type\":\"json_schema\"}}",
         CAN_FOLLOW_SCHEMAS, "{\"model\":\"m\",\"messages\":[1]}", API_CHAT},
        {"{\"model\":\"m\",\"messages\":[1],\"response_format\":{\"type\":\"json_schema\"}}",
         CAN_WRITE_JSON,
         "{\"model\":\"m\",\"messages\":[1],\"response_format\":{\"type\":\"json_schema\"}}",
         API_CHAT},
        /* inside of a member that says other things, too; all of it when it repeats itself */
        {"{\"model\":\"m\",\"messages\":[1],\"output_config\":{\"effort\":\"low\",\"x\":1,"
         "\"effort\":\"low\",\"effort\":\"low\"}}",
         CAN_REASON, "{\"model\":\"m\",\"messages\":[1]}", API_MESSAGES},
        {"{\"model\":\"m\",\"input\":[1],\"store\":true,\"text\":{\"verbosity\":\"low\", "
         "\"format\":{\"type\":\"json_schema\"}}}",
         CAN_FOLLOW_SCHEMAS,
         "{\"model\":\"m\",\"input\":[1],\"store\":true,\"text\":{\"verbosity\":\"low\"}}",
         API_RESPONSES},
        {"{\"model\":\"m\",\"messages\":[1],\"output_config\":{\"effort\":\"low\","
         "\"format\":{\"type\":\"json_schema\"}}}",
         CAN_REASON | CAN_FOLLOW_SCHEMAS, "{\"model\":\"m\",\"messages\":[1],\"output_config\":{}}",
         API_MESSAGES},
        {"{\"model\":\"m\",\"messages\":[1],\"output_config\":{\"effort\":\"low\","
         "\"format\":{\"type\":\"json_schema\"}}}",
         CAN_REASON,
         "{\"model\":\"m\",\"messages\":[1],\"output_config\":{"
         "\"format\":{\"type\":\"json_schema\"}}}",
         API_MESSAGES},
    };
    for (unsigned i = 0; i < ROWS(rows); i++) {
        struct bench b;
        assert_row(i, read_body(&b, rows[i].body, rows[i].api));
        const struct openai_wanted wanted = {.model = SPAN_LIT("m"), .unwanted = rows[i].unwanted};
        struct buf out = spliced_as(&b, &wanted);
        if (!span_eq(buf_span(&out), span_text(rows[i].result)))
            print_error("row %u: %.*s\n", i, SPAN_FMT(buf_span(&out)));
        assert_row(i, span_eq(buf_span(&out), span_text(rows[i].result)));
        buf_fini(&out);
        let_go(&b);
    }
}

/* The upstream's path names the model, or the client's did. */
static void a_member_may_stand_in_the_models_place(void **state)
{
    (void)state;
    static const struct {
        const char *path_model, *body, *instead, *result;
        bool invokes;
    } rows[] = {
        {NULL, "{\"model\":\"m\",\"max_tokens\":1}", "\"v\":\"1\"",
         "{\"v\":\"1\",\"max_tokens\":1}"},
        {NULL, "{ \"a\":1 , \"mod\\u0065l\" : \"m\" }", "\"v\":\"1\"", "{ \"a\":1 , \"v\":\"1\" }"},
        {NULL, "{\"model\":\"n\"}", "\"v\":\"1\"", "{\"v\":\"1\"}"},
        {"m", "{\"max_tokens\":1}", "\"v\":\"1\"", "{\"v\":\"1\",\"max_tokens\":1}"},
        {"m", "{\"max_tokens\":1}", "", "{\"model\":\"n\",\"max_tokens\":1}"},
        {"m", "{\"max_tokens\":1,\"model\":\"m\"}", "", "{\"max_tokens\":1,\"model\":\"n\"}"},
        /* a version of the client's own is not said beside it; without one, its bytes stay */
        {NULL, "{\"anthropic_version\":\"0\",\"model\":\"m\",\"stream\":true}", "\"v\":\"1\"",
         "{\"v\":\"1\",\"stream\":true}"},
        {NULL, "{\"anthropic_version\":\"0\",\"anthropic_beta\":[\"a\"],\"model\":\"m\"}", "",
         "{\"anthropic_version\":\"0\",\"anthropic_beta\":[\"a\"],\"model\":\"n\"}"},
        /* where the path says whether to stream, and the betas have gone into what stands instead */
        {NULL, "{\"stream\" : true ,\"model\":\"m\",\"x\":{\"stream\":1}}", "\"v\":\"1\"",
         "{\"v\":\"1\",\"x\":{\"stream\":1}}", true},
        {NULL, "{\"model\":\"m\",\"\\u0073tream\":false,\"anthropic_beta\":[\"a\"]}", "\"v\":\"1\"",
         "{\"v\":\"1\"}", true},
        {NULL, "{\"a\":1,\"stream\":null,\"stream\":true,\"model\":\"m\",\"anthropic_beta\":7}",
         "\"v\":\"1\"", "{\"a\":1,\"v\":\"1\"}", true},
        {"m", "{\"stream\":true,\"max_tokens\":1}", "\"v\":\"1\"", "{\"v\":\"1\",\"max_tokens\":1}",
         true},
    };
    for (unsigned i = 0; i < ROWS(rows); i++) {
        struct bench b = {.text = span_text(rows[i].body)};
        arena_init(&b.arena, b.block, sizeof b.block);
        assert_row(i, rows[i].path_model == NULL
                          ? openai_request_read(b.text, API_MESSAGES, &b.arena, &b.request, &b.why)
                          : openai_request_read_for(span_text(rows[i].path_model), b.text,
                                                    API_MESSAGES, &b.arena, &b.request, &b.why));
        struct buf out = spliced_as(&b, &(struct openai_wanted){
                                            .model = SPAN_LIT("n"),
                                            .instead = span_text(rows[i].instead),
                                            .invokes = rows[i].invokes,
                                        });
        assert_span(buf_span(&out), rows[i].result);
        buf_fini(&out);
        let_go(&b);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_bad_request_is_refused_by_the_name_of_its_member),
        cmocka_unit_test(embeddings_are_of_anything_that_may_be_right),
        cmocka_unit_test(a_request_has_2048_inputs_at_most),
        cmocka_unit_test(a_name_without_end_is_refused),
        cmocka_unit_test(members_are_found_however_they_are_written),
        cmocka_unit_test(only_what_is_ours_changes),
        cmocka_unit_test(its_own_texts_are_read),
        cmocka_unit_test(the_same_request_can_be_made_for_several_upstreams),
        cmocka_unit_test(a_response_is_kept_only_where_somebody_said_so),
        cmocka_unit_test(the_most_edits_a_request_can_need_fit),
        cmocka_unit_test(parameters_an_endpoint_does_not_take_are_left_out),
        cmocka_unit_test(a_member_may_stand_in_the_models_place),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
