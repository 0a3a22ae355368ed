/* Golden invoices: what providers say, recorded or from their own documentation, at the price they published
 * (November 2026), is this many pico-dollars. docs/metering.md explains each count. */
#include "unit.h"

#include "sluice/base/rng.h"
#include "sluice/format/json_scan.h"
#include "sluice/meter/cost.h"

typedef bool (*read_fn)(struct usage *u, struct span object);

enum { MICRO = 1000000 }; /* pico-dollars: a millionth of a dollar */

/* USD per million tokens, in thousandths; per thing, in millionths. */
struct prices {
    unsigned input, output, cache_read, cache_write, cache_write_1h, reasoning;
    unsigned audio_input, audio_output, image_input, image_output;
    unsigned second, search, tool_call;
};

static void set(struct price_options *p, uint64_t *member, unsigned bit, uint64_t pd)
{
    *member = pd;
    if (pd > 0)
        p->known |= bit;
}

static struct price_options price_of(const struct prices *c)
{
    enum { MILLI = 1000 };
    struct price_options p = {.known = 0};
    set(&p, &p.input, PRICE_INPUT, (uint64_t)c->input * MILLI);
    set(&p, &p.output, PRICE_OUTPUT, (uint64_t)c->output * MILLI);
    set(&p, &p.cache_read, PRICE_CACHE_READ, (uint64_t)c->cache_read * MILLI);
    set(&p, &p.cache_write, PRICE_CACHE_WRITE, (uint64_t)c->cache_write * MILLI);
    set(&p, &p.cache_write_1h, PRICE_CACHE_WRITE_1H, (uint64_t)c->cache_write_1h * MILLI);
    set(&p, &p.reasoning, PRICE_REASONING, (uint64_t)c->reasoning * MILLI);
    set(&p, &p.audio_input, PRICE_AUDIO_INPUT, (uint64_t)c->audio_input * MILLI);
    set(&p, &p.audio_output, PRICE_AUDIO_OUTPUT, (uint64_t)c->audio_output * MILLI);
    set(&p, &p.image_input, PRICE_IMAGE_INPUT, (uint64_t)c->image_input * MILLI);
    set(&p, &p.image_output, PRICE_IMAGE_OUTPUT, (uint64_t)c->image_output * MILLI);
    set(&p, &p.second, PRICE_SECOND, (uint64_t)c->second * MICRO);
    set(&p, &p.search, PRICE_SEARCH, (uint64_t)c->search * MICRO);
    set(&p, &p.tool_call, PRICE_TOOL_CALL, (uint64_t)c->tool_call * MICRO);
    return p;
}

#define CLAUDE_SONNET {3000, 15000, 300, 3750, 6000}
#define CLAUDE_HAIKU {1000, 5000, 100, 1250, 2000, .search = 10000}

