#include "price_entry.h"

#include "sluice/format/json_walk.h"

#include <stdlib.h>

#define ALL_PARAMS ((1u << CAPABILITIES) - 1)
#define TOOL_PARAMS (CAN_TOOLS | CAN_CHOOSE_TOOLS | CAN_CALL_IN_PARALLEL)
#define SAMPLING_PARAMS                                                                       \
    (CAN_TEMPERATURE | CAN_TOP_P | CAN_TOP_K | CAN_PRESENCE_PENALTY | CAN_FREQUENCY_PENALTY | \
     CAN_LOGPROBS | CAN_TOP_LOGPROBS | CAN_LOGIT_BIAS)

enum flag {
    TOOLS = 1 << 0,
    SCHEMAS = 1 << 1,
    REASONS = 1 << 2,
    SEARCHES = 1 << 3,
    FETCHES = 1 << 4,
    SEES = 1 << 5,
    READS_PDF = 1 << 6,
    HEARS = 1 << 7,
    WATCHES = 1 << 8,
    SPEAKS = 1 << 9,
};

static const struct {
    const char *name;
    enum flag flag;
} flags[] = {
    {"supports_function_calling", TOOLS}, {"supports_response_schema", SCHEMAS},
    {"supports_reasoning", REASONS},      {"supports_web_search", SEARCHES},
    {"supports_url_context", FETCHES},    {"supports_vision", SEES},
    {"supports_pdf_input", READS_PDF},    {"supports_audio_input", HEARS},
    {"supports_video_input", WATCHES},    {"supports_audio_output", SPEAKS},
};

/* What it is a price of, and of which kind of model only; ANY: of all. */
enum { ANY = -1 };
static const struct {
    const char *name;
    enum price_part part;
    int category;
} prices[] = {
    {"input_cost_per_token", PRICE_INPUT, ANY},
    {"output_cost_per_token", PRICE_OUTPUT, ANY},
    {"cache_read_input_token_cost", PRICE_CACHE_READ, ANY},
    {"cache_creation_input_token_cost", PRICE_CACHE_WRITE, ANY},
    {"cache_creation_input_token_cost_above_1hr", PRICE_CACHE_WRITE_1H, ANY},
    {"output_cost_per_reasoning_token", PRICE_REASONING, ANY},
    {"input_cost_per_audio_token", PRICE_AUDIO_INPUT, ANY},
    {"output_cost_per_audio_token", PRICE_AUDIO_OUTPUT, ANY},
    {"input_cost_per_image_token", PRICE_IMAGE_INPUT, ANY},
    {"output_cost_per_image_token", PRICE_IMAGE_OUTPUT, ANY},
    {"input_cost_per_request", PRICE_REQUEST, ANY},
    {"input_cost_per_character", PRICE_CHARACTER, CATEGORY_AUDIO},
    {"input_cost_per_second", PRICE_SECOND, CATEGORY_AUDIO},
    {"input_cost_per_image", PRICE_IMAGE, CATEGORY_IMAGE},
    {"output_cost_per_image", PRICE_IMAGE, CATEGORY_IMAGE},
};
enum { PRICES = sizeof prices / sizeof prices[0] };

static const struct {
    const char *mode;
    enum category category;
} modes[] = {
    {"chat", CATEGORY_LLM},           {"completion", CATEGORY_LLM},
    {"responses", CATEGORY_LLM},      {"embedding", CATEGORY_EMBEDDING},
    {"rerank", CATEGORY_RERANK},      {"image_generation", CATEGORY_IMAGE},
    {"image_edit", CATEGORY_IMAGE},   {"audio_transcription", CATEGORY_AUDIO},
    {"audio_speech", CATEGORY_AUDIO}, {"video_generation", CATEGORY_VIDEO},
};

struct reading {
    struct price_entry *e;
    unsigned flags, modalities, made;
    unsigned has_price; /* bits of rows of `prices` */
    uint64_t prices[PRICES], long_input, long_output;
    bool forbids_choice, forbids_parallel, forbids_sampling;
    const char *problem;
};

static bool say(struct reading *g, const char *problem)
{
    g->problem = problem;
    return false;
}

static bool read_text(struct reading *g, const struct json_walk *w, char *out, size_t size,
                      const char *problem)
{
    long len = json_string(w->value, out, size - 1);
    if (len < 0 || memchr(out, '\0', (size_t)len) != NULL)
        return say(g, problem);
    out[len] = '\0';
    return true;
}

