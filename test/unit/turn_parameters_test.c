/* What an endpoint does not take is left out of a request that is translated. */
#include "unit.h"

#include "sluice/codec/turn_request.h"
#include "sluice/config/capabilities.h"

#define SAID SPAN_LIT("1")

static struct turn_web search = {.kind = WEB_SEARCH}, fetch = {.kind = WEB_FETCH};
static struct turn_tool tools[3];

/* A request that says everything. */
static struct turn_request talkative(void)
{
    tools[0] = (struct turn_tool){.web = &search, .next = &tools[1]};
    tools[1] = (struct turn_tool){.name = SAID, .next = &tools[2]};
    tools[2] = (struct turn_tool){.web = &fetch};
    return (struct turn_request){
        .tools = tools,
        .ntools = 3,
        .choice = CHOICE_REQUIRED,
        .parallel = PARALLEL_NO,
        .temperature = SAID,
        .top_p = SAID,
        .top_k = SAID,
        .seed = SAID,
        .presence_penalty = SAID,
        .frequency_penalty = SAID,
        .stop = SAID,
        .n = SAID,
        .max_tokens = SAID,
        .logprobs = SAID,
        .top_logprobs = SAID,
        .logit_bias = SAID,
        .effort = EFFORT_LOW,
        .thinking_budget = SAID,
        .thinking_is_adaptive = true,
        .format = FORMAT_SCHEMA,
    };
}

/* A letter for each thing it says. */
static void describe(const struct turn_request *r, char out[32])
{
    const struct {
        bool has;
        char letter;
    } said[] = {
        {r->parallel != PARALLEL_UNSAID, 'p'},
        {r->format != FORMAT_UNSAID, 'f'},
        {r->effort != EFFORT_UNSAID && r->thinking_budget.len > 0 && r->thinking_is_adaptive, 'r'},
        {r->temperature.len > 0, 't'},
        {r->top_p.len > 0, 'P'},
        {r->top_k.len > 0, 'K'},
        {r->presence_penalty.len > 0, 'e'},
        {r->frequency_penalty.len > 0, 'q'},
        {r->seed.len > 0, 's'},
        {r->stop.len > 0, 'S'},
        {r->logprobs.len > 0, 'l'},
        {r->top_logprobs.len > 0, 'L'},
        {r->logit_bias.len > 0, 'b'},
    };
    size_t n = 0;
    for (unsigned i = 0; i < ROWS(said); i++) {
        if (said[i].has)
            out[n++] = said[i].letter;
    }
    for (const struct turn_tool *t = r->tools; t != NULL; t = t->next)
        out[n++] = t->web == NULL ? 'T' : t->web->kind == WEB_SEARCH ? 'W' : 'F';
    out[n] = '\0';
}

static void each_parameter_goes_alone(void **state)
{
    (void)state;
    static const struct {
        unsigned params;
        const char *left, *dropped;
    } rows[] = {
        {0, "pfrtPKeqsSlLbWTF", ""},
        {CAN_TOOLS | CAN_CHOOSE_TOOLS, "pfrtPKeqsSlLbWTF", "tools"}, /* never asked for */
        {CAN_CALL_IN_PARALLEL, "frtPKeqsSlLbWTF", "parallel_tool_calls"},
        {CAN_WRITE_JSON, "pfrtPKeqsSlLbWTF", "response_format"}, /* it is a schema */
        {CAN_FOLLOW_SCHEMAS, "prtPKeqsSlLbWTF", "structured_outputs"},
        {CAN_REASON, "pftPKeqsSlLbWTF", "reasoning"},
        {CAN_TEMPERATURE, "pfrPKeqsSlLbWTF", "temperature"},
        {CAN_TOP_P, "pfrtKeqsSlLbWTF", "top_p"},
        {CAN_TOP_K, "pfrtPeqsSlLbWTF", "top_k"},
        {CAN_PRESENCE_PENALTY, "pfrtPKqsSlLbWTF", "presence_penalty"},
        {CAN_FREQUENCY_PENALTY, "pfrtPKesSlLbWTF", "frequency_penalty"},
        {CAN_SEED, "pfrtPKeqSlLbWTF", "seed"},
        {CAN_STOP, "pfrtPKeqslLbWTF", "stop"},
        {CAN_LOGPROBS, "pfrtPKeqsSLbWTF", "logprobs"},
        {CAN_TOP_LOGPROBS, "pfrtPKeqsSlbWTF", "top_logprobs"},
        {CAN_LOGIT_BIAS, "pfrtPKeqsSlLWTF", "logit_bias"},
        {CAN_SEARCH, "pfrtPKeqsSlLbTF", "web_search_options"},
        {CAN_FETCH, "pfrtPKeqsSlLbWT", "web_fetch_options"},
        {UINT32_MAX, "T", "web_fetch_options"},
    };
    for (unsigned i = 0; i < ROWS(rows); i++) {
        struct turn_request r = talkative();
        struct turn_notes notes = {.n = 0};
        char left[32];
        turn_request_leave_out(&r, rows[i].params, &notes);
        describe(&r, left);
        if (strcmp(left, rows[i].left) != 0)
            print_error("row %u: %s\n", i, left);
        assert_row(i, strcmp(left, rows[i].left) == 0);
        assert_row(i, rows[i].dropped[0] == '\0'     ? notes.n == 0
                      : rows[i].params == UINT32_MAX ? notes.n == TURN_NOTES_MAX
                                                     : turn_is_noted(&notes, rows[i].dropped));
        assert_row(i, r.ntools == strlen(strpbrk(left, "WTF")));
        assert_row(i, r.n.len > 0 && r.max_tokens.len > 0 && r.choice == CHOICE_REQUIRED);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_parameter_goes_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