/* Prices of a million tokens: 2500 is $2.50. */
static const struct {
    const char *who;
    read_fn read;
    const char *object;
    struct prices price;
    uint64_t prompt, completion; /* tokens */
    uint64_t pd;
} golden[] = {
    {"OpenAI, gpt-4o: cached",
     usage_read_openai,
     "{\"prompt_tokens\":2006,\"completion_tokens\":300,\"total_tokens\":2306,"
     "\"prompt_tokens_details\":{\"cached_tokens\":1920,\"audio_tokens\":0},"
     "\"completion_tokens_details\":{\"reasoning_tokens\":0,\"audio_tokens\":0,"
     "\"accepted_prediction_tokens\":0,\"rejected_prediction_tokens\":0}}",
     {2500, 10000, 1250},
     2006,
     300,
     UINT64_C(5615) * MICRO},
    {"OpenAI, gpt-4o-audio",
     usage_read_openai,
     "{\"prompt_tokens\":45,\"completion_tokens\":90,\"total_tokens\":135,"
     "\"prompt_tokens_details\":{\"text_tokens\":15,\"audio_tokens\":30,\"cached_tokens\":0},"
     "\"completion_tokens_details\":{\"text_tokens\":20,\"audio_tokens\":70,\"reasoning_tokens\":0}}",
     {2500, 10000, 1250, .audio_input = 40000, .audio_output = 80000},
     45,
     90,
     UINT64_C(70375) * MICRO / 10},
    {"OpenAI, gpt-5: Responses, recorded",
     usage_read_responses,
     "{\"input_tokens\":36,\"input_tokens_details\":{\"cached_tokens\":0},\"output_tokens\":87,"
     "\"output_tokens_details\":{\"reasoning_tokens\":64},\"total_tokens\":123}",
     {1250, 10000, 125},
     36,
     87,
     UINT64_C(915) * MICRO},
    {"OpenAI, gpt-5.6: written",
     usage_read_responses,
     "{\"input_tokens\":1500,\"input_tokens_details\":{\"cached_tokens\":0,"
     "\"cache_write_tokens\":1024},\"output_tokens\":10,\"total_tokens\":1510}",
     {1250, 10000, 125, .cache_write = 1560},
     1500,
     10,
     UINT64_C(229244) * MICRO / 100},
    {"OpenAI, gpt-image-1",
     usage_read_responses,
     "{\"total_tokens\":100,\"input_tokens\":50,\"output_tokens\":50,\"input_tokens_details\":{"
     "\"text_tokens\":10,\"image_tokens\":40},\"output_tokens_details\":{\"image_tokens\":50}}",
     {5000, 0, .image_input = 10000, .image_output = 40000},
     50,
     50,
     UINT64_C(2450) * MICRO},
    {"OpenAI, whisper-1",
     usage_read_responses,
     "{\"type\":\"duration\",\"seconds\":9}",
     {.second = 100},
     0,
     0,
     UINT64_C(900) * MICRO},
    {"OpenAI, gpt-4o-transcribe",
     usage_read_responses,
     "{\"type\":\"tokens\",\"input_tokens\":14,\"input_token_details\":{\"text_tokens\":0,"
     "\"audio_tokens\":14},\"output_tokens\":45,\"total_tokens\":59}",
     {2500, 10000, .audio_input = 6000},
     14,
     45,
     UINT64_C(534) * MICRO},
    {"OpenAI, text-embedding-3-small",
     usage_read_embeddings,
     "{\"prompt_tokens\":8,\"total_tokens\":8}",
     {20},
     8,
     0,
     160000},
    {"Voyage: the total alone",
     usage_read_embeddings,
     "{\"total_tokens\":10}",
     {60},
     10,
     0,
     600000},

    {"Anthropic, Claude Sonnet 4.5: both kinds of writing", usage_read_messages,
     "{\"input_tokens\":2048,\"cache_read_input_tokens\":1800,\"cache_creation_input_tokens\":248,"
     "\"cache_creation\":{\"ephemeral_5m_input_tokens\":148,\"ephemeral_1h_input_tokens\":100},"
     "\"output_tokens\":503}",
     CLAUDE_SONNET, 4096, 503, UINT64_C(15384) * MICRO},
    {"Anthropic: an older one, which does not tell for how long", usage_read_messages,
     "{\"input_tokens\":10,\"cache_creation_input_tokens\":100,\"cache_read_input_tokens\":0,"
     "\"output_tokens\":1}",
     CLAUDE_SONNET, 110, 1, UINT64_C(420) * MICRO},
    {"Anthropic, Claude Haiku 4.5: compaction, recorded", usage_read_messages,
     "{\"input_tokens\":181,\"cache_creation_input_tokens\":0,\"cache_read_input_tokens\":0,"
     "\"output_tokens\":8,\"iterations\":[{\"input_tokens\":100,\"output_tokens\":83,"
     "\"cache_read_input_tokens\":55096,\"cache_creation_input_tokens\":0,\"cache_creation\":{"
     "\"ephemeral_5m_input_tokens\":0,\"ephemeral_1h_input_tokens\":0},\"type\":\"compaction\"},{"
     "\"input_tokens\":181,\"output_tokens\":8,\"cache_read_input_tokens\":0,"
     "\"cache_creation_input_tokens\":0,\"type\":\"message\"}]}",
     CLAUDE_HAIKU, 281 + 55096, 91, UINT64_C(62456) * MICRO / 10},
    {"Anthropic, Claude Haiku 4.5: an advisor's tokens are not its own", usage_read_messages,
     "{\"input_tokens\":100,\"output_tokens\":10,\"iterations\":[{\"type\":\"message\","
     "\"input_tokens\":100,\"output_tokens\":10},{\"type\":\"advisor_message\",\"input_tokens\":900,"
     "\"output_tokens\":90,\"model\":\"claude-opus-4-6\"}]}",
     CLAUDE_HAIKU, 100, 10, UINT64_C(150) * MICRO},
    {"Anthropic, Claude Haiku 4.5: a search, recorded", usage_read_messages,
     "{\"input_tokens\":9447,\"cache_creation_input_tokens\":0,\"cache_read_input_tokens\":0,"
     "\"output_tokens\":114,\"server_tool_use\":{\"web_search_requests\":1,"
     "\"web_fetch_requests\":0}}",
     CLAUDE_HAIKU, 9447, 114, UINT64_C(20017) * MICRO},

    {"Google, Gemini 3 Flash: thoughts, recorded",
     usage_read_gemini,
     "{\"promptTokenCount\": 44,\"candidatesTokenCount\": 608,\"totalTokenCount\": 1554,"
     "\"promptTokensDetails\": [{\"modality\": \"TEXT\",\"tokenCount\": 44}],"
     "\"thoughtsTokenCount\": 902,\"serviceTier\": \"standard\"}",
     {500, 3000, 50},
     44,
     1510,
     UINT64_C(4552) * MICRO},
    {"Google, Gemini 2.5 Flash: sound, part of it cached",
     usage_read_gemini,
     "{\"promptTokenCount\":300,\"cachedContentTokenCount\":100,\"candidatesTokenCount\":10,"
     "\"promptTokensDetails\":[{\"modality\":\"TEXT\",\"tokenCount\":44},{\"modality\":\"AUDIO\","
     "\"tokenCount\":256}],\"cacheTokensDetails\":[{\"modality\":\"AUDIO\",\"tokenCount\":100}],"
     "\"totalTokenCount\":310}",
     {300, 2500, 30, .audio_input = 1000},
     300,
     10,
     UINT64_C(1972) * MICRO / 10},
    {"Google, Gemini 2.5 Flash Image",
     usage_read_gemini,
     "{\"promptTokenCount\":12,\"candidatesTokenCount\":1300,\"candidatesTokensDetails\":[{"
     "\"modality\":\"IMAGE\",\"tokenCount\":1290}],\"totalTokenCount\":1312}",
     {300, 2500, 30, .image_output = 30000},
     12,
     1300,
     UINT64_C(387286) * MICRO / 10},

    {"Amazon, Claude Sonnet 4.5 in Converse", usage_read_converse,
     "{\"inputTokens\":2048,\"outputTokens\":503,\"totalTokens\":4599,"
     "\"cacheReadInputTokens\":1800,\"cacheWriteInputTokens\":248,\"cacheDetails\":[{\"ttl\":\"1h\","
     "\"inputTokens\":100},{\"ttl\":\"5m\",\"inputTokens\":148}]}",
     CLAUDE_SONNET, 4096, 503, UINT64_C(15384) * MICRO},

    {"DeepSeek V3.2",
     usage_read_openai,
     "{\"prompt_tokens\":407,\"completion_tokens\":94,\"total_tokens\":501,"
     "\"prompt_tokens_details\":{\"cached_tokens\":320},\"prompt_cache_hit_tokens\":320,"
     "\"prompt_cache_miss_tokens\":87}",
     {280, 420, 28},
     407,
     94,
     UINT64_C(728) * MICRO / 10},
    {"xAI, grok-3-mini, recorded: it charged 1330500 ticks",
     usage_read_openai,
     "{\"prompt_tokens\":291,\"completion_tokens\":26,\"total_tokens\":513,"
     "\"prompt_tokens_details\":{\"text_tokens\":291,\"audio_tokens\":0,\"image_tokens\":0,"
     "\"cached_tokens\":290},\"completion_tokens_details\":{\"reasoning_tokens\":196,"
     "\"audio_tokens\":0,\"accepted_prediction_tokens\":0,\"rejected_prediction_tokens\":0},"
     "\"num_sources_used\":0,\"cost_in_usd_ticks\":1330500}",
     {300, 500, 75},
     291,
     222,
     UINT64_C(13305) * MICRO / 100},
    {"xAI, grok-4: its tools",
     usage_read_responses,
     "{\"input_tokens\":1000,\"output_tokens\":100,\"total_tokens\":1100,\"input_tokens_details\":{"
     "\"cached_tokens\":0},\"num_sources_used\":0,\"server_side_tool_usage_details\":{"
     "\"web_search_calls\":2,\"x_search_calls\":1,\"code_interpreter_calls\":1,"
     "\"file_search_calls\":0,\"mcp_calls\":4,\"document_search_calls\":0}}",
     {3000, 15000, 750, .search = 5000, .tool_call = 5000},
     1000,
     100,
     UINT64_C(24500) * MICRO},
    {"OpenRouter, Claude Haiku 4.5, recorded: it charged $0.001156", usage_read_openai,
     "{\"prompt_tokens\":626,\"completion_tokens\":106,\"total_tokens\":732,\"cost\":0.001156,"
     "\"is_byok\":false,\"prompt_tokens_details\":{\"cached_tokens\":0,\"cache_write_tokens\":0,"
     "\"audio_tokens\":0,\"video_tokens\":0},\"cost_details\":{\"upstream_inference_cost\":0.001156},"
     "\"completion_tokens_details\":{\"reasoning_tokens\":54,\"image_tokens\":0,"
     "\"audio_tokens\":0}}",
     CLAUDE_HAIKU, 626, 106, UINT64_C(1156) * MICRO},
    {"Perplexity, sonar-deep-research: it charged $0.409393",
     usage_read_openai,
     "{\"prompt_tokens\":33,\"completion_tokens\":7163,\"total_tokens\":7196,"
     "\"search_context_size\":\"low\",\"citation_tokens\":20016,\"num_search_queries\":18,"
     "\"reasoning_tokens\":73997,\"cost\":{\"input_tokens_cost\":0.000066,"
     "\"total_cost\":0.409393}}",
     {2000, 8000, .reasoning = 3000, .search = 5000},
     33 + 20016,
     7163 + 73997,
     UINT64_C(409393) * MICRO},
    {"Groq, recorded",
     usage_read_openai,
     "{\"queue_time\":0.041520249,\"prompt_tokens\":210,\"prompt_time\":0.010407901,"
     "\"completion_tokens\":15,\"completion_time\":0.046601227,\"total_tokens\":225,"
     "\"total_time\":0.057009128}",
     {590, 790},
     210,
     15,
     UINT64_C(13575) * MICRO / 100},
    {"Mistral, magistral-medium, recorded",
     usage_read_openai,
     "{\"prompt_tokens\":31,\"total_tokens\":97,\"completion_tokens\":66,"
     "\"prompt_tokens_details\":{\"cached_tokens\":0},\"service_tier\":\"standard\"}",
     {2000, 5000},
     31,
     66,
     UINT64_C(392) * MICRO},
    {"Moonshot: cached at the top",
     usage_read_openai,
     "{\"prompt_tokens\":100,\"completion_tokens\":10,\"total_tokens\":110,\"cached_tokens\":60}",
     {600, 2500, 150},
     100,
     10,
     UINT64_C(58) * MICRO},
    {"Alibaba, qwen-plus: asked to cache",
     usage_read_openai,
     "{\"prompt_tokens\":3019,\"completion_tokens\":104,\"total_tokens\":3123,"
     "\"prompt_tokens_details\":{\"cached_tokens\":2048,\"cache_type\":\"ephemeral\","
     "\"cache_creation_input_tokens\":500}}",
     {400, 1200, 40, 500},
     3019,
     104,
     UINT64_C(64512) * MICRO / 100},
};