static double number_of(struct span lexeme)
{
    char text[48], *end;
    if (lexeme.len == 0 || lexeme.len >= sizeof text)
        return -1;
    memcpy(text, lexeme.at, lexeme.len);
    text[lexeme.len] = '\0';
    double n = strtod(text, &end);
    return end == text + lexeme.len ? n : -1;
}

/* USD for one, "2.5e-07", as whole pico-dollars: prices have fewer digits than a double holds. */
static bool read_usd(struct reading *g, struct span value, enum json_kind kind, uint64_t *pd,
                     const char *problem)
{
    double usd = kind == JSON_NUMBER ? number_of(value) : -1;
    if (usd < 0 || usd > 1000)
        return say(g, problem);
    *pd = (uint64_t)(usd * 1e12 + 0.5);
    return true;
}

static bool read_price(struct reading *g, const struct json_walk *w, unsigned which)
{
    g->has_price |= 1u << which;
    return read_usd(g, w->value, w->kind, &g->prices[which], prices[which].name);
}

/* {"search_context_size_medium":0.01,…}: what most ask for. */
static bool read_search(struct reading *g, const struct json_walk *w)
{
    struct json_member m;
    if (!json_get(w->value, "search_context_size_medium", &m))
        return true;
    g->e->price.known |= PRICE_SEARCH;
    return read_usd(g, json_value(w->value, &m), m.kind, &g->e->price.search,
                    "search_context_cost_per_query");
}

/* Once the kind of model is known. */
static void set_prices(struct reading *g)
{
    struct price_entry *e = g->e;
    for (unsigned i = 0; i < PRICES; i++) {
        bool is_meant = prices[i].category == ANY || prices[i].category == e->category;
        if ((g->has_price & 1u << i) == 0 || !is_meant)
            continue;
        price_part_set(&e->price, prices[i].part, g->prices[i]);
    }
    e->price.long_context = g->long_input == 2 * e->price.input && e->price.input > 0 &&
                            2 * g->long_output == 3 * e->price.output;
}

/* Some are written 8192.0. */
static bool read_tokens(struct reading *g, const struct json_walk *w, uint64_t *out,
                        const char *problem)
{
    double n = w->kind == JSON_NUMBER ? number_of(w->value) : -1;
    if (n < 0 || n > 1e12)
        return say(g, problem);
    *out = (uint64_t)n;
    return true;
}

static void read_modalities(struct span list, unsigned *out)
{
    struct span element;
    size_t cursor = 0;
    while (json_each(list, &cursor, &element)) {
        for (unsigned bit = 0; bit < MODALITIES; bit++) {
            if (span_eq(json_raw(element), span_text(modality_name(bit))))
                *out |= 1u << bit;
        }
    }
}

static void read_mode(struct price_entry *e, struct span mode)
{
    e->category = -1;
    for (unsigned i = 0; i < sizeof modes / sizeof modes[0]; i++) {
        if (span_eq(mode, span_text(modes[i].mode)))
            e->category = modes[i].category;
    }
}

/* False: it is none of them. */
static bool read_flag(struct reading *g, const struct json_walk *w)
{
    bool no = w->kind == JSON_FALSE;
    for (unsigned i = 0; i < sizeof flags / sizeof flags[0]; i++) {
        if (!json_walk_is(w, flags[i].name))
            continue;
        g->flags |= w->kind == JSON_TRUE ? flags[i].flag : 0;
        return true;
    }
    if (json_walk_is(w, "supports_tool_choice"))
        g->forbids_choice = no;
    else if (json_walk_is(w, "supports_parallel_function_calling"))
        g->forbids_parallel = no;
    else if (json_walk_is(w, "supports_sampling_params"))
        g->forbids_sampling = no;
    else
        return false;
    return true;
}

