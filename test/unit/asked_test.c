/* What a request asks of whoever answers it. */
#include "unit.h"

#include "sluice/codec/asked.h"
#include "sluice/format/json_walk.h"

static void parameters_are_used_when_they_mean_something(void **state)
{
    (void)state;
    static const struct {
        const char *body;
        unsigned params;
        uint64_t max_tokens;
    } rows[] = {
        {"{}", 0, 0},
        {"{\"messages\":[],\"n\":2,\"user\":\"x\",\"frobnicate\":1}", 0, 0},
        {"{\"tools\":null,\"temperature\":null,\"stop\":null}", 0, 0},
        {"{\"tools\":[],\"tool_choice\":\"auto\",\"logprobs\":false,\"top_logprobs\":0,"
         "\"logit_bias\":{},\"response_format\":{\"type\":\"text\"},\"text\":{\"verbosity\":\"low\"},"
         "\"thinking\":{\"type\":\"disabled\"}}",
         0, 0},
        {"{\"tool_choice\":{\"type\":\"auto\"}}", 0, 0},
        {"{\"tool_choice\":\"none\",\"function_call\":\"auto\"}", 0, 0},
        {"{\"response_format\":{\"type\":\"CalendarEvent\"}}", 0, 0}, /* D-13: as text */
        {"{\"tools\":[{}],\"tool_choice\":\"required\"}", CAN_TOOLS | CAN_CHOOSE_TOOLS, 0},
        {"{\"tool_choice\":{\"type\":\"tool\",\"name\":\"x\"}}", CAN_CHOOSE_TOOLS, 0},
        {"{\"functions\":[],\"function_call\":{\"name\":\"x\"}}", CAN_TOOLS | CAN_CHOOSE_TOOLS, 0},
        {"{\"parallel_tool_calls\":false}", CAN_CALL_IN_PARALLEL, 0},
        {"{\"response_format\":{\"type\":\"json_object\"}}", CAN_WRITE_JSON, 0},
        {"{\"response_format\":{\"json_schema\":{},\"type\":\"json_schema\"}}", CAN_FOLLOW_SCHEMAS,
         0},
        {"{\"text\":{\"format\":{\"type\":\"json_schema\"}}}", CAN_FOLLOW_SCHEMAS, 0},
        {"{\"output_config\":{\"effort\":\"low\",\"format\":{\"type\":\"json_schema\"}}}",
         CAN_FOLLOW_SCHEMAS | CAN_REASON, 0},
        {"{\"reasoning\":{}}", CAN_REASON, 0},
        {"{\"se\\u0065d\":1,\"t\\u0065st\":1}", CAN_SEED, 0},
        {"{\"thinking\":{\"type\":\"adaptive\"}}", CAN_REASON, 0},
        {"{\"temperature\":1,\"top_p\":1,\"top_k\":1}", CAN_TEMPERATURE | CAN_TOP_P | CAN_TOP_K, 0},
        {"{\"presence_penalty\":1,\"frequency_penalty\":0,\"seed\":5}",
         CAN_PRESENCE_PENALTY | CAN_FREQUENCY_PENALTY | CAN_SEED, 0},
        {"{\"stop\":\"x\"}", CAN_STOP, 0},
        {"{\"stop_sequences\":[\"x\"]}", CAN_STOP, 0},
        {"{\"logprobs\":true,\"top_logprobs\":2}", CAN_LOGPROBS | CAN_TOP_LOGPROBS, 0},
        {"{\"logprobs\":5}", CAN_LOGPROBS, 0}, /* legacy completions */
        {"{\"logit_bias\":{\"5\":-1}}", CAN_LOGIT_BIAS, 0},
        {"{\"web_search_options\":{},\"web_fetch_options\":{}}", CAN_SEARCH | CAN_FETCH, 0},
        {"{\"max_tokens\":7}", 0, 7},
        {"{\"max_output_tokens\":7}", 0, 7},
        {"{\"max_completion_tokens\":8,\"max_tokens\":7}", 0, 8},
        {"{\"max_tokens\":7,\"max_completion_tokens\":8}", 0, 8},
        {"{\"max_tokens\":-7}", 0, 0},
        {"{\"max_tokens\":\"7\"}", 0, 0},
    };
    for (unsigned i = 0; i < ROWS(rows); i++) {
        struct asked a = {0};
        struct json_walk w;
        json_walk_init(&w, span_text(rows[i].body));
        while (json_walk_next(&w))
            asked_note(&a, w.key, w.value, w.kind);
        assert_row(i, json_walk_is_complete(&w));
        assert_row(i, a.params == rows[i].params && a.max_tokens == rows[i].max_tokens);
    }
}

static void parts_of_messages_are_seen(void **state)
{
    (void)state;
    static const struct {
        const char *body;
        unsigned shown;
    } rows[] = {
        {"", 0},
        {"\"type\"", 0},
        {"\"type\":", 0},
        {"\"type\":\"", 0},
        {"\"type\":\"image", 0},
        {"{\"type\":\"text\",\"text\":\"image_url\"}", 0},
        {"{\"text\":\"\\\"type\\\":\\\"image\\\"\"}", 0},
        {"{\"type\":5,\"x\":\"image\"}", 0},
        {"{\"type\" : \n\"image_url\"}", MODALITY_IMAGE},
        {"[{\"type\":\"image\"},{\"type\":\"document\"}]", MODALITY_IMAGE | MODALITY_FILE},
        {"[{\"type\":\"input_image\"},{\"type\":\"input_file\"}]", MODALITY_IMAGE | MODALITY_FILE},
        {"[{\"type\":\"file\"},{\"type\":\"input_audio\"},{\"type\":\"video_url\"}]",
         MODALITY_FILE | MODALITY_AUDIO | MODALITY_VIDEO},
    };
    for (unsigned i = 0; i < ROWS(rows); i++) {
        struct span body = span_text(rows[i].body);
        uint8_t *copy = exact_copy(body);
        assert_row(i, asked_modalities(span_of(copy, body.len)) == rows[i].shown);
        free(copy);
    }
}

static void several_answers_may_be_asked_for(void **state)
{
    (void)state;
    static const struct {
        const char *body;
        uint64_t answers;
    } rows[] = {
        {"{\"n\":null}", 0}, {"{\"n\":\"3\"}", 0},   {"{\"n\":-3}", 0},
        {"{\"n\":1.5}", 0},  {"{\"N\":3}", 0},       {"{\"n\":3}", 3},
        {"{\"n\":0}", 0},    {"{\"\\u006e\":3}", 3}, {"{\"n\":18446744073709551616}", 0},
    };
    for (unsigned i = 0; i < ROWS(rows); i++) {
        struct asked a = {0};
        struct json_walk w;
        json_walk_init(&w, span_text(rows[i].body));
        while (json_walk_next(&w))
            assert_row(i, asked_note(&a, w.key, w.value, w.kind) == 0);
        assert_row(i, a.answers == rows[i].answers);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parameters_are_used_when_they_mean_something),
        cmocka_unit_test(several_answers_may_be_asked_for),
        cmocka_unit_test(parts_of_messages_are_seen),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