static struct cost bill(read_fn read, const char *object, const struct price_options *p,
                        struct usage *u)
{
    uint8_t *copy = exact_copy(span_text(object));
    assert_true(read(u, span_of(copy, strlen(object))));
    free(copy);
    return cost_of(u, p);
}

static void invoices_are_exact(void **state)
{
    (void)state;
    for (unsigned i = 0; i < ROWS(golden); i++) {
        struct price_options p = price_of(&golden[i].price);
        struct usage u = {.source = USAGE_NONE};
        struct cost c = bill(golden[i].read, golden[i].object, &p, &u);
        if (c.total_pd != golden[i].pd || u.prompt != golden[i].prompt ||
            u.completion != golden[i].completion)
            fail_msg("%s: %llu pd of %llu + %llu tokens", golden[i].who,
                     (unsigned long long)c.total_pd, (unsigned long long)u.prompt,
                     (unsigned long long)u.completion);
        assert_row(i, u.stated_pd == 0 || u.stated_pd == c.total_pd);
        assert_row(i, c.sum_pd == c.total_pd && u.source == USAGE_PROVIDER);
    }
}

/* Streams repeat what they said, or say it in parts: the last word is the bill. */
static void streams_cost_what_whole_answers_do(void **state)
{
    (void)state;
    for (unsigned i = 0; i < ROWS(golden); i++) {
        struct price_options p = price_of(&golden[i].price);
        struct usage u = {.source = USAGE_NONE};
        if (golden[i].read == usage_read_messages)
            assert_true(usage_read_messages(
                &u, SPAN_LIT("{\"input_tokens\":1,\"cache_read_input_tokens\":0,"
                             "\"cache_creation_input_tokens\":0,\"output_tokens\":1}")));
        (void)bill(golden[i].read, golden[i].object, &p, &u);
        struct cost c = bill(golden[i].read, golden[i].object, &p, &u);
        assert_row(i, c.total_pd == golden[i].pd);
    }
    struct usage u = {.source = USAGE_NONE};
    const struct prices claude = CLAUDE_SONNET;
    struct price_options p = price_of(&claude);
    (void)bill(usage_read_messages,
               "{\"input_tokens\":2048,\"cache_read_input_tokens\":1800,"
               "\"cache_creation_input_tokens\":248,\"cache_creation\":{"
               "\"ephemeral_5m_input_tokens\":148,\"ephemeral_1h_input_tokens\":100},"
               "\"output_tokens\":1}",
               &p, &u);
    assert_int_equal(bill(usage_read_messages, "{\"output_tokens\":503}", &p, &u).total_pd,
                     UINT64_C(15384) * MICRO);
}

