#include "sluice/catalog/facts.h"

enum { OUTPUT_TOKENS = 8192 }; /* what every model in use can do */

/* Facts as of November 2026, from the providers' own documentation and from what clients ran into.
 * Rows apply in order, so families come before their exceptions; a model nobody has heard of is
 * taken to be like the newest of its family. */

#define EFFORTS (FACT_EFFORT_XHIGH | FACT_EFFORT_MAX)
#define CLAUDE_NEW (FACT_SYSTEM_ANYWHERE | EFFORTS)
#define CLAUDE_OLD (CLAUDE_NEW | FACT_JSON_SCHEMA)

/* Until 4.5 they went on with an answer that was begun; with thinking they never did. */
#define MANUAL (FACT_THINKING_BUDGET | FACT_SAMPLING | FACT_PREFILL)
#define THINKS (FACT_REASONING | FACT_ENCRYPTED_REASONING)
#define NEWER (FACT_THINKING_OFF | FACT_EFFORT_XHIGH)

static const struct {
    /* Where a word of the model's name begins, '.' being as '-'. '^': at its start, or behind an author's
     * slash. '$': its end, or where a date or a variant follows ('@', ':'). */
    const char *name;
    unsigned yes, no;
    uint64_t max_output; /* 0: as before */
} models[] = {
    /* Anthropic's, wherever they are: thinking is adaptive since 4.6, sampling is gone since 4.7. */
    {"claude", FACT_REASONING | FACT_THINKING_OFF | FACT_JSON_SCHEMA | CLAUDE_NEW,
     FACT_THINKING_BUDGET | FACT_SAMPLING | FACT_PREFILL, 64000},
    {"claude-opus-4-7", 0, FACT_SYSTEM_ANYWHERE, 0},
    {"claude-opus-4-6", FACT_SAMPLING, FACT_SYSTEM_ANYWHERE | FACT_EFFORT_XHIGH, 0},
    {"claude-sonnet-4-6", FACT_SAMPLING, FACT_SYSTEM_ANYWHERE | EFFORTS, 0},
    {"claude-opus-4-5", MANUAL, CLAUDE_NEW, 0},
    {"claude-sonnet-4-5", MANUAL, CLAUDE_NEW, 0},
    {"claude-haiku-4-5", MANUAL, CLAUDE_NEW, 0},
    {"claude-opus-4-1", MANUAL, CLAUDE_NEW, 32000},
    {"claude-opus-4-0", MANUAL, CLAUDE_OLD, 32000},
    {"claude-opus-4-2025", MANUAL, CLAUDE_OLD, 32000},
    {"claude-opus-4$", MANUAL, CLAUDE_OLD, 32000},
    {"claude-sonnet-4-0", MANUAL, CLAUDE_OLD, 0},
    {"claude-sonnet-4-2025", MANUAL, CLAUDE_OLD, 0},
    {"claude-sonnet-4$", MANUAL, CLAUDE_OLD, 0},
    {"claude-3", MANUAL, CLAUDE_OLD | FACT_REASONING, 4096},
    {"claude-3-5", 0, 0, 8192},
    {"claude-3-7", FACT_REASONING, 0, 64000},

    /* Google's: words since Gemini 3, budgets before, nothing before that. */
    {"gemini", FACT_REASONING | FACT_THOUGHT_SIGNATURES, FACT_THINKING_BUDGET | FACT_THINKING_OFF,
     0},
    {"gemini-3-flash", FACT_THINKING_OFF | FACT_EFFORT_MINIMAL, 0, 0},
    {"gemini-2-5", FACT_THINKING_BUDGET | FACT_THINKING_OFF, 0, 0},
    {"gemini-2-5-pro", 0, FACT_THINKING_OFF, 0},
    {"gemini-2-0", 0, FACT_REASONING | FACT_THOUGHT_SIGNATURES, 0},
    {"gemini-1", 0, FACT_REASONING | FACT_THOUGHT_SIGNATURES, 0},
    {"gemma", 0, FACT_REASONING, 0},

    /* OpenAI's: those that reason do not sample, the others cannot be told to. */
    {"gpt-3-5", 0, THINKS, 0},
    {"gpt-4", 0, THINKS, 0},
    {"chatgpt-4o", 0, THINKS, 0},
    {"^o1", FACT_REASONING, FACT_SAMPLING, 0},
    {"^o3", FACT_REASONING, FACT_SAMPLING, 0},
    {"^o4", FACT_REASONING, FACT_SAMPLING, 0},
    {"gpt-5", FACT_REASONING | NEWER, FACT_SAMPLING, 0},
    {"gpt-5-1", 0, FACT_EFFORT_XHIGH, 0},
    {"gpt-5$", FACT_EFFORT_MINIMAL, NEWER, 0},
    {"gpt-5-2025", FACT_EFFORT_MINIMAL, NEWER, 0},
    {"gpt-5-mini", FACT_EFFORT_MINIMAL, NEWER, 0},
    {"gpt-5-nano", FACT_EFFORT_MINIMAL, NEWER, 0},
    {"gpt-5-codex", 0, NEWER, 0},
    {"gpt-5-pro", 0, NEWER, 0},
    {"gpt-5-2-pro", 0, FACT_THINKING_OFF, 0},
    {"codex", 0, FACT_THINKING_OFF, 0},
    {"codex-max", FACT_EFFORT_XHIGH, 0, 0},
    {"gpt-5-chat", FACT_SAMPLING, THINKS, 0},
    {"gpt-oss", FACT_REASONING | FACT_SAMPLING, 0, 0},
    {"search-preview", FACT_WEB_SEARCH, FACT_REASONING | FACT_SAMPLING, 0},
    {"search-api", FACT_WEB_SEARCH, FACT_REASONING | FACT_SAMPLING, 0},

    /* xAI's think by themselves; few of them can be told how hard. */
    {"grok", 0, FACT_REASONING, 0},
    {"grok-3-mini", FACT_REASONING, 0, 0},
    {"grok-4-3", FACT_REASONING, 0, 0},
    {"grok-4-5", FACT_REASONING, 0, 0},

    /* Others'. */
    {"sonar", FACT_WEB_SEARCH, 0, 0},
    {"deepseek-v4", FACT_EFFORT_MAX, 0, 0},

    /* As Bedrock calls those that it holds to schemas, beside Anthropic's. */
    {"deepseek-v3", FACT_JSON_SCHEMA, 0, 0},
    {"google-gemma-3", FACT_JSON_SCHEMA, 0, 0},
    {"minimax-minimax", FACT_JSON_SCHEMA, 0, 0},
    {"mistral-magistral", FACT_JSON_SCHEMA, 0, 0},
    {"mistral-ministral", FACT_JSON_SCHEMA, 0, 0},
    {"mistral-mistral-large-3", FACT_JSON_SCHEMA, 0, 0},
    {"moonshot-kimi", FACT_JSON_SCHEMA, 0, 0},
    {"nvidia-nemotron", FACT_JSON_SCHEMA, 0, 0},
    {"openai-gpt-oss", FACT_JSON_SCHEMA, 0, 0},
    {"qwen-qwen3", FACT_JSON_SCHEMA, 0, 0},
};

