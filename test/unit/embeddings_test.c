/* Vectors as numbers and as base64, answers nobody can recode, and what an answer lacks. */
#include "unit.h"

#include "sluice/codec/embeddings.h"

#include <stdio.h>
#include <stdlib.h>

#define NUMBERS                                                                                  \
    "{\"object\":\"list\", \"data\":[ {\"index\":0,\"embedding\":[1,-0.5,0.1]} ,{\"embedding\":" \
    "[2e0],\"index\":1}],\"usage\":{\"prompt_tokens\":1.0}}"
#define PACKED                                                                            \
    "{\"object\":\"list\", \"data\":[ {\"index\":0,\"embedding\":\"AACAPwAAAL/NzMw9\"} ," \
    "{\"embedding\":\"AAAAQA==\",\"index\":1}],\"usage\":{\"prompt_tokens\":1.0}}"
#define UNPACKED                                                                          \
    "{\"object\":\"list\", \"data\":[ {\"index\":0,\"embedding\":[1,-0.5,0.100000001]} ," \
    "{\"embedding\":[2],\"index\":1}],\"usage\":{\"prompt_tokens\":1.0}}"

static void vectors_change_their_form_and_nothing_else(void **state)
{
    (void)state;
    static const struct {
        bool to_base64;
        const char *answer, *recoded; /* NULL: good as it is */
    } rows[] = {
        {true, NUMBERS, PACKED},
        {false, PACKED, UNPACKED},
        {false, NUMBERS, NULL},
        {true, PACKED, NULL},
        {true, "{\"data\":[]}", NULL},
        {true, "{\"data\":[{\"embedding\":[]}]}", "{\"data\":[{\"embedding\":\"\"}]}"},
        {true, "{\"data\":[{\"embedding\":[\"x\"]}]}", NULL},
        {true, "{\"data\":[{\"embedding\":[null]}]}", NULL},
        {true, "{\"data\":[{\"embedding\":[1 2]}]}", NULL},
        {true, "{\"data\":[{\"embedding\":[1,]}]}", NULL},
        {true, "{\"data\":[{\"embedding\":[[1],2]}]}", NULL},
        {true, "{\"data\":[{\"embedding\":[1,[2]]}]}", NULL},
        {true, "{\"data\":[{\"embedding\":[1,{\"a\":2}]}]}", NULL},
        {true, "{\"data\":[{\"embedding\":[ 1 ,\n2\t]}]}",
         "{\"data\":[{\"embedding\":\"AACAPwAAAEA=\"}]}"},
        {false, "{\"data\":[{\"embedding\":\"AAA\"}]}", NULL},
        {false, "{\"data\":[{\"embedding\":\"AAA=\"}]}", NULL},
        {false, "{\"data\":[{\"embedding\":\"AADAfw==\"}]}", NULL}, /* not a number */
        {false, "{\"data\":[{\"embedding\":\"AACAfw==\"}]}", NULL}, /* infinity */
        {false, "{\"data\":[{\"embedding\":\"!!!!\"}]}", NULL},
        {false, "{\"data\":{\"embedding\":\"AAAAQA==\"}}", NULL},
        {false, "{\"error\":1}", NULL},
        {false, "not json", NULL},
    };
    for (unsigned i = 0; i < ROWS(rows); i++) {
        struct buf out = {0};
        bool is_recoded = embeddings_recode(rows[i].to_base64, span_text(rows[i].answer), &out);
        assert_row(i, is_recoded == (rows[i].recoded != NULL));
        if (is_recoded)
            assert_span(buf_span(&out), rows[i].recoded);
        else
            assert_row(i, buf_len(&out) == 0);
        buf_fini(&out);
    }
}

static void the_first_vector_tells_whether_there_is_anything_to_do(void **state)
{
    (void)state;
    static const struct {
        const char *answer;
        bool for_numbers, for_base64;
    } rows[] = {
        {"", false, false},
        {"{\"data\":[]}", false, false},
        {"{\"object\":\"embedding\",\"x\":\"embedding\"}", false, false},
        {"{\"object\":[\"embedding\",[1]]}", false, false},
        {"{\"data\":[{\"embedding\"", false, false},
        {"{\"data\":[{\"embedding\":", false, false},
        {"{\"data\":[{\"embedding\":null}]}", false, false},
        {"{\"data\":[{\"object\":\"embedding\",\"embedding\" :\n [1]}]}", false, true},
        {"{\"data\":[{\"object\":\"embedding\",\"embedding\":\"AA", true, false},
        {NUMBERS, false, true},
        {PACKED, true, false},
    };
    for (unsigned i = 0; i < ROWS(rows); i++) {
        uint8_t *exact = exact_copy(span_text(rows[i].answer));
        struct span answer = span_of(exact, strlen(rows[i].answer));
        assert_row(i, embeddings_need_recoding(false, answer) == rows[i].for_numbers);
        assert_row(i, embeddings_need_recoding(true, answer) == rows[i].for_base64);
        free(exact);
    }
}

/* The one vector of an answer, recoded. */
static struct buf recoded(bool to_base64, const char *vector)
{
    struct buf answer = {0}, out = {0};
    assert_int_equal(buf_addf(&answer, "{\"data\":[{\"embedding\":%s}]}", vector), 0);
    assert_true(embeddings_recode(to_base64, buf_span(&answer), &out));
    buf_fini(&answer);
    buf_consume(&out, sizeof "{\"data\":[{\"embedding\":" - 1);
    out.tail -= 3;
    return out;
}

