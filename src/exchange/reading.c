#include "reading.h"

#include "exchange_priv.h"

#include "sluice/codec/form_request.h"
#include "sluice/codec/infrai_turn.h"
#include "sluice/codec/messages_turn.h"
#include "sluice/codec/proof.h"
#include "sluice/codec/request_print.h"
#include "sluice/codec/turn_prefill.h"
#include "sluice/net/offload.h"

#include <stdio.h>
#include <stdlib.h>

enum { ARENA_BLOCK = 4096 };

/* What is asked, and what came of it. Everything is made in the arena. */
struct question {
    enum api_protocol api;
    struct span body;
    struct span fixed_model; /* by the path; empty: the body names it */
    struct span boundary;    /* of a form */
    uint64_t file_max_bytes;
    struct translation_options translation;
    struct arena *arena;
    struct openai_request *request;
    bool holds_proofs;             /* of reasoning, in our wrapping */
    bool holds_urls;               /* Messages: something, by URL */
    bool is_continuable;           /* another endpoint could go on with a stream of it */
    const struct catalog *catalog; /* NULL on a thread: it may be replaced meanwhile */
    bool wants_shown, wants_conversation, continues;
    bool has_key;                                           /* the head says which request it is */
    uint8_t print[SHA256_BYTES], of_question[SHA256_BYTES]; /* of the body, where anybody asks */
    bool explains;          /* the body says of which API it is; nothing need be there to be sent */
    uint64_t data_bytes;    /* that are no text: asked_data_bytes */
    uint64_t prompt_tokens; /* as such a body says; 0: it does not */
    struct span session;    /* as the head names it */
    struct conversation_id conversation;
    unsigned shown; /* enum modality */
    enum estimates estimates;
    struct estimate_request estimate;
    unsigned vocabularies; /* bits 1 << enum vocabulary_name */
    struct token_count counts[VOCABULARIES];
    bool is_good;
    struct fault why;
};

struct reading {
    struct exchange *x;
    struct question q;
    void (*ask)(struct question *q);
    void (*read)(struct exchange *x, const struct fault *why);
    void (*counted)(struct exchange *x, const struct token_count *counts, const struct fault *why);
    struct openai_request request;
    struct arena arena;
    struct offload *job; /* while it is on another thread */
    struct body kept;    /* once the exchange is gone */
};

/* --- on any thread -------------------------------------------------------------------------------- */

static bool read_form(struct question *q)
{
    const struct form form = {
        .body = q->body,
        .boundary = q->boundary,
        .path_model = q->fixed_model,
        .file_max_bytes = q->file_max_bytes,
    };
    return form_request_read(&form, q->request, &q->why);
}

static bool read_request(struct question *q)
{
    if (api_takes_form(q->api))
        return read_form(q);
    if (q->fixed_model.len == 0)
        return openai_request_read(q->body, q->api, q->arena, q->request, &q->why);
    return openai_request_read_for(q->fixed_model, q->body, q->api, q->arena, q->request, &q->why);
}

/* In a Messages body; elsewhere nobody asks. */
static bool names_a_url(struct span body)
{
    return span_find(body, SPAN_LIT("\"type\":\"url\"")) != SIZE_MAX ||
           span_find(body, SPAN_LIT("\"type\": \"url\"")) != SIZE_MAX;
}

static bool refuse(struct question *q, const char *member, const char *problem)
{
    q->why = (struct fault){.kind = FAULT_INVALID_REQUEST, .param = member};
    snprintf(q->why.message, sizeof q->why.message, "\"%s\" %s", member, problem);
    return false;
}

/* The two members that only a request to explain has. */
static bool read_explained(struct question *q)
{
    static const struct {
        const char *word;
        enum api_protocol api;
    } apis[] = {
        {"\"chat\"", API_CHAT},
        {"\"completions\"", API_COMPLETIONS},
        {"\"messages\"", API_MESSAGES},
        {"\"responses\"", API_RESPONSES},
        {"\"embeddings\"", API_EMBEDDINGS},
    };
    struct json_member m;
    unsigned i = 0, n = sizeof apis / sizeof apis[0];
    if (json_get(q->body, "prompt_tokens", &m) &&
        !json_u64(json_value(q->body, &m), &q->prompt_tokens))
        return refuse(q, "prompt_tokens", "must be a whole number");
    if (!json_get(q->body, "api", &m))
        return true;
    while (i < n && !span_eq(json_value(q->body, &m), span_text(apis[i].word)))
        i++;
    if (i == n)
        return refuse(q, "api",
                      "must be \"chat\", \"completions\", \"messages\", \"responses\" or "
                      "\"embeddings\"");
    q->api = apis[i].api;
    q->wants_conversation = q->wants_conversation && q->api != API_EMBEDDINGS;
    return true;
}

