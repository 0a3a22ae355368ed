#include "unit.h"

#include "sluice/meter/estimate.h"

#include <yyjson.h>

enum { INPUT = 1, OUTPUT = 2, WRITE = 8, WRITE_1H = 16 };

static void a_price_that_is_missing_has_a_name(void **state)
{
    (void)state;
    static const struct {
        unsigned known;
        uint64_t output;
        const char *lacks;
    } rows[] = {
        {0, 1, "input"},      {0, 0, "input"},  {OUTPUT, 1, "input"},
        {INPUT, 1, "output"}, {INPUT, 0, NULL}, {INPUT | OUTPUT, 1, NULL},
    };
    for (unsigned i = 0; i < ROWS(rows); i++) {
        struct estimate_terms t = {.prompt = 1, .output = rows[i].output};
        struct price_options p = {.known = rows[i].known};
        const char *lacks = estimate_lacks(&t, &p);
        assert_row(i, (lacks == NULL) == (rows[i].lacks == NULL));
        assert_row(i, lacks == NULL || strcmp(lacks, rows[i].lacks) == 0);
    }
}

static void parts_are_those_of_a_first_call(void **state)
{
    (void)state;
    static const struct {
        struct estimate_terms terms;
        unsigned known;
        uint64_t input, write, output, discount,
            total; /* pico-dollars, at 4, 5, 8 and 10 a token */
    } rows[] = {
        /* the tokens of the contract's first check vector, none of them in a cache yet */
        {{.prompt = 163, .output = 450}, 3, 652, 0, 4500, 0, 5152},
        {{.prompt = 163, .output = 450, .is_batch = true}, 3, 652, 0, 4500, 2576, 2576},
        {{.prompt = 163}, 3, 652, 0, 0, 0, 652},
        {{.prompt = 0, .output = 0}, 3, 0, 0, 0, 0, 0},
        /* too short to be kept; long enough; for an hour */
        {{.prompt = 2000, .cacheable = 1023}, 31, 8000, 0, 0, 0, 8000},
        {{.prompt = 2000, .cacheable = 1024}, 31, 3904, 5120, 0, 0, 9024},
        {{.prompt = 2000, .cacheable = 2000}, 31, 0, 10000, 0, 0, 10000},
        {{.prompt = 2000, .cacheable = 2001}, 31, 8000, 0, 0, 0, 8000},
        {{.prompt = 2000, .cacheable = 2000, .keeps_an_hour = true}, 31, 0, 16000, 0, 0, 16000},
        /* exactly as many are not long yet */
        {{.prompt = 200000, .output = 2}, 3, 800000, 0, 20, 0, 800020},
        {{.prompt = 200001, .output = 2}, 3, 1600008, 0, 30, 0, 1600038},
        {{.prompt = 200001, .output = 2, .is_batch = true}, 3, 1600008, 0, 30, 800019, 800019},
        /* an account's discount, after the batch's */
        {{.prompt = 163, .output = 450, .discount_ppm = 900000}, 3, 652, 0, 4500, 0, 4636},
        {{.prompt = 163, .output = 450, .discount_ppm = 900000, .is_batch = true},
         3,
         652,
         0,
         4500,
         2576,
         2318},
        /* an own credential: the parts are told, and nothing is charged */
        {{.prompt = 10, .output = 1, .is_own = true, .is_batch = true}, 3, 40, 0, 10, 0, 0},
    };
    for (unsigned i = 0; i < ROWS(rows); i++) {
        struct price_options p = {.input = 4,
                                  .cache_write = 5,
                                  .cache_write_1h = 8,
                                  .output = 10,
                                  .known = rows[i].known,
                                  .long_context = true};
        struct estimate_terms terms = rows[i].terms;
        if (terms.discount_ppm == 0)
            terms.discount_ppm = COST_NO_DISCOUNT;
        struct estimate e = estimate_make(&terms, &p);
        assert_row(i, e.cost.prompt_pd == rows[i].input);
        assert_row(i, e.cost.cache_write_pd == rows[i].write);
        assert_row(i, e.cost.cache_read_pd == 0);
        assert_row(i, e.cost.completion_pd == rows[i].output);
        assert_row(i, e.batch_discount_pd == rows[i].discount);
        assert_row(i, e.total_pd == rows[i].total);
        assert_row(i, e.is_long_context == (rows[i].terms.prompt > 200000));
    }
}

static void breakdown_has_every_member(void **state)
{
    (void)state;
    static const struct {
        const char *name, *value;
    } rows[] = {
        {"input_cost_usd", "0.0000024"}, {"output_cost_usd", "0.000225"},
        {"cache_read_cost_usd", "0"},    {"cache_write_cost_usd", "0"},
        {"tools_cost_usd", "0"},         {"batch_discount_usd", "0.0001137"},
        {"total_cost_usd", "0.0001137"}, {"discount_rate", "1"},
    };
    struct price_options p = {.input = 200000, .output = 500000, .known = INPUT | OUTPUT};
    struct estimate e = estimate_make(
        &(struct estimate_terms){
            .prompt = 12, .output = 450, .discount_ppm = COST_NO_DISCOUNT, .is_batch = true},
        &p);
    struct buf out = {0};
    assert_int_equal(estimate_write(&e, &out), 0);
    yyjson_doc *doc = yyjson_read((const char *)out.at, buf_len(&out), YYJSON_READ_NUMBER_AS_RAW);
    assert_non_null(doc);
    yyjson_val *root = yyjson_doc_get_root(doc);
    for (unsigned i = 0; i < ROWS(rows); i++) {
        const char *value = yyjson_get_raw(yyjson_obj_get(root, rows[i].name));
        assert_row(i, value != NULL && strcmp(value, rows[i].value) == 0);
    }
    assert_string_equal(yyjson_get_str(yyjson_obj_get(root, "currency")), "USD");
    assert_false(yyjson_get_bool(yyjson_obj_get(root, "is_byok")));
    assert_int_equal(yyjson_obj_size(yyjson_obj_get(root, "long_context_multiplier")), 2);
    assert_int_equal(yyjson_obj_size(root), ROWS(rows) + 3);
    yyjson_doc_free(doc);
    buf_fini(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_price_that_is_missing_has_a_name),
        cmocka_unit_test(parts_are_those_of_a_first_call),
        cmocka_unit_test(breakdown_has_every_member),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