/* --- recorded answers: not in the repository; SLUICE_FIXTURES says where they are -------------------- */

static struct buf read_file(const char *root, const char *name)
{
    char path[512], chunk[4096];
    struct buf text = {0};
    size_t n;
    snprintf(path, sizeof path, "%s/%s", root, name);
    FILE *f = fopen(path, "r");
    if (f == NULL)
        fail_msg("%s: cannot be read", path);
    while ((n = fread(chunk, 1, sizeof chunk, f)) > 0)
        assert_int_equal(buf_add(&text, span_of(chunk, n)), 0);
    fclose(f);
    return text;
}

/* `where`: of the usage in an event, "response.usage". */
static void see_event(struct usage *u, read_fn read, const char *where, struct span event)
{
    struct span path = span_text(where), at = event;
    while (path.len > 0 && at.len > 0) {
        struct span key = span_cut(&path, '.');
        char name[32];
        snprintf(name, sizeof name, "%.*s", SPAN_FMT(key));
        at = json_find(at, name);
    }
    if (at.len > 0 && at.at[0] == '{')
        (void)read(u, at);
}

static void recorded_answers_cost_what_their_providers_charge(void **state)
{
    (void)state;
    static const struct {
        const char *file;
        read_fn read;
        const char *where;
        struct prices price;
        uint64_t pd;
    } rows[] = {
        {"xai/chat-reasoning-tool-stream/stream.sse",
         usage_read_openai,
         "usage",
         {300, 500, 75},
         UINT64_C(13305) * MICRO / 100}, /* as it says itself */
        {"openrouter/chat-reasoning-details-tool-stream/stream.sse", usage_read_openai, "usage",
         CLAUDE_HAIKU, UINT64_C(1156) * MICRO}, /* likewise */
        {"openai-chat/text-stream-usage/stream.sse",
         usage_read_openai,
         "usage",
         {50, 400, 5},
         UINT64_C(406) * MICRO / 10},
        {"deepseek/chat-reasoning-stream/stream.sse",
         usage_read_openai,
         "usage",
         {280, 420, 28},
         UINT64_C(9072) * MICRO / 100},
        {"mistral/chat-thinking-content-array-stream/stream.sse",
         usage_read_openai,
         "usage",
         {2000, 5000},
         UINT64_C(392) * MICRO},
        {"groq/chat-tool-stream/stream.sse",
         usage_read_openai,
         "x_groq.usage",
         {590, 790},
         UINT64_C(13575) * MICRO / 100},
        {"anthropic/compaction-stream/stream.sse", usage_read_messages, "usage", CLAUDE_HAIKU,
         UINT64_C(62456) * MICRO / 10},
        {"anthropic/web-search-stream/stream.sse", usage_read_messages, "usage", CLAUDE_HAIKU,
         UINT64_C(20017) * MICRO},
        {"gemini/thinking-stream/stream.sse",
         usage_read_gemini,
         "usageMetadata",
         {500, 3000, 50},
         UINT64_C(4552) * MICRO},
        {"anthropic/prompt-cache-read/response.json", usage_read_messages, "usage", CLAUDE_HAIKU,
         UINT64_C(7651) * MICRO / 10},
    };
    const char *root = getenv("SLUICE_FIXTURES");
    if (root == NULL)
        skip();
    for (unsigned i = 0; i < ROWS(rows); i++) {
        struct buf text = read_file(root, rows[i].file);
        struct usage u = {.source = USAGE_NONE};
        struct span rest = buf_span(&text);
        if (span_starts(rest, SPAN_LIT("{")))
            see_event(&u, rows[i].read, rows[i].where, rest);
        while (rest.len > 0) {
            struct span line = span_cut(&rest, '\n');
            if (span_starts(line, SPAN_LIT("data: {")))
                see_event(&u, rows[i].read, rows[i].where, span_skip(line, 6));
        }
        struct price_options p = price_of(&rows[i].price);
        uint64_t pd = cost_of(&u, &p).total_pd;
        if (pd != rows[i].pd || (u.stated_pd != 0 && u.stated_pd != pd))
            fail_msg("%s: %llu pd", rows[i].file, (unsigned long long)pd);
        buf_fini(&text);
    }
}

