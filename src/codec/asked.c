#include "sluice/codec/asked.h"

#include "sluice/format/json_walk.h"

/* What a member is about. PLAIN ones are used as soon as they are there; the others depend on their value. */
enum member {
    PLAIN,
    TOOLS,
    CHOICE,
    FORMAT,
    OUTPUT,
    THINKING,
    LOGPROBS,
    TOP_LOGPROBS,
    LOGIT_BIAS,
    MAX_TOKENS,
    MAX_ANSWER,
    ANSWERS,
};

#define NAME(text) {(const uint8_t *)(text), sizeof(text) - 1}

/* The shortest first. */
static const struct known {
    struct span key;
    enum member member;
    unsigned param; /* PLAIN: bit of enum capability */
} known[] = {
    {NAME("n"), ANSWERS, 0},
    {NAME("seed"), PLAIN, CAN_SEED},
    {NAME("stop"), PLAIN, CAN_STOP},
    {NAME("text"), OUTPUT, 0},
    {NAME("top_p"), PLAIN, CAN_TOP_P},
    {NAME("top_k"), PLAIN, CAN_TOP_K},
    {NAME("tools"), TOOLS, 0},
    {NAME("thinking"), THINKING, 0},
    {NAME("logprobs"), LOGPROBS, 0},
    {NAME("functions"), PLAIN, CAN_TOOLS},
    {NAME("reasoning"), PLAIN, CAN_REASON},
    {NAME("logit_bias"), LOGIT_BIAS, 0},
    {NAME("max_tokens"), MAX_TOKENS, 0},
    {NAME("temperature"), PLAIN, CAN_TEMPERATURE},
    {NAME("tool_choice"), CHOICE, 0},
    {NAME("top_logprobs"), TOP_LOGPROBS, 0},
    {NAME("output_format"), PLAIN, CAN_FOLLOW_SCHEMAS},
    {NAME("function_call"), CHOICE, 0},
    {NAME("output_config"), OUTPUT, 0},
    {NAME("stop_sequences"), PLAIN, CAN_STOP},
    {NAME("response_format"), FORMAT, 0},
    {NAME("reasoning_effort"), PLAIN, CAN_REASON},
    {NAME("presence_penalty"), PLAIN, CAN_PRESENCE_PENALTY},
    {NAME("frequency_penalty"), PLAIN, CAN_FREQUENCY_PENALTY},
    {NAME("web_fetch_options"), PLAIN, CAN_FETCH},
    {NAME("max_output_tokens"), MAX_ANSWER, 0},
    {NAME("web_search_options"), PLAIN, CAN_SEARCH},
    {NAME("parallel_tool_calls"), PLAIN, CAN_CALL_IN_PARALLEL},
    {NAME("max_completion_tokens"), MAX_ANSWER, 0},
};
enum { LONGEST_KEY = 24 };

/* Every member of every request comes by here, so lengths are compared before letters. */
static const struct known *find(struct span key)
{
    const struct known *k = known, *end = known + sizeof known / sizeof known[0];
    while (k < end && k->key.len < key.len)
        k++;
    for (; k < end && k->key.len == key.len; k++) {
        if (memcmp(k->key.at, key.at, key.len) == 0)
            return k;
    }
    return NULL;
}

/* A key may be written with escapes. */
static const struct known *find_decoded(struct span key)
{
    for (unsigned i = 0; i < sizeof known / sizeof known[0]; i++) {
        char name[LONGEST_KEY];
        memcpy(name, known[i].key.at, known[i].key.len);
        name[known[i].key.len] = '\0';
        if (json_key_is(key, name))
            return &known[i];
    }
    return NULL;
}

/* The `type` of an object, with its quotes. */
static unsigned of_format(struct span format)
{
    struct span type = json_find(format, "type");
    if (span_eq(type, SPAN_LIT("\"json_object\"")))
        return CAN_WRITE_JSON;
    return span_eq(type, SPAN_LIT("\"json_schema\"")) ? CAN_FOLLOW_SCHEMAS : 0;
}

/* Responses: `text`; Messages: `output_config`. Both hold a format, the second one effort, too. */
static unsigned of_output(struct span value)
{
    struct json_member m;
    unsigned params = 0;
    if (json_get(value, "format", &m))
        params |= of_format(json_value(value, &m));
    if (json_get(value, "effort", &m))
        params |= CAN_REASON;
    return params;
}

static unsigned of_choice(struct span value, enum json_kind kind)
{
    struct span word = kind == JSON_OBJECT ? json_find(value, "type") : value;
    bool is_usual = span_eq(word, SPAN_LIT("\"auto\"")) || span_eq(word, SPAN_LIT("\"none\""));
    return is_usual ? 0 : CAN_CHOOSE_TOOLS;
}

static void note_max_tokens(struct asked *a, struct span value, bool wins)
{
    uint64_t n;
    if (json_u64(value, &n) && (wins || a->max_tokens == 0))
        a->max_tokens = n;
}

