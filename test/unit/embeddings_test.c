/* Vectors as numbers and as base64, and answers nobody can recode. */
#include "unit.h"

#include "sluice/codec/embeddings.h"

#define ASK64 "{\"input\":\"x\",\"encoding_format\":\"base64\"}"
#define ASK "{\"input\":\"x\"}"
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
        const char *request, *answer, *recoded; /* NULL: good as it is */
    } rows[] = {
        {ASK64, NUMBERS, PACKED},
        {ASK, PACKED, UNPACKED},
        {ASK, NUMBERS, NULL},
        {ASK64, PACKED, NULL},
        {ASK64, "{\"data\":[]}", NULL},
        {ASK64, "{\"data\":[{\"embedding\":[]}]}", "{\"data\":[{\"embedding\":\"\"}]}"},
        {ASK64, "{\"data\":[{\"embedding\":[\"x\"]}]}", NULL},
        {ASK64, "{\"data\":[{\"embedding\":[null]}]}", NULL},
        {ASK, "{\"data\":[{\"embedding\":\"AAA\"}]}", NULL},
        {ASK, "{\"data\":[{\"embedding\":\"AAA=\"}]}", NULL},
        {ASK, "{\"data\":[{\"embedding\":\"AADAfw==\"}]}", NULL}, /* not a number */
        {ASK, "{\"data\":[{\"embedding\":\"!!!!\"}]}", NULL},
        {ASK, "{\"data\":{\"embedding\":\"AAAAQA==\"}}", NULL},
        {ASK, "{\"error\":1}", NULL},
        {ASK, "not json", NULL},
    };
    for (unsigned i = 0; i < ROWS(rows); i++) {
        struct buf out = {0};
        bool is_recoded = embeddings_recode(span_text(rows[i].request), span_text(rows[i].answer),
                                            &out);
        assert_row(i, is_recoded == (rows[i].recoded != NULL));
        if (is_recoded)
            assert_span(buf_span(&out), rows[i].recoded);
        else
            assert_row(i, buf_len(&out) == 0);
        buf_fini(&out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(vectors_change_their_form_and_nothing_else),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
