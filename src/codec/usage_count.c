#include "sluice/codec/usage_count.h"

#include "sluice/codec/token_count.h"
#include "sluice/codec/turn_codec.h"
#include "sluice/format/json_walk.h"

#include <stdlib.h>

/* The answer's texts, in the order they came in; `raw` has their escapes. */
struct texts {
    struct buf raw;
    bool is_text; /* and nothing else: nobody says how many tokens a call is */
};

static bool add_event(void *arg, const struct turn_event *e)
{
    struct texts *t = arg;
    switch (e->kind) {
    case TURN_CALL:
    case TURN_ARGUMENTS:
        t->is_text = false;
        break;
    case TURN_TEXT:
    case TURN_REFUSAL:
    case TURN_REASONING:
        break;
    default:
        return true;
    }
    return buf_add(&t->raw, e->text) == 0;
}

static void read_answer(enum upstream_api protocol, struct span answer, struct texts *into)
{
    const struct upstream_codec *up = upstream_codec_for(protocol);
    void *reader = xcalloc(1, up->reader_size);
    up->init(reader, SPAN_LIT("count"), add_event, into);
    up->whole(reader, answer);
    up->fini(reader);
    free(reader);
}

/* Completions, which no provider is translated to. */
static void read_completions(struct span answer, struct texts *into)
{
    struct span choices = json_find(answer, "choices"), choice;
    size_t cursor = 0;
    while (json_each(choices, &cursor, &choice)) {
        if (buf_add(&into->raw, json_raw(json_find(choice, "text"))) < 0)
            return;
    }
}

static void read_texts(enum api_protocol api, struct span answer, struct texts *into)
{
    switch (api) {
    case API_COMPLETIONS:
        read_completions(answer, into);
        break;
    case API_MESSAGES:
        read_answer(UPSTREAM_MESSAGES, answer, into);
        break;
    case API_RESPONSES:
        read_answer(UPSTREAM_RESPONSES, answer, into);
        break;
    default:
        read_answer(UPSTREAM_CHAT, answer, into);
    }
}

/* False: that is an estimate. */
static bool count_prompt(enum api_protocol api, struct span request,
                         const struct translation_options *o, const struct tokenizer *t,
                         uint64_t *tokens)
{
    struct turn_request turn;
    struct token_count n = {.tokens = token_count_of_text(request)};
    struct fault why;
    struct arena a;
    arena_init(&a, NULL, 0);
    if (client_codec_for(api) != NULL && client_codec_for(api)->read(request, o, &a, &turn, &why))
        n = token_count(&turn, t);
    arena_fini(&a);
    *tokens = n.tokens;
    return n.is_exact;
}

struct usage usage_count(enum api_protocol api, struct span request, struct span answer,
                         const struct translation_options *o, const struct tokenizer *t)
{
    struct texts said = {.is_text = true};
    struct usage u = {.source = USAGE_NONE};
    uint64_t prompt;
    read_texts(api, answer, &said);
    bool is_exact = count_prompt(api, request, o, t, &prompt) && said.is_text;
    uint64_t written = token_count_of_raw(buf_span(&said.raw), t);
    usage_fill(&u, prompt, written, is_exact ? USAGE_COUNTED : USAGE_ESTIMATED);
    buf_fini(&said.raw);
    return u;
}