/* Tools a provider ran are items of the answer, not part of its usage. */
static void calls_of_a_response_are_counted(void **state)
{
    (void)state;
    static const struct {
        const char *output;
        uint64_t searches, calls;
    } rows[] = {
        {"[]", 0, 0},
        {"{}", 0, 0},
        {"[1,null,\"web_search_call\",{}]", 0, 0},
        {"[{\"type\":\"message\"},{\"type\":\"function_call\"}]", 0, 0},
        {"[{\"type\":\"web_search_call\"}]", 1, 0},
        {"[{\"type\":\"web_search_call\",\"action\":{\"type\":\"search\"}},"
         "{\"type\":\"web_search_call\",\"action\":{\"type\":\"open_page\"}},"
         "{\"type\":\"web_search_call\",\"action\":{\"type\":\"search\"}}]",
         2, 0},
        {"[{\"type\":\"file_search_call\"},{\"type\":\"code_interpreter_call\"},"
         "{\"type\":\"mcp_call\"}]",
         0, 2},
    };
    for (unsigned i = 0; i < ROWS(rows); i++) {
        struct usage u = {.source = USAGE_NONE};
        usage_read_calls(&u, span_text(rows[i].output));
        assert_row(i, u.searches == rows[i].searches && u.tool_calls == rows[i].calls);
    }
}