static bool read_member(struct reading *g, const struct json_walk *w, struct map *unread)
{
    struct price_entry *e = g->e;
    if (w->kind == JSON_NULL || read_flag(g, w))
        return true;
    for (unsigned i = 0; i < PRICES; i++) {
        if (json_walk_is(w, prices[i].name))
            return read_price(g, w, i);
    }
    if (json_walk_is(w, "input_cost_per_token_above_200k_tokens"))
        return read_usd(g, w->value, w->kind, &g->long_input,
                        "input_cost_per_token_above_200k_tokens");
    if (json_walk_is(w, "output_cost_per_token_above_200k_tokens"))
        return read_usd(g, w->value, w->kind, &g->long_output,
                        "output_cost_per_token_above_200k_tokens");
    if (json_walk_is(w, "search_context_cost_per_query"))
        return read_search(g, w);
    if (json_walk_is(w, "litellm_provider"))
        return read_text(g, w, e->provider, sizeof e->provider, "litellm_provider");
    if (json_walk_is(w, "deprecation_date"))
        return read_text(g, w, e->over, sizeof e->over, "deprecation_date");
    if (json_walk_is(w, "max_input_tokens"))
        return read_tokens(g, w, &e->context, "max_input_tokens");
    if (json_walk_is(w, "max_output_tokens"))
        return read_tokens(g, w, &e->max_output, "max_output_tokens");
    if (json_walk_is(w, "mode"))
        read_mode(e, json_raw(w->value));
    else if (json_walk_is(w, "supported_modalities"))
        read_modalities(w->value, &g->modalities);
    else if (json_walk_is(w, "supported_output_modalities"))
        read_modalities(w->value, &g->made);
    else if (map_put(unread, w->key, (void *)(uintptr_t)"") < 0)
        return say(g, "no memory");
    return true;
}

/* What the flags say; the rest is not denied. */
static unsigned params_of(const struct reading *g)
{
    unsigned params = ALL_PARAMS;
    if (!(g->flags & TOOLS))
        params &= ~(unsigned)TOOL_PARAMS;
    if (g->forbids_choice)
        params &= ~(unsigned)CAN_CHOOSE_TOOLS;
    if (g->forbids_parallel)
        params &= ~(unsigned)CAN_CALL_IN_PARALLEL;
    if (g->forbids_sampling)
        params &= ~(unsigned)SAMPLING_PARAMS;
    if (!(g->flags & SCHEMAS))
        params &= ~(unsigned)CAN_FOLLOW_SCHEMAS;
    if (!(g->flags & REASONS))
        params &= ~(unsigned)CAN_REASON;
    if (!(g->flags & SEARCHES))
        params &= ~(unsigned)CAN_SEARCH;
    if (!(g->flags & FETCHES))
        params &= ~(unsigned)CAN_FETCH;
    return params;
}

static unsigned input_of(const struct reading *g)
{
    return g->modalities | MODALITY_TEXT | (g->flags & SEES ? MODALITY_IMAGE : 0) |
           (g->flags & READS_PDF ? MODALITY_FILE : 0) | (g->flags & HEARS ? MODALITY_AUDIO : 0) |
           (g->flags & WATCHES ? MODALITY_VIDEO : 0);
}

static unsigned output_of(const struct reading *g)
{
    switch (g->e->category) {
    case CATEGORY_EMBEDDING:
        return MODALITY_EMBEDDING;
    case CATEGORY_IMAGE:
        return g->made != 0 ? g->made : MODALITY_IMAGE;
    case CATEGORY_VIDEO:
        return g->made != 0 ? g->made : MODALITY_VIDEO;
    default:
        return (g->made != 0 ? g->made : MODALITY_TEXT) | (g->flags & SPEAKS ? MODALITY_AUDIO : 0);
    }
}

static void use_dashes(char *text)
{
    for (; *text != '\0'; text++)
        *text = *text == '_' ? '-' : *text;
}

bool price_entry_read(struct span key, struct span value, struct price_entry *out,
                      struct map *unread, const char **problem)
{
    struct reading g = {.e = out};
    struct json_walk w;
    *out = (struct price_entry){.category = -1};
    *problem = "it must be an object";
    long len = json_unescape(key, out->name, sizeof out->name - 1);
    if (len <= 0 || value.len == 0 || value.at[0] != '{')
        return false;
    json_walk_init(&w, value);
    while (json_walk_next(&w)) {
        if (!read_member(&g, &w, unread)) {
            *problem = g.problem;
            return false;
        }
    }
    set_prices(&g);
    use_dashes(out->provider);
    out->params = params_of(&g);
    out->input = input_of(&g);
    out->output = output_of(&g);
    return true;
}