static bool is_word_part(uint8_t c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

static bool begins_with(struct span text, const char *name)
{
    for (size_t i = 0; name[i] != '\0'; i++) {
        if (name[i] == '$')
            return i >= text.len || text.at[i] == '@' || text.at[i] == ':';
        uint8_t c = i < text.len ? text.at[i] : 0;
        uint8_t folded = c >= 'A' && c <= 'Z' ? (uint8_t)(c | 0x20) : c == '.' ? '-' : c;
        if (folded != (uint8_t)name[i])
            return false;
    }
    return true;
}

static bool is_named(struct span model, const char *name)
{
    bool is_first = name[0] == '^';
    for (size_t i = 0; i < model.len; i++) {
        bool is_here = i == 0 ||
                       (is_first ? model.at[i - 1] == '/' : !is_word_part(model.at[i - 1]));
        if (is_here && begins_with(span_skip(model, i), name + is_first))
            return true;
    }
    return false;
}

/* What a model is taken to be that nothing else is known of. */
static unsigned facts_of_protocol(const struct provider_options *p)
{
    switch (p->protocol) {
    case PROTOCOL_ANTHROPIC: /* whoever offers this protocol knows its first form of thinking */
        return FACT_REASONING | FACT_SAMPLING | FACT_THINKING_BUDGET | FACT_THINKING_OFF |
               FACT_JSON_SCHEMA | FACT_WEB_SEARCH;
    case PROTOCOL_BEDROCK: /* each maker has its own members for reasoning; few know schemas */
        return FACT_SAMPLING | FACT_THINKING_BUDGET;
    case PROTOCOL_OPENAI:
        return FACT_REASONING | FACT_SAMPLING | FACT_CACHE_KEY | FACT_JSON_SCHEMA |
               (p->has_responses
                    ? FACT_CUSTOM_TOOLS | FACT_COMPLETION_TOKENS | FACT_ENCRYPTED_REASONING
                    : 0);
    case PROTOCOL_RESPONSES:
        return FACT_REASONING | FACT_SAMPLING | FACT_ENCRYPTED_REASONING | FACT_JSON_SCHEMA;
    default:
        return FACT_REASONING | FACT_SAMPLING | FACT_JSON_SCHEMA;
    }
}

static unsigned overruled(unsigned facts, const struct fact_options *by)
{
    return by == NULL ? facts : (facts & ~by->known) | (by->yes & by->known);
}

/* What Anthropic's models can do depends on whose service they are asked on. */
static unsigned as_served(unsigned facts, const struct target *t)
{
    const struct provider_options *p = t->provider;
    switch (p->protocol) {
    case PROTOCOL_ANTHROPIC:
        return facts;
    case PROTOCOL_VERTEX:
        facts &= ~(unsigned)FACT_SYSTEM_ANYWHERE;
        return is_named(t->upstream_model, "claude") ? facts | FACT_WEB_SEARCH : facts;
    case PROTOCOL_BEDROCK:
        return facts & ~(unsigned)FACT_SYSTEM_ANYWHERE;
    default: /* what a server in between makes of it, only its own facts can tell */
        return (facts & ~(unsigned)FACT_PREFILL) | (p->preset_yes & (unsigned)FACT_PREFILL);
    }
}

static unsigned look_up_facts(const struct target *t)
{
    const struct provider_options *p = t->provider;
    unsigned facts = (facts_of_protocol(p) & ~p->preset_no) | p->preset_yes;
    for (size_t i = 0; i < sizeof models / sizeof models[0]; i++) {
        if (is_named(t->upstream_model, models[i].name))
            facts = (facts & ~models[i].no) | models[i].yes;
    }
    return overruled(overruled(as_served(facts, t), &p->facts), t->facts);
}

static uint64_t look_up_max_output(const struct target *t)
{
    uint64_t most = OUTPUT_TOKENS;
    for (size_t i = 0; i < sizeof models / sizeof models[0]; i++) {
        if (models[i].max_output != 0 && is_named(t->upstream_model, models[i].name))
            most = models[i].max_output;
    }
    return t->max_output > 0 ? t->max_output : most;
}

enum vocabulary_name facts_vocabulary(const struct target *t)
{
    static const struct {
        const char *name; /* as in `models` */
        enum vocabulary_name vocabulary;
    } rows[] = {
        {"gpt-3-5", VOCABULARY_CL100K},
        {"gpt-35", VOCABULARY_CL100K}, /* Azure's spelling */
        {"gpt-4", VOCABULARY_CL100K},
        {"text-embedding-3", VOCABULARY_CL100K},
        {"text-embedding-ada-002", VOCABULARY_CL100K},
        {"davinci-002", VOCABULARY_CL100K},
        {"babbage-002", VOCABULARY_CL100K},
        {"gpt-4o", VOCABULARY_O200K},
        {"gpt-4-1", VOCABULARY_O200K},
        {"gpt-4-1106", VOCABULARY_CL100K},
        {"gpt-4-5", VOCABULARY_O200K},
        {"gpt-5", VOCABULARY_O200K},
        {"gpt-oss", VOCABULARY_O200K},
        {"chatgpt-4o", VOCABULARY_O200K},
        {"codex", VOCABULARY_O200K},
        {"^o1", VOCABULARY_O200K},
        {"^o3", VOCABULARY_O200K},
        {"^o4", VOCABULARY_O200K},
    };
    enum vocabulary_name found = VOCABULARY_NONE;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (is_named(t->upstream_model, rows[i].name))
            found = rows[i].vocabulary;
    }
    return found;
}