/* --- hostile numbers --------------------------------------------------------------------------------- */

static const read_fn readers[] = {usage_read_openai,   usage_read_embeddings, usage_read_responses,
                                  usage_read_messages, usage_read_gemini,     usage_read_converse};
static const char *const keys[] = {"prompt_tokens",
                                   "completion_tokens",
                                   "total_tokens",
                                   "prompt_tokens_details",
                                   "cached_tokens",
                                   "cache_write_tokens",
                                   "audio_tokens",
                                   "image_tokens",
                                   "completion_tokens_details",
                                   "reasoning_tokens",
                                   "prompt_cache_hit_tokens",
                                   "citation_tokens",
                                   "cost",
                                   "total_cost",
                                   "cost_in_usd_ticks",
                                   "server_tool_use",
                                   "web_search_requests",
                                   "input_tokens",
                                   "output_tokens",
                                   "input_tokens_details",
                                   "output_tokens_details",
                                   "seconds",
                                   "cache_read_input_tokens",
                                   "cache_creation_input_tokens",
                                   "cache_creation",
                                   "ephemeral_5m_input_tokens",
                                   "ephemeral_1h_input_tokens",
                                   "thinking_tokens",
                                   "iterations",
                                   "type",
                                   "promptTokenCount",
                                   "candidatesTokenCount",
                                   "thoughtsTokenCount",
                                   "cachedContentTokenCount",
                                   "promptTokensDetails",
                                   "modality",
                                   "tokenCount",
                                   "inputTokens",
                                   "outputTokens",
                                   "cacheReadInputTokens",
                                   "cacheWriteInputTokens",
                                   "cacheDetails",
                                   "ttl"};