/* -0 is not 0 here. */
static uint32_t bits_of(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

/* To base64 as the C library reads the number, and back to what the library reads as the same. */
static void a_number_survives_both_ways(void **state)
{
    (void)state;
    static const char *const rows[] = {
        "0",
        "-0",
        "-0.0",
        "1",
        "-1",
        "9.9999999",
        "9.99999999",
        "10",
        "0.1",
        "0.0001",
        "0.00009999",
        "-0.006929283495992422",
        "0.0069292834",
        "123456789012345678901234567890",
        "1e-45",
        "1.17549435e-38",
        "3.4028234e38",
        "1E2",
        "-2.5e-3",
        "16777217",
        "0.000000059604644775390625",
        "8388608.5",
        "8388609.5",
        "1.00000005960464477539",
        "1.000000059604645",
        "1.00000017881393",
        "0.30000001192092896",
        "5.9604644775390625e-8",
        "33554433",
        "99999999999999.9",
        "999999999999999.9",
        "0.123456789012345",
    };
    for (unsigned i = 0; i < 40000 + ROWS(rows); i++) {
        char text[64], list[80];
        if (i < ROWS(rows))
            snprintf(text, sizeof text, "%s", rows[i]);
        else /* a walk through all sizes, of any number of digits */
            snprintf(text, sizeof text,
                     i % 3 == 0   ? "%.8f"
                     : i % 3 == 1 ? "%.12g"
                                  : "%.17g",
                     (i % 2 ? -1 : 1) * (double)(i * 2654435761u) / 4294967296.0 /
                         (double)(i % 997));
        if (strpbrk(text, "in") != NULL)
            continue;
        float expected = strtof(text, NULL);
        snprintf(list, sizeof list, "[%s]", text);
        struct buf packed = recoded(true, list);
        struct buf quoted = {0};
        assert_int_equal(buf_addf(&quoted, "%.*s", SPAN_FMT(buf_span(&packed))), 0);
        assert_int_equal(buf_add_byte(&quoted, '\0'), 0);
        struct buf back = recoded(false, (const char *)quoted.at);
        assert_int_equal(buf_add_byte(&back, '\0'), 0);
        float seen = strtof((const char *)back.at + back.head + 1, NULL);
        if (bits_of(seen) != bits_of(expected))
            print_error("%s became %s\n", text, (const char *)back.at + back.head);
        assert_row(i, bits_of(seen) == bits_of(expected));
        buf_fini(&packed);
        buf_fini(&quoted);
        buf_fini(&back);
    }
}

static void what_an_answer_lacks_is_added(void **state)
{
    (void)state;
    static const struct {
        const char *answer, *missing, *usage_missing;
    } rows[] = {
        {"{}", "\"id\":\"gen-7\",\"object\":\"list\",\"model\":\"a\\\"b\",", ""},
        {"{\"id\":null,\"object\":\"x\",\"model\":1}", "", ""},
        {"{\"id\":\"i\",\"model\":\"m\",\"usage\":{}}", "\"object\":\"list\",",
         "\"completion_tokens\":0"},
        {"{\"id\":1,\"object\":1,\"model\":\"m\",\"usage\":{\"prompt_tokens\":5,\"total_tokens\":5}}",
         "", "\"completion_tokens\":0,"},
        {"{\"id\":1,\"object\":1,\"model\":1,\"usage\":{\"prompt_tokens\":5}}", "",
         "\"completion_tokens\":0,\"total_tokens\":5,"},
        {"{\"id\":1,\"object\":1,\"model\":1,\"usage\":{ \"total_tokens\":5.0}}", "",
         "\"prompt_tokens\":5.0,\"completion_tokens\":0,"},
        {"{\"id\":1,\"object\":1,\"model\":1,\"usage\":{\"prompt_tokens\":1,\"total_tokens\":2,"
         "\"completion_tokens\":1}}",
         "", ""},
    };
    for (unsigned i = 0; i < ROWS(rows); i++) {
        struct buf out = {0};
        struct passing_event e = embeddings_look(span_text(rows[i].answer));
        assert_row(i, e.kind == EVENT_CHUNK);
        assert_int_equal(embeddings_write_missing(&e, SPAN_LIT("7"), SPAN_LIT("a\"b"), &out), 0);
        assert_span(buf_span(&out), rows[i].missing);
        buf_clear(&out);
        if (e.usage.len > 0)
            assert_int_equal(embeddings_write_missing_usage(e.usage, &out), 0);
        assert_span(buf_span(&out), rows[i].usage_missing);
        buf_fini(&out);
    }
}

static void only_a_list_is_an_answer(void **state)
{
    (void)state;
    static const struct {
        const char *answer;
        enum passing_kind kind;
        bool has_content;
    } rows[] = {
        {"", EVENT_MALFORMED, false},
        {"[]", EVENT_MALFORMED, false},
        {"<html>", EVENT_MALFORMED, false},
        {"{\"data\":[", EVENT_MALFORMED, false},
        {"{\"data\":[]}x", EVENT_MALFORMED, false},
        {"{\"error\":{\"message\":\"no\"}}", EVENT_ERROR, false},
        {"{\"data\":[],\"error\":null}", EVENT_CHUNK, true},
        {"{\"data\":{}}", EVENT_CHUNK, false},
        {"{\"detail\":\"Not Found\"}", EVENT_CHUNK, false},
        {"{\"data\":[]}", EVENT_CHUNK, true},
    };
    for (unsigned i = 0; i < ROWS(rows); i++) {
        struct passing_event e = embeddings_look(span_text(rows[i].answer));
        assert_row(i, e.kind == rows[i].kind && e.has_content == rows[i].has_content);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(vectors_change_their_form_and_nothing_else),
        cmocka_unit_test(the_first_vector_tells_whether_there_is_anything_to_do),
        cmocka_unit_test(a_number_survives_both_ways),
        cmocka_unit_test(what_an_answer_lacks_is_added),
        cmocka_unit_test(only_a_list_is_an_answer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