unsigned facts_of(const struct target *t)
{
    return t->known_max_output > 0 ? t->known_facts : look_up_facts(t);
}

uint64_t facts_max_output(const struct target *t)
{
    return t->known_max_output > 0 ? t->known_max_output : look_up_max_output(t);
}

void facts_keep(struct target *t)
{
    t->known_facts = look_up_facts(t);
    t->known_max_output = look_up_max_output(t);
}

unsigned facts_params(const struct target *t)
{
    unsigned facts = facts_of(t), params = t->params & ((1u << CAPABILITIES) - 1);
    if (t->params != UINT32_MAX)
        return params;
    if (!(facts & FACT_REASONING))
        params &= ~(unsigned)CAN_REASON;
    if (!(facts & FACT_SAMPLING))
        params &= ~(unsigned)(CAN_TEMPERATURE | CAN_TOP_P | CAN_TOP_K | CAN_PRESENCE_PENALTY |
                              CAN_FREQUENCY_PENALTY | CAN_LOGPROBS | CAN_TOP_LOGPROBS |
                              CAN_LOGIT_BIAS);
    if (!(facts & FACT_JSON_SCHEMA))
        params &= ~(unsigned)CAN_FOLLOW_SCHEMAS;
    if (!(facts & FACT_WEB_SEARCH))
        params &= ~(unsigned)(CAN_SEARCH | CAN_FETCH);
    return params;
}