static const char *const values[] = {"0",
                                     "1",
                                     "7",
                                     "12.0",
                                     "12.",
                                     "1.5",
                                     "-1",
                                     "-0",
                                     "1e300",
                                     "1e-300",
                                     "1E5",
                                     "\"12\"",
                                     "null",
                                     "true",
                                     "[]",
                                     "{}",
                                     "\"\\\"\"",
                                     "\"AUDIO\"",
                                     "\"1h\"",
                                     "999999999",
                                     "1000000000",
                                     "1000000001",
                                     "18446744073709551615",
                                     "18446744073709551616",
                                     "99999999999999999999999999999999999999",
                                     "0.00000000000000000000000000000000000001",
                                     "0.001156",
                                     "\"\\u0022,\\u0022cached_tokens\\u0022:5\""};

static void add_value(struct rng *rng, struct buf *out, unsigned depth);

static void add_object(struct rng *rng, struct buf *out, unsigned depth)
{
    unsigned n = (unsigned)(rng_next(rng) % 7);
    assert_int_equal(buf_add_text(out, "{"), 0);
    for (unsigned i = 0; i < n; i++) {
        assert_int_equal(
            buf_addf(out, "%s\"%s\" : ", i > 0 ? "," : "", keys[rng_next(rng) % ROWS(keys)]), 0);
        add_value(rng, out, depth + 1);
    }
    assert_int_equal(buf_add_text(out, "}"), 0);
}