/* A request that others are about to get, perhaps: it may leave out who. What is compared is no list to fall
 * back on. */
static bool read_estimated(struct question *q)
{
    bool is_read = q->fixed_model.len > 0
                       ? read_request(q)
                       : openai_request_read_open(q->body, q->api, q->arena, q->request, &q->why);
    if (!is_read || !openai_request_is_complete(q->request, q->api, &q->why))
        return false;
    if (q->estimates == ESTIMATES_TOKENS)
        return true;
    if (q->estimates == ESTIMATES_COSTS)
        q->request->models = SPAN_NONE;
    return estimate_request_read(q->body, q->estimates == ESTIMATES_COSTS, &q->estimate, &q->why);
}

static bool read_all(struct question *q)
{
    if (q->estimates != ESTIMATES_NOTHING)
        return read_estimated(q);
    if (q->explains)
        return read_explained(q) && read_request(q);
    return read_request(q) && openai_request_is_complete(q->request, q->api, &q->why);
}

/* Bits of enum modality. */
static unsigned shown_in(const struct question *q)
{
    if (api_takes_form(q->api))
        return MODALITY_AUDIO;
    return api_is_media(q->api) ? 0 : asked_modalities(q->body);
}

/* Whether it does is the preferences' to say. */
static bool may_continue(const struct question *q)
{
    return q->continues ||
           span_find(q->request->provider, SPAN_LIT("\"continue_streams\"")) != SIZE_MAX;
}

static void make_prints(struct question *q)
{
    if (q->has_key || q->request->idempotency_key.at != NULL)
        request_print(q->body, q->boundary, PRINT_OF_REQUEST, q->print);
    if (q->is_good && q->request->cache == CACHE_GATEWAY)
        request_print(q->body, q->boundary, PRINT_OF_QUESTION, q->of_question);
}

/* There may be several who could go on with it. */
static bool could_stay(const struct question *q)
{
    return q->is_good && q->wants_conversation &&
           (q->catalog == NULL || catalog_offers_choice_of(q->catalog, q->request->model));
}

static void ask_for_request(struct question *q)
{
    q->is_good = read_all(q);
    make_prints(q);
    bool may_hold_proofs = q->api == API_MESSAGES || q->api == API_RESPONSES;
    q->holds_proofs = q->is_good && may_hold_proofs && proof_is_wrapped_in(q->body);
    q->conversation = (struct conversation_id){.is_known = false};
    if (could_stay(q))
        conversation_id_read(q->session, &q->request->clues, q->body, &q->conversation);
    q->shown = q->is_good && q->wants_shown ? shown_in(q) : 0;
    q->data_bytes = q->is_good && !api_takes_form(q->api) ? asked_data_bytes(q->body) : 0;
    q->holds_urls = q->is_good && q->api == API_MESSAGES && names_a_url(q->body);
    q->is_continuable = q->is_good && q->request->stream && may_continue(q) &&
                        turn_prefill_suits(q->request, q->body, q->api);
}

static void ask_for_tokens(struct question *q)
{
    struct turn_request turn;
    q->is_good = q->api == API_INFRAI
                     ? infrai_turn_read(q->body, &q->translation, q->arena, &turn, &q->why)
                     : messages_turn_read(q->body, &q->translation, q->arena, &turn, &q->why);
    for (unsigned v = 0; q->is_good && v < VOCABULARIES; v++) {
        if (q->vocabularies & 1u << v)
            q->counts[v] = token_count(&turn, tokenizer_for((enum vocabulary_name)v));
    }
}

/* --- on the loop ------------------------------------------------------------------------------------ */

static const struct fault *problem_of(const struct question *q)
{
    return q->is_good ? NULL : &q->why;
}

static void note_key(struct exchange *x, const struct question *q)
{
    if (q->has_key || q->request->idempotency_key.at != NULL)
        idempotency_note_body(x, q->request->idempotency_key, q->print);
}

static void note_request(struct exchange *x, const struct question *q)
{
    x->request = q->request;
    x->wants_stream = q->request->stream;
    x->wants_usage = q->request->wants_usage;
    x->wants_cost = q->request->wants_cost;
    x->holds_proofs = q->holds_proofs;
    x->holds_urls = q->holds_urls;
    x->is_continuable = q->is_continuable;
    x->shown = q->shown;
    x->prompt_tokens = q->prompt_tokens;
    x->data_bytes = q->data_bytes;
    x->conversation = q->conversation;
    if (q->estimates != ESTIMATES_NOTHING) {
        x->estimate = ARENA_NEW(&x->sending, struct estimate_request);
        *x->estimate = q->estimate;
    }
    if (q->request->cache == CACHE_GATEWAY)
        response_cache_note(x, q->of_question);
}

