/* What OpenAI and Anthropic say was used or is owed, as they write it. */
#include "unit.h"

#include "sluice/meter/provider_bill.h"

#include <stdio.h>

struct seen {
    char text[1024];
    size_t len;
};

static void take(void *arg, const struct bill_line *l)
{
    struct seen *s = arg;
    int n = snprintf(s->text + s->len, sizeof s->text - s->len, "%llu %.*s %d:%llu+%llu %d:%llu;",
                     (unsigned long long)(l->day_unix_ms / 86400000), SPAN_FMT(l->model),
                     l->has_tokens, (unsigned long long)l->input, (unsigned long long)l->output,
                     l->has_cost, (unsigned long long)l->cost_pd);
    s->len += (size_t)n;
}

static void what_is_none_is_refused(void **state)
{
    static const char *const rows[] = {
        "",
        "  \n",
        "{}",
        "[]",
        "{\"data\":[]}",
        "{\"data\":[{}]}",
        "{\"data\":[{\"start_time\":\"x\",\"results\":[]}]}",
        "{\"data\":[{\"start_time\":1,\"results\":[{\"input_tokens\":-1}]}]}",
        "{\"data\":[{\"start_time\":1,\"results\":[{\"amount\":{\"value\":\"x\"}}]}]}",
        "a,b\n1,2\n",
        "date\n2026-01-01\n",
        "input_tokens\n1\n",
        "date,input_tokens\n2026-01-01,x\n",
        "date,input_tokens\nyesterday,1\n",
        "date,cost_usd\n2026-01-01,nan\n",
        "date,cost_usd\n2026-01-01,-1\n",
    };
    (void)state;
    for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct seen seen = {.len = 0};
        struct err why = {0};
        bool is_part;
        assert_row(i, provider_bill_read(span_text(rows[i]), take, &seen, &is_part, &why) < 0);
        assert_row(i, why.text[0] != '\0');
    }
}

static void reports_are_read(void **state)
{
    static const struct {
        const char *text, *seen;
        bool is_part;
    } rows[] = {
        /* OpenAI: usage, costs */
        {"{\"object\":\"page\",\"data\":[{\"object\":\"bucket\",\"start_time\":1730419200,\"end_time\":"
         "1730505600,\"results\":[{\"object\":\"organization.usage.completions.result\",\"input_tokens\":"
         "1000,\"output_tokens\":500,\"input_cached_tokens\":800,\"num_model_requests\":5,"
         "\"model\":\"gpt-4o-2024-08-06\",\"batch\":null}]}],\"has_more\":true,\"next_page\":\"x\"}",
         "20028 gpt-4o-2024-08-06 1:1000+500 0:0;", true},
        {"{\"data\":[{\"start_time\":1730419200,\"results\":[{\"object\":\"organization.costs.result\","
         "\"amount\":{\"value\":0.06,\"currency\":\"usd\"},\"line_item\":\"gpt-4o, input\"},"
         "{\"amount\":{\"value\":1.5e-05,\"currency\":\"usd\"},\"line_item\":null}]}]}",
         "20028 gpt-4o 0:0+0 1:60000000000;20028  0:0+0 1:15000000;", false},
        /* Anthropic: usage, costs in cents */
        {"{\"data\":[{\"starting_at\":\"2026-01-01T00:00:00Z\",\"ending_at\":\"2026-01-02T00:00:00Z\","
         "\"results\":[{\"uncached_input_tokens\":10,\"cache_creation\":{\"ephemeral_1h_input_tokens\":2,"
         "\"ephemeral_5m_input_tokens\":3},\"cache_read_input_tokens\":5,\"output_tokens\":7,"
         "\"server_tool_use\":{\"web_search_requests\":1},\"model\":\"claude-sonnet-4\"}]}],"
         "\"has_more\":false}",
         "20454 claude-sonnet-4 1:20+7 0:0;", false},
        {"[{\"starting_at\":\"2026-01-01T00:00:00Z\",\"results\":[{\"amount\":\"123.45\",\"currency\":"
         "\"USD\",\"model\":\"claude-sonnet-4\",\"cost_type\":\"tokens\"}]}]",
         "20454 claude-sonnet-4 0:0+0 1:1234500000000;", false},
        /* and their CSVs */
        {"\xef\xbb\xbfstart_time,end_time,model,input_tokens,output_tokens,input_cached_tokens\r\n"
         "1730419200,1730505600,\"gpt-4o\",1000,500,800\r\n\r\n",
         "20028 gpt-4o 1:1000+500 0:0;", false},
        {"usage_date_utc,model_version,workspace,usage_input_tokens_no_cache,"
         "usage_input_tokens_cache_write_5m,usage_input_tokens_cache_read,usage_output_tokens\n"
         "2026-01-01,claude-3,\"a, \"\"b\"\"\",10,5,3,2",
         "20454 claude-3 1:18+2 0:0;", false},
        {"usage_date_utc,model,cost_usd\n2026-01-01,claude-3,0.000012\n2026-01-02,,\n",
         "20454 claude-3 0:0+0 1:12000000;", false},
    };
    (void)state;
    for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct seen seen = {.len = 0};
        struct err why = {0};
        bool is_part;
        int rc = provider_bill_read(span_text(rows[i].text), take, &seen, &is_part, &why);
        assert_row(i, rc == 0);
        assert_row(i, strcmp(seen.text, rows[i].seen) == 0);
        assert_row(i, is_part == rows[i].is_part);
    }
}

static void dollars_are_exact(void **state)
{
    static const struct {
        const char *text;
        uint64_t pd;
    } rows[] = {{"0", 0},
                {"0.00023495", 234950000},
                {"2.4e-06", 2400000},
                {"0.000000000001", 1},
                {"99999.999999999999", 99999999999999999}};
    uint64_t pd;
    (void)state;
    for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++)
        assert_row(i, bill_dollars(span_text(rows[i].text), &pd) && pd == rows[i].pd);
    assert_false(bill_dollars(SPAN_LIT("1x"), &pd) || bill_dollars(SPAN_LIT(""), &pd) ||
                 bill_dollars(SPAN_LIT("inf"), &pd) || bill_dollars(SPAN_LIT("-0.1"), &pd));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_none_is_refused),
        cmocka_unit_test(reports_are_read),
        cmocka_unit_test(dollars_are_exact),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