static void add_value(struct rng *rng, struct buf *out, unsigned depth)
{
    unsigned dice = (unsigned)(rng_next(rng) % 10);
    if (depth < 4 && dice < 2) {
        add_object(rng, out, depth);
    } else if (depth < 4 && dice == 2) {
        assert_int_equal(buf_add_text(out, "["), 0);
        add_object(rng, out, depth);
        assert_int_equal(buf_add_text(out, "]"), 0);
    } else {
        assert_int_equal(buf_add_text(out, values[rng_next(rng) % ROWS(values)]), 0);
    }
}

static bool is_consistent(const struct usage *u)
{
    const uint64_t most = UINT64_C(1) << 40;
    return u->prompt < most && u->completion < most && u->cached + u->cache_write <= u->prompt &&
           u->cache_write_1h <= u->cache_write &&
           u->reasoning + u->out.audio + u->out.image + u->out.video <= u->completion &&
           u->in.audio + u->in.image + u->in.video <= u->prompt &&
           u->cached_parts.audio <= u->in.audio && u->searches < most && u->tool_calls < most;
}

static void whatever_a_provider_says_is_a_bill_that_can_be(void **state)
{
    (void)state;
    struct rng rng;
    rng_seed(&rng, 20261121);
    const struct price_options p = {.input = 1000,
                                    .output = 2000,
                                    .cache_read = 100,
                                    .cache_write = 1250,
                                    .cache_write_1h = 2000,
                                    .audio_input = 5,
                                    .second = 100,
                                    .search = 7,
                                    .known = ~0u};
    for (unsigned i = 0; i < 60000; i++) {
        struct buf text = {0};
        struct usage u = {.source = USAGE_NONE};
        read_fn read = readers[i % ROWS(readers)];
        for (unsigned times = 0; times < 2; times++) {
            buf_clear(&text);
            add_object(&rng, &text, 0);
            uint8_t *copy = exact_copy(buf_span(&text));
            bool stated = read(&u, span_of(copy, buf_len(&text)));
            free(copy);
            struct cost c = cost_of(&u, &p);
            if (!is_consistent(&u) || (stated && u.source != USAGE_PROVIDER) ||
                c.total_pd != c.sum_pd)
                fail_msg("reader %u: %.*s", i % (unsigned)ROWS(readers), SPAN_FMT(buf_span(&text)));
        }
        buf_fini(&text);
    }
}

static void numbers_that_are_none_are_not_said(void **state)
{
    (void)state;
    static const struct {
        const char *value;
        uint64_t ms; /* of seconds; UINT64_MAX: it is none */
    } rows[] = {
        {"12", 12000},
        {"8.470000267028809", 8470},
        {"\"1.5\"", 1500},
        {"1e2", 100000},
        {"15e-1", 1500},
        {"1e-9", 0},
        {"0", 0},
        {"-1", UINT64_MAX},
        {"1e300", UINT64_MAX},
        {"\"x\"", UINT64_MAX},
        {"", UINT64_MAX},
        {"null", UINT64_MAX},
        {"1e", UINT64_MAX},
        {".", UINT64_MAX},
        {"\"\"", UINT64_MAX},
        {"1e99999999999999999999", UINT64_MAX},
    };
    for (unsigned i = 0; i < ROWS(rows); i++) {
        struct usage u = {.audio_ms = 77};
        bool is_said = usage_read_seconds(&u, span_text(rows[i].value));
        assert_row(i, is_said == (rows[i].ms != UINT64_MAX));
        assert_row(i, u.audio_ms == (is_said ? rows[i].ms : 77));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(invoices_are_exact),
        cmocka_unit_test(streams_cost_what_whole_answers_do),
        cmocka_unit_test(recorded_answers_cost_what_their_providers_charge),
        cmocka_unit_test(calls_of_a_response_are_counted),
        cmocka_unit_test(whatever_a_provider_says_is_a_bill_that_can_be),
        cmocka_unit_test(numbers_that_are_none_are_not_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