static void reading_free(void *arg)
{
    struct reading *r = arg;
    body_fini(&r->kept);
    arena_fini(&r->arena);
    free(r);
}

static void on_asked(void *arg)
{
    struct reading *r = arg;
    struct exchange *x = r->x;
    const struct fault *why = problem_of(&r->q);
    x->reading = NULL; /* whoever is told may end the exchange, or have more read */
    if (r->read != NULL)
        note_key(x, &r->q);
    if (r->read != NULL && why == NULL) {
        r->q.request = openai_request_keep(r->q.request, &x->sending);
        note_request(x, &r->q);
    }
    if (r->read != NULL)
        r->read(x, why);
    else
        r->counted(x, r->q.counts, why);
    reading_free(r);
}

/* `why` stays as it is: most of the struct, and seldom needed. */
static void question_init(struct question *q, const struct exchange *x, struct arena *a)
{
    q->api = x->kind->api;
    q->body = buf_span(&x->body.bytes);
    q->fixed_model = x->fixed_model;
    q->boundary = x->boundary;
    q->file_max_bytes = x->deployment->snapshot->server.file_max_bytes;
    q->translation = x->deployment->snapshot->translation;
    q->arena = a;
    q->request = NULL;
    q->has_key = x->idempotency != NULL;
    q->holds_proofs = q->holds_urls = q->is_continuable = q->is_good = false;
    q->vocabularies = 0;
    q->estimates = x->kind->estimates;
    q->estimate = (struct estimate_request){.says_output = false};
    q->continues = x->deployment->snapshot->routing.continues_streams;
    q->shown = 0;
    q->catalog = x->deployment->catalog;
    q->wants_shown = catalog_describes_input(q->catalog);
    q->wants_conversation = catalog_offers_choice(q->catalog) && x->kind->api != API_EMBEDDINGS &&
                            x->kind->api != API_OTHER && !api_is_media(x->kind->api);
    q->explains = x->kind->explains;
    q->prompt_tokens = q->data_bytes = 0;
    q->session = x->session;
}

static bool is_small(const struct exchange *x)
{
    return buf_len(&x->body.bytes) <= OFFLOAD_FROM_BYTES;
}

static void ask_elsewhere(void *arg)
{
    struct reading *r = arg;
    r->ask(&r->q);
}

/* The exchange's own memory may go while the thread still reads: all that is needed comes along. */
static struct reading *reading_start(struct exchange *x, void (*ask)(struct question *q),
                                     unsigned vocabularies)
{
    struct reading *r = xcalloc(1, sizeof *r);
    arena_init(&r->arena, NULL, ARENA_BLOCK);
    r->x = x;
    r->ask = ask;
    question_init(&r->q, x, &r->arena);
    r->q.catalog = NULL;
    r->q.request = &r->request;
    r->q.vocabularies = vocabularies;
    r->q.fixed_model = arena_keep(&r->arena, x->fixed_model);
    r->q.boundary = arena_keep(&r->arena, x->boundary);
    r->q.session = arena_keep(&r->arena, x->session);
    r->job = offload_start_sized(x->gateway->loop, r->q.body.len, ask_elsewhere, on_asked,
                                 reading_free, r);
    x->reading = r;
    return r;
}

void reading_of_request(struct exchange *x,
                        void (*then)(struct exchange *x, const struct fault *why))
{
    if (!is_small(x)) {
        reading_start(x, ask_for_request, 0)->read = then;
        return;
    }
    struct question q;
    question_init(&q, x, &x->sending);
    q.request = ARENA_NEW(&x->sending, struct openai_request);
    ask_for_request(&q);
    note_key(x, &q);
    if (q.is_good)
        note_request(x, &q);
    then(x, problem_of(&q));
}

/* On another thread whatever its size: a vocabulary may have to be unpacked first. */
void reading_of_tokens(struct exchange *x, unsigned vocabularies,
                       void (*then)(struct exchange *x, const struct token_count *counts,
                                    const struct fault *why))
{
    reading_start(x, ask_for_tokens, vocabularies)->counted = then;
}

void reading_end(struct reading *r)
{
    if (r == NULL)
        return;
    body_move(&r->kept, &r->x->body);
    offload_cancel(r->job);
}