static unsigned of_value(enum member member, struct span value, enum json_kind kind)
{
    switch (member) {
    case TOOLS:
        return json_array_is_filled(value) ? CAN_TOOLS : 0;
    case CHOICE:
        return of_choice(value, kind);
    case FORMAT:
        return of_format(value);
    case OUTPUT:
        return of_output(value);
    case THINKING:
        return span_eq(json_find(value, "type"), SPAN_LIT("\"disabled\"")) ? 0 : CAN_REASON;
    case LOGPROBS:
        return kind == JSON_FALSE ? 0 : CAN_LOGPROBS;
    case TOP_LOGPROBS:
        return span_eq(value, SPAN_LIT("0")) ? 0 : CAN_TOP_LOGPROBS;
    case LOGIT_BIAS:
        return span_find(value, SPAN_LIT(":")) != SIZE_MAX ? CAN_LOGIT_BIAS : 0;
    case PLAIN:
    case MAX_TOKENS:
    case MAX_ANSWER:
    case ANSWERS:
        break;
    }
    return 0;
}

static const struct known *known_of(struct span key)
{
    return memchr(key.at, '\\', key.len) != NULL ? find_decoded(key) : find(key);
}

unsigned asked_note(struct asked *a, struct span key, struct span value, enum json_kind kind)
{
    const struct known *m = known_of(key);
    if (m == NULL || kind == JSON_NULL)
        return 0;
    unsigned params = m->param | of_value(m->member, value, kind);
    a->params |= params;
    if (m->member == MAX_TOKENS || m->member == MAX_ANSWER)
        note_max_tokens(a, value, m->member == MAX_ANSWER);
    if (m->member == ANSWERS)
        (void)json_u64(value, &a->answers);
    return params;
}

/* Where a member of a member lies in the whole text. */
static struct json_member shifted(struct json_member m, size_t by)
{
    m.key.start += by;
    m.key.end += by;
    m.value.start += by;
    m.value.end += by;
    m.comma_before += m.comma_before != SIZE_MAX ? by : 0;
    m.comma_after += m.comma_after != SIZE_MAX ? by : 0;
    return m;
}

static unsigned of_output_member(struct span key, struct span value)
{
    if (json_key_is(key, "format"))
        return of_format(value);
    return json_key_is(key, "effort") ? CAN_REASON : 0;
}

/* How many there are; taken out when there is where to. */
static unsigned find_in_output(struct span body, const struct json_member *output,
                               unsigned unwanted, struct json_splice *out)
{
    struct json_scan scan;
    struct span rest = json_value(body, output);
    unsigned n = 0;
    json_scan_init(&scan);
    while (json_scan_next(&scan, &rest) == JSON_MEMBER) {
        struct json_member m = shifted(scan.member, output->value.start);
        struct span key = span_sub(body, m.key.start, m.key.end - m.key.start);
        if ((of_output_member(key, json_value(body, &m)) & unwanted) == 0)
            continue;
        n++;
        if (out != NULL)
            splice_remove_member(out, &m);
    }
    return n;
}

void asked_take_out(struct span body, const struct json_member *m, unsigned unwanted,
                    struct json_splice *out)
{
    struct span key = span_sub(body, m->key.start, m->key.end - m->key.start);
    const struct known *k = known_of(key);
    bool is_output = k != NULL && k->member == OUTPUT;
    /* Who says one thing three times may lose the rest: edits are bounded. */
    if (is_output && find_in_output(body, m, unwanted, NULL) <= ASKED_EDITS_MAX)
        (void)find_in_output(body, m, unwanted, out);
    else
        splice_remove_member(out, m);
}

/* --- what is shown -------------------------------------------------------------------------------- */

static unsigned of_part(struct span word)
{
    static const struct {
        const char *word;
        enum modality modality;
    } parts[] = {
        {"image_url", MODALITY_IMAGE},   {"image", MODALITY_IMAGE},
        {"input_image", MODALITY_IMAGE}, {"file", MODALITY_FILE},
        {"input_file", MODALITY_FILE},   {"document", MODALITY_FILE},
        {"input_audio", MODALITY_AUDIO}, {"video_url", MODALITY_VIDEO},
    };
    for (unsigned i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        if (span_eq(word, span_text(parts[i].word)))
            return parts[i].modality;
    }
    return 0;
}

unsigned asked_modalities(struct span body)
{
    unsigned found = 0;
    struct span value;
    while (json_find_named(&body, SPAN_LIT("\"type\""), &value)) {
        struct span word = span_skip(value, 1);
        const uint8_t *end = word.len > 0 ? memchr(word.at, '"', word.len) : NULL;
        if (span_starts(value, SPAN_LIT("\"")) && end != NULL)
            found |= of_part(span_of(word.at, (size_t)(end - word.at)));
    }
    return found;
}

/* How much of a text is data, to its quote, if it is long. */
static uint64_t skip_data(struct span *rest)
{
    enum { LONG = 1024 };
    size_t len = span_sub(*rest, 0, span_find(*rest, SPAN_LIT("\""))).len;
    *rest = span_skip(*rest, len);
    return len >= LONG ? len : 0;
}

/* In a data URL, or in a member that is called so. */
uint64_t asked_data_bytes(struct span body)
{
    enum { LARGE = 16 * 1024 };
    const struct span mark = SPAN_LIT(";base64,");
    struct span rest = body, value;
    uint64_t found = 0;
    if (body.len < LARGE)
        return 0;
    for (size_t at; (at = span_find(rest, mark)) != SIZE_MAX;) {
        rest = span_skip(rest, at + mark.len);
        found += skip_data(&rest);
    }
    for (rest = body; json_find_named(&rest, SPAN_LIT("\"data\""), &value);) {
        if (!span_starts(rest, SPAN_LIT("\"")))
            continue;
        rest = span_skip(rest, 1);
        found += skip_data(&rest);
    }
    return found < body.len ? found : body.len;
}
